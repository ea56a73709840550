public import NeuralNetworks

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
    /// Applies a recalibration block, which a pass may do as a whole.
    mutating func recalibrate(_ input: Value, by block: some Block) throws -> Value
    /// Mixes branches, which a pass may do as a whole.
    mutating func mix(_ branches: [Value], by block: some BranchMixing) throws -> Value
}

/// A part of a network that makes one value of several of one shape.
public protocol BranchMixing {
    /// Describes the mixing to a pass.
    ///
    /// - Parameters:
    ///   - branches: Features of one shape.
    ///   - pass: What applies the layers.
    /// - Returns: Features of the same shape.
    /// - Throws: What the pass throws.
    func mixed<Pass: ForwardPass>(
        _ branches: [Pass.Value], _ pass: inout Pass
    ) throws -> Pass.Value
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
