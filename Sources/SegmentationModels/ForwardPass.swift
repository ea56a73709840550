public import NeuralNetworks
public import Tensors

/// The channels and the size of one image's features.
public struct FeatureShape: Sendable, Hashable {
    /// Channels of a pixel.
    public var channels: Int
    /// Pixels down.
    public var height: Int
    /// Pixels across.
    public var width: Int

    /// Makes a shape.
    public init(channels: Int, height: Int, width: Int) {
        self.channels = channels
        self.height = height
        self.width = width
    }

    /// The number of elements.
    public var count: Int { channels * height * width }
}

/// One run through the layers of a network.
///
/// Blocks describe themselves once, over any pass: ``EagerPass`` computes tensors, with gradients
/// where they are recorded, and ``NetworkGraph`` notes the layers that are applied, from which
/// plans, counts and tables are made.
public protocol ForwardPass {
    /// Features `[N, C, H, W]`, or vectors `[N, C]`.
    associatedtype Value

    /// The shape of one image's part of a value; vectors have one pixel.
    func shape(of value: Value) -> FeatureShape
    /// Convolves.
    mutating func convolve(_ input: Value, by layer: Conv2d) throws -> Value
    /// Convolves transposed.
    mutating func convolveTransposed(_ input: Value, by layer: ConvTranspose2d) throws -> Value
    /// Normalizes each channel.
    mutating func normalize(_ input: Value, by layer: BatchNorm2d) throws -> Value
    /// The larger of 0 and each value.
    mutating func rectify(_ input: Value) throws -> Value
    /// Normalizes and rectifies.
    mutating func normalizeAndRectify(_ input: Value, by layer: BatchNorm2d) throws -> Value
    /// Rectifies with learned slopes.
    mutating func rectify(_ input: Value, by layer: PReLU) throws -> Value
    /// Drops channels in training.
    mutating func drop(_ input: Value, by layer: Dropout2d) throws -> Value
    /// Puts features side by side.
    mutating func concatenate(_ inputs: [Value]) throws -> Value
    /// The sum of two values of one shape.
    mutating func add(_ left: Value, _ right: Value) throws -> Value
    /// The larger of two values, place by place.
    mutating func maximum(_ left: Value, _ right: Value) throws -> Value
    /// The product of two values of one shape, place by place.
    mutating func multiply(_ left: Value, _ right: Value) throws -> Value
    /// Features times one factor a channel (a vector) or a pixel (features of one channel).
    mutating func scale(_ input: Value, by factors: Value) throws -> Value
    /// Reduces windows of pixels.
    mutating func pool(_ input: Value, by pooling: Pooling2d) throws -> Value
    /// The maxima of 2x2 squares and where they were.
    mutating func poolWithIndices(_ input: Value) throws -> (maxima: Value, indices: Value)
    /// Puts maxima back where they were, among zeros, in the size of `finer`.
    mutating func unpool(_ input: Value, indices: Value, like finer: Value) throws -> Value
    /// Grows to the size of `finer` by interpolation.
    mutating func upsample(
        _ input: Value, by interpolation: UpsamplingInterpolation, like finer: Value
    ) throws -> Value
    /// The mean of each channel over all pixels, a vector.
    mutating func average(_ input: Value) throws -> Value
    /// Applies a fully connected layer to a vector.
    mutating func connect(_ input: Value, by layer: Linear) throws -> Value
    /// The softmax over branches: of a vector that holds a number for each channel of each branch,
    /// one branch after the other, a vector of shares for each branch.
    mutating func share(_ input: Value, among branches: Int) throws -> [Value]
    /// `1 / (1 + exp(-x))`.
    mutating func squash(_ input: Value) throws -> Value
    /// Applies a recalibration block, whose own description is
    /// ``RecalibrationBlock/forward(_:_:)``.
    mutating func recalibrate(_ input: Value, by block: RecalibrationBlock) throws -> Value
}

/// Interpolation that learns nothing.
public enum UpsamplingInterpolation: Sendable, Hashable {
    /// Linear between pixel centres.
    case bilinear
    /// Repetition of the nearest pixel.
    case nearest
}

/// A part of a network that turns features into others.
public protocol Block: Layer {
    /// Describes the block to a pass.
    ///
    /// - Parameters:
    ///   - input: Features.
    ///   - pass: What applies the layers.
    /// - Returns: The block's output.
    /// - Throws: What the pass throws.
    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value
}

