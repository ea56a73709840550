import Foundation
import NeuralNetworks
public import SegmentationModels
import Tensors

/// A network in the ONNX format.
///
/// The image is `image`, `[N, C, H, W]` in single precision, with height and width multiples of
/// `Architecture.sizeMultiple`; the result is `logits`, which this leaves as they are. Any number of
/// images of any such size will do.
///
/// - Parameters:
///   - network: The network.
///   - name: The model's name.
///   - software: The program's name and version.
/// - Returns: The bytes of the file.
/// - Throws: `TensorError` where weights cannot be read.
public func onnxModel(
    of network: SegmentationNetwork, name: String, software: String
) throws -> [UInt8] {
    // At the coarsest level four pixels are left, so that no image is taken for a vector.
    let size = 4 << network.architecture.depth
    let (graph, logits) = try network.graph(height: size, width: size)
    return try ONNXModel(graph, logits: logits, name: name, software: software).bytes
}

/// A network in the ONNX format (<https://onnx.ai>), operators of version 17, as other programs read
/// it.
///
/// The image is `image`, `[N, C, H, W]` in single precision, with height and width multiples of what
/// the network halves; the result is `logits`. Names of weights are those of the checkpoints.
struct ONNXModel {
    private var nodes = ProtocolBuffer()
    private var initializers = ProtocolBuffer()
    private var names: [Int: String] = [:]
    private var stored: Set<String> = []
    private var helpers = 0

    /// The bytes of the file.
    private(set) var bytes: [UInt8] = []

    /// Writes a graph.
    ///
    /// - Parameters:
    ///   - graph: The layers.
    ///   - logits: The result.
    ///   - name: The model's name.
    ///   - software: The program's name and version.
    /// - Throws: `TensorError` where weights cannot be read.
    init(
        _ graph: NetworkGraph, logits: NetworkGraph.Value, name: String, software: String
    ) throws {
        names[graph.image.position] = "image"
        names[logits.position] = "logits"
        for node in graph.nodes.dropFirst() { try add(node, graph) }
        var description = ProtocolBuffer()
        description.append(nodes)
        description.append(2, name)
        description.append(initializers)
        let channels = graph.shape(of: graph.image).channels
        description.append(11, valueInformation("image", ["N", "\(channels)", "H", "W"]))
        let classes = graph.shape(of: logits).channels
        let isVector = graph.nodes.last.map {
            if case .connection = $0.operation { return true }
            return false
        }
        description.append(
            12,
            valueInformation(
                "logits", isVector == true ? ["N", "\(classes)"] : ["N", "\(classes)", "H", "W"]))
        var model = ProtocolBuffer()
        model.append(1, 8)  // the format that came with operators 17
        model.append(2, software)
        model.append(7, description)
        var operators = ProtocolBuffer()
        operators.append(1, "")
        operators.append(2, 17)
        model.append(8, operators)
        bytes = model.bytes
    }

    // MARK: Nodes

    private func name(_ value: NetworkGraph.Value) -> String {
        names[value.position] ?? "value\(value.position)"
    }

