import Files
import Foundation
import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
import Tensors
import Training
import VolumeIO
import Volumes

/// Weights of another program that become a model.
public struct ImportRequest: Sendable {
    /// The program that wrote them, by its name.
    public var format: String
    /// The safetensors files, one for each plane.
    public var weights: [String]
    /// The model's folder.
    public var output: String
    /// The planes of the files, in their order.
    public var planes: [String] = ["coronal"]
    /// A table of the structures in the order of the classes, or `nil` for numbers.
    public var labels: String?
    /// The model's name, or `nil` for the folder's.
    public var name: String?

    /// Makes a request.
    public init(format: String, weights: [String], output: String) {
        self.format = format
        self.weights = weights
        self.output = output
    }
}

/// Makes a model of the weights that another program wrote, in single precision.
///
/// Scans are brought to the space of QuickNAT's training: LIA, 1 mm, intensities from the least to the
/// largest as 0 to 1.
///
/// - Parameter request: The weights.
/// - Returns: What was read, a sentence.
/// - Throws: ``UsageError``; errors of the files, of the bundle and of the engine.
public func importModel(_ request: ImportRequest) throws -> String {
    guard let format = ForeignFormat(rawValue: request.format.lowercased()) else {
        let names = ForeignFormat.allCases.map(\.rawValue).joined(separator: ", ")
        throw UsageError("'\(request.format)' is unknown to --format; choose from \(names)")
    }
    let planes = try request.planes.map { name in
        guard let plane = Plane(rawValue: name.lowercased()) else {
            throw UsageError(
                "'\(name)' is unknown to --planes; choose from axial, coronal, sagittal")
        }
        return plane
    }
    guard planes.count == request.weights.count, Set(planes).count == planes.count else {
        throw UsageError(
            "there are \(request.weights.count) files of weights and \(planes.count) planes; name "
                + "with --planes one for each")
    }
    let networks = try zip(planes, request.weights).map { plane, path in
        (plane, try importedNetwork(format, at: path))
    }
    guard let first = networks.first?.1.architecture else {
        throw UsageError("name the files of the weights")
    }
    guard first.classes <= 256,
        let numbered = tableOfValues((1..<first.classes).map { UInt16($0) }),
        let orientation = Orientation("LIA")
    else {
        throw UsageError("the weights tell \(first.classes) classes apart; 2 to 256 can be")
    }
    let labels =
        try request.labels.map { (path) throws(UsageError) in try readLabelTable(path) }
        ?? numbered
    guard labels.structures.count == first.classes - 1 else {
        throw UsageError(
            "'\(request.labels ?? "")' lists \(labels.structures.count) structures and the weights "
                + "tell \(first.classes - 1) apart; list one for each class but background")
    }
    guard networks.allSatisfy({ $0.1.architecture == first }) else {
        throw UsageError("the files of weights hold different networks; import them one by one")
    }
    let folder = request.output.split(separator: "/").last.map(String.init) ?? "imported"
    let card = ModelCard(
        name: request.name ?? folder,
        summary: "Weights imported from \(format.rawValue).", architecture: first,
        conform: ConformSpecification(
            orientation: orientation, spacingMillimeters: SIMD3(1, 1, 1),
            intensity: .minMax, marginVoxels: 0),
        labels: labels, planes: planes.map { PlaneModel(plane: $0) },
        licence: Licence(
            weights: "see their source", data: "see their source", credit: "see their source"),
        training: TrainingRecord(
            cases: [], validationCases: [], steps: 0, batchSize: 0, seed: 0, seconds: 0,
            software: format.rawValue,
            notes: "imported by SliceSeg \(softwareVersion)"))
    _ = try ModelBundle.write(
        card: card, networks: networks, to: request.output, keepsSinglePrecision: true)
    let count = networks.reduce(0) { $0 + $1.1.trainableCount }
    return "Wrote '\(request.output)': \(first.summary), \(count) parameters."
}

