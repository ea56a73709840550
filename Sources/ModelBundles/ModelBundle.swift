import Files
import Foundation
import NeuralNetworks
public import SegmentationModels
public import Tensors
public import Volumes

/// A model on disk: a folder with its card and the weights of each plane's network.
///
/// A bundle that exists was checked: the card is consistent and each weights file is the one that
/// the card was written with.
public struct ModelBundle: Sendable {
    /// The model card.
    public let card: ModelCard
    /// The folder it lies in.
    public let directory: String
    /// A SHA-256 over the card, which holds those of the weights: it names the model, whatever its
    /// folder is called, in the record of a result.
    public let identity: String

    /// Loads a bundle and checks all of it but the tensors' names and shapes, which
    /// ``makeNetwork(for:device:)`` checks.
    ///
    /// - Parameter directory: The bundle's folder.
    /// - Returns: The bundle.
    /// - Throws: ``ModelBundleError``.
    public static func load(at directory: String) throws(ModelBundleError) -> ModelBundle {
        guard FileManager.default.fileExists(atPath: directory) else {
            throw ModelBundleError(
                .unreadable, directory, "cannot be read: there is no such folder; check its name")
        }
        let cardPath = path(of: ModelCard.fileName, in: directory)
        let card = try ModelCard.read(at: cardPath)
        let bundle = ModelBundle(
            card: card, directory: directory, identity: sha256(try card.encoded(for: cardPath)))
        for entry in card.planes { _ = try bundle.checkedWeights(of: entry) }
        return bundle
    }

    /// Builds the network of a plane in single precision.
    ///
    /// - Parameters:
    ///   - plane: The plane.
    ///   - device: Where the network is to run.
    /// - Returns: The network with the bundle's weights.
    /// - Throws: ``ModelBundleError`` where the bundle has no such network, where its tensors are
    ///   not those of the card's architecture, and where a weight is not a finite number;
    ///   `TensorError`.
    public func makeNetwork(
        for plane: Plane, device: Device = .cpu
    ) throws -> SegmentationNetwork {
        guard let entry = card[plane], let architecture = card.architecture(of: plane) else {
            let planes = card.planes.map(\.plane.rawValue).joined(separator: ", ")
            throw ModelBundleError(
                .missingPlane, directory,
                "has no network for the \(plane.rawValue) plane; choose from \(planes)")
        }
        let weightsPath = Self.path(of: entry.weightsFile, in: directory)
        let stored = try SafeTensors(checkedWeights(of: entry), path: weightsPath)
        let network = try withoutRandomWeights { try SegmentationNetwork(architecture) }
        let parameters = network.namedParameters
        try stored.checkFit(
            names: parameters.map(\.name), shapes: parameters.map(\.parameter.value.shape))
        for (name, parameter) in parameters {
            let values = try stored.tensor(named: name).converted(to: .float32)
            guard try values.allFinite() else {
                throw ModelBundleError(
                    .notFinite, weightsPath,
                    "holds numbers in '\(name)' that are not finite; train or fetch the model again"
                )
            }
            parameter.value = try values.requiresGradient(parameter.isTrainable)
        }
        try network.move(to: device)
        return network
    }

    /// The bytes of a weights file, whose hash is checked on every reading.
    private func checkedWeights(of entry: PlaneModel) throws(ModelBundleError) -> Data {
        let path = Self.path(of: entry.weightsFile, in: directory)
        let data = try readFile(at: path)
        guard sha256(data) == entry.sha256 else {
            throw ModelBundleError(
                .checksumMismatch, path,
                "is not the file that the model card was written with: its SHA-256 differs; "
                    + "fetch the model again")
        }
        return data
    }

    static func path(of file: String, in directory: String) -> String {
        directory.hasSuffix("/") ? directory + file : directory + "/" + file
    }
}

extension SafeTensors {
    /// Throws where the tensors are not exactly those of a network, with what is missing, left
    /// over, or of the wrong shape or type.
    fileprivate func checkFit(names: [String], shapes: [[Int]]) throws(ModelBundleError) {
        let missing = names.filter { tensors[$0] == nil }
        let unexpected = Set(tensors.keys).subtracting(names).sorted()
        var problems: [String] = []
        if !missing.isEmpty { problems.append("missing \(listed(missing))") }
        if !unexpected.isEmpty { problems.append("unexpected \(listed(unexpected))") }
        var misshapen: [String] = []
        for (name, shape) in zip(names, shapes) {
            guard let stored = tensors[name] else { continue }
            if stored.shape != shape {
                misshapen.append("'\(name)' has shape \(stored.shape) instead of \(shape)")
            } else if !stored.type.isFloatingPoint {
                misshapen.append("'\(name)' holds \(stored.type) instead of floating-point numbers")
            }
        }
        if !misshapen.isEmpty { problems.append(listed(misshapen, quote: "")) }
        guard problems.isEmpty else {
            throw ModelBundleError(
                .mismatchedTensors, path,
                "does not fit the network of the model card: "
                    + problems.joined(separator: "; ") + "; fetch or train the model again")
        }
    }
}

/// The first few of some names, and how many more there are.
private func listed(_ names: [String], quote: String = "'") -> String {
    let shown = names.prefix(5).map { quote + $0 + quote }.joined(separator: ", ")
    return names.count > 5 ? "\(shown) and \(names.count - 5) more" : shown
}
