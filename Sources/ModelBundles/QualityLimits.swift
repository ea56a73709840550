/// Thresholds of quality control that suit a model.
///
/// They are the largest values among its validation cases, with a margin. A limit that is `nil` is the
/// standard one.
///
/// What is odd for one model is ordinary for another: the planes of a small network disagree more.
public struct QualityLimits: Sendable, Equatable, Codable {
    /// For `|L - R| / (L + R)` of a pair's volumes.
    public var asymmetry: Double?
    /// For the share of a structure's voxels outside of its largest fragment.
    public var fractionOutsideLargest: Double?
    /// For the disagreement between planes, 0...1.
    public var planeDisagreement: Double?
    /// For the distance of a volume's logarithm from the run's median, in robust standard deviations.
    public var volumeZScore: Double?
    /// For the distance of a structure's share from adults', in standard deviations of its logarithm.
    public var adultDeviation: Double?

    /// Makes limits.
    public init(
        asymmetry: Double? = nil, fractionOutsideLargest: Double? = nil,
        planeDisagreement: Double? = nil, volumeZScore: Double? = nil, adultDeviation: Double? = nil
    ) {
        self.asymmetry = asymmetry
        self.fractionOutsideLargest = fractionOutsideLargest
        self.planeDisagreement = planeDisagreement
        self.volumeZScore = volumeZScore
        self.adultDeviation = adultDeviation
    }

    /// The contradiction between the limits as part of a sentence, or `nil` if they are consistent.
    var problem: String? {
        let limits = [
            ("asymmetry", asymmetry), ("fractionOutsideLargest", fractionOutsideLargest),
            ("planeDisagreement", planeDisagreement), ("volumeZScore", volumeZScore),
            ("adultDeviation", adultDeviation),
        ]
        for (name, limit) in limits {
            if let limit, !(limit > 0 && limit.isFinite) {
                return "the limit of '\(name)' is \(limit), not a positive number"
            }
        }
        return nil
    }
}
