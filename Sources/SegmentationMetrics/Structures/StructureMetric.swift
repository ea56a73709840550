/// A quantity that tells how well a structure was segmented, as a value: its name, unit, direction
/// and how it follows from a measurement.
///
/// A new metric is one declaration here and its place in ``all``.
public struct StructureMetric: Sendable, Identifiable {
    /// The unit of a metric's values.
    public enum Unit: String, Sendable, Hashable, Codable {
        /// A plain number.
        case ratio = "1"
        /// Millimetres.
        case millimeters = "mm"
        /// Cubic millimetres.
        case cubicMillimeters = "mm3"
        /// A count of voxels.
        case voxels
    }

    /// The name that tables give it, such as `hausdorff95`.
    public let id: String
    /// The name as people write it, such as `HD95`.
    public let title: String
    /// The unit of its values.
    public let unit: Unit
    /// The direction of better values; `nil` where there is none.
    public let direction: MetricDirection?
    /// Its value for a structure, or `nil` where it is undefined.
    public let value: @Sendable (StructureMeasurement) -> Double?

    /// Makes a metric.
    public init(
        id: String, title: String, unit: Unit, direction: MetricDirection?,
        value: @escaping @Sendable (StructureMeasurement) -> Double?
    ) {
        self.id = id
        self.title = title
        self.unit = unit
        self.direction = direction
        self.value = value
    }

    /// The name of the metric's column where the unit has none of its own: `hausdorff95_mm`.
    public var columnName: String {
        switch unit {
        case .millimeters, .cubicMillimeters: "\(id)_\(unit.rawValue)"
        case .ratio, .voxels: id
        }
    }

    /// A Boolean value indicating whether the metric is a distance between surfaces or centres,
    /// whose value can be a penalty (``StructureMeasurement/hasPenaltyDistances``).
    public var isDistance: Bool { unit == .millimeters }
}

extension StructureMetric: Hashable {
    /// Returns whether two metrics have one name.
    public static func == (first: StructureMetric, second: StructureMetric) -> Bool {
        first.id == second.id
    }

    /// Feeds the name into a hasher.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

extension StructureMetric {
    private static func share(
        _ id: String, _ title: String,
        _ value: @escaping @Sendable (StructureMeasurement) -> Double?
    ) -> StructureMetric {
        StructureMetric(
            id: id, title: title, unit: .ratio, direction: .higherIsBetter, value: value)
    }

    private static func distance(
        _ id: String, _ title: String,
        _ value: @escaping @Sendable (StructureMeasurement) -> Double?
    ) -> StructureMetric {
        StructureMetric(
            id: id, title: title, unit: .millimeters, direction: .lowerIsBetter, value: value)
    }

    private static func count(
        _ id: String, _ title: String, _ direction: MetricDirection?,
        _ count: @escaping @Sendable (OverlapCounts) -> Int
    ) -> StructureMetric {
        StructureMetric(id: id, title: title, unit: .voxels, direction: direction) {
            Double(count($0.counts))
        }
    }

