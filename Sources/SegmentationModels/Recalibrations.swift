public import NeuralNetworks
public import Tensors

/// cSE: recalibrates channels by what they hold over the whole image.
///
/// `z = mean of x over H, W; s = σ(W₂ ReLU(W₁ z + b₁) + b₂); output = s x`, channel by channel.
/// Source: Roy et al., arXiv:1803.02579, section 2.1, after Hu et al., arXiv:1709.01507. The weights
/// have biases, as in the authors' code; the paper's formula has none.
public final class ChannelRecalibration: Block {
    package let reduce: Linear
    package let expand: Linear

    /// Makes a block for `channels` channels whose hidden layer is `reductionRatio` times narrower.
    public convenience init(
        channels: Int, reductionRatio: Int, hasBiases: Bool = true
    ) throws {
        try self.init(
            channels: channels, hidden: max(1, channels / reductionRatio), hasBiases: hasBiases)
    }

    /// Makes a block for `channels` channels with a hidden layer of some width.
    public init(channels: Int, hidden: Int, hasBiases: Bool) throws {
        reduce = try Linear(channels, hidden, hasBias: hasBiases)
        expand = try Linear(hidden, channels, hasBias: hasBiases)
    }

    /// The two fully connected layers.
    public var parts: [(name: String, part: LayerPart)] {
        [("reduce", .layer(reduce)), ("expand", .layer(expand))]
    }

    /// Scales each channel.
    public func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        let squeezed = try pass.average(input)
        let hidden = try pass.rectify(pass.connect(squeezed, by: reduce))
        return try pass.scale(input, by: pass.squash(pass.connect(hidden, by: expand)))
    }
}

/// sSE: recalibrates pixels by what their channels hold.
///
/// `output = σ(w * x + b) x` with a 1x1 convolution from C channels to one. Source: Roy et al.,
/// arXiv:1803.02579, section 2.2.
public final class SpatialRecalibration: Block {
    package let squeeze: Conv2d

    /// Makes a block for `channels` channels.
    public init(channels: Int) throws {
        squeeze = try Conv2d(channels, 1, kernel: 1)
    }

    /// The 1x1 convolution.
    public var parts: [(name: String, part: LayerPart)] { [("squeeze", .layer(squeeze))] }

    /// Scales each pixel.
    public func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        try pass.scale(input, by: pass.squash(pass.convolve(input, by: squeeze)))
    }
}

/// A squeeze & excitation block of any kind; ``Recalibration/none`` hands its input on.
///
/// scSE combines cSE and sSE of the same input as ``Combination`` says. Source: Roy et al.,
/// arXiv:1803.02579, section 2.3, and arXiv:1808.08127, section III-C.
public final class RecalibrationBlock: Block, JoinedInTraining {
    /// The kind it was built as.
    public let kind: Recalibration
    package let channel: ChannelRecalibration?
    package let spatial: SpatialRecalibration?
    package let fuse: Conv2d?
    package let selection: SelectiveKernelBlock?

    /// Makes a block for `channels` channels.
    public init(_ kind: Recalibration, channels: Int) throws {
        self.kind = kind
        var selection: SelectiveKernelBlock?
        switch kind {
        case .none: (channel, spatial, fuse) = (nil, nil, nil)
        case .channel(let ratio):
            channel = try ChannelRecalibration(channels: channels, reductionRatio: ratio)
            (spatial, fuse) = (nil, nil)
        case .spatial:
            spatial = try SpatialRecalibration(channels: channels)
            (channel, fuse) = (nil, nil)
        case .channelAndSpatial(let ratio, let combination):
            channel = try ChannelRecalibration(channels: channels, reductionRatio: ratio)
            spatial = try SpatialRecalibration(channels: channels)
            fuse =
                combination == .concatenation
                ? try Conv2d(2 * channels, channels, kernel: 1) : nil
        case .squeezeAndExcitation(let ratio, let hasBiases):
            channel = try ChannelRecalibration(
                channels: channels, reductionRatio: ratio, hasBiases: hasBiases)
            (spatial, fuse) = (nil, nil)
        case .expandedSqueeze(let ratio):
            channel = try ChannelRecalibration(
                channels: channels, hidden: channels * ratio, hasBiases: false)
            (spatial, fuse) = (nil, nil)
        case .selectiveKernel(let options):
            (channel, spatial, fuse) = (nil, nil, nil)
            selection = try SelectiveKernelBlock(channels, channels, options)
        }
        self.selection = selection
    }

    /// The halves there are, and the convolution that joins them.
    public var parts: [(name: String, part: LayerPart)] {
        var parts: [(name: String, part: LayerPart)] = []
        if let channel { parts.append(("channel", .layer(channel))) }
        if let spatial { parts.append(("spatial", .layer(spatial))) }
        if let fuse { parts.append(("fuse", .layer(fuse))) }
        if let selection { parts.append(("selection", .layer(selection))) }
        return parts
    }

    /// Recalibrates `[N, C, H, W]`.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        var pass = EagerPass(mode: mode)
        return try pass.recalibrate(input, by: self)
    }

    /// Recalibrates features.
    public func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        if let selection { return try selection.forward(input, &pass) }
        guard let channel else { return try spatial?.forward(input, &pass) ?? input }
        let byChannel = try channel.forward(input, &pass)
        guard let bySpace = try spatial?.forward(input, &pass),
            case .channelAndSpatial(_, let combination) = kind
        else { return byChannel }
        switch combination {
        case .addition: return try pass.add(byChannel, bySpace)
        case .maximum: return try pass.maximum(byChannel, bySpace)
        case .product: return try pass.multiply(byChannel, bySpace)
        case .concatenation:
            let both = try pass.concatenate([byChannel, bySpace])
            return try fuse.map { try pass.convolve(both, by: $0) } ?? both
        }
    }

    /// scSE by one operator.
    func joined(_ input: Tensor) throws -> Tensor? {
        guard case .channelAndSpatial(_, .addition) = kind, let channel, let spatial,
            let bias = spatial.squeeze.bias, let reduceBias = channel.reduce.bias,
            let expandBias = channel.expand.bias, input.allowsJoinedOperators
        else { return nil }
        return try input.recalibrated(
            reduce: (channel.reduce.weight.value, reduceBias.value),
            expand: (channel.expand.weight.value, expandBias.value),
            squeeze: (spatial.squeeze.weight.value, bias.value))
    }
}
