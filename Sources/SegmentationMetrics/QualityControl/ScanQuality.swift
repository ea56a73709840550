public import Volumes

/// The measurements of one scan's segmentation that quality control judges.
public struct QualityInput: Sendable, Hashable, Codable {
    /// One structure of the segmentation.
    public struct Measurement: Sendable, Hashable, Codable {
        /// The structure's value in the label map.
        public var label: UInt16
        /// Its volume in mm³; 0 where it is missing.
        public var volumeCubicMillimeters: Double
        /// The number of its fragments.
        public var fragmentCount: Int
        /// The share of its voxels outside of the largest fragment.
        public var fractionOutsideLargest: Double
        /// The disagreement of the planes' networks on it, or `nil` if unknown: 1 minus the mean
        /// pairwise Dice coefficient of the planes' own label maps.
        public var planeDisagreement: Double?
        /// The mean probability that the networks give the structure inside it, or `nil` where it
        /// is not known.
        public var meanProbability: Double?
        /// The voxels in the outermost slices of the field of view.
        public var edgeVoxelCount = 0

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
    /// The faces of the field of view that the segmentation touches.
    public var edgeContacts: [EdgeContact]

    /// Makes an input of measurements.
    public init(name: String, measurements: [Measurement], edgeContacts: [EdgeContact] = []) {
        self.name = name
        self.measurements = measurements
        self.edgeContacts = edgeContacts
    }

    /// Measures a segmentation.
    ///
    /// - Parameters:
    ///   - name: The scan's name.
    ///   - segmentation: Its label map.
    ///   - table: The structures that it should hold.
    ///   - planeDisagreement: The disagreement of the planes' networks by label, where it is known.
    ///   - meanProbability: The mean probability inside each structure by label, where it is known.
    public init(
        name: String, segmentation: LabelMap, table: LabelTable,
        planeDisagreement: [UInt16: Double] = [:], meanProbability: [UInt16: Double] = [:]
    ) {
        let voxelVolume = segmentation.grid.voxelVolumeCubicMillimeters
        let edge = EdgeCensus(of: segmentation)
        self.init(
            name: name,
            measurements: structureFragments(
                of: segmentation, labels: table.structures.map(\.index)
            ).map { structure in
                var measurement = Measurement(
                    label: structure.label,
                    volumeCubicMillimeters: Double(structure.voxelCount) * voxelVolume,
                    fragmentCount: structure.fragmentCount,
                    fractionOutsideLargest: structure.fractionOutsideLargest,
                    planeDisagreement: planeDisagreement[structure.label])
                measurement.meanProbability = meanProbability[structure.label]
                measurement.edgeVoxelCount = edge.voxelCounts[structure.label] ?? 0
                return measurement
            }, edgeContacts: edge.contacts)
    }
}

/// A way in which a segmentation can be unusual.
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
    /// The structure's share of the labelled volume, against adults (``AdultVolume``).
    case adultVolume = "adult-volume"
    /// The volume of all structures together, against adults.
    case totalVolume = "total-volume"
    /// The segmentation goes on beyond the field of view.
    case cut
}

/// The weight of a flag.
public enum QualityGrade: String, Sendable, Hashable, Codable, Comparable, CaseIterable {
    /// At most twice the threshold.
    case minor
    /// At most five times the threshold.
    case serious
    /// More than that.
    case grave

    /// The grade of a severity.
    public init(severity: Double) {
        self = severity > 5 ? .grave : severity > 2 ? .serious : .minor
    }

    /// Returns whether a grade weighs less than another.
    public static func < (first: QualityGrade, second: QualityGrade) -> Bool {
        first.rank < second.rank
    }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// A measure of a scan that a person should look at.
public struct QualityFlag: Sendable, Hashable, Codable {
    /// The measure.
    public var measure: QualityMeasure
    /// The structure's value in the label map; for an asymmetry that of the left one, and 0 for the
    /// segmentation as a whole.
    public var label: UInt16
    /// The measured value: a volume in mm³ where the structure is missing (0) or all are meant, a
    /// z-score, an asymmetry, a fraction or a disagreement.
    public var value: Double
    /// The ratio of the value to its threshold, at most ``ScanQuality/largestSeverity``.
    public var severity: Double
    /// A sentence for people, such as "Left-Amygdala is missing".
    public var reason: String

    /// The flag's weight.
    public var grade: QualityGrade { QualityGrade(severity: severity) }
}

/// The judgement of a segmentation without a reference.
public struct ScanQuality: Sendable, Hashable, Codable {
    /// The measures of one structure.
    public struct Structure: Sendable, Hashable, Codable {
        /// The structure's value in the label map.
        public var label: UInt16
        /// Its name.
        public var name: String
        /// Its volume in mm³; 0 where it is missing.
        public var volumeCubicMillimeters: Double
        /// The robust z-score of the volume's logarithm among the scans of the run that hold the
        /// structure; `nil` where it is missing or too few hold it.
        public var volumeZScore: Double?
        /// `(L - R) / (L + R)` of the pair it belongs to: positive where the left one is larger,
        /// ±1 where one is missing; `nil` where it has no counterpart or both are missing.
        public var asymmetry: Double?
        /// The number of its fragments.
        public var fragmentCount: Int
        /// The share of its voxels outside of the largest fragment.
        public var fractionOutsideLargest: Double
        /// The disagreement of the planes' networks on it, if known.
        public var planeDisagreement: Double?
        /// The mean probability that the networks give it inside it, where it is known.
        public var meanProbability: Double?
        /// Its share of the volume of all structures, where adults' shares are known.
        public var labelledShare: Double?
        /// The distance of that share from adults', in standard deviations of its logarithm.
        public var adultDeviation: Double?
        /// A Boolean value indicating whether it touches the edge of the field of view, so that its
        /// volume is a part of it.
        public var isCut = false

        /// The confidence in the structure, 0...1: the smaller of its mean probability and the
        /// agreement of the planes; `nil` if neither is known.
        public var confidence: Double? {
            [meanProbability, planeDisagreement.map { 1 - $0 }].compactMap(\.self).min()
        }
    }

    /// 10: what a missing structure counts, and any value at most.
    ///
    /// A single absurd value does not hide that other scans have many.
    public static let largestSeverity = 10.0

    /// The scan's name.
    public var name: String
    /// The severity of the scan's worst finding: above 1 exactly if there is a flag.
    ///
    /// The sum of the flags' severities or, without flags, the largest of all severities.
    public var score: Double
    /// The unusual measures, gravest first.
    public var flags: [QualityFlag]
    /// All measures, in the order of the label table.
    public var structures: [Structure]
    /// The volume of all structures together in mm³.
    public var totalVolumeCubicMillimeters: Double
    /// The faces of the field of view that the segmentation touches, the largest contact first.
    public var edgeContacts: [EdgeContact]

    /// A Boolean value indicating whether so much is unusual that no figure of the scan should be
    /// used unseen: the score is above ``failureScore``, or the whole is of no adult's size, or
    /// cut.
    public var hasLikelyFailed: Bool {
        score > Self.failureScore
            || flags.contains {
                ($0.measure == .totalVolume || $0.measure == .cut) && $0.grade > .minor
            }
    }

    /// 30: as much as three missing structures.
    public static let failureScore = 30.0
}
