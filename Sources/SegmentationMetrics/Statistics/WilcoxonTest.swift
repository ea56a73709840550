import Foundation

/// A Boolean value indicating whether paired differences lie to one side of zero: Wilcoxon's
/// signed-rank test, two-sided.
///
/// Differences of zero are left out. The others are ranked by magnitude, equal ones sharing the
/// mean of their ranks, and the ranks of the positive and of the negative ones are added up. Of
/// two equal methods, all assignments of signs to the ranks are equally likely.
///
/// The defaults of `scipy.stats.wilcoxon` (1.17) are followed, so that its numbers are ours: the
/// distribution is exact for at most 50 pairs without zeros and ties, and for at most 13 pairs
/// with them; otherwise normal, with the variance corrected for ties and no correction for
/// continuity. Where all differences are zero the p-value is 1; scipy has none above 13 pairs.
///
/// Source: Wilcoxon, Biometrics Bulletin 1(6), 1945, <https://doi.org/10.2307/3001968>.
public struct WilcoxonTest: Sendable, Hashable, Codable {
    /// The method of computing a p-value.
    public enum Method: String, Sendable, Hashable, Codable {
        /// All assignments of signs, counted.
        case exact
        /// The normal distribution that a rank sum of many pairs approaches.
        case normalApproximation = "normal-approximation"
    }

    /// The number of pairs.
    public var pairCount: Int
    /// The number of pairs without a difference, which are left out.
    public var zeroCount: Int
    /// The sum of the positive differences' ranks.
    public var positiveRankSum: Double
    /// The sum of the negative differences' ranks.
    public var negativeRankSum: Double
    /// The probability that two equal methods give rank sums at least that far apart.
    public var pValue: Double
    /// The method of computing the p-value.
    public var method: Method

    /// The smaller of both rank sums: the test's statistic as scipy gives it.
    public var statistic: Double { min(positiveRankSum, negativeRankSum) }

    /// Tests differences; `nil` where there is none.
    ///
    /// - Parameter differences: One for each pair, independent of each other.
    /// - Precondition: the differences are finite.
    public init?(differences: [Double]) {
        precondition(differences.allSatisfy(\.isFinite), "a difference is not finite")
        guard !differences.isEmpty else { return nil }
        let ranked = SignedRanks(of: differences.filter { $0 != 0 })
        pairCount = differences.count
        zeroCount = differences.count - ranked.count
        positiveRankSum = Double(ranked.doubledPositiveSum) / 2
        negativeRankSum = Double(ranked.doubledSum - ranked.doubledPositiveSum) / 2
        let largestExactCount = ranked.tieSizes.isEmpty && zeroCount == 0 ? 50 : 13
        method = pairCount <= largestExactCount ? .exact : .normalApproximation
        pValue = method == .exact ? ranked.exactPValue() : ranked.normalPValue()
    }
}

/// Ranks of magnitudes, doubled so that shared ranks are whole numbers too.
private struct SignedRanks {
    /// The number of differences.
    let count: Int
    /// Twice each rank.
    private(set) var doubledRanks: [Int] = []
    /// Twice the sum of the positive differences' ranks.
    private(set) var doubledPositiveSum = 0
    /// The number of differences at each tied rank.
    private(set) var tieSizes: [Int] = []

    init(of differences: [Double]) {
        count = differences.count
        let sorted = differences.sorted { abs($0) < abs($1) }
        var first = 0
        while first < count {
            var end = first + 1
            while end < count, abs(sorted[end]) == abs(sorted[first]) { end += 1 }
            // Ranks first + 1 ... end share their mean.
            let doubledRank = first + 1 + end
            for position in first..<end {
                doubledRanks.append(doubledRank)
                if sorted[position] > 0 { doubledPositiveSum += doubledRank }
            }
            if end - first > 1 { tieSizes.append(end - first) }
            first = end
        }
    }

    var doubledSum: Int { count * (count + 1) }

    /// Counts the assignments of signs by the sum they give; below 2⁵³ a `Double` counts exactly.
    func exactPValue() -> Double {
        var assignments = [Double](repeating: 0, count: doubledSum + 1)
        assignments[0] = 1
        for rank in doubledRanks {
            for sum in stride(from: doubledSum, through: rank, by: -1) {
                assignments[sum] += assignments[sum - rank]
            }
        }
        let smaller = min(doubledPositiveSum, doubledSum - doubledPositiveSum)
        let oneSide = assignments[...smaller].reduce(0, +)
        return min(1, 2 * oneSide / assignments.reduce(0, +))
    }

    func normalPValue() -> Double {
        guard count > 0 else { return 1 }
        let n = Double(count)
        let correction = tieSizes.reduce(0.0) { sum, size in
            sum + Double(size) * (Double(size) * Double(size) - 1) / 48
        }
        let variance = n * (n + 1) * (2 * n + 1) / 24 - correction
        let distance = abs(Double(doubledPositiveSum) / 2 - n * (n + 1) / 4)
        return erfc(distance / (2 * variance).squareRoot())
    }
}

/// Corrects p-values for having tested several hypotheses, by Holm's step-down method.
///
/// The `k`-th smallest of `m` values is multiplied by `m - k + 1`, is at least as large as the one
/// before, and at most 1. Rejecting where the result is at most α keeps the probability of any
/// false rejection at most α, whatever the tests' dependence.
///
/// Source: Holm, Scandinavian Journal of Statistics 6(2), 1979.
///
/// - Parameter pValues: One for each test; `nil` stands for a test that could not be done, which
///   is none of the family.
/// - Returns: The corrected values in the same order.
/// - Precondition: the values lie in `0...1`.
public func holmAdjusted(_ pValues: [Double?]) -> [Double?] {
    let tests = pValues.indices.compactMap { index in pValues[index].map { (index, $0) } }
    precondition(tests.allSatisfy { (0...1).contains($0.1) }, "a p-value is not in 0...1")
    var adjusted = [Double?](repeating: nil, count: pValues.count)
    var largest = 0.0
    for (rank, (index, pValue)) in tests.sorted(by: { $0.1 < $1.1 }).enumerated() {
        largest = max(largest, min(1, Double(tests.count - rank) * pValue))
        adjusted[index] = largest
    }
    return adjusted
}
