import Parallel
public import Volumes

/// The agreement of a prediction with its reference on one structure of a case.
///
/// A value is `nil` where it is undefined; what that means for empty structures depends on the
/// ``MetricConvention``.
public struct StructureMeasurement: Sendable, Hashable, Codable {
    /// The structure's value in both maps.
    public var label: UInt16
    /// The overlap counts of its voxels.
    public var counts: OverlapCounts
    /// The structure's volume in the prediction, in mm³.
    public var predictionVolumeCubicMillimeters: Double
    /// The structure's volume in the reference, in mm³.
    public var referenceVolumeCubicMillimeters: Double

    /// `2TP / (2TP + FP + FN)`.
    ///
    /// Source: Dice, Ecology 26(3), 1945, <https://doi.org/10.2307/1932409>.
    public var dice: Double?
    /// Intersection over union, `TP / (TP + FP + FN)`.
    public var jaccard: Double?
    /// The share of the reference that was found, `TP / (TP + FN)`; undefined where the reference
    /// does not hold the structure.
    public var sensitivity: Double?
    /// The share of the prediction that is right, `TP / (TP + FP)`; undefined where the prediction
    /// does not hold the structure.
    public var precision: Double?
    /// Cohen's kappa over the voxels of the grid: agreement beyond what two random maps with the
    /// same volumes have; undefined where chance alone agrees fully.
    ///
    /// Source: Cohen, Educ Psychol Meas 20(1), 1960, <https://doi.org/10.1177/001316446002000104>.
    public var cohenKappa: Double?
    /// `1 - |P - R| / (P + R)` of the volumes P and R, wherever they lie.
    ///
    /// Source: Taha and Hanbury, BMC Medical Imaging 15(29), 2015,
    /// <https://doi.org/10.1186/s12880-015-0068-x>.
    public var volumetricSimilarity: Double?
    /// `(P - R) / R` of the volumes P and R: below 0 where the prediction is too small; undefined
    /// where the reference does not hold the structure.
    public var relativeVolumeDifference: Double?

    /// The largest distance from a point of either surface to the other, in mm.
    public var hausdorffMillimeters: Double?
    /// The Hausdorff distance with the 95th percentile in place of the maximum.
    public var hausdorff95Millimeters: Double?
    /// The mean distance between the surfaces, both directions together (ASSD), in mm.
    public var meanSurfaceDistanceMillimeters: Double?
    /// The root mean square distance between the surfaces, both directions together, in mm.
    public var rootMeanSquareSurfaceDistanceMillimeters: Double?
    /// The mean distance from the prediction's surface to the reference's, in mm.
    public var meanDistanceToReferenceMillimeters: Double?
    /// The mean distance from the reference's surface to the prediction's, in mm.
    public var meanDistanceToPredictionMillimeters: Double?
    /// The share of both surfaces that lies within the tolerance of the other (NSD).
    public var surfaceDice: Double?
    /// The distance between the centres of mass in the world, in mm.
    public var centroidDistanceMillimeters: Double?

    /// `|P - R|` of the volumes P and R, in mm³.
    public var absoluteVolumeDifferenceCubicMillimeters: Double {
        abs(predictionVolumeCubicMillimeters - referenceVolumeCubicMillimeters)
    }

    /// A Boolean value indicating whether the prediction has no voxel of the structure.
    public var isAbsentInPrediction: Bool { counts.predictionVoxels == 0 }

    /// A Boolean value indicating whether the reference has no voxel of the structure.
    public var isAbsentInReference: Bool { counts.referenceVoxels == 0 }

    /// A Boolean value indicating whether only one of the two maps holds the structure.
    public var isOneSided: Bool { isAbsentInPrediction != isAbsentInReference }

    /// A Boolean value indicating whether the distances are no distances but the image's diagonal,
    /// which ``MetricConvention/surfaceDistance`` counts where only one of the two maps holds the
    /// structure.
    public var hasPenaltyDistances: Bool { isOneSided && hausdorffMillimeters != nil }

    /// The presence of the structure in the two maps.
    public var presence: StructurePresence {
        switch (isAbsentInPrediction, isAbsentInReference) {
        case (false, false): .inBoth
        case (true, false): .missing
        case (false, true): .spurious
        case (true, true): .inNeither
        }
    }

    /// Makes the metrics that voxel counts alone give.
    init(counts: OverlapCounts, voxelVolume: Double, convention: MetricConvention) {
        label = counts.label
        self.counts = counts
        let (p, r) = (Double(counts.predictionVoxels), Double(counts.referenceVoxels))
        predictionVolumeCubicMillimeters = p * voxelVolume
        referenceVolumeCubicMillimeters = r * voxelVolume
        let isDefined = convention != .monai || r > 0
        dice = isDefined ? counts.diceCoefficient : nil
        jaccard = isDefined ? counts.jaccardIndex : nil
        let truePositives = Double(counts.truePositives)
        sensitivity = r > 0 ? truePositives / r : nil
        precision = p > 0 ? truePositives / p : nil
        volumetricSimilarity = p + r > 0 ? 1 - abs(p - r) / (p + r) : nil
        relativeVolumeDifference = r > 0 ? (p - r) / r : nil
        // (observed - expected) / (1 - expected), multiplied out.
        let trueNegatives = Double(counts.trueNegatives)
        let (falsePositives, falseNegatives) = (p - truePositives, r - truePositives)
        let chance = p * (falsePositives + trueNegatives) + r * (falseNegatives + trueNegatives)
        cohenKappa =
            chance > 0
            ? 2 * (truePositives * trueNegatives - falsePositives * falseNegatives) / chance : nil
    }
}

