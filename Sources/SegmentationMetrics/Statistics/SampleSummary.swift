/// The mean of a sample, or `nil` where it is empty.
public func mean(of values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}

/// The standard deviation of a sample with `n - 1` in the denominator, or `nil` below two values.
public func standardDeviation(of values: [Double]) -> Double? {
    guard values.count > 1, let mean = mean(of: values) else { return nil }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
}

/// The median of a sample, or `nil` where it is empty.
public func median(of values: [Double]) -> Double? { percentile(50, of: values) }

/// A percentile of a sample, by linear interpolation between the nearest ranks as numpy's default.
///
/// - Parameters:
///   - percentage: In `0...100`.
///   - values: The sample, in any order.
/// - Returns: The percentile, or `nil` where the sample is empty.
/// - Precondition: the percentage lies in `0...100`.
public func percentile(_ percentage: Double, of values: [Double]) -> Double? {
    precondition((0...100).contains(percentage), "percentile \(percentage) is not in 0...100")
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let position = percentage / 100 * Double(sorted.count - 1)
    let lower = Int(position)
    let upper = min(lower + 1, sorted.count - 1)
    return sorted[lower] + (sorted[upper] - sorted[lower]) * (position - Double(lower))
}

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

/// What a table says about many values of one metric.
public struct SampleSummary: Sendable, Hashable, Codable {
    /// How many values are defined.
    public var count: Int
    /// How many are undefined, such as the Dice coefficient of a structure that neither map holds;
    /// they enter none of the other figures.
    public var undefinedCount: Int
    /// The mean, or `nil` where no value is defined.
    public var mean: Double?
    /// The standard deviation with `n - 1` in the denominator, or `nil` below two values.
    public var standardDeviation: Double?
    /// The median, or `nil` where no value is defined.
    public var median: Double?
    /// The 25th percentile, or `nil` where no value is defined.
    public var lowerQuartile: Double?
    /// The 75th percentile, or `nil` where no value is defined.
    public var upperQuartile: Double?
    /// The smallest value, or `nil` where none is defined.
    public var minimum: Double?
    /// The largest value, or `nil` where none is defined.
    public var maximum: Double?
    /// Where the mean lies with 95 % probability by the bootstrap, or `nil` below two values.
    public var meanInterval: ConfidenceInterval?
    /// The same by Student's t distribution, or `nil` below two values.
    public var parametricMeanInterval: ConfidenceInterval?

    /// ``meanInterval`` where it tells more than the range: from four values on.
    ///
    /// Of three values one is drawn thrice in 1 of 27 draws, more often than the interval leaves
    /// out at either end, so that it would always reach from the smallest to the largest.
    public var reliableMeanInterval: ConfidenceInterval? { count > 3 ? meanInterval : nil }

    /// Summarises values; `nil` stands for an undefined one.
    ///
    /// - Parameters:
    ///   - values: The values.
    ///   - seed: Starts the random numbers of the interval.
    public init(of values: [Double?], seed: UInt64 = 1) {
        let defined = values.compactMap(\.self)
        count = defined.count
        undefinedCount = values.count - defined.count
        mean = SegmentationMetrics.mean(of: defined)
        standardDeviation = SegmentationMetrics.standardDeviation(of: defined)
        median = SegmentationMetrics.median(of: defined)
        lowerQuartile = percentile(25, of: defined)
        upperQuartile = percentile(75, of: defined)
        minimum = defined.min()
        maximum = defined.max()
        meanInterval = bootstrapMeanInterval(of: defined, seed: seed)
        parametricMeanInterval = SegmentationMetrics.parametricMeanInterval(of: defined)
    }
}
