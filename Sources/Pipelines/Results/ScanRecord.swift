import Inference
public import Volumes

/// The outcome of one scan: a line of `--json`, an entry of `run.json`.
public struct ScanRecord: Sendable, Codable, Hashable {
    /// A scan's state at the end of a run.
    public enum Status: String, Sendable, Codable, Hashable {
        /// It was segmented in this run.
        case done
        /// It had been segmented before, from the same bytes by the same model.
        case skipped
        /// Its label map was changed by somebody since; it was kept and measured anew.
        case edited
        /// It could not be segmented.
        case failed
    }

    /// The outputs' name below the output folder.
    public var name: String
    /// The scan's file.
    public var scan: String
    /// Its state.
    public var status: Status
    /// The reason of a failure, one sentence.
    public var reason: String?
    /// The kind of a failure, such as `volume.truncated`.
    public var code: String?
    /// The label map.
    public var labels: String?
    /// Oddities of the scan or its labels.
    public var warnings: [String]?
    /// The flags of quality control, gravest first: in `run.json` among the scans of the run, in a line of
    /// `--json` in the scan alone.
    public var flags: [String]?
    /// The seconds that it took.
    public var seconds: Double?
    /// The seconds of each stage, where a profile was asked for.
    public var stages: [StageSeconds]?
}

/// A stage of the work on one scan.
public enum ScanStage: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Reading the scan's file.
    case read
    /// Finding the brain, by another model.
    case brain
    /// Reorienting, resampling, normalizing.
    case conform
    /// The network of a plane.
    case network(Plane)
    /// Combining the planes' probabilities.
    case aggregate
    /// Bringing the labels back to the scan's own grid.
    case restore
    /// Writing the outputs.
    case write

    /// The stage of a segmenter.
    init(_ stage: SegmentationStage) {
        self =
            switch stage {
            case .brain: .brain
            case .conform: .conform
            case .network(let plane): .network(plane)
            case .aggregate: .aggregate
            case .restore: .restore
            }
    }

    /// The stage of a name, or `nil` where there is none of that name.
    init?(name: String) {
        switch name {
        case "read": self = .read
        case "brain": self = .brain
        case "conform": self = .conform
        case "aggregate": self = .aggregate
        case "restore": self = .restore
        case "write": self = .write
        default:
            guard let plane = Plane(rawValue: name) else { return nil }
            self = .network(plane)
        }
    }

    /// Its name in records: `read`, `coronal`, `write`.
    public var description: String {
        switch self {
        case .read: "read"
        case .brain: "brain"
        case .conform: "conform"
        case .network(let plane): plane.rawValue
        case .aggregate: "aggregate"
        case .restore: "restore"
        case .write: "write"
        }
    }

    /// Reads a stage by its name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let stage = ScanStage(name: name) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(name)' is not a stage")
        }
        self = stage
    }

    /// Writes the stage as its name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The seconds that a stage of a scan took.
public struct StageSeconds: Sendable, Codable, Hashable {
    /// The stage.
    public var stage: ScanStage
    /// The time taken, rounded to a hundredth of a second.
    public var seconds: Double

    /// Makes an entry.
    ///
    /// - Parameters:
    ///   - stage: The stage.
    ///   - seconds: The time that it took, which is rounded to a hundredth.
    public init(stage: ScanStage, seconds: Double) {
        self.stage = stage
        self.seconds = rounded(seconds)
    }
}
