public import NeuralNetworks
import Tensors

/// The layers of a network as they are applied to an image of one size.
///
/// A graph is what a network's description leaves on a pass that notes instead of computing. Plans,
/// counts of operations, tables of layers and files for other programs are made of it.
public struct NetworkGraph: ForwardPass {
    /// Features that a node makes.
    public struct Value: Sendable, Hashable {
        /// The position among the graph's values.
        public let position: Int

        /// The value at a position.
        package init(position: Int) { self.position = position }
    }

    /// One application of a layer.
    public struct Node {
        /// The layer's name in checkpoints, such as `encoders.0.block.convolution1`; empty for what
        /// has no parameters.
        public let name: String
        /// The layer.
        public let operation: Operation
        /// The values that it reads.
        public let inputs: [Value]
        /// The values that it makes: one, two where maxima have indices, or one for each branch.
        public let outputs: [Value]
    }

    /// A kind of node.
    public enum Operation {
        /// The image.
        case input
        /// A convolution.
        case convolution(Conv2d)
        /// A transposed convolution.
        case transposedConvolution(ConvTranspose2d)
        /// Batch normalization.
        case normalization(BatchNorm2d)
        /// ReLU.
        case rectification
        /// PReLU.
        case learnedRectification(PReLU)
        /// Dropout of channels, in training.
        case dropout(Dropout2d)
        /// Concatenation of channels.
        case concatenation
        /// A sum of two.
        case addition
        /// The larger of two, place by place.
        case maximum
        /// A product of two.
        case product
        /// A factor for each channel or pixel, the second input.
        case scaling
        /// Pooling.
        case pooling(Pooling2d)
        /// Maxima of 2x2 squares, and where they were.
        case poolingWithIndices
        /// Maxima put back, by the indices that are the second input.
        case unpooling
        /// Upsampling without parameters.
        case interpolation(UpsamplingInterpolation)
        /// Means over all pixels.
        case average
        /// A fully connected layer.
        case connection(Linear)
        /// Softmax over branches, a share of each channel for each.
        case shares
        /// Sigmoid.
        case sigmoid

        /// The operation in a word or two.
        public var name: String {
            switch self {
            case .input: "image"
            case .convolution: "convolution"
            case .transposedConvolution: "transposed convolution"
            case .normalization: "normalization"
            case .rectification: "ReLU"
            case .learnedRectification: "PReLU"
            case .dropout: "dropout"
            case .concatenation: "concatenation"
            case .addition: "sum"
            case .maximum: "maximum"
            case .product: "product"
            case .scaling: "scaling"
            case .pooling(let layer): "\(layer.reduction.rawValue) pooling"
            case .poolingWithIndices: "max pooling with indices"
            case .unpooling: "unpooling"
            case .interpolation(.bilinear): "bilinear upsampling"
            case .interpolation(.nearest): "nearest upsampling"
            case .average: "global average"
            case .connection: "fully connected"
            case .shares: "softmax over branches"
            case .sigmoid: "sigmoid"
            }
        }
    }

    /// Nodes that together mix the branches of a block that selects kernels.
    public struct Mixed {
        /// The block.
        public let block: SelectiveKernelBlock
        /// The positions of its nodes.
        public let nodes: Range<Int>
        /// The branches.
        public let branches: [Value]
        /// The result.
        public let output: Value
    }

    /// Nodes that together are a recalibration block.
    public struct Recalibrated {
        /// The block.
        public let block: RecalibrationBlock
        /// The positions of its nodes.
        public let nodes: Range<Int>
        /// The value that it recalibrates.
        public let input: Value
        /// The result.
        public let output: Value
    }

    /// The nodes in the order of computation.
    public private(set) var nodes: [Node] = []
    /// The recalibration blocks in the order of computation.
    public private(set) var recalibrations: [Recalibrated] = []
    /// The mixtures of branches in the order of computation.
    public private(set) var mixtures: [Mixed] = []
    private var shapes: [FeatureShape] = []
    private let names: [ObjectIdentifier: String]

