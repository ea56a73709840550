import Foundation
import ModelBundles
import NeuralNetworks
import SegmentationModels
import Tensors

/// A network and tensors in a safetensors file that another program wrote, so that both start from
/// the same: the weights as `network.NAME`, and among the texts `architecture` as JSON.
struct StoredNetwork {
    /// The network with the file's weights.
    let network: SegmentationNetwork
    private let file: SafeTensors
    private let device: Device

    /// Reads the file.
    ///
    /// - Throws: ``UsageError`` where it names no architecture; errors of the file and the engine.
    init(at path: String, on device: Device) throws {
        file = try readSafeTensors(at: path)
        self.device = device
        guard let text = file.metadata["architecture"],
            let architecture = try? JSONDecoder().decode(Architecture.self, from: Data(text.utf8))
        else {
            throw UsageError(
                "'\(path)' names no architecture; make it by benchmark_training.py or "
                    + "benchmark_inference.py")
        }
        network = try SegmentationNetwork(architecture)
        try network.move(to: device)
        let file = file
        let parameters = network.namedParameters
        try withoutGradients {
            for (name, parameter) in parameters {
                try parameter.value.copyInPlace(from: file.tensor(named: "network." + name))
            }
        }
    }

    /// Another tensor of the file, in its own type.
    func tensor(_ name: String) throws -> Tensor {
        let stored = try file.tensor(named: name)
        return try stored.converted(to: stored.elementType, on: device)
    }
}
