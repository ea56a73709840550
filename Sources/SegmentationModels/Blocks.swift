internal import NeuralNetworks
internal import Tensors

/// The kernels of a block's convolutions.
struct Kernel {
    /// Edge length; odd.
    var size: Int
    /// Step between taps.
    var dilation = 1
    /// Groups of channels that are convolved apart, where both numbers of channels are multiples of
    /// it.
    var groups = 1

    /// Makes a convolution that keeps the size.
    func convolution(
        _ inputChannels: Int, _ channels: Int, hasBias: Bool = true
    ) throws -> Conv2d {
        let divides = inputChannels % groups == 0 && channels % groups == 0
        return try Conv2d(
            inputChannels, channels, kernel: size, dilation: dilation,
            groups: divides ? groups : 1, hasBias: hasBias)
    }
}

/// U-Net's block: twice convolution, normalization where asked for, ReLU.
final class UNetBlock: Block {
    private let convolution1: Conv2d
    private let convolution2: Conv2d
    private let normalization1: BatchNorm2d?
    private let normalization2: BatchNorm2d?

    init(inputChannels: Int, channels: Int, kernel: Kernel, normalization: Normalization) throws {
        convolution1 = try kernel.convolution(inputChannels, channels)
        convolution2 = try kernel.convolution(channels, channels)
        let normalizes = normalization == .batch
        normalization1 = normalizes ? try BatchNorm2d(channels) : nil
        normalization2 = normalizes ? try BatchNorm2d(channels) : nil
    }

    var parts: [(name: String, part: LayerPart)] {
        var parts: [(name: String, part: LayerPart)] = [("convolution1", .layer(convolution1))]
        if let normalization1 { parts.append(("normalization1", .layer(normalization1))) }
        parts.append(("convolution2", .layer(convolution2)))
        if let normalization2 { parts.append(("normalization2", .layer(normalization2))) }
        return parts
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        var hidden = input
        for (convolution, normalization) in [
            (convolution1, normalization1), (convolution2, normalization2),
        ] {
            hidden = try pass.convolve(hidden, by: convolution)
            if let normalization {
                hidden = try pass.normalizeAndRectify(hidden, by: normalization)
            } else {
                hidden = try pass.rectify(hidden)
            }
        }
        return hidden
    }
}

/// SD-Net's block: convolution, PReLU, batch normalization (the order of the authors' code).
final class SDNetBlock: Block {
    private let convolution: Conv2d
    private let activation: PReLU
    private let normalization: BatchNorm2d

    init(inputChannels: Int, channels: Int, kernel: Kernel) throws {
        convolution = try kernel.convolution(inputChannels, channels)
        activation = try PReLU()
        normalization = try BatchNorm2d(channels)
    }

    var parts: [(name: String, part: LayerPart)] {
        [
            ("convolution", .layer(convolution)), ("activation", .layer(activation)),
            ("normalization", .layer(normalization)),
        ]
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        let convolved = try pass.convolve(input, by: convolution)
        return try pass.normalize(pass.rectify(convolved, by: activation), by: normalization)
    }
}

/// QuickNAT's dense block: three times batch normalization, PReLU, convolution (the last 1x1), each
/// on the input and all that came before it.
///
/// One slope serves the block's three rectifiers. Source: Roy et al., arXiv:1801.04161, section 2.1.
final class DenseBlock: Block {
    private let normalizations: [BatchNorm2d]
    private let convolutions: [Conv2d]
    private let activation: PReLU

    init(inputChannels: Int, channels: Int, kernel: Kernel) throws {
        let widths = [inputChannels, inputChannels + channels, inputChannels + 2 * channels]
        normalizations = try widths.map { try BatchNorm2d($0) }
        convolutions = try zip(widths, [kernel, kernel, Kernel(size: 1)]).map {
            try $1.convolution($0, channels)
        }
        activation = try PReLU()
    }

    var parts: [(name: String, part: LayerPart)] {
        (0..<3).flatMap { position -> [(name: String, part: LayerPart)] in
            [
                ("normalization\(position + 1)", .layer(normalizations[position])),
                ("convolution\(position + 1)", .layer(convolutions[position])),
            ]
        } + [("activation", .layer(activation))]
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        var collected = [input]
        var output = input
        for (normalization, convolution) in zip(normalizations, convolutions) {
            let all = try collected.count == 1 ? input : pass.concatenate(collected)
            let normalized = try pass.normalize(all, by: normalization)
            output = try pass.convolve(
                pass.rectify(normalized, by: activation), by: convolution)
            collected.append(output)
        }
        return output
    }
}