    /// Starts with an image; layers are named as parts of a network.
    init(of network: any Layer, input: FeatureShape) {
        var names: [ObjectIdentifier: String] = [:]
        func visit(_ layer: any Layer, _ name: String) {
            names[ObjectIdentifier(layer)] = name
            for (part, kind) in layer.parts {
                if case .layer(let inner) = kind {
                    visit(inner, name.isEmpty ? part : name + "." + part)
                }
            }
        }
        visit(network, "")
        self.names = names
        _ = add(.input, [], input)
    }

    /// The image.
    public var image: Value { Value(position: 0) }

    /// See ``ForwardPass``.
    public func shape(of value: Value) -> FeatureShape { shapes[value.position] }

    private mutating func add(
        _ operation: Operation, _ inputs: [Value], _ shape: FeatureShape,
        layer: (any Layer)? = nil, outputs: Int = 1
    ) -> Value {
        let first = shapes.count
        shapes += Array(repeating: shape, count: outputs)
        nodes.append(
            Node(
                name: layer.flatMap { names[ObjectIdentifier($0)] } ?? "", operation: operation,
                inputs: inputs, outputs: (first..<first + outputs).map(Value.init)))
        return Value(position: first)
    }

    /// See ``ForwardPass``.
    public mutating func convolve(_ input: Value, by layer: Conv2d) -> Value {
        var result = shape(of: input)
        let weight = layer.weight.value.shape
        precondition(
            weight[1] * layer.groups == result.channels,
            "\(result.channels) channels for a convolution of \(weight[1] * layer.groups)")
        result.channels = weight[0]
        result.height = layer.outputSize(result.height)
        result.width = layer.outputSize(result.width)
        return add(.convolution(layer), [input], result, layer: layer)
    }

    /// See ``ForwardPass``.
    public mutating func convolveTransposed(
        _ input: Value, by layer: ConvTranspose2d
    ) -> Value {
        var result = shape(of: input)
        result.channels = layer.weight.value.shape[1]
        result.height = layer.outputSize(result.height)
        result.width = layer.outputSize(result.width)
        return add(.transposedConvolution(layer), [input], result, layer: layer)
    }

    /// See ``ForwardPass``.
    public mutating func normalize(_ input: Value, by layer: BatchNorm2d) -> Value {
        add(.normalization(layer), [input], shape(of: input), layer: layer)
    }

    /// See ``ForwardPass``.
    public mutating func rectify(_ input: Value) -> Value {
        add(.rectification, [input], shape(of: input))
    }

    /// See ``ForwardPass``.
    public mutating func normalizeAndRectify(_ input: Value, by layer: BatchNorm2d) -> Value {
        rectify(normalize(input, by: layer))
    }

    /// See ``ForwardPass``.
    public mutating func rectify(_ input: Value, by layer: PReLU) -> Value {
        add(.learnedRectification(layer), [input], shape(of: input), layer: layer)
    }

    /// See ``ForwardPass``; a dropout that never drops is left out.
    public mutating func drop(_ input: Value, by layer: Dropout2d) -> Value {
        guard layer.probability > 0 else { return input }
        return add(.dropout(layer), [input], shape(of: input), layer: layer)
    }

    /// See ``ForwardPass``.
    public mutating func concatenate(_ inputs: [Value]) -> Value {
        guard inputs.count > 1 else { return inputs[0] }
        var result = shape(of: inputs[0])
        result.channels = inputs.reduce(0) { $0 + shape(of: $1).channels }
        return add(.concatenation, inputs, result)
    }

    /// See ``ForwardPass``.
    public mutating func add(_ left: Value, _ right: Value) -> Value {
        combined(.addition, left, right)
    }

    /// See ``ForwardPass``.
    public mutating func maximum(_ left: Value, _ right: Value) -> Value {
        combined(.maximum, left, right)
    }