    private mutating func add(_ node: NetworkGraph.Node, _ graph: NetworkGraph) throws {
        let inputs = node.inputs.map { name($0) }
        let outputs = node.outputs.map { name($0) }
        switch node.operation {
        case .input: break
        case .convolution(let layer):
            let kernel = layer.weight.value.shape[2]
            let weights = try parameters(node.name, layer.weight, layer.bias)
            emit(
                "Conv", inputs + weights, outputs,
                [
                    ("kernel_shape", [kernel, kernel]), ("strides", [layer.stride, layer.stride]),
                    ("pads", Array(repeating: layer.padding, count: 4)),
                    ("dilations", [layer.dilation, layer.dilation]),
                ], [("group", layer.groups)])
        case .transposedConvolution(let layer):
            let kernel = layer.weight.value.shape[2]
            let weights = try parameters(node.name, layer.weight, layer.bias)
            emit(
                "ConvTranspose", inputs + weights, outputs,
                [
                    ("kernel_shape", [kernel, kernel]), ("strides", [layer.stride, layer.stride]),
                    ("pads", Array(repeating: layer.padding, count: 4)),
                    ("output_padding", [layer.outputPadding, layer.outputPadding]),
                ])
        case .normalization(let layer):
            let weights = try parameters(node.name, layer.weight, layer.bias)
            let moments = [
                try store(node.name + ".running_mean", layer.runningMean.value),
                try store(node.name + ".running_var", layer.runningVariance.value),
            ]
            emit(
                "BatchNormalization", inputs + weights + moments, outputs,
                numbers: [("epsilon", Float(layer.epsilon))])
        case .rectification: emit("Relu", inputs, outputs)
        case .learnedRectification(let layer):
            let slopes = try store(
                node.name + ".weight",
                layer.weight.value.detached().reshaped([layer.weight.value.count, 1, 1]))
            emit("PRelu", inputs + [slopes], outputs)
        case .dropout: emit("Identity", inputs, outputs)
        case .concatenation: emit("Concat", inputs, outputs, [], [("axis", 1)])
        case .addition: emit("Add", inputs, outputs)
        case .maximum: emit("Max", inputs, outputs)
        case .product: emit("Mul", inputs, outputs)
        case .scaling:
            var factors = inputs[1]
            if graph.shape(of: node.inputs[1]).height == 1 {
                factors = try reshaped(factors, [0, -1, 1, 1])
            }
            emit("Mul", [inputs[0], factors], outputs)
        case .pooling(let layer):
            let window: [(String, [Int])] = [
                ("kernel_shape", [layer.kernel, layer.kernel]),
                ("strides", [layer.stride, layer.stride]),
                ("pads", Array(repeating: layer.padding, count: 4)),
            ]
            switch layer.reduction {
            case .maximum: emit("MaxPool", inputs, outputs, window)
            case .average: emit("AveragePool", inputs, outputs, window)
            case .stochastic:
                // The mean by probabilities: of squares over the sum, with a number that keeps a
                // square without positive values even.
                let tiny = try store("tiny", Tensor([1e-30] as [Float], shape: [1]))
                let positive = helper()
                emit("Relu", inputs, [positive])
                let weights = helper()
                emit("Add", [positive, tiny], [weights])
                let weighted = helper()
                emit("Mul", [inputs[0], weights], [weighted])
                let (sum, total) = (helper(), helper())
                emit("AveragePool", [weighted], [sum], window)
                emit("AveragePool", [weights], [total], window)
                emit("Div", [sum, total], outputs)
            }
        case .poolingWithIndices:
            emit("MaxPool", inputs, outputs, [("kernel_shape", [2, 2]), ("strides", [2, 2])])
        case .unpooling:
            emit("MaxUnpool", inputs, outputs, [("kernel_shape", [2, 2]), ("strides", [2, 2])])
        case .interpolation(let interpolation):
            let coarse = graph.shape(of: node.inputs[0])
            let fine = graph.shape(of: node.outputs[0])
            let scales = try store(
                "scales\(fine.height / coarse.height)",
                Tensor(
                    [
                        1, 1, Float(fine.height) / Float(coarse.height),
                        Float(fine.width) / Float(coarse.width),
                    ], shape: [4]))
            emit(
                "Resize", [inputs[0], "", scales], outputs,
                texts: interpolation == .bilinear
                    ? [("mode", "linear"), ("coordinate_transformation_mode", "half_pixel")]
                    : [
                        ("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"),
                        ("nearest_mode", "floor"),
                    ])
        case .average:
            let pooled = helper()
            emit("GlobalAveragePool", inputs, [pooled])
            emit("Flatten", [pooled], outputs, [], [("axis", 1)])
        case .connection(let layer):
            let weights = try parameters(node.name, layer.weight, layer.bias)
            emit("Gemm", inputs + weights, outputs, [], [("transB", 1)])
        case .shares:
            let branches = node.outputs.count
            let split = try reshaped(inputs[0], [0, branches, -1])
            let shares = helper()
            emit("Softmax", [split], [shares], [], [("axis", 1)])
            let parts = outputs.map { _ in helper() }
            emit("Split", [shares], parts, [], [("axis", 1)])
            for (part, output) in zip(parts, outputs) {
                emit("Reshape", [part, try shape([0, -1])], [output])
            }
        case .sigmoid: emit("Sigmoid", inputs, outputs)
        }
    }

    private mutating func helper() -> String {
        helpers += 1
        return "helper\(helpers)"
    }

    private mutating func reshaped(_ input: String, _ extents: [Int]) throws -> String {
        let output = helper()
        emit("Reshape", [input, try shape(extents)], [output])
        return output
    }

