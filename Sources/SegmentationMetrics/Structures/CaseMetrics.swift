public import Volumes

/// The metrics of one case: for each structure, and over all of them.
public struct CaseMetrics: Sendable, Hashable, Codable {
    /// Whose definitions were followed, and the tolerance.
    public var options: MetricOptions
    /// The structures, in the order they were asked for.
    public var structures: [StructureMeasurement]
    /// The mean of the structures' Dice coefficients, undefined ones left out; `nil` where all are.
    public var meanForegroundDice: Double?
    /// One Dice coefficient over all structures, small ones weighing as much as large ones; `nil`
    /// where no structure occurs.
    ///
    /// It is `2 Σ w TP / Σ w (P + R)` with `w = 1 / R²` and R the structure's voxels in the
    /// reference. A structure that the reference lacks has the largest weight of the others (1
    /// where there is no other), as in MONAI's `GeneralizedDiceScore`.
    ///
    /// Source: Crum, Camara and Hill, IEEE Trans Med Imaging 25(11), 2006,
    /// <https://doi.org/10.1109/TMI.2006.880587>; weights: Sudre et al., arXiv:1707.03237.
    public var generalisedDice: Double?

    /// Sums up structures that were measured together.
    ///
    /// - Parameters:
    ///   - structures: One entry for each structure of the case.
    ///   - options: What they were measured with.
    public init(structures: [StructureMeasurement], options: MetricOptions) {
        self.options = options
        self.structures = structures
        meanForegroundDice = mean(of: structures.compactMap(\.dice))
        let counts = structures.map(\.counts)
        func weight(_ counts: OverlapCounts) -> Double {
            1 / (Double(counts.referenceVoxels) * Double(counts.referenceVoxels))
        }
        let largest = counts.filter { $0.referenceVoxels > 0 }.map(weight).max() ?? 1
        var (numerator, denominator) = (0.0, 0.0)
        for counts in counts {
            let weight = counts.referenceVoxels > 0 ? weight(counts) : largest
            numerator += 2 * weight * Double(counts.truePositives)
            denominator += weight * Double(counts.predictionVoxels + counts.referenceVoxels)
        }
        generalisedDice = denominator > 0 ? numerator / denominator : nil
    }

    /// The labels of the structures that occur in some of the maps as asked.
    ///
    /// - Parameter presence: Such as `.missing` for those that the prediction lacks.
    /// - Returns: The labels, in the order of ``structures``.
    public func labels(_ presence: StructurePresence) -> [UInt16] {
        structures.filter { $0.presence == presence }.map(\.label)
    }
}

/// Measures a case: each of its structures, and figures over all of them.
///
/// - Parameters:
///   - prediction: The segmentation under test.
///   - reference: The segmentation it is measured against, on the same grid.
///   - labels: The structures to measure, in the order of the result; `nil` for all that either map
///     holds, by ascending label, without background (0).
///   - options: Whose definitions are followed, and the tolerance of the surface Dice.
/// - Returns: What ``structureMeasurements(of:against:labels:options:)`` gives, summed up.
/// - Precondition: the two grids have the same size.
public func caseMetrics(
    of prediction: LabelMap, against reference: LabelMap, labels: [UInt16]? = nil,
    options: MetricOptions = MetricOptions()
) -> CaseMetrics {
    CaseMetrics(
        structures: structureMeasurements(
            of: prediction, against: reference, labels: labels, options: options),
        options: options)
}
