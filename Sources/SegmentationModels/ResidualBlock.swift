internal import NeuralNetworks
internal import Tensors

/// A residual block: twice convolution and batch normalization, added to the input, ReLU.
///
/// Where the number of channels changes, a 1x1 convolution with normalization stands in the
/// shortcut. Source: He et al., arXiv:1512.03385, figure 2 and section 3.3, option B.
final class ResidualBlock: Block {
    private let convolution1: Conv2d
    private let normalization1: BatchNorm2d
    private let convolution2: Conv2d
    private let normalization2: BatchNorm2d
    private let shortcut: ConvolutionAndNormalization?

    init(inputChannels: Int, channels: Int, kernel: Kernel) throws {
        convolution1 = try kernel.convolution(inputChannels, channels, hasBias: false)
        normalization1 = try BatchNorm2d(channels)
        convolution2 = try kernel.convolution(channels, channels, hasBias: false)
        normalization2 = try BatchNorm2d(channels)
        shortcut =
            inputChannels == channels
            ? nil : try ConvolutionAndNormalization(inputChannels, channels, kernel: 1)
    }

    var parts: [(name: String, part: LayerPart)] {
        let path: [(name: String, part: LayerPart)] = [
            ("convolution1", .layer(convolution1)), ("normalization1", .layer(normalization1)),
            ("convolution2", .layer(convolution2)), ("normalization2", .layer(normalization2)),
        ]
        return path + (shortcut.map { [("shortcut", .layer($0))] } ?? [])
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        var hidden = try pass.convolve(input, by: convolution1)
        hidden = try pass.normalizeAndRectify(hidden, by: normalization1)
        hidden = try pass.normalize(pass.convolve(hidden, by: convolution2), by: normalization2)
        let kept = try shortcut?.forward(input, &pass) ?? input
        return try pass.rectify(pass.add(hidden, kept))
    }
}

/// A convolution without bias and the normalization after it.
final class ConvolutionAndNormalization: Block {
    private let convolution: Conv2d
    private let normalization: BatchNorm2d

    init(
        _ inputChannels: Int, _ channels: Int, kernel: Int, stride: Int = 1, dilation: Int = 1,
        groups: Int = 1
    ) throws {
        convolution = try Conv2d(
            inputChannels, channels, kernel: kernel, stride: stride, dilation: dilation,
            groups: groups, hasBias: false)
        normalization = try BatchNorm2d(channels)
    }

    var parts: [(name: String, part: LayerPart)] {
        [("convolution", .layer(convolution)), ("normalization", .layer(normalization))]
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        try pass.normalize(pass.convolve(input, by: convolution), by: normalization)
    }

    /// The block followed by its rectifier.
    func rectified<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        try pass.normalizeAndRectify(pass.convolve(input, by: convolution), by: normalization)
    }
}
