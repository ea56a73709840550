/// A measurement of a structure by the name that tables give it.
public enum StructureMetric: String, Sendable, Hashable, Codable, CaseIterable {
    /// ``StructureMetrics/dice``.
    case dice
    /// ``StructureMetrics/jaccard``.
    case jaccard
    /// ``StructureMetrics/sensitivity``.
    case sensitivity
    /// ``StructureMetrics/precision``.
    case precision
    /// ``StructureMetrics/cohenKappa``.
    case cohenKappa = "cohen_kappa"
    /// ``StructureMetrics/volumetricSimilarity``.
    case volumetricSimilarity = "volumetric_similarity"
    /// ``StructureMetrics/surfaceDice``.
    case surfaceDice = "surface_dice"
    /// ``StructureMetrics/hausdorffMillimeters``.
    case hausdorff
    /// ``StructureMetrics/hausdorff95Millimeters``.
    case hausdorff95
    /// ``StructureMetrics/meanSurfaceDistanceMillimeters``.
    case meanSurfaceDistance = "mean_surface_distance"
    /// ``StructureMetrics/rootMeanSquareSurfaceDistanceMillimeters``.
    case rootMeanSquareSurfaceDistance = "rms_surface_distance"
    /// ``StructureMetrics/meanDistanceToReferenceMillimeters``.
    case meanDistanceToReference = "mean_distance_to_reference"
    /// ``StructureMetrics/meanDistanceToPredictionMillimeters``.
    case meanDistanceToPrediction = "mean_distance_to_prediction"
    /// ``StructureMetrics/centroidDistanceMillimeters``.
    case centroidDistance = "centroid_distance"
    /// ``StructureMetrics/predictionVolumeCubicMillimeters``.
    case predictionVolume = "prediction_volume"
    /// ``StructureMetrics/referenceVolumeCubicMillimeters``.
    case referenceVolume = "reference_volume"
    /// ``StructureMetrics/absoluteVolumeDifferenceCubicMillimeters``.
    case absoluteVolumeDifference = "absolute_volume_difference"
    /// ``StructureMetrics/relativeVolumeDifference``.
    case relativeVolumeDifference = "relative_volume_difference"
    /// ``OverlapCounts/truePositives``.
    case truePositives = "true_positives"
    /// ``OverlapCounts/falsePositives``.
    case falsePositives = "false_positives"
    /// ``OverlapCounts/falseNegatives``.
    case falseNegatives = "false_negatives"
    /// ``OverlapCounts/trueNegatives``.
    case trueNegatives = "true_negatives"

    /// The name as people write it, such as `Surface Dice`.
    public var title: String {
        switch self {
        case .jaccard: "Jaccard index"
        case .cohenKappa: "Cohen's kappa"
        case .surfaceDice: "Surface Dice"
        case .hausdorff: "Hausdorff distance"
        case .hausdorff95: "HD95"
        case .rootMeanSquareSurfaceDistance: "RMS surface distance"
        default:
            rawValue.prefix(1).uppercased()
                + rawValue.dropFirst().map { $0 == "_" ? " " : String($0) }.joined()
        }
    }

    /// `mm`, `mm3`, `voxels`, or 1 for ratios.
    public var unit: String {
        switch self {
        case .dice, .jaccard, .sensitivity, .precision, .cohenKappa, .volumetricSimilarity,
            .surfaceDice, .relativeVolumeDifference:
            "1"
        case .hausdorff, .hausdorff95, .meanSurfaceDistance, .rootMeanSquareSurfaceDistance,
            .meanDistanceToReference, .meanDistanceToPrediction, .centroidDistance:
            "mm"
        case .predictionVolume, .referenceVolume, .absoluteVolumeDifference: "mm3"
        case .truePositives, .falsePositives, .falseNegatives, .trueNegatives: "voxels"
        }
    }

    /// Whether a larger value means a better segmentation; `nil` where size says nothing.
    public var isBetterWhenLarger: Bool? {
        switch self {
        case .dice, .jaccard, .sensitivity, .precision, .cohenKappa, .volumetricSimilarity,
            .surfaceDice, .truePositives:
            true
        case .hausdorff, .hausdorff95, .meanSurfaceDistance, .rootMeanSquareSurfaceDistance,
            .meanDistanceToReference, .meanDistanceToPrediction, .centroidDistance,
            .absoluteVolumeDifference, .falsePositives, .falseNegatives:
            false
        case .predictionVolume, .referenceVolume, .relativeVolumeDifference, .trueNegatives: nil
        }
    }
}

extension StructureMetrics {
    /// The value of a metric, or `nil` where it is undefined.
    public subscript(metric: StructureMetric) -> Double? {
        switch metric {
        case .dice: dice
        case .jaccard: jaccard
        case .sensitivity: sensitivity
        case .precision: precision
        case .cohenKappa: cohenKappa
        case .volumetricSimilarity: volumetricSimilarity
        case .surfaceDice: surfaceDice
        case .hausdorff: hausdorffMillimeters
        case .hausdorff95: hausdorff95Millimeters
        case .meanSurfaceDistance: meanSurfaceDistanceMillimeters
        case .rootMeanSquareSurfaceDistance: rootMeanSquareSurfaceDistanceMillimeters
        case .meanDistanceToReference: meanDistanceToReferenceMillimeters
        case .meanDistanceToPrediction: meanDistanceToPredictionMillimeters
        case .centroidDistance: centroidDistanceMillimeters
        case .predictionVolume: predictionVolumeCubicMillimeters
        case .referenceVolume: referenceVolumeCubicMillimeters
        case .absoluteVolumeDifference: absoluteVolumeDifferenceCubicMillimeters
        case .relativeVolumeDifference: relativeVolumeDifference
        case .truePositives: Double(counts.truePositives)
        case .falsePositives: Double(counts.falsePositives)
        case .falseNegatives: Double(counts.falseNegatives)
        case .trueNegatives: Double(counts.trueNegatives)
        }
    }
}
