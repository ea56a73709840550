import ModelBundles
import SegmentationMetrics
import Volumes

extension QualityThresholds {
    /// The thresholds of a model's card, and the standard ones where it has none.
    init(_ limits: QualityLimits?) {
        self.init(
            volumeZScore: limits?.volumeZScore ?? Self.standardVolumeZScore,
            asymmetry: limits?.asymmetry ?? Self.standardAsymmetry,
            fractionOutsideLargest: limits?.fractionOutsideLargest
                ?? Self.standardFractionOutsideLargest,
            planeDisagreement: limits?.planeDisagreement ?? Self.standardPlaneDisagreement,
            adultDeviation: limits?.adultDeviation ?? Self.standardAdultDeviation)
    }
}

extension QualityLimits {
    /// The limits that no validation case of a model exceeds: a quarter above the largest value, where
    /// that is above the standard; `nil` where the standard limits do for all.
    ///
    /// - Parameters:
    ///   - cases: The model's segmentations of the validation cases.
    ///   - table: Its structures.
    init?(ofValidationCases cases: [QualityInput], table: LabelTable) {
        let structures = qualityControl(of: cases, table: table).flatMap(\.structures)
        func limit(
            _ value: (ScanQuality.Structure) -> Double?, standard: Double, most: Double = .infinity
        ) -> Double? {
            let largest = structures.compactMap(value).map { abs($0) }.max() ?? 0
            guard largest * Self.margin > standard else { return nil }
            // Three digits are enough, and a limit that is never reached is none.
            return min((largest * Self.margin * 1000).rounded() / 1000, most)
        }
        self.init(
            // A missing side is flagged as missing.
            asymmetry: limit(
                {
                    $0.volumeCubicMillimeters > 0
                        ? $0.asymmetry.flatMap { abs($0) < 1 ? $0 : nil } : nil
                },
                standard: QualityThresholds.standardAsymmetry, most: 0.95),
            fractionOutsideLargest: limit(
                { $0.fractionOutsideLargest },
                standard: QualityThresholds.standardFractionOutsideLargest, most: 0.95),
            planeDisagreement: limit(
                { $0.planeDisagreement }, standard: QualityThresholds.standardPlaneDisagreement,
                most: 0.95),
            volumeZScore: limit(
                { $0.volumeZScore }, standard: QualityThresholds.standardVolumeZScore),
            adultDeviation: limit(
                { $0.adultDeviation }, standard: QualityThresholds.standardAdultDeviation))
        if self == QualityLimits() { return nil }
    }

    /// 1.25: a quarter above the largest value of a few cases.
    private static let margin = 1.25
}
