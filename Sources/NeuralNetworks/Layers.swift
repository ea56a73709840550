public import Tensors

/// 2-D convolution: `[N, Cin, H, W]` to `[N, Cout, H', W']`.
///
/// `H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, and `W'` likewise. Weights start
/// as He et al. (arXiv:1502.01852) draw them for rectifiers; biases start at 0.
public final class Conv2d: ImageLayer {
    /// `[Cout, Cin/groups, kernel, kernel]`.
    public let weight: Parameter
    /// `[Cout]`, or none.
    public let bias: Parameter?
    /// Step between outputs.
    public let stride: Int
    /// Zeros around the input.
    public let padding: Int
    /// Step between the kernel's taps.
    public let dilation: Int
    /// Groups of channels that are convolved apart.
    public let groups: Int

    /// Makes a convolution.
    ///
    /// - Parameters:
    ///   - inputChannels: `Cin`.
    ///   - outputChannels: `Cout`.
    ///   - kernel: Edge length of the kernel.
    ///   - stride: Step between outputs.
    ///   - padding: Zeros around the input; `nil` keeps the size at stride 1 for odd kernels.
    ///   - dilation: Step between the kernel's taps.
    ///   - groups: How many groups of channels are convolved apart.
    ///   - hasBias: Whether a bias is added.
    /// - Throws: `TensorError` where the engine is missing.
    /// - Precondition: both channel counts are multiples of `groups`.
    public init(
        _ inputChannels: Int, _ outputChannels: Int, kernel: Int, stride: Int = 1,
        padding: Int? = nil, dilation: Int = 1, groups: Int = 1, hasBias: Bool = true
    ) throws {
        precondition(
            inputChannels % groups == 0 && outputChannels % groups == 0,
            "\(inputChannels) -> \(outputChannels) channels in \(groups) groups")
        let shape = [outputChannels, inputChannels / groups, kernel, kernel]
        weight = try Parameter(heNormal(shape: shape))
        bias = hasBias ? try Parameter(.zeros([outputChannels])) : nil
        self.stride = stride
        self.padding = padding ?? dilation * (kernel - 1) / 2
        self.dilation = dilation
        self.groups = groups
    }

    /// The extent of the output for an extent of the input.
    public func outputSize(_ size: Int) -> Int {
        (size + 2 * padding - dilation * (weight.value.shape[2] - 1) - 1) / stride + 1
    }

    /// Weight and bias.
    public var parts: [(name: String, part: LayerPart)] {
        [("weight", .parameter(weight))] + (bias.map { [("bias", .parameter($0))] } ?? [])
    }

    /// Convolves.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        try input.convolved(
            weight: weight.value, bias: bias?.value, stride: stride, padding: padding,
            dilation: dilation, groups: groups)
    }
}

/// Transposed 2-D convolution: `[N, Cin, H, W]` to `[N, Cout, H', W']`.
///
/// `H' = (H - 1) stride - 2 padding + kernel + outputPadding`.
public final class ConvTranspose2d: ImageLayer {
    /// `[Cin, Cout, kernel, kernel]`.
    public let weight: Parameter
    /// `[Cout]`.
    public let bias: Parameter
    /// Step between the squares that inputs are spread to.
    public let stride: Int
    /// Pixels that are cut off around the output.
    public let padding: Int
    /// Pixels that are added below and to the right.
    public let outputPadding: Int

    /// Makes a transposed convolution.
    public init(
        _ inputChannels: Int, _ outputChannels: Int, kernel: Int, stride: Int, padding: Int = 0,
        outputPadding: Int = 0
    ) throws {
        weight = try Parameter(heNormal(shape: [inputChannels, outputChannels, kernel, kernel]))
        bias = try Parameter(.zeros([outputChannels]))
        self.stride = stride
        self.padding = padding
        self.outputPadding = outputPadding
    }

    /// The extent of the output for an extent of the input.
    public func outputSize(_ size: Int) -> Int {
        (size - 1) * stride - 2 * padding + weight.value.shape[2] + outputPadding
    }

    /// Weight and bias.
    public var parts: [(name: String, part: LayerPart)] {
        [("weight", .parameter(weight)), ("bias", .parameter(bias))]
    }

    /// Convolves transposed.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        try input.convolvedTransposed(
            weight: weight.value, bias: bias.value, stride: stride, padding: padding,
            outputPadding: outputPadding)
    }
}

/// Batch normalisation over N, H and W (Ioffe and Szegedy, arXiv:1502.03167).
public final class BatchNorm2d: ImageLayer {
    /// Scale `[C]`, 1 at first.
    public let weight: Parameter
    /// Shift `[C]`, 0 at first.
    public let bias: Parameter
    /// Running mean `[C]`.
    public let runningMean: Parameter
    /// Running variance `[C]`.
    public let runningVariance: Parameter
    private let momentum: Double
    /// The number that is added to variances.
    public let epsilon: Double
    /// The default epsilon added to variances; PyTorch's.
    public static let standardEpsilon = 1e-5

