import NeuralNetworks
import SegmentationModels
import Tensors

// The numbers of layers as plans take them.

extension Parameter {
    /// The values in single precision on the CPU, without gradients.
    func exact() throws -> Tensor {
        try value.detached().converted(to: .float32, on: .cpu)
    }
}

extension Tensor {
    /// Makes a tensor of one dimension.
    static func vector(_ values: [Float]) throws -> Tensor {
        try Tensor(values, shape: [values.count])
    }
}

extension PReLU {
    /// The slope that all channels share.
    func sharedSlope() throws -> Double {
        guard weight.value.count == 1 else {
            throw PlanError(description: "plans have no rectifier with a slope for each channel")
        }
        return try weight.exact().item()
    }
}

extension NetworkGraph.Node {
    /// The slope of a rectifier's negative side.
    func slope() throws -> Double {
        if case .learnedRectification(let layer) = operation { return try layer.sharedSlope() }
        return 0
    }
}

extension PlanReduction {
    /// Makes a reduction from a layer's; stochastic pooling in use is a mean by the values.
    init(_ reduction: Pooling2d.Reduction) {
        self =
            switch reduction {
            case .maximum: .maximum
            case .average: .mean
            case .stochastic: .weighted
            }
    }
}

extension Conv2d {
    /// A Boolean value indicating whether each pixel becomes one of all channels around it.
    var isPlain: Bool {
        let kernel = weight.value.shape[2]
        return stride == 1 && dilation == 1 && groups == 1 && kernel % 2 == 1
            && padding == kernel / 2
    }
}

extension PlanWeights {
    /// Makes the weights of a linear layer.
    init(_ layer: Linear) throws {
        self.init(
            weight: try layer.weight.exact(),
            bias: try layer.bias.map { try $0.exact() } ?? .zeros([layer.weight.value.shape[0]]))
    }

    /// Makes the weights of a convolution.
    init(_ layer: Conv2d) throws {
        let weight = try layer.weight.exact()
        self.init(
            weight: weight,
            bias: try layer.bias.map { try $0.exact() } ?? .zeros([weight.shape[0]]))
    }

    /// A convolution's weights with a factor and a summand for each of its output channels.
    func scaled(by affine: PlanAffine) throws -> PlanWeights {
        let shape = self.weight.shape
        var weight = try self.weight.elements(as: Float.self)
        var bias = try self.bias.elements(as: Float.self)
        let scale = try affine.scale.elements(as: Float.self)
        let shift = try affine.shift.elements(as: Float.self)
        let size = weight.count / Swift.max(1, shape[0])
        for output in 0..<shape[0] {
            for position in output * size..<(output + 1) * size {
                weight[position] *= scale[output]
            }
            bias[output] = bias[output] * scale[output] + shift[output]
        }
        return PlanWeights(weight: try Tensor(weight, shape: shape), bias: try .vector(bias))
    }
}

extension PlanAffine {
    /// Makes a normalization by the running moments: a factor and a summand for each channel.
    init(_ layer: BatchNorm2d) throws {
        let weight = try layer.weight.exact().elements(as: Double.self)
        let bias = try layer.bias.exact().elements(as: Double.self)
        let mean = try layer.runningMean.exact().elements(as: Double.self)
        let variance = try layer.runningVariance.exact().elements(as: Double.self)
        let scale = zip(weight, variance).map { weight, variance in
            weight / (variance + layer.epsilon).squareRoot()
        }
        let shift = zip(zip(bias, mean), scale).map { pair, scale in pair.0 - pair.1 * scale }
        self.init(
            scale: try .vector(scale.map { Float($0) }), shift: try .vector(shift.map { Float($0) })
        )
    }
}
