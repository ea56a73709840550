/// A range that holds the true value with a stated probability.
public struct ConfidenceInterval: Sendable, Hashable, Codable {
    /// The lower end.
    public var lower: Double
    /// The upper end.
    public var upper: Double
    /// The probability, such as 0.95.
    public var level: Double

    /// Makes an interval.
    public init(lower: Double, upper: Double, level: Double) {
        self.lower = lower
        self.upper = upper
        self.level = level
    }
}

/// Estimates how well a sample's mean is known, by the percentile bootstrap.
///
/// The sample is drawn from itself, with replacement, again and again; the interval holds the
/// middle share `level` of the means. The same seed gives the same interval.
///
/// Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
///
/// - Parameters:
///   - values: The sample: one value per case (or per structure), independent of each other.
///   - level: The probability.
///   - resamples: How often the sample is drawn.
///   - seed: Starts the random numbers.
/// - Returns: The interval, or `nil` below two values.
/// - Precondition: `0 < level < 1` and `resamples > 0`.
public func bootstrapMeanInterval(
    of values: [Double], level: Double = 0.95, resamples: Int = 10_000, seed: UInt64 = 1
) -> ConfidenceInterval? {
    precondition(level > 0 && level < 1, "a level of \(level)")
    precondition(resamples > 0, "\(resamples) resamples")
    guard values.count > 1 else { return nil }
    var generator = SplitMix64(seed: seed)
    var means: [Double] = []
    means.reserveCapacity(resamples)
    for _ in 0..<resamples {
        var sum = 0.0
        for _ in values { sum += values[generator.index(below: values.count)] }
        means.append(sum / Double(values.count))
    }
    guard let lower = percentile(50 * (1 - level), of: means),
        let upper = percentile(50 * (1 + level), of: means)
    else { return nil }
    return ConfidenceInterval(lower: lower, upper: upper, level: level)
}