extension Block {
    /// Computes the block's output for an image tensor.
    ///
    /// - Parameters:
    ///   - input: `[N, C, H, W]`.
    ///   - mode: Whether the network is being trained.
    /// - Returns: `[N, C', H', W']`.
    /// - Throws: `TensorError`, for example where memory runs out.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        var pass = EagerPass(mode: mode)
        return try forward(input, &pass)
    }
}

/// A pass that computes tensors layer by layer.
public struct EagerPass: ForwardPass {
    /// Whether the network is being trained.
    public let mode: LayerMode

    /// Makes a pass.
    public init(mode: LayerMode) { self.mode = mode }

    /// See ``ForwardPass``.
    public func shape(of value: Tensor) -> FeatureShape {
        let shape = value.shape
        return FeatureShape(
            channels: shape[1], height: shape.count == 4 ? shape[2] : 1,
            width: shape.count == 4 ? shape[3] : 1)
    }

    /// See ``ForwardPass``.
    public func convolve(_ input: Tensor, by layer: Conv2d) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func convolveTransposed(
        _ input: Tensor, by layer: ConvTranspose2d
    ) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func normalize(_ input: Tensor, by layer: BatchNorm2d) throws -> Tensor {
        try layer(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func rectify(_ input: Tensor) throws -> Tensor { try input.relu() }

    /// See ``ForwardPass``; one operator does both in training.
    public func normalizeAndRectify(_ input: Tensor, by layer: BatchNorm2d) throws -> Tensor {
        try layer.rectified(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func rectify(_ input: Tensor, by layer: PReLU) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func drop(_ input: Tensor, by layer: Dropout2d) throws -> Tensor {
        try layer(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func concatenate(_ inputs: [Tensor]) throws -> Tensor {
        inputs.count == 1 ? inputs[0] : try .concatenated(inputs, dimension: 1)
    }

    /// See ``ForwardPass``.
    public func add(_ left: Tensor, _ right: Tensor) throws -> Tensor { try left + right }

    /// See ``ForwardPass``.
    public func maximum(_ left: Tensor, _ right: Tensor) throws -> Tensor {
        try .maximum(left, right)
    }

    /// See ``ForwardPass``.
    public func multiply(_ left: Tensor, _ right: Tensor) throws -> Tensor { try left * right }

    /// See ``ForwardPass``.
    public func scale(_ input: Tensor, by factors: Tensor) throws -> Tensor {
        let shape = factors.shape
        return try input * (shape.count == 4 ? factors : factors.reshaped(shape + [1, 1]))
    }

    /// See ``ForwardPass``.
    public func pool(_ input: Tensor, by pooling: Pooling2d) throws -> Tensor {
        try pooling(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func poolWithIndices(
        _ input: Tensor
    ) throws -> (maxima: Tensor, indices: Tensor) {
        let (values, indices) = try input.maxPooledWithIndices()
        return (values, indices)
    }

    /// See ``ForwardPass``.
    public func unpool(
        _ input: Tensor, indices: Tensor, like finer: Tensor
    ) throws -> Tensor {
        try input.maxUnpooled(indices: indices, size: size(of: finer))
    }

    /// See ``ForwardPass``.
    public func upsample(
        _ input: Tensor, by interpolation: UpsamplingInterpolation, like finer: Tensor
    ) throws -> Tensor {
        switch interpolation {
        case .bilinear: try input.upsampledBilinear(size: size(of: finer))
        case .nearest: try input.upsampledNearest(size: size(of: finer))
        }
    }

    /// See ``ForwardPass``.
    public func average(_ input: Tensor) throws -> Tensor { try input.mean(over: [2, 3]) }

    /// See ``ForwardPass``.
    public func connect(_ input: Tensor, by layer: Linear) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func share(_ input: Tensor, among branches: Int) throws -> [Tensor] {
        let shape = input.shape
        let channels = shape[1] / branches
        let shares = try input.reshaped([shape[0], branches, channels]).softmax(dimension: 1)
        return try (0..<branches).map {
            try shares.narrowed(dimension: 1, start: $0, length: 1)
                .reshaped([shape[0], channels])
        }
    }

    /// See ``ForwardPass``.
    public func squash(_ input: Tensor) throws -> Tensor { try input.sigmoid() }

    /// See ``ForwardPass``; one operator does all of scSE in training.
    public mutating func recalibrate(
        _ input: Tensor, by block: RecalibrationBlock
    ) throws -> Tensor {
        if mode == .training, let joined = try block.joined(input) { return joined }
        return try block.forward(input, &self)
    }

    private func size(of value: Tensor) -> (height: Int, width: Int) {
        let shape = value.shape
        return (height: shape[2], width: shape[3])
    }
}
