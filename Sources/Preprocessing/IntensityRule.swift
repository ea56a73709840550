/// A normalization of scan intensities for a network.
///
/// All rules but ``window(lower:upper:)`` give the same numbers for a scan and the same scan with its
/// intensities multiplied by a positive number and shifted, and whatever value fills voxels that hold no
/// measurement. *Foreground* is what lies clearly above the background: by more than an eighth of
/// the way from the background level (that of no signal) to the 99th percentile of all that is
/// above it.
public enum IntensityRule: Sendable, Hashable {
    /// The smallest intensity becomes 0 and the largest 1, as in QuickNAT's preprocessing.
    ///
    /// One hot voxel compresses all others; kept for weights that were trained so.
    case minMax

    /// Two percentiles of the foreground become 0 and 1; what lies beyond them is clipped.
    ///
    /// Percentiles are in `0...100` and interpolated as by numpy. Where both are the same
    /// intensity, the background level takes the place of the lower.
    case robustPercentile(lower: Double, upper: Double)

    /// Two percentiles of all voxels that hold a measurement become 0 and 1, what lies beyond is
    /// clipped, and voxels that hold none become 0.
    ///
    /// Within a brain mask, where there is one; else in the whole field of view, which is not cut to the
    /// foreground then. Percentiles are in `0...100` and
    /// interpolated as by numpy.
    case percentile(lower: Double, upper: Double)

    /// The foreground gets mean 0 and standard deviation 1; what lies beyond ±10 is clipped.
    ///
    /// Mean and deviation are of the foreground without its darkest and brightest thousandth, so
    /// that hot voxels do not count. Where these are all equal, the distance from
    /// the background level serves as deviation.
    case zScoreInForeground

    /// Two fixed intensities become 0 and 1 and what lies beyond is clipped: for CT, in
    /// Hounsfield units.
    case window(lower: Double, upper: Double)

    /// The rule's name in model cards.
    public var name: String {
        switch self {
        case .minMax: Name.minMax.rawValue
        case .robustPercentile: Name.robustPercentile.rawValue
        case .percentile: Name.percentile.rawValue
        case .zScoreInForeground: Name.zScoreInForeground.rawValue
        case .window: Name.window.rawValue
        }
    }

    fileprivate enum Name: String, CaseIterable {
        case minMax = "min-max"
        case robustPercentile = "robust-percentile"
        case percentile
        case zScoreInForeground = "z-score-in-foreground"
        case window
    }

    /// A Boolean value indicating whether intensities have a unit of their own, so that a factor
    /// would change their meaning.
    var hasFixedUnit: Bool {
        if case .window = self { true } else { false }
    }

    /// A Boolean value indicating whether voxels that hold no measurement become 0, whatever 0
    /// stands for else.
    var zeroesNoData: Bool {
        if case .percentile = self { true } else { false }
    }

    /// A Boolean value indicating whether the rule's limits are finite, in order, and percentages
    /// where they must be.
    public var isValid: Bool {
        switch self {
        case .minMax, .zScoreInForeground: true
        case .robustPercentile(let lower, let upper), .percentile(let lower, let upper):
            0 <= lower && lower < upper && upper <= 100
        case .window(let lower, let upper): lower.isFinite && upper.isFinite && lower < upper
        }
    }
}

extension IntensityRule: Codable {
    private enum CodingKeys: String, CodingKey {
        case rule, lower, upper
    }

