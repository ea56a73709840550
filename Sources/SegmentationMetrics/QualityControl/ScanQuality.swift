public import Volumes

/// What quality control knows of one scan's segmentation.
public struct QualityInput: Sendable, Hashable, Codable {
    /// One structure of the segmentation.
    public struct Measurement: Sendable, Hashable, Codable {
        /// The structure's value in the label map.
        public var label: UInt16
        /// Its volume in mm³; 0 where it is missing.
        public var volumeCubicMillimeters: Double
        /// How many fragments it falls into.
        public var fragmentCount: Int
        /// The share of its voxels outside of the largest fragment.
        public var fractionOutsideLargest: Double
        /// How far the planes' networks disagree on it, or `nil` where it is not known: 1 minus
        /// the mean Dice coefficient of the planes' own label maps, two by two.
        public var planeDisagreement: Double?

        /// Makes a measurement.
        public init(
            label: UInt16, volumeCubicMillimeters: Double, fragmentCount: Int,
            fractionOutsideLargest: Double, planeDisagreement: Double? = nil
        ) {
            self.label = label
            self.volumeCubicMillimeters = volumeCubicMillimeters
            self.fragmentCount = fragmentCount
            self.fractionOutsideLargest = fractionOutsideLargest
            self.planeDisagreement = planeDisagreement
        }
    }

    /// The scan's name.
    public var name: String
    /// Its structures, in any order.
    public var measurements: [Measurement]

    /// Makes an input of measurements.
    public init(name: String, measurements: [Measurement]) {
        self.name = name
        self.measurements = measurements
    }

    /// Measures a segmentation.
    ///
    /// - Parameters:
    ///   - name: The scan's name.
    ///   - segmentation: Its label map.
    ///   - table: The structures that it should hold.
    ///   - planeDisagreement: How far the planes' networks disagree, by label, where it is known.
    public init(
        name: String, segmentation: LabelMap, table: LabelTable,
        planeDisagreement: [UInt16: Double] = [:]
    ) {
        let voxelVolume = segmentation.grid.voxelVolumeCubicMillimeters
        self.init(
            name: name,
            measurements: structureFragments(
                of: segmentation, labels: table.structures.map(\.index)
            ).map { structure in
                Measurement(
                    label: structure.label,
                    volumeCubicMillimeters: Double(structure.voxelCount) * voxelVolume,
                    fragmentCount: structure.fragmentCount,
                    fractionOutsideLargest: structure.fractionOutsideLargest,
                    planeDisagreement: planeDisagreement[structure.label])
            })
    }
}

/// What is unusual about a segmentation.
public enum QualityMeasure: String, Sendable, Hashable, Codable, CaseIterable {
    /// The segmentation lacks a structure of the table.
    case missing
    /// The structure's volume, against those of the other scans.
    case volume
    /// The volume of a structure against the one on the other side.
    case asymmetry
    /// The voxels that lie apart from the rest of their structure.
    case fragments
    /// The planes' networks see different things.
    case planeDisagreement = "plane-disagreement"
}

/// A measure of a scan that a person should look at.
public struct QualityFlag: Sendable, Hashable, Codable {
    /// The measure.
    public var measure: QualityMeasure
    /// The structure's value in the label map; for an asymmetry that of the left one.
    public var label: UInt16
    /// The measured value: a volume in mm³ (0) where the structure is missing, a z-score, an
    /// asymmetry, a fraction or a disagreement.
    public var value: Double
    /// How many times its threshold the value is, at most ``ScanQuality/largestSeverity``.
    public var severity: Double
    /// A sentence for people, such as "Left-Amygdala is missing".
    public var reason: String
}

/// How likely a segmentation went wrong, judged without a reference.
public struct ScanQuality: Sendable, Hashable, Codable {
    /// The measures of one structure.
    public struct Structure: Sendable, Hashable, Codable {
        /// The structure's value in the label map.
        public var label: UInt16
        /// Its name.
        public var name: String
        /// Its volume in mm³; 0 where it is missing.
        public var volumeCubicMillimeters: Double
        /// The volume's robust z-score among the scans of the run that hold the structure; `nil`
        /// where it is missing or too few hold it.
        public var volumeZScore: Double?
        /// `(L - R) / (L + R)` of the pair it belongs to: positive where the left one is larger,
        /// ±1 where one is missing; `nil` where it has no counterpart or both are missing.
        public var asymmetry: Double?
        /// How many fragments it falls into.
        public var fragmentCount: Int
        /// The share of its voxels outside of the largest fragment.
        public var fractionOutsideLargest: Double
        /// How far the planes' networks disagree on it, where it is known.
        public var planeDisagreement: Double?
    }

    /// 10: what a missing structure counts, and any value at most.
    ///
    /// A single absurd value does not hide that other scans have many.
    public static let largestSeverity = 10.0

    /// The scan's name.
    public var name: String
    /// How suspicious the scan is: above 1 exactly where there is a flag.
    ///
    /// The sum of the flags' severities or, without flags, the largest of all severities.
    public var score: Double
    /// What is unusual, gravest first.
    public var flags: [QualityFlag]
    /// All measures, in the order of the label table.
    public var structures: [Structure]
}