    private mutating func shape(_ extents: [Int]) throws -> String {
        try store(
            "shape" + extents.map { "_\($0)" }.joined(),
            Tensor(extents.map(Int64.init), shape: [extents.count]))
    }

    private mutating func emit(
        _ operation: String, _ inputs: [String], _ outputs: [String],
        _ lists: [(String, [Int])] = [], _ integers: [(String, Int)] = [],
        numbers: [(String, Float)] = [], texts: [(String, String)] = []
    ) {
        var node = ProtocolBuffer()
        for input in inputs { node.append(1, input) }
        for output in outputs { node.append(2, output) }
        node.append(3, outputs[0] + "." + operation)
        node.append(4, operation)
        for (name, list) in lists {
            var attribute = ProtocolBuffer()
            attribute.append(1, name)
            for number in list { attribute.append(8, number) }
            attribute.append(20, 7)
            node.append(5, attribute)
        }
        for (name, number) in integers {
            var attribute = ProtocolBuffer()
            attribute.append(1, name)
            attribute.append(3, number)
            attribute.append(20, 2)
            node.append(5, attribute)
        }
        for (name, number) in numbers {
            var attribute = ProtocolBuffer()
            attribute.append(1, name)
            attribute.append(2, number)
            attribute.append(20, 1)
            node.append(5, attribute)
        }
        for (name, text) in texts {
            var attribute = ProtocolBuffer()
            attribute.append(1, name)
            attribute.append(4, text)
            attribute.append(20, 3)
            node.append(5, attribute)
        }
        nodes.append(1, node)
    }

    // MARK: Weights

    private mutating func parameters(
        _ name: String, _ weight: Parameter, _ bias: Parameter?
    ) throws -> [String] {
        var names = [try store(name + ".weight", weight.value)]
        if let bias { names.append(try store(name + ".bias", bias.value)) }
        return names
    }

    private mutating func store(_ name: String, _ tensor: Tensor) throws -> String {
        guard stored.insert(name).inserted else { return name }
        let isWhole = tensor.elementType == .int64
        let exact = try tensor.detached().converted(to: isWhole ? .int64 : .float32, on: .cpu)
        var buffer = ProtocolBuffer()
        for extent in tensor.shape { buffer.append(1, extent) }
        buffer.append(2, isWhole ? 7 : 1)
        buffer.append(8, name)
        buffer.append(9, bytes: try exact.bytes())
        initializers.append(5, buffer)
        return name
    }

    private func valueInformation(_ name: String, _ extents: [String]) -> ProtocolBuffer {
        var shape = ProtocolBuffer()
        for extent in extents {
            var dimension = ProtocolBuffer()
            if let number = Int(extent) {
                dimension.append(1, number)
            } else {
                dimension.append(2, extent)
            }
            shape.append(1, dimension)
        }
        var tensor = ProtocolBuffer()
        tensor.append(1, 1)
        tensor.append(2, shape)
        var type = ProtocolBuffer()
        type.append(1, tensor)
        var information = ProtocolBuffer()
        information.append(1, name)
        information.append(2, type)
        return information
    }
}

/// A message of protocol buffers (<https://protobuf.dev/programming-guides/encoding/>), written field
/// by field.
private struct ProtocolBuffer {
    private(set) var bytes: [UInt8] = []

    private mutating func appendVariable(_ number: UInt64) {
        var rest = number
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func appendKey(_ field: Int, wireType: Int) {
        appendVariable(UInt64(field << 3 | wireType))
    }

    /// The fields of another message, as fields of this one.
    mutating func append(_ other: ProtocolBuffer) { bytes += other.bytes }

    mutating func append(_ field: Int, _ number: Int) {
        appendKey(field, wireType: 0)
        appendVariable(UInt64(bitPattern: Int64(number)))
    }

    mutating func append(_ field: Int, _ number: Float) {
        appendKey(field, wireType: 5)
        for byte in 0..<4 {
            bytes.append(UInt8(truncatingIfNeeded: number.bitPattern >> (8 * byte)))
        }
    }

    mutating func append(_ field: Int, bytes other: [UInt8]) {
        appendKey(field, wireType: 2)
        appendVariable(UInt64(other.count))
        bytes += other
    }

    mutating func append(_ field: Int, _ text: String) { append(field, bytes: Array(text.utf8)) }

    mutating func append(_ field: Int, _ message: ProtocolBuffer) {
        append(field, bytes: message.bytes)
    }
}
