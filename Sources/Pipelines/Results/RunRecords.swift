import Files
import Foundation

/// `dataset_description.json`, by which BIDS tools know what a folder holds.
struct DatasetDescription: Sendable, Codable {
    struct Generator: Sendable, Codable {
        var name: String
        var version: String?

        enum CodingKeys: String, CodingKey {
            case name = "Name"
            case version = "Version"
        }
    }

    /// A dataset from which this one was made.
    struct Source: Sendable, Codable {
        var url: String
        var identifier: String?

        enum CodingKeys: String, CodingKey {
            case url = "URL"
            case identifier = "DOI"
        }
    }

    static let fileName = "dataset_description.json"

    var name: String
    var bidsVersion: String?
    var datasetType: String?
    var generatedBy: [Generator]?
    var sourceDatasets: [Source]?
    var datasetLinks: [String: String]?
    var datasetIdentifier: String?

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case bidsVersion = "BIDSVersion"
        case datasetType = "DatasetType"
        case generatedBy = "GeneratedBy"
        case sourceDatasets = "SourceDatasets"
        case datasetLinks = "DatasetLinks"
        case datasetIdentifier = "DatasetDOI"
    }

    /// That of a folder of segmentations.
    static func segmentations(of sources: BIDSSources) -> DatasetDescription {
        DatasetDescription(
            name: "SliceSeg segmentations", bidsVersion: "1.10.0", datasetType: "derivative",
            generatedBy: [Generator(name: "SliceSeg", version: softwareVersion)],
            sourceDatasets: sources.isEmpty ? nil : sources.sourceDatasets,
            datasetLinks: sources.isEmpty ? nil : sources.links)
    }

    /// Whether this program wrote it.
    var isOurs: Bool { generatedBy?.contains { $0.name == "SliceSeg" } == true }

    /// The description in a folder, or `nil` where there is none that can be read.
    static func read(in folder: String) -> DatasetDescription? {
        decodeJSON(DatasetDescription.self, at: joined(folder, fileName))
    }
}

/// What is known of one scan after a run: a line of `--json`, an entry of `run.json`.
public struct ScanRecord: Sendable, Codable, Hashable {
    /// What became of a scan.
    public enum Status: String, Sendable, Codable, Hashable {
        /// It was segmented in this run.
        case done
        /// It had been segmented before, from the same bytes by the same model.
        case skipped
        /// It could not be segmented.
        case failed
    }

    /// The outputs' name below the output folder.
    public var name: String
    /// The scan's file.
    public var scan: String
    /// What became of it.
    public var status: Status
    /// Why it failed, one sentence.
    public var reason: String?
    /// The label map.
    public var labels: String?
    /// What is odd about the scan or its labels.
    public var warnings: [String]?
    /// How long it took.
    public var seconds: Double?
    /// How long each stage took, where a profile was asked for.
    public var stages: [StageSeconds]?
}

/// How long a stage of a scan took.
public struct StageSeconds: Sendable, Codable, Hashable {
    /// Such as `read`, `coronal`, `write`.
    public var stage: String
    /// To a hundredth.
    public var seconds: Double
}

/// `run.json`: what a run was asked to do and what came of it.
struct RunRecord: Codable {
    struct Model: Sendable, Codable {
        var name: String
        var identity: String
    }
    struct Counts: Codable {
        var scans: Int
        var done: Int
        var skipped: Int
        var failed: Int
    }

    var software: String
    var version: String
    var engine: String?
    var arguments: [String]
    var model: Model
    var options: Provenance.Options
    var started: String
    var seconds: Double
    var counts: Counts
    var scans: [ScanRecord]
}

