public import NeuralNetworks
public import Tensors

/// cSE: recalibrates channels by what they hold over the whole image.
///
/// `z = mean of x over H, W; s = σ(W₂ ReLU(W₁ z + b₁) + b₂); output = s x`, channel by channel.
/// Source: Roy et al., arXiv:1803.02579, section 2.1, after Hu et al., arXiv:1709.01507. The weights
/// have biases, as in the authors' code; the paper's formula has none.
public final class ChannelRecalibration: ImageLayer {
    fileprivate let reduce: Linear
    fileprivate let expand: Linear

    /// Makes a block for `channels` channels whose hidden layer is `reductionRatio` times narrower.
    public init(channels: Int, reductionRatio: Int) throws {
        let hidden = max(1, channels / reductionRatio)
        reduce = try Linear(channels, hidden)
        expand = try Linear(hidden, channels)
    }

    /// The two fully connected layers.
    public var parts: [(name: String, part: LayerPart)] {
        [("reduce", .layer(reduce)), ("expand", .layer(expand))]
    }

    /// Scales each channel of `[N, C, H, W]`.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        let squeezed = try input.mean(over: [2, 3])
        let excitation = try expand(reduce(squeezed).relu()).sigmoid()
        return try input * excitation.reshaped(excitation.shape + [1, 1])
    }
}

/// sSE: recalibrates pixels by what their channels hold.
///
/// `output = σ(w * x + b) x` with a 1x1 convolution from C channels to one. Source: Roy et al.,
/// arXiv:1803.02579, section 2.2.
public final class SpatialRecalibration: ImageLayer {
    fileprivate let squeeze: Conv2d

    /// Makes a block for `channels` channels.
    public init(channels: Int) throws {
        squeeze = try Conv2d(channels, 1, kernel: 1)
    }

    /// The 1x1 convolution.
    public var parts: [(name: String, part: LayerPart)] { [("squeeze", .layer(squeeze))] }

    /// Scales each pixel of `[N, C, H, W]`.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        try input * squeeze(input).sigmoid()
    }
}

/// A squeeze & excitation block of any kind; ``Recalibration/none`` hands its input on.
///
/// scSE combines cSE and sSE of the same input as ``Combination`` says. Source: Roy et al.,
/// arXiv:1803.02579, section 2.3, and arXiv:1808.08127, section III-C.
public final class RecalibrationBlock: ImageLayer {
    private let channel: ChannelRecalibration?
    private let spatial: SpatialRecalibration?
    private let combination: Combination
    private let fuse: Conv2d?

    /// Makes a block.
    public init(
        _ kind: Recalibration, channels: Int, reductionRatio: Int, combination: Combination
    ) throws {
        let hasChannel = kind == .channel || kind == .channelAndSpatial
        let hasSpatial = kind == .spatial || kind == .channelAndSpatial
        channel =
            hasChannel
            ? try ChannelRecalibration(channels: channels, reductionRatio: reductionRatio) : nil
        spatial = hasSpatial ? try SpatialRecalibration(channels: channels) : nil
        self.combination = combination
        fuse =
            kind == .channelAndSpatial && combination == .concatenation
            ? try Conv2d(2 * channels, channels, kernel: 1) : nil
    }

    /// The halves there are, and the convolution that joins them.
    public var parts: [(name: String, part: LayerPart)] {
        var parts: [(name: String, part: LayerPart)] = []
        if let channel { parts.append(("channel", .layer(channel))) }
        if let spatial { parts.append(("spatial", .layer(spatial))) }
        if let fuse { parts.append(("fuse", .layer(fuse))) }
        return parts
    }

    /// Recalibrates `[N, C, H, W]`.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        guard let channel else { return try spatial?(input) ?? input }
        if mode == .training, combination == .addition, let spatial,
            let bias = spatial.squeeze.bias,
            input.allowsJoinedOperators
        {
            return try input.recalibrated(
                reduce: (channel.reduce.weight.value, channel.reduce.bias.value),
                expand: (channel.expand.weight.value, channel.expand.bias.value),
                squeeze: (spatial.squeeze.weight.value, bias.value))
        }
        let byChannel = try channel(input)
        guard let bySpace = try spatial?(input) else { return byChannel }
        switch combination {
        case .addition: return try byChannel + bySpace
        case .maximum: return try .maximum(byChannel, bySpace)
        case .product: return try byChannel * bySpace
        case .concatenation:
            let both = try Tensor.concatenated([byChannel, bySpace], dimension: 1)
            return try fuse?(both) ?? both
        }
    }
}
