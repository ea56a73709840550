internal import NeuralNetworks
internal import Tensors

/// U-Net's block: twice convolution, normalisation where asked for, ReLU.
final class UNetBlock: ImageLayer {
    private let convolution1: Conv2d
    private let convolution2: Conv2d
    private let normalization1: BatchNorm2d?
    private let normalization2: BatchNorm2d?

    init(inputChannels: Int, channels: Int, kernel: Int, normalization: Normalization) throws {
        convolution1 = try Conv2d(inputChannels, channels, kernel: kernel)
        convolution2 = try Conv2d(channels, channels, kernel: kernel)
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

    func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        var hidden = try convolution1(input)
        hidden = try normalization1?.rectified(hidden, mode: mode) ?? hidden.relu()
        hidden = try convolution2(hidden)
        return try normalization2?.rectified(hidden, mode: mode) ?? hidden.relu()
    }
}

/// SD-Net's block: convolution, PReLU, batch normalisation (the order of the authors' code).
final class SDNetBlock: ImageLayer {
    private let convolution: Conv2d
    private let activation: PReLU
    private let normalization: BatchNorm2d

    init(inputChannels: Int, channels: Int, kernel: Int) throws {
        convolution = try Conv2d(inputChannels, channels, kernel: kernel)
        activation = try PReLU()
        normalization = try BatchNorm2d(channels)
    }

    var parts: [(name: String, part: LayerPart)] {
        [
            ("convolution", .layer(convolution)), ("activation", .layer(activation)),
            ("normalization", .layer(normalization)),
        ]
    }

    func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        try normalization(activation(convolution(input)), mode: mode)
    }
}

/// QuickNAT's dense block: three times batch normalisation, PReLU, convolution (the last 1x1), each
/// on the input and all that came before it.
///
/// One slope serves the block's three rectifiers. Source: Roy et al., arXiv:1801.04161, section 2.1.
final class DenseBlock: ImageLayer {
    private let normalizations: [BatchNorm2d]
    private let convolutions: [Conv2d]
    private let activation: PReLU

    init(inputChannels: Int, channels: Int, kernel: Int) throws {
        let widths = [inputChannels, inputChannels + channels, inputChannels + 2 * channels]
        normalizations = try widths.map { try BatchNorm2d($0) }
        convolutions = try zip(widths, [kernel, kernel, 1]).map {
            try Conv2d($0, channels, kernel: $1)
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

    func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        var collected = [input]
        var output = input
        for (normalization, convolution) in zip(normalizations, convolutions) {
            let all =
                collected.count == 1
                ? input : try Tensor.concatenated(collected, dimension: 1)
            output = try convolution(activation(normalization(all, mode: mode)))
            collected.append(output)
        }
        return output
    }
}
