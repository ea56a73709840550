public import NeuralNetworks
import Tensors

extension NetworkGraph {
    /// The multiplications of a node, each with its addition: of convolutions and fully connected
    /// layers, `kH kW C_in / groups` for every output and `C_in` for every output of a vector.
    ///
    /// However a convolution is computed, this is what it is measured by.
    ///
    /// - Parameter node: A node of this graph.
    /// - Returns: The count for one image.
    public func multiplyAdds(of node: Node) -> Int {
        switch node.operation {
        case .convolution(let layer):
            let inputs = layer.weight.value.shape.dropFirst().reduce(1, *)
            return inputs * shape(of: node.outputs[0]).count
        case .transposedConvolution(let layer):
            let outputs = layer.weight.value.shape.dropFirst().reduce(1, *)
            return outputs * shape(of: node.inputs[0]).count
        case .connection(let layer): return layer.weight.value.count
        default: return 0
        }
    }

    /// The multiplications and additions of all convolutions, those of recalibrations, upsampling
    /// and classifier included.
    public var convolutionOperationCount: Int {
        2
            * nodes.reduce(0) { sum, node in
                if case .connection = node.operation { return sum }
                return sum + multiplyAdds(of: node)
            }
    }

    /// The layer of a node, where it has parameters.
    public func layer(of node: Node) -> (any Layer)? {
        switch node.operation {
        case .convolution(let layer): layer
        case .transposedConvolution(let layer): layer
        case .normalization(let layer): layer
        case .learnedRectification(let layer): layer
        case .connection(let layer): layer
        default: nil
        }
    }
}

extension SegmentationNetwork {
    /// The layers as they are applied to a slice, padded as it is when the network is run.
    ///
    /// - Parameters:
    ///   - height: Pixels down the slice.
    ///   - width: Pixels across the slice.
    /// - Returns: The graph and its output, the logits.
    /// - Throws: Never; noting layers cannot fail, computing them can.
    public func graph(
        height: Int, width: Int
    ) throws -> (graph: NetworkGraph, logits: NetworkGraph.Value) {
        let multiple = architecture.sizeMultiple
        var graph = NetworkGraph(
            of: self,
            input: FeatureShape(
                channels: architecture.contextSlices,
                height: (height + multiple - 1) / multiple * multiple,
                width: (width + multiple - 1) / multiple * multiple))
        let logits = try forward(graph.image, &graph)
        return (graph, logits)
    }

    /// Counts the multiplications and additions of all convolutions for one slice; see
    /// ``NetworkGraph/convolutionOperationCount``.
    ///
    /// - Parameters:
    ///   - height: Pixels down the slice.
    ///   - width: Pixels across the slice.
    /// - Returns: The count, on the slice as it is padded.
    /// - Throws: Never; see ``graph(height:width:)``.
    public func operationCount(height: Int, width: Int) throws -> Int {
        try graph(height: height, width: width).graph.convolutionOperationCount
    }
}
