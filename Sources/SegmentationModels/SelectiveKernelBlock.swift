public import NeuralNetworks

/// The options of a selective kernel (Li et al., arXiv:1903.06586, section 3.1).
public struct SelectiveKernel: Sendable, Hashable, Codable {
    /// A way in which branches see more of the image.
    public enum Reach: String, Sendable, Hashable, Codable, CaseIterable {
        /// 3x3 kernels, dilated by 1, 2, ….
        case dilation
        /// Kernels of 3x3, 5x5, ….
        case kernel
    }

    /// M: how many kernels there are to select from.
    public var branches: Int
    /// A branch's difference from the one before it.
    public var reach: Reach
    /// G: groups of channels that are convolved apart.
    public var groups: Int
    /// r: how much narrower the hidden layer is than the features.
    public var reductionRatio: Int
    /// L: the least width of the hidden layer, `d = max(C / r, L)`.
    public var minimumWidth: Int

    /// Makes options; the defaults are those of SKNet-50: `SK[2, 32, 16]` by dilation, L = 32.
    public init(
        branches: Int = 2, reach: Reach = .dilation, groups: Int = 32, reductionRatio: Int = 16,
        minimumWidth: Int = 32
    ) {
        self.branches = branches
        self.reach = reach
        self.groups = groups
        self.reductionRatio = reductionRatio
        self.minimumWidth = minimumWidth
    }

    /// The width of the hidden layer for features of some channels.
    public func hiddenWidth(channels: Int) -> Int { max(channels / reductionRatio, minimumWidth) }

    /// What cannot be built, as a sentence, or `nil` where all is well.
    var problem: String? {
        if !(2...8).contains(branches) { return "branches must be 2 to 8, not \(branches)" }
        if !(1...4096).contains(groups) { return "groups must be 1 to 4096, not \(groups)" }
        if !(1...4096).contains(reductionRatio) {
            return "reductionRatio must be 1 to 4096, not \(reductionRatio)"
        }
        if !(1...4096).contains(minimumWidth) {
            return "minimumWidth must be 1 to 4096, not \(minimumWidth)"
        }
        return nil
    }
}

/// SK: convolves by several kernels and mixes the results channel by channel.
///
/// With `U_i` the branches (convolution, normalization, ReLU) and `s` the mean of `ΣU_i` over the
/// image, `z = ReLU(BN(W s))`, and the output is `Σ a_i U_i` with `a = softmax over i of A_i z`.
/// Neither `W` nor `A` has biases. Parameters, for C to C channels: `C²/G Σ k_i² + 2 M C` in the
/// branches, `C d + 2 d + M C d` in the selection. Source: Li et al., arXiv:1903.06586, section 3.1.
public final class SelectiveKernelBlock: Block {
    private let branches: [ConvolutionAndNormalization]
    private let reduce: Linear
    private let normalization: BatchNorm2d
    private let select: Linear

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
