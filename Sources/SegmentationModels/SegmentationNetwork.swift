public import NeuralNetworks
public import Tensors

/// A recalibrated encoder-decoder that labels every pixel of a slice.
///
/// Built from an ``Architecture``; the three families differ in their blocks and in how the decoder
/// grows its input. Source: Roy et al., arXiv:1803.02579 (the comparison of the three), with the
/// papers of the families at ``NetworkFamily``.
public final class SegmentationNetwork: ImageLayer {
    /// What it was built from.
    public let architecture: Architecture
    private let encoders: [Encoder]
    private let bottleneck: Bottleneck
    private let decoders: [Decoder]
    private let classifier: Conv2d

    /// Makes a network with random weights from the engine's seeded generator.
    ///
    /// - Precondition: `architecture.problem == nil`.
    public init(_ architecture: Architecture) throws {
        precondition(architecture.problem == nil, architecture.problem ?? "")
        self.architecture = architecture
        encoders = try (0..<architecture.depth).map { level in
            try Encoder(
                architecture,
                inputChannels: level == 0 ? architecture.contextSlices : architecture.channels)
        }
        bottleneck = try Bottleneck(architecture)
        decoders = try (0..<architecture.depth).map { _ in try Decoder(architecture) }
        classifier = try Conv2d(architecture.channels, architecture.classes, kernel: 1)
    }

    /// Encoders from fine to coarse, bottleneck, decoders from coarse to fine, classifier.
    public var parts: [(name: String, part: LayerPart)] {
        encoders.enumerated().map { ("encoders.\($0)", .layer($1)) }
            + [("bottleneck", .layer(bottleneck))]
            + decoders.enumerated().map { ("decoders.\($0)", .layer($1)) }
            + [("classifier", .layer(classifier))]
    }

    /// Computes the logits of each class for each pixel.
    ///
    /// Any height and width will do: the image is padded with zeros at its lower and right edge to
    /// a multiple of 2^depth, and the logits are cropped back.
    ///
    /// - Parameters:
    ///   - input: `[N, contextSlices, H, W]`.
    ///   - mode: Whether the network is being trained.
    /// - Returns: `[N, classes, H, W]`, not yet softmaxed.
    /// - Throws: `TensorError`, for example where memory runs out.
    public func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        let shape = input.shape
        precondition(
            shape.count == 4 && shape[1] == architecture.contextSlices,
            "input of shape \(shape) for \(architecture.contextSlices) context slices")
        let multiple = 1 << architecture.depth
        let (height, width) = (shape[2], shape[3])
        let lower = (multiple - height % multiple) % multiple
        let right = (multiple - width % multiple) % multiple
        var hidden = lower + right == 0 ? input : try input.padded([0, right, 0, lower])
        hidden = try hidden.contiguous(.channelsLast)

        var levels: [EncodedLevel] = []
        for encoder in encoders {
            let level = try encoder.encode(hidden, mode: mode)
            levels.append(level)
            hidden = level.pooled
        }
        hidden = try bottleneck.block(hidden, mode: mode)
        for decoder in decoders {
            guard let level = levels.popLast() else { break }
            hidden = try decoder.decode(hidden, level, mode: mode)
        }
        let logits = try classifier(hidden)
        if lower + right == 0 { return logits }
        return try logits.narrowed(dimension: 2, start: 0, length: height)
            .narrowed(dimension: 3, start: 0, length: width)
    }
}

/// What an encoder hands to the next level and to its decoder.
private struct EncodedLevel {
    var skip: Tensor
    var pooled: Tensor
    /// Where the maxima were, for the families that unpool.
    var indices: Tensor?
}

/// A block, its recalibration, and the pooling after them.
private final class Encoder: Layer {
    private let block: any ImageLayer
    private let recalibration: RecalibrationBlock
    private let dropout: Dropout2d
    private let placement: RecalibrationPlacement
    private let unpools: Bool

    init(_ architecture: Architecture, inputChannels: Int) throws {
        block = try makeBlock(architecture, inputChannels: inputChannels)
        recalibration = try makeRecalibration(architecture)
        dropout = Dropout2d(probability: architecture.dropout)
        placement = architecture.placement
        unpools = architecture.family != .uNet
    }

