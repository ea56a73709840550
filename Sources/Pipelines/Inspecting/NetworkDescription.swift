import Foundation
import NeuralNetworks
import SegmentationModels
import Tensors

/// The layers of a network with their sizes and costs for one image.
public struct NetworkDescription: Sendable, Codable {
    /// A layer as it is applied.
    public struct Layer: Sendable, Codable {
        /// Its name in checkpoints, or the operation's where it has no parameters.
        public var name: String
        /// Channels, rows and columns of its output.
        public var outputShape: [Int]
        /// Its parameters, where they were not counted in a row above.
        public var parameters: Int
        /// Multiplications, each with its addition.
        public var multiplyAdds: Int
        /// Bytes of its output in single precision.
        public var outputBytes: Int
        /// A Boolean value indicating whether it belongs to a recalibration block.
        public var isRecalibration: Bool
    }

    /// The network in a few words.
    public var network: String
    /// Channels, rows and columns of the image.
    public var inputShape: [Int]
    /// The weights that training moves.
    public var parameters: Int
    /// The number of parameters in recalibration blocks.
    public var recalibrationParameters: Int
    /// Multiplications, each with its addition.
    public var multiplyAdds: Int
    /// The multiply-adds of recalibration blocks.
    public var recalibrationMultiplyAdds: Int
    /// Bytes of all outputs in single precision, as training keeps them.
    public var outputBytes: Int
    /// The layers in the order of computation.
    public var layers: [Layer]

    init(_ name: String, of network: any NeuralNetworks.Layer, _ graph: NetworkGraph) {
        let input = graph.shape(of: graph.image)
        self.network = name
        inputShape = [input.channels, input.height, input.width]
        var counted: Set<ObjectIdentifier> = []
        let recalibrating = graph.recalibrations.reduce(into: Set<Int>()) {
            $0.formUnion($1.nodes)
        }
        layers = graph.nodes.enumerated().dropFirst().map { position, node in
            let shape = graph.shape(of: node.outputs[0])
            let layer = graph.layer(of: node)
            let isNew = layer.map { counted.insert(ObjectIdentifier($0)).inserted } ?? false
            return Layer(
                name: node.name.isEmpty ? node.operation.name : node.name,
                outputShape: [shape.channels, shape.height, shape.width],
                parameters: isNew ? layer?.trainableCount ?? 0 : 0,
                multiplyAdds: graph.multiplyAdds(of: node), outputBytes: 4 * shape.count,
                isRecalibration: recalibrating.contains(position))
        }
        parameters = network.trainableCount
        multiplyAdds = layers.reduce(0) { $0 + $1.multiplyAdds }
        outputBytes = layers.reduce(0) { $0 + $1.outputBytes }
        let added = layers.filter(\.isRecalibration)
        recalibrationParameters = added.reduce(0) { $0 + $1.parameters }
        recalibrationMultiplyAdds = added.reduce(0) { $0 + $1.multiplyAdds }
    }

    /// The description as a JSON object.
    ///
    /// - Returns: Text that ends with a line feed.
    /// - Throws: Never for a description that was made from a network.
    public func json() throws -> String { try jsonText(self) }

    /// The table of layers with its totals, for a terminal.
    public var text: String {
        var rows = [["layer", "output", "parameters", "multiply-adds", "memory"]]
        rows += layers.map {
            [
                $0.name, $0.outputShape.map(String.init).joined(separator: "x"),
                $0.parameters == 0 ? "" : String($0.parameters),
                $0.multiplyAdds == 0 ? "" : scaled($0.multiplyAdds), bytes($0.outputBytes),
            ]
        }
        rows.append([
            "all", "", String(parameters), scaled(multiplyAdds), bytes(outputBytes),
        ])
        let share =
            Double(recalibrationParameters) / Double(max(1, parameters - recalibrationParameters))
        rows.append([
            "of these, recalibration blocks (\(decimals(100 * share, 2)) % more)", "",
            String(recalibrationParameters), scaled(recalibrationMultiplyAdds), "",
        ])
        return "\(network), for \(inputShape.map(String.init).joined(separator: "x"))\n"
            + aligned(rows)
    }
}

/// The cost of each kind of recalibration in one network.
public struct RecalibrationComparison: Sendable, Codable {
    /// The network with each kind.
    public var networks: [NetworkDescription]

    /// A line for each kind: what it adds to the first.
    public var text: String {
        var rows = [["recalibration", "parameters", "added", "multiply-adds", "added", "memory"]]
        let base = networks[0]
        for network in networks {
            func added(_ value: Int, _ base: Int) -> String {
                "+" + decimals(100 * Double(value - base) / Double(base), 2) + " %"
            }
            rows.append([
                network.network, String(network.parameters),
                added(network.parameters, base.parameters), scaled(network.multiplyAdds),
                added(network.multiplyAdds, base.multiplyAdds), bytes(network.outputBytes),
            ])
        }
        return aligned(rows)
    }

    /// The comparison as a JSON object.
    public func json() throws -> String { try jsonText(self) }
}

/// Describes a network that is named on a command line.
///
/// - Parameters:
///   - choices: The network.
///   - slices: The size of its images.
/// - Returns: The description.
/// - Throws: ``UsageError`` where no network can be built so; errors of the engine.
public func describeNetwork(
    _ choices: ArchitectureChoices, slices: SliceSize
) throws -> NetworkDescription {
    // Weights are not looked at, so none are drawn.
    try withoutRandomWeights {
        let architecture = try choices.architecture(familyOption: "--network")
        let network = try SegmentationNetwork(architecture)
        let (graph, _) = try network.graph(height: slices.height, width: slices.width)
        return NetworkDescription(architecture.summary, of: network, graph)
    }
}

/// Describes a network with several kinds of recalibration.
///
/// - Parameters:
///   - choices: The network; its own kind is not looked at.
///   - kinds: Names of kinds, the first to compare with.
///   - slices: The size of its images.
/// - Returns: The descriptions, each named after its kind.
/// - Throws: ``UsageError`` where a kind is unknown or does not fit; errors of the engine.
public func compareRecalibrations(
    of choices: ArchitectureChoices, _ kinds: [String], slices: SliceSize
) throws -> RecalibrationComparison {
    guard !kinds.isEmpty else { throw UsageError("name the kinds to compare, as none,cse,scse") }
    return RecalibrationComparison(
        networks: try kinds.map {
            var choices = choices
            choices.recalibration = $0
            var description = try describeNetwork(choices, slices: slices)
            description.network = $0
            return description
        })
}

private func scaled(_ count: Int) -> String {
    let number = Double(count)
    return number >= 1e9
        ? decimals(number / 1e9, 3) + " G"
        : number >= 1e6 ? decimals(number / 1e6, 2) + " M" : String(count)
}

private func bytes(_ count: Int) -> String { decimals(Double(count) / 1_048_576, 2) + " MiB" }