    /// Makes a normalisation of `channels` channels; the defaults are PyTorch's.
    public init(
        _ channels: Int, momentum: Double = 0.1, epsilon: Double = standardEpsilon
    ) throws {
        weight = try Parameter(.ones([channels]))
        bias = try Parameter(.zeros([channels]))
        runningMean = try Parameter(.zeros([channels]), isTrainable: false)
        runningVariance = try Parameter(.ones([channels]), isTrainable: false)
        self.momentum = momentum
        self.epsilon = epsilon
    }

    /// Scale, shift and the running moments.
    public var parts: [(name: String, part: LayerPart)] {
        [
            ("weight", .parameter(weight)), ("bias", .parameter(bias)),
            ("running_mean", .parameter(runningMean)),
            ("running_var", .parameter(runningVariance)),
        ]
    }

    /// Normalises; in training it also moves the running moments.
    public func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        try input.batchNormalized(
            weight: weight.value, bias: bias.value, runningMean: runningMean.value,
            runningVariance: runningVariance.value, isTraining: mode == .training,
            momentum: momentum, epsilon: epsilon)
    }

    /// Normalises and takes the larger of 0 and the result.
    public func rectified(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        // The joined operator is for images; vectors are few.
        guard mode == .training, input.allowsJoinedOperators, input.shape.count == 4 else {
            return try self(input, mode: mode).relu()
        }
        return try input.batchNormalizedAndRectified(
            weight: weight.value, bias: bias.value, runningMean: runningMean.value,
            runningVariance: runningVariance.value, momentum: momentum, epsilon: epsilon)
    }
}

/// A rectifier with learned slopes for negative values (He et al., arXiv:1502.01852).
public final class PReLU: ImageLayer {
    /// One slope, or one a channel.
    public let weight: Parameter

    /// Makes a rectifier with `slopeCount` slopes (1, or the number of channels) that start at 0.25.
    public init(slopeCount: Int = 1) throws {
        weight = try Parameter(.full(0.25, shape: [slopeCount]))
    }

    /// The slopes.
    public var parts: [(name: String, part: LayerPart)] { [("weight", .parameter(weight))] }

    /// Rectifies.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        try input.prelu(weight: weight.value)
    }
}

/// A fully connected layer: `[N, in]` to `[N, out]`.
public final class Linear: Layer {
    /// `[out, in]`.
    public let weight: Parameter
    /// `[out]`, or none.
    public let bias: Parameter?

    /// Makes a fully connected layer.
    public init(_ inputs: Int, _ outputs: Int, hasBias: Bool = true) throws {
        weight = try Parameter(heNormal(shape: [outputs, inputs]))
        bias = hasBias ? try Parameter(.zeros([outputs])) : nil
    }

    /// Weight and bias.
    public var parts: [(name: String, part: LayerPart)] {
        [("weight", .parameter(weight))] + (bias.map { [("bias", .parameter($0))] } ?? [])
    }

    /// Computes `x weightᵀ + bias`.
    public func callAsFunction(_ input: Tensor) throws -> Tensor {
        try input.linear(weight: weight.value, bias: bias?.value)
    }
}

/// Dropout of whole channels (Tompson et al., arXiv:1411.4280).
public final class Dropout2d: ImageLayer {
    /// The probability with which a channel is dropped.
    public let probability: Double

    /// Makes a dropout.
    ///
    /// - Precondition: `0 <= probability < 1`.
    public init(probability: Double) {
        precondition((0..<1).contains(probability), "dropout probability \(probability)")
        self.probability = probability
    }

    /// Nothing is learned.
    public var parts: [(name: String, part: LayerPart)] { [] }

    /// Drops channels in training and sampling; otherwise returns its input.
    public func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        guard mode != .inference, probability > 0 else { return input }
        return try input.channelDropout(probability: probability, isTraining: true)
    }
}

private enum InitialWeights {
    @TaskLocal static var areDrawn = true
}

/// Makes layers whose weights are zeros instead of random numbers, to be replaced by stored ones.
///
/// - Parameter makeLayers: Makes them.
/// - Returns: What that returns.
public func withoutRandomWeights<Result>(_ makeLayers: () throws -> Result) rethrows -> Result {
    try InitialWeights.$areDrawn.withValue(false) { try makeLayers() }
}

/// Normal weights with variance 2 / fan-in, where fan-in is the product of all extents but the first.
private func heNormal(shape: [Int]) throws -> Tensor {
    guard InitialWeights.areDrawn else { return try .zeros(shape) }
    let fanIn = shape.dropFirst().reduce(1, *)
    return try .randomNormal(shape) * (2 / Double(fanIn)).squareRoot()
}