    /// See ``ForwardPass``.
    public mutating func multiply(_ left: Value, _ right: Value) -> Value {
        combined(.product, left, right)
    }

    private mutating func combined(
        _ operation: Operation, _ left: Value, _ right: Value
    ) -> Value {
        precondition(
            shape(of: left) == shape(of: right), "\(shape(of: left)) with \(shape(of: right))")
        return add(operation, [left, right], shape(of: left))
    }

    /// See ``ForwardPass``.
    public mutating func scale(_ input: Value, by factors: Value) -> Value {
        add(.scaling, [input, factors], shape(of: input))
    }

    /// See ``ForwardPass``.
    public mutating func pool(_ input: Value, by pooling: Pooling2d) -> Value {
        var result = shape(of: input)
        result.height = pooling.outputSize(result.height)
        result.width = pooling.outputSize(result.width)
        return add(.pooling(pooling), [input], result)
    }

    /// See ``ForwardPass``.
    public mutating func poolWithIndices(_ input: Value) -> (maxima: Value, indices: Value) {
        var result = shape(of: input)
        result.height /= 2
        result.width /= 2
        let maxima = add(.poolingWithIndices, [input], result, outputs: 2)
        return (maxima, Value(position: maxima.position + 1))
    }

    /// See ``ForwardPass``.
    public mutating func unpool(_ input: Value, indices: Value, like finer: Value) -> Value {
        precondition(
            shape(of: input) == shape(of: indices),
            "\(shape(of: input)) to unpool by \(shape(of: indices))")
        var result = shape(of: finer)
        result.channels = shape(of: input).channels
        return add(.unpooling, [input, indices], result)
    }

    /// See ``ForwardPass``.
    public mutating func upsample(
        _ input: Value, by interpolation: UpsamplingInterpolation, like finer: Value
    ) -> Value {
        var result = shape(of: finer)
        result.channels = shape(of: input).channels
        return add(.interpolation(interpolation), [input], result)
    }

    /// See ``ForwardPass``.
    public mutating func average(_ input: Value) -> Value {
        add(
            .average, [input],
            FeatureShape(channels: shape(of: input).channels, height: 1, width: 1))
    }

    /// See ``ForwardPass``.
    public mutating func connect(_ input: Value, by layer: Linear) -> Value {
        add(
            .connection(layer), [input],
            FeatureShape(channels: layer.weight.value.shape[0], height: 1, width: 1), layer: layer)
    }

    /// See ``ForwardPass``.
    public mutating func share(_ input: Value, among branches: Int) -> [Value] {
        let channels = shape(of: input).channels / branches
        let first = add(
            .shares, [input], FeatureShape(channels: channels, height: 1, width: 1),
            outputs: branches)
        return (0..<branches).map { Value(position: first.position + $0) }
    }

    /// See ``ForwardPass``.
    public mutating func squash(_ input: Value) -> Value {
        add(.sigmoid, [input], shape(of: input))
    }

    /// See ``ForwardPass``.
    public mutating func recalibrate(_ input: Value, by block: some Block) throws -> Value {
        let first = nodes.count
        let output = try block.forward(input, &self)
        // A block that selects kernels is its convolutions and their mixing.
        if nodes.count > first, let block = block as? RecalibrationBlock, block.selection == nil {
            recalibrations.append(
                Recalibrated(
                    block: block, nodes: first..<nodes.count, input: input, output: output))
        }
        return output
    }

    /// See ``ForwardPass``.
    public mutating func mix(_ branches: [Value], by block: some BranchMixing) throws -> Value {
        let first = nodes.count
        let output = try block.mixed(branches, &self)
        if let block = block as? SelectiveKernelBlock {
            mixtures.append(
                Mixed(
                    block: block, nodes: first..<nodes.count, branches: branches, output: output))
        }
        return output
    }
}
