internal import NeuralNetworks
internal import Tensors

/// Features that an encoder hands to a decoder.
struct EncodedFeatures<Value> {
    /// A skip connection.
    struct Level {
        /// The features of a level, or `nil` where a decoder has to do without; `like` then gives
        /// the size.
        var skip: Value?
        /// The indices of the pooling's maxima, for decoders that unpool.
        var indices: Value?
        /// Something of the level's size.
        var like: Value
    }

    /// The levels from fine to coarse.
    var levels: [Level]
    /// The features of the coarsest level.
    var bottom: Value
}

/// An encoder of features at several levels.
protocol FeatureEncoder: Layer {
    /// Channels of the skip connections from fine to coarse; 0 where there is none.
    var skipChannels: [Int] { get }
    /// Channels of the coarsest level.
    var bottomChannels: Int { get }

    /// Describes the encoder to a pass.
    func encode<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> EncodedFeatures<Pass.Value>
}

/// A block a level with pooling between: the encoders of the scSE paper and those like them.
final class LevelEncoder: FeatureEncoder {
    private let levels: [EncoderLevel]
    private let bottleneck: Bottleneck
    let skipChannels: [Int]
    let bottomChannels: Int

    init(_ architecture: Architecture) throws {
        let widths = architecture.widths
        let inputs = [architecture.contextSlices] + widths
        levels = try (0..<architecture.depth).map {
            try EncoderLevel(architecture, inputChannels: inputs[$0], channels: widths[$0])
        }
        bottomChannels = widths[architecture.depth]
        skipChannels = Array(widths.dropLast())
        bottleneck = try Bottleneck(
            block: makeBlock(
                architecture, inputChannels: inputs[architecture.depth], channels: bottomChannels))
    }

    var parts: [(name: String, part: LayerPart)] {
        levels.enumerated().map { ("encoders.\($0)", .layer($1)) }
            + [("bottleneck", .layer(bottleneck))]
    }

    func encode<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> EncodedFeatures<Pass.Value> {
        var hidden = input
        var encoded: [EncodedFeatures<Pass.Value>.Level] = []
        for level in levels {
            let (features, pooled) = try level.encode(hidden, &pass)
            encoded.append(features)
            hidden = pooled
        }
        return EncodedFeatures(levels: encoded, bottom: try bottleneck.block.forward(hidden, &pass))
    }
}

/// A block, its recalibration, and the pooling after them.
private final class EncoderLevel: Layer {
    private let block: any Block
    private let recalibration: RecalibrationBlock
    private let dropout: Dropout2d
    private let pooling: Pooling2d?
    private let strided: Conv2d?
    private let placement: RecalibrationPlacement
    private let keepsIndices: Bool

    init(_ architecture: Architecture, inputChannels: Int, channels: Int) throws {
        block = try makeBlock(architecture, inputChannels: inputChannels, channels: channels)
        recalibration = try RecalibrationBlock(architecture.recalibration, channels: channels)
        dropout = Dropout2d(probability: architecture.dropout)
        let step = architecture.encoder.pooling
        pooling =
            switch step {
            case .maximum: Pooling2d(.maximum)
            case .average: Pooling2d(.average)
            case .stochastic: Pooling2d(.stochastic)
            case .stridedConvolution: nil
            }
        strided =
            step == .stridedConvolution
            ? try Conv2d(channels, channels, kernel: 2, stride: 2, padding: 0) : nil
        placement = architecture.placement
        keepsIndices = architecture.decoder.unpools && step == .maximum
    }

    var parts: [(name: String, part: LayerPart)] {
        [("block", .layer(block)), ("recalibration", .layer(recalibration))]
            + (strided.map { [("pooling", .layer($0))] } ?? [])
    }

    func encode<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> (EncodedFeatures<Pass.Value>.Level, pooled: Pass.Value) {
        var skip = try block.forward(input, &pass)
        if placement == .endOfBlock { skip = try pass.recalibrate(skip, by: recalibration) }
        skip = try pass.drop(skip, by: dropout)
        let unpooled =
            try placement == .beforePooling ? pass.recalibrate(skip, by: recalibration) : skip
        var pooled: Pass.Value
        var indices: Pass.Value?
        if keepsIndices {
            (pooled, indices) = try pass.poolWithIndices(unpooled)
        } else if let strided {
            pooled = try pass.convolve(unpooled, by: strided)
        } else {
            pooled = try pooling.map { try pass.pool(unpooled, by: $0) } ?? unpooled
        }
        if placement == .afterPoolingAndUpsampling {
            pooled = try pass.recalibrate(pooled, by: recalibration)
        }
        return (.init(skip: skip, indices: indices, like: skip), pooled)
    }
}

/// The block at the coarsest level, which the authors' code never recalibrates.
private final class Bottleneck: Layer {
    let block: any Block

    init(block: any Block) { self.block = block }

    var parts: [(name: String, part: LayerPart)] { [("block", .layer(block))] }
}

private func makeBlock(
    _ architecture: Architecture, inputChannels: Int, channels: Int
) throws -> any Block {
    let kernel = architecture.blockKernel
    return switch architecture.encoder {
    case .uNet(let normalization, _):
        try UNetBlock(
            inputChannels: inputChannels, channels: channels, kernel: kernel,
            normalization: normalization)
    case .sdNet:
        try SDNetBlock(inputChannels: inputChannels, channels: channels, kernel: kernel)
    case .denseNet:
        try DenseBlock(inputChannels: inputChannels, channels: channels, kernel: kernel)
    case .residual:
        try ResidualBlock(inputChannels: inputChannels, channels: channels, kernel: kernel)
    case .published(let kind):
        preconditionFailure("\(kind.rawValue) has blocks of its own")
    }
}

extension Architecture {
    /// The kernels of its blocks.
    var blockKernel: Kernel { Kernel(size: kernel, dilation: dilation, groups: groups) }
}