    var parts: [(name: String, part: LayerPart)] {
        [("block", .layer(block)), ("recalibration", .layer(recalibration))]
    }

    func encode(_ input: Tensor, mode: LayerMode) throws -> EncodedLevel {
        var skip = try block(input, mode: mode)
        if placement == .endOfBlock { skip = try recalibration(skip, mode: mode) }
        skip = try dropout(skip, mode: mode)
        let unpooled = placement == .beforePooling ? try recalibration(skip, mode: mode) : skip
        var level: EncodedLevel
        if unpools {
            let (values, indices) = try unpooled.maxPooledWithIndices()
            level = EncodedLevel(skip: skip, pooled: values, indices: indices)
        } else {
            level = EncodedLevel(skip: skip, pooled: try unpooled.maxPooled(), indices: nil)
        }
        if placement == .afterPoolingAndUpsampling {
            level.pooled = try recalibration(level.pooled, mode: mode)
        }
        return level
    }
}

/// The block at the coarsest level, which the authors' code never recalibrates.
private final class Bottleneck: Layer {
    let block: any ImageLayer

    init(_ architecture: Architecture) throws {
        block = try makeBlock(architecture, inputChannels: architecture.channels)
    }

    var parts: [(name: String, part: LayerPart)] { [("block", .layer(block))] }
}

/// Upsampling, the skip connection, a block and its recalibration.
private final class Decoder: Layer {
    private let block: any ImageLayer
    private let recalibration: RecalibrationBlock
    private let dropout: Dropout2d
    private let placement: RecalibrationPlacement
    private let upsampling: Upsampling
    private let transposed: ConvTranspose2d?

    init(_ architecture: Architecture) throws {
        let channels = architecture.channels
        block = try makeBlock(architecture, inputChannels: 2 * channels)
        recalibration = try makeRecalibration(architecture)
        dropout = Dropout2d(probability: architecture.dropout)
        placement = architecture.placement
        upsampling = architecture.upsampling
        let learns = architecture.family == .uNet && upsampling == .transposedConvolution
        transposed =
            learns ? try ConvTranspose2d(channels, channels, kernel: 2, stride: 2) : nil
    }

    var parts: [(name: String, part: LayerPart)] {
        (transposed.map { [("upsampling", .layer($0))] } ?? [])
            + [("block", .layer(block)), ("recalibration", .layer(recalibration))]
    }

    func decode(_ input: Tensor, _ level: EncodedLevel, mode: LayerMode) throws -> Tensor {
        var grown = try upsampled(input, level)
        if placement == .afterPoolingAndUpsampling { grown = try recalibration(grown, mode: mode) }
        let joined = try Tensor.concatenated([level.skip, grown], dimension: 1)
        var output = try block(joined, mode: mode)
        if placement != .afterPoolingAndUpsampling {
            output = try recalibration(output, mode: mode)
        }
        return try dropout(output, mode: mode)
    }

    private func upsampled(_ input: Tensor, _ level: EncodedLevel) throws -> Tensor {
        let shape = level.skip.shape
        let size = (height: shape[2], width: shape[3])
        if let indices = level.indices {
            return try input.maxUnpooled(indices: indices, size: size)
        }
        if let transposed { return try transposed(input) }
        return upsampling == .nearest
            ? try input.upsampledNearest(size: size) : try input.upsampledBilinear(size: size)
    }
}

private func makeBlock(
    _ architecture: Architecture, inputChannels: Int
) throws -> any ImageLayer {
    switch architecture.family {
    case .uNet:
        try UNetBlock(
            inputChannels: inputChannels, channels: architecture.channels,
            kernel: architecture.kernel, normalization: architecture.normalization)
    case .sdNet:
        try SDNetBlock(
            inputChannels: inputChannels, channels: architecture.channels,
            kernel: architecture.kernel)
    case .denseNet:
        try DenseBlock(
            inputChannels: inputChannels, channels: architecture.channels,
            kernel: architecture.kernel)
    }
}

private func makeRecalibration(_ architecture: Architecture) throws -> RecalibrationBlock {
    try RecalibrationBlock(
        architecture.recalibration, channels: architecture.channels,
        reductionRatio: architecture.reductionRatio, combination: architecture.combination)
}