    /// ``StructureMeasurement/dice``.
    public static let dice = share("dice", "Dice") { $0.dice }
    /// ``StructureMeasurement/jaccard``.
    public static let jaccard = share("jaccard", "Jaccard index") { $0.jaccard }
    /// ``StructureMeasurement/sensitivity``.
    public static let sensitivity = share("sensitivity", "Sensitivity") { $0.sensitivity }
    /// ``StructureMeasurement/precision``.
    public static let precision = share("precision", "Precision") { $0.precision }
    /// ``StructureMeasurement/cohenKappa``.
    public static let cohenKappa = share("cohen_kappa", "Cohen's kappa") { $0.cohenKappa }
    /// ``StructureMeasurement/volumetricSimilarity``.
    public static let volumetricSimilarity = share(
        "volumetric_similarity", "Volumetric similarity"
    ) { $0.volumetricSimilarity }
    /// ``StructureMeasurement/surfaceDice``.
    public static let surfaceDice = share("surface_dice", "Surface Dice") { $0.surfaceDice }
    /// ``StructureMeasurement/hausdorffMillimeters``.
    public static let hausdorff = distance("hausdorff", "Hausdorff distance") {
        $0.hausdorffMillimeters
    }
    /// ``StructureMeasurement/hausdorff95Millimeters``.
    public static let hausdorff95 = distance("hausdorff95", "HD95") { $0.hausdorff95Millimeters }
    /// ``StructureMeasurement/meanSurfaceDistanceMillimeters``.
    public static let meanSurfaceDistance = distance(
        "mean_surface_distance", "Mean surface distance"
    ) { $0.meanSurfaceDistanceMillimeters }
    /// ``StructureMeasurement/rootMeanSquareSurfaceDistanceMillimeters``.
    public static let rootMeanSquareSurfaceDistance = distance(
        "rms_surface_distance", "RMS surface distance"
    ) { $0.rootMeanSquareSurfaceDistanceMillimeters }
    /// ``StructureMeasurement/meanDistanceToReferenceMillimeters``.
    public static let meanDistanceToReference = distance(
        "mean_distance_to_reference", "Mean distance to reference"
    ) { $0.meanDistanceToReferenceMillimeters }
    /// ``StructureMeasurement/meanDistanceToPredictionMillimeters``.
    public static let meanDistanceToPrediction = distance(
        "mean_distance_to_prediction", "Mean distance to prediction"
    ) { $0.meanDistanceToPredictionMillimeters }
    /// ``StructureMeasurement/centroidDistanceMillimeters``.
    public static let centroidDistance = distance("centroid_distance", "Centroid distance") {
        $0.centroidDistanceMillimeters
    }
    /// ``StructureMeasurement/predictionVolumeCubicMillimeters``.
    public static let predictionVolume = StructureMetric(
        id: "prediction_volume", title: "Prediction volume", unit: .cubicMillimeters, direction: nil
    ) { $0.predictionVolumeCubicMillimeters }
    /// ``StructureMeasurement/referenceVolumeCubicMillimeters``.
    public static let referenceVolume = StructureMetric(
        id: "reference_volume", title: "Reference volume", unit: .cubicMillimeters, direction: nil
    ) { $0.referenceVolumeCubicMillimeters }
    /// ``StructureMeasurement/absoluteVolumeDifferenceCubicMillimeters``.
    public static let absoluteVolumeDifference = StructureMetric(
        id: "absolute_volume_difference", title: "Absolute volume difference",
        unit: .cubicMillimeters, direction: .lowerIsBetter
    ) { $0.absoluteVolumeDifferenceCubicMillimeters }
    /// ``StructureMeasurement/relativeVolumeDifference``.
    public static let relativeVolumeDifference = StructureMetric(
        id: "relative_volume_difference", title: "Relative volume difference", unit: .ratio,
        direction: .zeroIsBest
    ) { $0.relativeVolumeDifference }
    /// ``OverlapCounts/truePositives``.
    public static let truePositives = count(
        "true_positives", "True positives", .higherIsBetter, \.truePositives)
    /// ``OverlapCounts/falsePositives``.
    public static let falsePositives = count(
        "false_positives", "False positives", .lowerIsBetter, \.falsePositives)
    /// ``OverlapCounts/falseNegatives``.
    public static let falseNegatives = count(
        "false_negatives", "False negatives", .lowerIsBetter, \.falseNegatives)
    /// ``OverlapCounts/trueNegatives``.
    public static let trueNegatives = count(
        "true_negatives", "True negatives", nil, \.trueNegatives)

    /// Every metric, in the order of the tables' columns.
    public static let all: [StructureMetric] = [
        .dice, .jaccard, .sensitivity, .precision, .cohenKappa, .volumetricSimilarity,
        .surfaceDice, .hausdorff, .hausdorff95, .meanSurfaceDistance,
        .rootMeanSquareSurfaceDistance, .meanDistanceToReference, .meanDistanceToPrediction,
        .centroidDistance, .predictionVolume, .referenceVolume, .absoluteVolumeDifference,
        .relativeVolumeDifference, .truePositives, .falsePositives, .falseNegatives,
        .trueNegatives,
    ]

    /// The metrics that stand for all others in statistics and comparisons.
    public static let headline: [StructureMetric] = [
        .dice, .surfaceDice, .hausdorff95, .meanSurfaceDistance, .relativeVolumeDifference,
    ]
}

extension StructureMeasurement {
    /// The value of a metric, or `nil` where it is undefined.
    public subscript(metric: StructureMetric) -> Double? { metric.value(self) }
}
