import Foundation
import SegmentationMetrics
import Testing

struct SampleSummaryTests {
    struct Case: Decodable {
        var values: [Double]
        var seed: UInt64
        var resamples: Int
        var mean: Double
        var standardDeviation: Double
        var median: Double
        var lower: Double
        var upper: Double
    }

    private func cases() throws -> [Case] {
        let url = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../fixtures/preprocessing/summaries.json")
        return try JSONDecoder().decode([Case].self, from: Data(contentsOf: url))
    }

    @Test func `mean, deviation, median and interval agree with numpy`() throws {
        for example in try cases() {
            #expect(abs(try #require(mean(of: example.values)) - example.mean) < 1e-12)
            let deviation = try #require(standardDeviation(of: example.values))
            #expect(abs(deviation - example.standardDeviation) < 1e-12)
            #expect(abs(try #require(median(of: example.values)) - example.median) < 1e-12)
            let interval = try #require(
                bootstrapMeanInterval(
                    of: example.values, resamples: example.resamples, seed: example.seed))
            #expect(abs(interval.lower - example.lower) < 1e-12)
            #expect(abs(interval.upper - example.upper) < 1e-12)
            #expect(interval.level == 0.95)
        }
    }

    @Test func `random numbers are those of SplitMix64's authors`() {
        // The first numbers of https://prng.di.unimi.it/splitmix64.c for the seed 1234567.
        var generator = SplitMix64(seed: 1_234_567)
        let numbers = (0..<5).map { _ in generator.next() }
        #expect(
            numbers == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test func `undefined values are counted and left out`() throws {
        let summary = SampleSummary(of: [0.5, nil, 1, nil])
        #expect(summary.count == 2)
        #expect(summary.undefinedCount == 2)
        #expect(summary.mean == 0.75)
        #expect(summary.median == 0.75)
        #expect(abs(try #require(summary.standardDeviation) - 0.125.squareRoot()) < 1e-15)
        let interval = try #require(summary.meanInterval)
        #expect(interval.lower == 0.5 && interval.upper == 1)
    }

    @Test func `a sample too small for a figure has none`() {
        let one = SampleSummary(of: [0.5])
        #expect(one.mean == 0.5 && one.median == 0.5)
        #expect(one.standardDeviation == nil && one.meanInterval == nil)
        let none = SampleSummary(of: [nil])
        #expect(none.mean == nil && none.median == nil && none.count == 0)
    }

    @Test func `a summary survives JSON`() throws {
        let summary = SampleSummary(of: [0.5, nil, 0.75])
        let data = try JSONEncoder().encode(summary)
        #expect(try JSONDecoder().decode(SampleSummary.self, from: data) == summary)
    }

    @Test func `the interval is where the normal theory says for a large sample`() throws {
        var generator = SplitMix64(seed: 9)
        let values = (0..<400).map { _ in Double(generator.next() >> 11) / Double(1 << 53) }
        let interval = try #require(bootstrapMeanInterval(of: values))
        let (center, deviation) = (
            try #require(mean(of: values)), try #require(standardDeviation(of: values))
        )
        let half = 1.96 * deviation / 20
        #expect(abs(interval.lower - (center - half)) < 0.1 * half)
        #expect(abs(interval.upper - (center + half)) < 0.1 * half)
    }
}
