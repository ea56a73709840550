import Foundation
import ModelBundles
import NeuralNetworks
import SegmentationModels
import Tensors

/// The network that did best on the held-out cases so far, in a file of its own.
struct BestNetwork {
    /// The step after which it was measured.
    var step: Int
    /// The score there; see ``TrainingProgress/validation``.
    var validation: Double

    private static let format = "sliceseg-best-1"

    /// Writes a network; the file is there in full or not at all.
    func write(_ network: SegmentationNetwork, to path: String, identity: String) throws {
        try writeSafeTensors(
            network.namedParameters.map { (name: $0.name, tensor: $0.parameter.value) },
            metadata: [
                "format": Self.format, "identity": identity, "step": String(step),
                "dice": String(validation),
            ], as: nil, to: path)
    }

    /// Reads the best network of a training that resumes from a step.
    ///
    /// - Returns: `nil` where there is none, it belongs to another training, or it was measured
    ///   after that step: then the training comes to measure it again.
    static func find(at path: String, identity: String, upTo lastStep: Int) throws -> BestNetwork? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let stored = try readSafeTensors(at: path)
        guard stored.metadata["format"] == format, stored.metadata["identity"] == identity,
            let step = stored.metadata["step"].flatMap(Int.init), step <= lastStep,
            let validation = stored.metadata["dice"].flatMap(Double.init)
        else { return nil }
        return BestNetwork(step: step, validation: validation)
    }

    /// Puts the weights of a file into a network of the same architecture.
    static func restore(_ network: SegmentationNetwork, from path: String) throws {
        let stored = try readSafeTensors(at: path)
        try withoutGradients {
            for (name, parameter) in network.namedParameters {
                try parameter.value.copyInPlace(from: try stored.tensor(named: name))
            }
        }
    }
}
