/// Summary statistics of one metric over many cases.
public struct SampleSummary: Sendable, Hashable, Codable {
    /// The number of defined values.
    public var count: Int
    /// The number of undefined values, such as the Dice coefficient of a structure that neither map
    /// contains; they enter none of the other figures.
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
    /// The bootstrap 95 % confidence interval of the mean, or `nil` below two values.
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
