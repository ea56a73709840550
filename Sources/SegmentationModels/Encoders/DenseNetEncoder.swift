internal import NeuralNetworks

/// DenseNet-BC: five levels of features, 1/2 to 1/32.
///
/// Stem (7x7 convolution of stride 2), 3x3 maxima of stride 2, four dense blocks of growth rate 32
/// with transitions between that halve channels and size, a last normalization. Recalibration stands
/// after each dense block and each transition, or once before the last normalization. Source: Huang
/// et al., arXiv:1608.06993, table 1.
final class DenseNetEncoder: FeatureEncoder {
    private let stem: ConvolutionAndNormalization
    private let pooling = Pooling2d(.maximum, kernel: 3, stride: 2, padding: 1)
    private let halving = Pooling2d(.average)
    private let blocks: [[DenseLayer]]
    private let transitions: [Transition]
    private let blockRecalibrations: [RecalibrationBlock]
    private let transitionRecalibrations: [RecalibrationBlock]
    private let lastRecalibration: RecalibrationBlock
    private let normalization: BatchNorm2d
    let skipChannels: [Int]
    let bottomChannels: Int

    /// Makes an encoder with the given number of layers per dense block.
    init(
        layers: [Int], recalibration: Recalibration, recalibratesOnce: Bool, inputChannels: Int
    ) throws {
        stem = try ConvolutionAndNormalization(inputChannels, 64, kernel: 7, stride: 2)
        let growth = 32
        let kind = recalibratesOnce ? Recalibration.none : recalibration
        var channels = 64
        var blocks: [[DenseLayer]] = []
        var transitions: [Transition] = []
        var blockRecalibrations: [RecalibrationBlock] = []
        var transitionRecalibrations: [RecalibrationBlock] = []
        var skips = [0, 64]
        for (position, count) in layers.enumerated() {
            var block: [DenseLayer] = []
            for _ in 0..<count {
                block.append(try DenseLayer(inputChannels: channels, growth: growth))
                channels += growth
            }
            blocks.append(block)
            blockRecalibrations.append(try RecalibrationBlock(kind, channels: channels))
            guard position < layers.count - 1 else { break }
            skips.append(channels)
            transitions.append(try Transition(inputChannels: channels))
            channels /= 2
            transitionRecalibrations.append(try RecalibrationBlock(kind, channels: channels))
        }
        self.blocks = blocks
        self.transitions = transitions
        self.blockRecalibrations = blockRecalibrations
        self.transitionRecalibrations = transitionRecalibrations
        lastRecalibration = try RecalibrationBlock(
            recalibratesOnce ? recalibration : .none, channels: channels)
        normalization = try BatchNorm2d(channels)
        skipChannels = skips
        bottomChannels = channels
    }

    var parts: [(name: String, part: LayerPart)] {
        var parts: [(name: String, part: LayerPart)] = [("stem", .layer(stem))]
        for (position, block) in blocks.enumerated() {
            parts += block.enumerated().map { ("blocks.\(position).\($0)", .layer($1)) }
            parts.append(
                ("recalibrations.\(position)", .layer(blockRecalibrations[position])))
            guard position < transitions.count else { break }
            parts.append(("transitions.\(position)", .layer(transitions[position])))
            parts.append(
                (
                    "transitionRecalibrations.\(position)",
                    .layer(transitionRecalibrations[position])
                ))
        }
        return parts + [
            ("recalibration", .layer(lastRecalibration)), ("normalization", .layer(normalization)),
        ]
    }

    func encode<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> EncodedFeatures<Pass.Value> {
        let stemmed = try stem.rectified(input, &pass)
        var levels: [EncodedFeatures<Pass.Value>.Level] = [
            .init(skip: nil, like: input), .init(skip: stemmed, like: stemmed),
        ]
        var hidden = try pass.pool(stemmed, by: pooling)
        for (position, block) in blocks.enumerated() {
            var collected = [hidden]
            for layer in block {
                collected.append(try layer.forward(pass.concatenate(collected), &pass))
            }
            hidden = try pass.recalibrate(
                pass.concatenate(collected), by: blockRecalibrations[position])
            guard position < transitions.count else { break }
            levels.append(.init(skip: hidden, like: hidden))
            hidden = try pass.pool(transitions[position].forward(hidden, &pass), by: halving)
            hidden = try pass.recalibrate(hidden, by: transitionRecalibrations[position])
        }
        hidden = try pass.recalibrate(hidden, by: lastRecalibration)
        return EncodedFeatures(
            levels: levels, bottom: try pass.normalizeAndRectify(hidden, by: normalization))
    }
}

/// Normalization, ReLU, 1x1 convolution to four times the growth rate; normalization, ReLU, 3x3.
private final class DenseLayer: Block {
    private let normalization1: BatchNorm2d
    private let convolution1: Conv2d
    private let normalization2: BatchNorm2d
    private let convolution2: Conv2d

    init(inputChannels: Int, growth: Int) throws {
        normalization1 = try BatchNorm2d(inputChannels)
        convolution1 = try Conv2d(inputChannels, 4 * growth, kernel: 1, hasBias: false)
        normalization2 = try BatchNorm2d(4 * growth)
        convolution2 = try Conv2d(4 * growth, growth, kernel: 3, hasBias: false)
    }

    var parts: [(name: String, part: LayerPart)] {
        [
            ("normalization1", .layer(normalization1)), ("convolution1", .layer(convolution1)),
            ("normalization2", .layer(normalization2)), ("convolution2", .layer(convolution2)),
        ]
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        let hidden = try pass.convolve(
            pass.normalizeAndRectify(input, by: normalization1), by: convolution1)
        return try pass.convolve(
            pass.normalizeAndRectify(hidden, by: normalization2), by: convolution2)
    }
}

/// Normalization, ReLU, 1x1 convolution to half the channels.
private final class Transition: Block {
    private let normalization: BatchNorm2d
    private let convolution: Conv2d

    init(inputChannels: Int) throws {
        normalization = try BatchNorm2d(inputChannels)
        convolution = try Conv2d(inputChannels, inputChannels / 2, kernel: 1, hasBias: false)
    }

    var parts: [(name: String, part: LayerPart)] {
        [("normalization", .layer(normalization)), ("convolution", .layer(convolution))]
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        try pass.convolve(pass.normalizeAndRectify(input, by: normalization), by: convolution)
    }
}
