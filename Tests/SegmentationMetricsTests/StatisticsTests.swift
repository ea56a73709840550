import Foundation
import SegmentationMetrics
import Testing

/// Reads what scipy and statsmodels computed.
func statisticsFixture<Value: Decodable>(
    _ name: String, as type: Value.Type
) throws -> Value {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../fixtures/statistics").appending(path: name)
    return try JSONDecoder().decode(type, from: Data(contentsOf: url))
}

/// Whether two numbers agree to a part of the larger one.
func agree(_ a: Double, _ b: Double, relative: Double = 1e-12) -> Bool {
    abs(a - b) <= relative * max(abs(a), abs(b))
}

struct StatisticsTests {
    struct Summary: Decodable {
        var values: [Double]
        var mean: Double
        var standardDeviation: Double
        var quartiles: [Double]
        var intervals: [String: [Double]]
    }

    struct CriticalValue: Decodable {
        var level: Double
        var degreesOfFreedom: Int
        var value: Double
    }

    struct Wilcoxon: Decodable {
        var differences: [Double]
        var statistic: Double
        var pValue: Double
    }

    struct Holm: Decodable {
        var pValues: [Double]
        var adjusted: [Double]
    }

    struct ZScores: Decodable {
        var values: [Double]
        var scores: [Double]
    }

    @Test func `mean, quartiles and Student's intervals agree with scipy`() throws {
        for example in try statisticsFixture("summaries.json", as: [Summary].self) {
            let summary = SampleSummary(of: example.values)
            #expect(agree(try #require(summary.mean), example.mean))
            let deviation = try #require(summary.standardDeviation)
            #expect(agree(deviation, example.standardDeviation))
            let quartiles = [summary.lowerQuartile, summary.median, summary.upperQuartile]
            for (ours, expected) in zip(quartiles, example.quartiles) {
                #expect(agree(try #require(ours), expected))
            }
            #expect(summary.minimum == example.values.min())
            #expect(summary.maximum == example.values.max())
            for (level, expected) in example.intervals {
                let level = try #require(Double(level))
                let interval = try #require(
                    parametricMeanInterval(of: example.values, level: level))
                // scipy's own quantiles are good to about eleven digits.
                #expect(agree(interval.lower, expected[0], relative: 1e-10))
                #expect(agree(interval.upper, expected[1], relative: 1e-10))
            }
            let interval = parametricMeanInterval(of: example.values)
            #expect(summary.parametricMeanInterval == interval)
        }
    }

    @Test func `critical values of Student's t agree with scipy`() throws {
        let examples = try statisticsFixture("student_t.json", as: [CriticalValue].self)
        #expect(examples.count == 66)
        for example in examples {
            let value = studentTCriticalValue(
                level: example.level, degreesOfFreedom: example.degreesOfFreedom)
            #expect(agree(value, example.value, relative: 1e-9), "\(example)")
        }
        // Closed forms: tan(π level / 2) for one, 2 level / √(2 (1 - level²)) for two.
        let one = studentTCriticalValue(level: 0.95, degreesOfFreedom: 1)
        #expect(agree(one, tan(0.95 * Double.pi / 2)))
        let two = studentTCriticalValue(level: 0.95, degreesOfFreedom: 2)
        let closed: Double = 0.95 * (2 / (1 - 0.95 * 0.95)).squareRoot()
        #expect(agree(two, closed))
    }

    @Test func `the signed-rank test agrees with scipy, with ties and zeros too`() throws {
        let examples = try statisticsFixture("wilcoxon.json", as: [Wilcoxon].self)
        var methods: [WilcoxonTest.Method: Int] = [:]
        for example in examples {
            let test = try #require(WilcoxonTest(differences: example.differences))
            #expect(test.statistic == example.statistic)
            #expect(agree(test.pValue, example.pValue, relative: 1e-11), "\(example)")
            methods[test.method, default: 0] += 1
            let mirrored = try #require(WilcoxonTest(differences: example.differences.map(-)))
            #expect(mirrored.pValue == test.pValue)
            #expect(mirrored.positiveRankSum == test.negativeRankSum)
        }
        #expect((methods[.exact] ?? 0) > 20 && (methods[.normalApproximation] ?? 0) > 10)
    }

    @Test func `a signed-rank test worked by hand`() throws {
        // Ranks 1, 2, 3: of 8 assignments of signs one gives 0, one 6.
        let test = try #require(WilcoxonTest(differences: [0.1, 0.3, 0.2]))
        #expect(test.positiveRankSum == 6 && test.negativeRankSum == 0)
        #expect(test.pValue == 0.25 && test.method == .exact)
        let mixed = try #require(WilcoxonTest(differences: [0.5, 0, -0.5, 2]))
        #expect(mixed.pairCount == 4 && mixed.zeroCount == 1)
        #expect(mixed.positiveRankSum == 4.5 && mixed.negativeRankSum == 1.5)
        // Ranks 1.5, 1.5, 3: sums 0, 1.5, 1.5, ...; three of eight are at most 1.5.
        #expect(mixed.pValue == 0.75)
    }

    @Test(arguments: [1, 13, 14, 51])
    func `runs that are equal everywhere do not differ`(count: Int) throws {
        let test = try #require(WilcoxonTest(differences: [Double](repeating: 0, count: count)))
        #expect(test.pValue == 1 && test.statistic == 0 && test.zeroCount == count)
        #expect(WilcoxonTest(differences: []) == nil)
    }

    @Test func `Holm's correction agrees with statsmodels`() throws {
        for example in try statisticsFixture("holm.json", as: [Holm].self) {
            let adjusted = holmAdjusted(example.pValues)
            for (ours, expected) in zip(adjusted, example.adjusted) {
                #expect(agree(try #require(ours), expected))
            }
        }
        // A test that could not be done is none of the family.
        let expected: [Double?] = [0.5, nil, 0.375, 0.5]
        #expect(holmAdjusted([0.5, nil, 0.125, 0.25]) == expected)
        #expect(holmAdjusted([]) == [])
    }

    @Test func `robust z-scores agree with scipy's scaled MAD`() throws {
        for example in try statisticsFixture("robust_z_scores.json", as: [ZScores].self) {
            for (ours, expected) in zip(robustZScores(of: example.values), example.scores) {
                let tolerance = 1e-11 * max(1, abs(expected))
                #expect(abs(ours - expected) < tolerance)
            }
        }
    }

    @Test func `robust z-scores of equal values fall back on the mean distance, then on 0`() {
        let scores = robustZScores(of: [5, 5, 5, 5, 9])
        // The mean distance is 4/5.
        let expected = 4 / (0.8 * (Double.pi / 2).squareRoot())
        #expect(agree(scores[4], expected))
        #expect(scores[..<4].allSatisfy { $0 == 0 })
        #expect(robustZScores(of: [3, 3, 3]) == [0, 0, 0])
        #expect(robustZScores(of: []) == [])
    }
}
