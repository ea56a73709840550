import Files
import Foundation
import Inference
import Preprocessing
import Volumes

/// `NAME_dseg.json`: from what and how a label map was made.
struct Provenance: Sendable, Codable {
    struct Scan: Sendable, Codable {
        var path: String
        var sha256: String
        /// The name of a DICOM series, and the program that converted it.
        var series: String?
        var converter: String?
    }
    struct Options: Sendable, Codable, Hashable {
        var planes: [Plane]
        var precision: Precision
        var device: String
        var batchSize: Int?
        var threads: Int?
        /// The index of the volume in a 4-D scan.
        var volume: Int?
        /// The interpolation, where it is not the model's own.
        var interpolation: Interpolation?
        /// The additional output grid, if any.
        var space: OutputSpace?
        var probabilities: Bool?
        /// `flip` where mirror images are computed too.
        var testTimeAugmentation: String?
        var uncertaintySamples: Int?
        var seed: UInt64?
        /// The tool whose inputs are written, too.
        var derivativesFor: DerivativeConsumer?

        /// The options of a request.
        init(_ request: SegmentationRequest, planes: [Plane]) {
            self.planes = planes
            precision = request.precision
            device = request.device
            batchSize = request.batchSize
            threads = request.threads
            volume = request.volume
            interpolation = request.interpolation
            space = request.space == .native ? nil : request.space
            probabilities = request.writesProbabilities ? true : nil
            testTimeAugmentation = request.mirrors ? "flip" : nil
            uncertaintySamples = request.uncertaintySamples
            seed = request.uncertaintySamples.map { _ in request.seed }
            derivativesFor = request.derivativesFor
        }

        /// Returns whether both give the same labels.
        func agree(with other: Options) -> Bool {
            planes == other.planes && precision == other.precision && volume == other.volume
                && interpolation == other.interpolation
                && testTimeAugmentation == other.testTimeAugmentation
                && uncertaintySamples == other.uncertaintySamples && seed == other.seed
        }
    }
    struct Computation: Sendable, Codable {
        var device: String
        var precision: String
        var engine: String
        var threads: Int
        /// The execution path: a compiled plan, or layer by layer.
        var path: String?
    }
    struct Labels: Sendable, Codable {
        var file: String
        var sha256: String
    }

    /// The brain that was found before a scan was segmented.
    struct Brain: Sendable, Codable {
        var model: ModelRecord
        var mask: Labels
        var volumeCubicMillimeters: Double
        /// A Boolean value indicating whether the scan showed nothing but a brain.
        var isAlreadyStripped: Bool
        var seconds: Double
    }

    /// The description of the 4-D probability file, in BIDS form.
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
    var model: ModelRecord
    var options: Options
    var computation: Computation
    var labels: Labels
    var started: String
    var seconds: Double
    var stages: [StageSeconds]
    var warnings: [String]
    /// The disagreement of the planes by label; `nil` with one plane and in older files.
    var planeDisagreement: [String: Double]?
    /// The mean probability of each structure over its own voxels, by label.
    var meanProbability: [String: Double]?
    /// The brain extraction, for models that need one.
    var brain: Brain?
    /// The method that brought the labels from the model's grid to the scan's.
    var restoration: String?
    /// The sidecar fields that BIDS requires for a scan from a BIDS dataset.
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

    /// Reads the provenance at a path, or returns `nil` if there is none that can be read.
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

/// The identity of a model with that of the one which finds the brain first, where there is one.
func combinedIdentity(_ model: String, brain: String?) -> String {
    brain.map { model + "+" + $0 } ?? model
}