/// `NAME_dseg.json`: from what and how a label map was made.
struct Provenance: Sendable, Codable {
    struct Scan: Sendable, Codable {
        var path: String
        var sha256: String
        /// Of a DICOM series: its name, and the program that made a volume of it.
        var series: String?
        var converter: String?
    }
    struct Options: Sendable, Codable, Hashable {
        var planes: [String]
        var precision: String
        var device: String
        var batchSize: Int?
        var threads: Int?
        /// Which volume of a 4-D scan it is.
        var volume: Int?
        /// Where it is not the model's own.
        var interpolation: String?
        /// Where results are wanted on another grid beside the scan's own.
        var space: String?
        var probabilities: Bool?
        var testTimeAugmentation: String?
        var uncertaintySamples: Int?
        var seed: UInt64?
    }
    struct Computation: Sendable, Codable {
        var device: String
        var precision: String
        var engine: String
        var threads: Int
        /// By what path: a compiled plan, or layer by layer.
        var path: String?
    }
    struct Labels: Sendable, Codable {
        var file: String
        var sha256: String
    }
    /// The brain that was found before a scan was segmented.
    struct Brain: Sendable, Codable {
        var model: RunRecord.Model
        var mask: Labels
        var volumeCubicMillimeters: Double
        /// Whether the scan showed nothing but a brain.
        var isAlreadyStripped: Bool
        var seconds: Double
    }

    /// What the 4-D file of probabilities holds, as BIDS has it.
    struct Probabilities: Codable {
        /// The name of each volume's class.
        var labelMap: [String]
        var description: String

        enum CodingKeys: String, CodingKey {
            case labelMap = "LabelMap"
            case description = "Description"
        }
    }

    var software: String
    var version: String
    var scan: Scan
    var model: RunRecord.Model
    var options: Options
    var computation: Computation
    var labels: Labels
    var started: String
    var seconds: Double
    var stages: [StageSeconds]
    var warnings: [String]
    /// By label, how far the planes disagree; `nil` with one plane and in older files.
    var planeDisagreement: [String: Double]?
    /// By label, the mean probability of the structure in its voxels.
    var meanProbability: [String: Double]?
    /// How the brain was found, for models that look for it first.
    var brain: Brain?
    /// How the labels came from the model's grid to the scan's.
    var restoration: String?
    /// What BIDS has a sidecar say of a scan from a BIDS dataset.
    var bidsDescription: String?
    var bidsSources: [String]?
    var bidsSpatialReference: String?

    enum CodingKeys: String, CodingKey {
        case software, version, scan, model, options, computation, labels, started, seconds, stages
        case warnings, planeDisagreement, meanProbability, brain, restoration
        case bidsDescription = "Description"
        case bidsSources = "Sources"
        case bidsSpatialReference = "SpatialReference"
    }

    /// That at a path, or `nil` where there is none of ours that can be read.
    static func read(at path: String) -> Provenance? {
        decodeJSON(Provenance.self, at: path).flatMap { $0.software == "SliceSeg" ? $0 : nil }
    }

    /// ``planeDisagreement`` by label.
    var disagreementOfLabel: [UInt16: Double] { shares(planeDisagreement) }

    /// ``meanProbability`` by label.
    var meanProbabilityOfLabel: [UInt16: Double] { shares(meanProbability) }

    private func shares(_ values: [String: Double]?) -> [UInt16: Double] {
        var result: [UInt16: Double] = [:]
        for (label, value) in values ?? [:] {
            if let label = UInt16(label), (0...1).contains(value) { result[label] = value }
        }
        return result
    }
}

/// Reads a file of JSON, or `nil` where it is missing or of another kind.
func decodeJSON<Value: Decodable>(_ type: Value.Type, at path: String) -> Value? {
    guard isRegularFile(path), let data = FileManager.default.contents(atPath: path) else {
        return nil
    }
    return try? JSONDecoder().decode(type, from: data)
}

/// The text of a JSON file for people to read, with its keys sorted.
func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
}

/// A point in time as ISO 8601 writes it, in UTC.
func timestamp(_ date: Date) -> String { date.formatted(.iso8601) }

/// Seconds to a hundredth, as records keep them.
func rounded(_ seconds: Double) -> Double { (seconds * 100).rounded() / 100 }
