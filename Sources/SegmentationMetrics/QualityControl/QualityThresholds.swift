/// The thresholds above which quality control flags a measure.
///
/// Healthy anatomy as experts draw it hardly ever exceeds the standard values: the examples name
/// the largest of the 15 manually labelled training scans of the Multi-Atlas Labelling Challenge.
public struct QualityThresholds: Sendable, Hashable, Codable {
    /// For the robust z-score of a volume's logarithm in the run, on either side.
    public var volumeZScore: Double
    /// For `|L - R| / (L + R)` of a pair's volumes.
    public var asymmetry: Double
    /// For the share of a structure's voxels outside of its largest fragment.
    public var fractionOutsideLargest: Double
    /// For the disagreement between planes, 0...1.
    public var planeDisagreement: Double
    /// For the distance of a structure's share from adults', in standard deviations of its logarithm.
    public var adultDeviation: Double
    /// For the labelled voxels of an outermost slice, as a share of those of the fullest.
    public var edgeFraction: Double
    /// The number of scans that must contain a structure before its volumes have z-scores.
    public var scansForZScores: Int

    /// 5: Iglewicz and Hoaglin (1993) recommend 3.5 for one value, beyond which one normal value in
    /// 2000 lies; a scan has dozens of structures, and the spread of a small run is not known well.
    public static let standardVolumeZScore = 5.0

    /// 0.12: structures of a few scans can be alike within a percent by chance; a run's spread counts
    /// as 12 % at least.
    public static let leastVolumeSpread = 0.12

    /// 500: a ball of 10 mm; what lies apart, differs between the sides or is disputed between planes
    /// is flagged from this volume on.
    public static let leastVolumeCubicMillimeters = 500.0

    /// 1/3: one side is twice the other.
    ///
    /// Manual labels reach 0.30 in the lateral ventricles and
    /// 0.08 elsewhere.
    public static let standardAsymmetry = 1.0 / 3

    /// 0.3: three tenths of the structure lie apart.
    ///
    /// Manual labels reach 0.03, but for the third and
    /// fourth ventricles, which are thin enough to be cut by a voxel grid (0.28 and 0.10).
    public static let standardFractionOutsideLargest = 0.3

    /// 0.3: two planes agree by a Dice coefficient of 0.7, where the literature draws the line of
    /// good overlap (Zijdenbos et al., IEEE Trans Med Imaging 13(4), 1994).
    public static let standardPlaneDisagreement = 0.3

    /// 5: among fewer the median distance from the median is mostly chance.
    public static let standardScansForZScores = 5

    /// 4: no label map of the adults in the table lies further out.
    public static let standardAdultDeviation = 4.0

    /// 0.05: more than a brain stem that leaves the field of view downwards, as it often does.
    public static let standardEdgeFraction = 0.05

    /// 1.25: so many times above the largest or below the smallest adult of the table the volume of
    /// all structures is flagged.
    public static let totalVolumeFactor = 1.25

    /// The standard values.
    public static let standard = QualityThresholds()

    /// Makes thresholds.
    ///
    /// - Precondition: each one is positive.
    public init(
        volumeZScore: Double = standardVolumeZScore, asymmetry: Double = standardAsymmetry,
        fractionOutsideLargest: Double = standardFractionOutsideLargest,
        planeDisagreement: Double = standardPlaneDisagreement,
        adultDeviation: Double = standardAdultDeviation,
        edgeFraction: Double = standardEdgeFraction,
        scansForZScores: Int = standardScansForZScores
    ) {
        let smallest = [
            volumeZScore, asymmetry, fractionOutsideLargest, planeDisagreement, adultDeviation,
            edgeFraction, Double(scansForZScores),
        ].min()
        precondition((smallest ?? 0) > 0, "a threshold is not positive")
        self.volumeZScore = volumeZScore
        self.asymmetry = asymmetry
        self.fractionOutsideLargest = fractionOutsideLargest
        self.planeDisagreement = planeDisagreement
        self.adultDeviation = adultDeviation
        self.edgeFraction = edgeFraction
        self.scansForZScores = scansForZScores
    }
}