/// A format that models are handed on in.
public enum ExportFormat: String, Sendable, CaseIterable {
    /// Weights by their names in checkpoints, in single precision.
    case safeTensors = "safetensors"
    /// Networks of the ONNX format, with `metadata.json` as in a MONAI bundle.
    case onnx
}

/// Writes a model's networks in another format, a file for each plane.
///
/// - Parameters:
///   - name: A shipped model's name or a bundle's folder.
///   - format: The format's name.
///   - directory: The folder of the files; it is made where it is missing.
/// - Returns: The paths that were written.
/// - Throws: ``UsageError``; errors of the bundle, the files and the engine.
public func exportModel(
    _ name: String, format: String, to directory: String
) throws -> [String] {
    guard let format = ExportFormat(rawValue: format.lowercased()) else {
        let names = ExportFormat.allCases.map(\.rawValue).joined(separator: ", ")
        throw UsageError("'\(format)' is unknown to --format; choose from \(names)")
    }
    let bundle = try loadModel(name)
    let card = bundle.card
    try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    var paths: [String] = []
    for entry in card.planes {
        let network = try bundle.makeNetwork(for: entry.plane)
        let path = "\(directory)/\(card.name)-\(entry.plane.rawValue).\(format.rawValue)"
        switch format {
        case .safeTensors:
            try writeSafeTensors(
                network.namedParameters.map { ($0.name, $0.parameter.value) },
                metadata: ["format": "pt"], as: .float32, to: path)
        case .onnx:
            try writeAtomically(
                onnxModel(
                    of: network, name: "\(card.name)-\(entry.plane.rawValue)",
                    software: "SliceSeg \(softwareVersion)"),
                to: path)
        }
        paths.append(path)
    }
    if format == .onnx {
        let path = directory + "/metadata.json"
        try writeAtomically(try jsonText(MONAIMetadata(card)), to: path)
        paths.append(path)
    }
    return paths
}

/// `metadata.json` of a MONAI bundle
/// (<https://docs.monai.io/en/stable/mb_specification.html>).
private struct MONAIMetadata: Encodable {
    var version = softwareVersion
    var changelog: [String: String]
    var monai_version = ""
    var pytorch_version = ""
    var numpy_version = ""
    var task: String
    var description: String
    var authors: String
    var copyright: String
    var network_data_format: Formats

    struct Formats: Encodable {
        var inputs: [String: Format]
        var outputs: [String: Format]
    }

    struct Format: Encodable {
        var type: String
        var format: String
        var modality: String?
        var num_channels: Int
        var spatial_shape: [String]
        var dtype = "float32"
        var value_range: [Double]
        var is_patch_data = false
        var channel_def: [String: String]
    }

    init(_ card: ModelCard) {
        task = card.classification == nil ? "segmentation of slices" : "classification of slices"
        changelog = [softwareVersion: "exported by SliceSeg"]
        description = card.summary
        authors = card.licence.credit
        copyright = card.licence.weights
        let context = card.architecture.contextSlices
        let extent =
            card.classification.map { "\($0.windowVoxels)" }
            ?? "\(card.architecture.sizeMultiple)*n"
        let slices = (0..<context).map { ("\($0)", "slice \($0 - context / 2)") }
        let classes =
            [("0", card.classification == nil ? "background" : ClassSource.noneName)]
            + card.labels.structures.enumerated().map { ("\($0 + 1)", $1.name) }
        network_data_format = Formats(
            inputs: [
                "image": Format(
                    type: "image", format: "magnitude", modality: "MR", num_channels: context,
                    spatial_shape: [extent, extent], value_range: [0, 1],
                    channel_def: Dictionary(uniqueKeysWithValues: slices))
            ],
            outputs: [
                "logits": Format(
                    type: "probabilities",
                    format: card.classification == nil ? "segmentation" : "classes",
                    num_channels: card.architecture.classes,
                    spatial_shape: card.classification == nil ? [extent, extent] : [],
                    value_range: [], channel_def: Dictionary(uniqueKeysWithValues: classes))
            ])
    }
}