/// The presence of a structure in prediction and reference.
public enum StructurePresence: String, Sendable, Hashable, Codable, CaseIterable {
    /// In the prediction and in the reference.
    case inBoth = "both"
    /// In the reference only: the prediction missed it.
    case missing
    /// In the prediction only: the reference knows nothing of it.
    case spurious
    /// In neither: there is nothing to measure.
    case inNeither = "neither"
}

/// Measures each structure of a prediction.
///
/// Surfaces are compared on each structure's bounding box with exact distances, on all processors;
/// the results do not depend on how many there are. Distances and areas are those of the world, also
/// where the grid's axes are not perpendicular; the tools with these conventions take them for so.
///
/// - Parameters:
///   - prediction: The segmentation under test.
///   - reference: The segmentation it is measured against, on the same grid.
///   - labels: The structures to measure, in the order of the result; `nil` for all that either map
///     holds, by ascending label, without background (0).
///   - options: Whose definitions are followed, and the tolerance of the surface Dice.
/// - Returns: One entry for each structure.
/// - Precondition: the two grids have the same size; the reference's spacing and affine are used.
/// - Complexity: linear in the voxels of the maps and of the structures' bounding boxes.
public func structureMeasurements(
    of prediction: LabelMap, against reference: LabelMap, labels: [UInt16]? = nil,
    options: MetricOptions = MetricOptions()
) -> [StructureMeasurement] {
    precondition(
        prediction.grid.size == reference.grid.size,
        "grids differ: \(prediction.grid.size) and \(reference.grid.size)")
    let census = LabelCensus.take(of: prediction, against: reference)
    let wanted: [UInt16] = labels ?? census.keys.filter { $0 != 0 }.sorted()
    let surfaces = SurfaceComparison(grid: reference.grid, options: options)
    // The largest structures first, so that no processor ends with one of them.
    let order = wanted.indices.sorted { a, b in
        (census[wanted[a]]?.boxVoxelCount ?? 0, b) > (census[wanted[b]]?.boxVoxelCount ?? 0, a)
    }
    let measured = concurrentMap(count: order.count) { index in
        let label = wanted[order[index]]
        return measure(
            label, census: census[label] ?? LabelCensus(), prediction: prediction,
            reference: reference, surfaces: surfaces, convention: options.convention)
    }
    return zip(order, measured).sorted { $0.0 < $1.0 }.map(\.1)
}

private func measure(
    _ label: UInt16, census: LabelCensus, prediction: LabelMap, reference: LabelMap,
    surfaces: SurfaceComparison, convention: MetricConvention
) -> StructureMeasurement {
    let grid = reference.grid
    let (predicted, referred) = (census.prediction, census.reference)
    var metrics = StructureMeasurement(
        counts: OverlapCounts(
            label: label, truePositives: census.sharedCount,
            falsePositives: predicted.voxelCount - census.sharedCount,
            falseNegatives: referred.voxelCount - census.sharedCount,
            trueNegatives: grid.size.count - predicted.voxelCount - referred.voxelCount
                + census.sharedCount),
        voxelVolume: grid.voxelVolumeCubicMillimeters, convention: convention)
    switch metrics.presence {
    case .inNeither: break
    case .missing, .spurious:
        metrics.surfaceDice = 0
        if convention == .surfaceDistance { metrics.setDistances(to: grid.diagonalMillimeters) }
    case .inBoth:
        let surface = surfaces.compare(prediction, with: reference, label: label, box: census.box)
        metrics.hausdorffMillimeters = surface.hausdorff
        metrics.hausdorff95Millimeters = surface.hausdorff95
        metrics.meanSurfaceDistanceMillimeters = surface.mean
        metrics.rootMeanSquareSurfaceDistanceMillimeters = surface.rootMeanSquare
        metrics.meanDistanceToReferenceMillimeters = surface.meanToReference
        metrics.meanDistanceToPredictionMillimeters = surface.meanToPrediction
        metrics.surfaceDice = surface.surfaceDice
        metrics.centroidDistanceMillimeters =
            grid.affine.linear(predicted.centroid - referred.centroid).length
    }
    return metrics
}

extension StructureMeasurement {
    /// Gives every distance the same value.
    fileprivate mutating func setDistances(to value: Double) {
        hausdorffMillimeters = value
        hausdorff95Millimeters = value
        meanSurfaceDistanceMillimeters = value
        rootMeanSquareSurfaceDistanceMillimeters = value
        meanDistanceToReferenceMillimeters = value
        meanDistanceToPredictionMillimeters = value
        centroidDistanceMillimeters = value
    }
}

extension LabelCensus {
    /// Voxels of the box in which surfaces are compared; 0 where there is nothing to compare.
    fileprivate var boxVoxelCount: Int {
        prediction.voxelCount == 0 || reference.voxelCount == 0 ? 0 : box.size.count
    }
}

extension Grid {
    /// The distance between opposite corners of the image, in mm: no distance in it is larger.
    public var diagonalMillimeters: Double {
        (SIMD3(Double(size.x), Double(size.y), Double(size.z)) * spacing).length
    }
}