    /// Encodes `{"rule": "robust-percentile", "lower": 0.5, "upper": 99.5}`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .rule)
        switch self {
        case .minMax, .zScoreInForeground: break
        case .robustPercentile(let lower, let upper), .percentile(let lower, let upper),
            .window(let lower, let upper):
            try container.encode(lower, forKey: .lower)
            try container.encode(upper, forKey: .upper)
        }
    }

    /// Decodes a rule by its name and checks its limits.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let text = try container.decode(String.self, forKey: .rule)
        guard let name = Name(rawValue: text) else {
            let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw DecodingError.dataCorruptedError(
                forKey: .rule, in: container,
                debugDescription: "'\(text)' is not an intensity rule; the rules are \(known)")
        }
        switch name {
        case .minMax: self = .minMax
        case .zScoreInForeground: self = .zScoreInForeground
        case .robustPercentile:
            self = .robustPercentile(
                lower: try container.decode(Double.self, forKey: .lower),
                upper: try container.decode(Double.self, forKey: .upper))
        case .percentile:
            self = .percentile(
                lower: try container.decode(Double.self, forKey: .lower),
                upper: try container.decode(Double.self, forKey: .upper))
        case .window:
            self = .window(
                lower: try container.decode(Double.self, forKey: .lower),
                upper: try container.decode(Double.self, forKey: .upper))
        }
        guard isValid else {
            throw DecodingError.dataCorruptedError(
                forKey: .upper, in: container,
                debugDescription: "the limits of '\(text)' are not in order")
        }
    }
}

/// A linear map of intensities with limits: `(v - zero) / unit`, clipped to `limits`.
struct IntensityScale {
    var zero: Float
    var unit: Float
    var limits: ClosedRange<Float>

    /// Works out a rule for one scan.
    ///
    /// - Parameters:
    ///   - rule: A valid rule.
    ///   - voxels: The finite intensities that it is worked out from.
    ///   - foreground: Their foreground.
    ///   - range: From the darkest to the brightest of the scan.
    init(
        _ rule: IntensityRule, of voxels: [Float], foreground: Foreground,
        range: ClosedRange<Float>
    ) {
        precondition(rule.isValid, "the limits of \(rule) are not in order")
        switch rule {
        case .minMax:
            self.init(from: Double(range.lowerBound), to: Double(range.upperBound))
        case .window(let lower, let upper):
            self.init(from: lower, to: upper)
        case .robustPercentile(let lower, let upper):
            let limits = IntensityHistogram(of: voxels, above: foreground.threshold)
                .percentiles([lower, upper], in: voxels)
            let isFlat = limits[0] == limits[1]
            self.init(
                from: isFlat ? Double(foreground.backgroundLevel) : limits[0], to: limits[1])
        case .percentile(let lower, let upper):
            let limits =
                voxels.isEmpty
                ? [0, 1]
                : IntensityHistogram(of: voxels).percentiles([lower, upper], in: voxels)
            var lowest = limits[0]
            if lowest == limits[1] { lowest = Double(foreground.backgroundLevel) }
            self.init(from: lowest, to: limits[1] > lowest ? limits[1] : lowest + 1)
        case .zScoreInForeground:
            let histogram = IntensityHistogram(of: voxels, above: foreground.threshold)
            let excluded = (histogram.count - 1) / 1000
            let limits = histogram.values(
                atRanks: [excluded, histogram.count - 1 - excluded], in: voxels)
            let (mean, deviation) = meanAndDeviation(of: voxels, within: limits[0]...limits[1])
            let distance = mean - Double(foreground.backgroundLevel)
            self.init(
                zero: Float(mean), unit: Float(deviation > 0 ? deviation : distance),
                limits: -10...10)
        }
    }

    private init(zero: Float, unit: Float, limits: ClosedRange<Float>) {
        self.zero = zero
        self.unit = unit
        self.limits = limits
    }

    private init(from lower: Double, to upper: Double) {
        self.init(zero: Float(lower), unit: Float(upper - lower), limits: 0...1)
    }
}

/// Mean and standard deviation (of the population) of the voxels in a range.
private func meanAndDeviation(
    of voxels: [Float], within range: ClosedRange<Float>
) -> (mean: Double, deviation: Double) {
    voxels.withUnsafeBufferPointer { voxels in
        let (lower, upper) = (range.lowerBound, range.upperBound)
        var count = 0.0
        var sum = 0.0
        for voxel in voxels where voxel >= lower && voxel <= upper {
            sum += Double(voxel)
            count += 1
        }
        let mean = sum / max(count, 1)
        var squares = 0.0
        for voxel in voxels where voxel >= lower && voxel <= upper {
            squares += (Double(voxel) - mean) * (Double(voxel) - mean)
        }
        return (mean, (squares / max(count, 1)).squareRoot())
    }
}
