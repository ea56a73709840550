internal import NeuralNetworks

/// A residual network of bottleneck blocks: five levels of features, 1/2 to 1/32.
///
/// Stem (7x7 convolution of stride 2), 3x3 maxima of stride 2, four stages, of which all but the
/// first begin with stride 2 in the 3x3 convolution. With groups it is ResNeXt, with selective
/// kernels in place of the 3x3 convolutions SKNet. Recalibration stands in the residual branch
/// before the sum. Sources: He et al., arXiv:1512.03385; Xie et al., arXiv:1611.05431; Hu et al.,
/// arXiv:1709.01507; Li et al., arXiv:1903.06586. The stride is where torchvision's and timm's
/// networks have it; the paper's is in the first 1x1 convolution, with as many parameters.
final class ResNetEncoder: FeatureEncoder {
    private let stem: ConvolutionAndNormalization
    private let pooling = Pooling2d(.maximum, kernel: 3, stride: 2, padding: 1)
    private let stages: [[Bottleneck]]
    let skipChannels = [0, 64, 256, 512, 1024]
    let bottomChannels = 2048

    /// Makes an encoder with the given number of blocks per stage.
    init(
        blocks: [Int], groups: Int = 1, baseWidth: Int = 64,
        selectiveKernel: SelectiveKernel? = nil, recalibration: Recalibration, inputChannels: Int
    ) throws {
        stem = try ConvolutionAndNormalization(inputChannels, 64, kernel: 7, stride: 2)
        var channels = 64
        var stages: [[Bottleneck]] = []
        for (stage, count) in blocks.enumerated() {
            let planes = 64 << stage
            var made: [Bottleneck] = []
            for block in 0..<count {
                made.append(
                    try Bottleneck(
                        inputChannels: channels, width: planes * baseWidth / 64 * groups,
                        channels: 4 * planes, stride: block == 0 && stage > 0 ? 2 : 1,
                        groups: groups, selectiveKernel: selectiveKernel,
                        recalibration: recalibration))
                channels = 4 * planes
            }
            stages.append(made)
        }
        self.stages = stages
    }

    var parts: [(name: String, part: LayerPart)] {
        [("stem", .layer(stem))]
            + stages.enumerated().flatMap { stage, blocks in
                blocks.enumerated().map { ("stages.\(stage).\($0)", .layer($1)) }
            }
    }

    func encode<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> EncodedFeatures<Pass.Value> {
        let stemmed = try stem.rectified(input, &pass)
        var levels: [EncodedFeatures<Pass.Value>.Level] = [
            .init(skip: nil, like: input), .init(skip: stemmed, like: stemmed),
        ]
        var hidden = try pass.pool(stemmed, by: pooling)
        for (stage, blocks) in stages.enumerated() {
            for block in blocks { hidden = try block.forward(hidden, &pass) }
            if stage < stages.count - 1 { levels.append(.init(skip: hidden, like: hidden)) }
        }
        return EncodedFeatures(levels: levels, bottom: hidden)
    }
}

/// 1x1, 3x3 and 1x1 convolutions, each with normalization, added to a shortcut.
private final class Bottleneck: Block {
    private let reduction: ConvolutionAndNormalization
    private let convolution: ConvolutionAndNormalization?
    private let selection: SelectiveKernelBlock?
    private let expansion: ConvolutionAndNormalization
    private let recalibration: RecalibrationBlock
    private let shortcut: ConvolutionAndNormalization?

    init(
        inputChannels: Int, width: Int, channels: Int, stride: Int, groups: Int,
        selectiveKernel: SelectiveKernel?, recalibration kind: Recalibration
    ) throws {
        reduction = try ConvolutionAndNormalization(inputChannels, width, kernel: 1)
        selection = try selectiveKernel.map {
            try SelectiveKernelBlock(width, width, $0, stride: stride)
        }
        convolution =
            selectiveKernel == nil
            ? try ConvolutionAndNormalization(
                width, width, kernel: 3, stride: stride, groups: groups) : nil
        expansion = try ConvolutionAndNormalization(width, channels, kernel: 1)
        recalibration = try RecalibrationBlock(kind, channels: channels)
        shortcut =
            inputChannels == channels && stride == 1
            ? nil
            : try ConvolutionAndNormalization(inputChannels, channels, kernel: 1, stride: stride)
    }

    var parts: [(name: String, part: LayerPart)] {
        var parts: [(name: String, part: LayerPart)] = [("reduction", .layer(reduction))]
        if let convolution { parts.append(("convolution", .layer(convolution))) }
        if let selection { parts.append(("selection", .layer(selection))) }
        parts.append(("expansion", .layer(expansion)))
        parts.append(("recalibration", .layer(recalibration)))
        if let shortcut { parts.append(("shortcut", .layer(shortcut))) }
        return parts
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        var hidden = try reduction.rectified(input, &pass)
        if let convolution { hidden = try convolution.rectified(hidden, &pass) }
        if let selection { hidden = try selection.forward(hidden, &pass) }
        hidden = try pass.recalibrate(expansion.forward(hidden, &pass), by: recalibration)
        let kept = try shortcut?.forward(input, &pass) ?? input
        return try pass.rectify(pass.add(hidden, kept))
    }
}

/// The three stages of selective kernel units for small images: 64 channels at full size, then 256,
/// 512 and 1024 at 1/2, 1/4 and 1/8.
///
/// A unit is a 1x1 convolution to half the channels, kernels of 3x3 and 5x5 in 8 groups to select
/// from (`SK[2, 8, 2]`), and a 1x1 convolution, added to a shortcut; three units a stage, the first
/// of stride 2. Source: Li et al., arXiv:1903.06586, and the three-stage network for CIFAR in the
/// PyTorch code by pppLang (github.com/pppLang/SKNet).
final class SmallSKNetEncoder: FeatureEncoder {
    private let stem: ConvolutionAndNormalization
    private let stages: [[Bottleneck]]
    let skipChannels = [64, 256, 512]
    let bottomChannels = 1024

    init(recalibration: Recalibration, inputChannels: Int) throws {
        stem = try ConvolutionAndNormalization(inputChannels, 64, kernel: 3)
        let options = SelectiveKernel(reach: .kernel, groups: 8, reductionRatio: 2)
        var channels = 64
        var stages: [[Bottleneck]] = []
        for width in [256, 512, 1024] {
            var made: [Bottleneck] = []
            for unit in 0..<3 {
                made.append(
                    try Bottleneck(
                        inputChannels: channels, width: width / 2, channels: width,
                        stride: unit == 0 ? 2 : 1, groups: 1, selectiveKernel: options,
                        recalibration: recalibration))
                channels = width
            }
            stages.append(made)
        }
        self.stages = stages
    }

    var parts: [(name: String, part: LayerPart)] {
        [("stem", .layer(stem))]
            + stages.enumerated().flatMap { stage, units in
                units.enumerated().map { ("stages.\(stage).\($0)", .layer($1)) }
            }
    }

    func encode<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> EncodedFeatures<Pass.Value> {
        var hidden = try stem.rectified(input, &pass)
        var levels: [EncodedFeatures<Pass.Value>.Level] = [.init(skip: hidden, like: hidden)]
        for (stage, units) in stages.enumerated() {
            for unit in units { hidden = try unit.forward(hidden, &pass) }
            if stage < stages.count - 1 { levels.append(.init(skip: hidden, like: hidden)) }
        }
        return EncodedFeatures(levels: levels, bottom: hidden)
    }
}
