public import NeuralNetworks

/// SK: convolves by several kernels and mixes the results channel by channel.
///
/// With `U_i` the branches (convolution, normalization, ReLU) and `s` the mean of `ΣU_i` over the
/// image, `z = ReLU(BN(W s))`, and the output is `Σ a_i U_i` with `a = softmax over i of A_i z`.
/// Neither `W` nor `A` has biases. Parameters, for C to C channels: `C²/G Σ k_i² + 2 M C` in the
/// branches, `C d + 2 d + M C d` in the selection. Source: Li et al., arXiv:1903.06586, section 3.1.
public final class SelectiveKernelBlock: Block, BranchMixing {
    private let branches: [ConvolutionAndNormalization]
    package let reduce: Linear
    package let normalization: BatchNorm2d
    package let select: Linear

    /// Makes a block.
    ///
    /// - Parameters:
    ///   - inputChannels: Channels that come in.
    ///   - channels: Channels that go out.
    ///   - options: The kernels.
    ///   - stride: Step between outputs.
    /// - Throws: `TensorError` where the engine is missing.
    /// - Precondition: both channel counts are multiples of the groups.
    public init(
        _ inputChannels: Int, _ channels: Int, _ options: SelectiveKernel, stride: Int = 1
    ) throws {
        branches = try (0..<options.branches).map {
            try ConvolutionAndNormalization(
                inputChannels, channels, kernel: options.reach == .kernel ? 3 + 2 * $0 : 3,
                stride: stride, dilation: options.reach == .dilation ? 1 + $0 : 1,
                groups: options.groups)
        }
        let hidden = options.hiddenWidth(channels: channels)
        reduce = try Linear(channels, hidden, hasBias: false)
        normalization = try BatchNorm2d(hidden)
        select = try Linear(hidden, options.branches * channels, hasBias: false)
    }

    /// The branches and the layers that select.
    public var parts: [(name: String, part: LayerPart)] {
        branches.enumerated().map { ("branches.\($0)", .layer($1)) } + [
            ("reduce", .layer(reduce)), ("normalization", .layer(normalization)),
            ("select", .layer(select)),
        ]
    }

    /// Describes the block to a pass.
    public func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        var convolved: [Pass.Value] = []
        for branch in branches { convolved.append(try branch.rectified(input, &pass)) }
        return try pass.mix(convolved, by: self)
    }

    /// Selects between the branches, channel by channel.
    public func mixed<Pass: ForwardPass>(
        _ convolved: [Pass.Value], _ pass: inout Pass
    ) throws -> Pass.Value {
        var sum = convolved[0]
        for other in convolved.dropFirst() { sum = try pass.add(sum, other) }
        let squeezed = try pass.connect(pass.average(sum), by: reduce)
        let hidden = try pass.normalizeAndRectify(squeezed, by: normalization)
        let shares = try pass.share(
            pass.connect(hidden, by: select), among: convolved.count)
        var output = try pass.scale(convolved[0], by: shares[0])
        for (branch, share) in zip(convolved, shares).dropFirst() {
            output = try pass.add(output, pass.scale(branch, by: share))
        }
        return output
    }
}
