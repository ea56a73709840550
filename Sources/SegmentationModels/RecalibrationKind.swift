/// A kind of squeeze & excitation block with the options that it has.
public enum Recalibration: Sendable, Hashable {
    /// No block.
    case none
    /// cSE: squeeze over space, excite channels (Roy et al., arXiv:1803.02579). The hidden layer is
    /// `reductionRatio` times narrower than the input.
    case channel(reductionRatio: Int = 2)
    /// sSE: squeeze over channels, excite pixels.
    case spatial
    /// scSE: both, combined.
    case channelAndSpatial(reductionRatio: Int = 2, combination: Combination = .addition)
    /// SE: as cSE, with the ratio of SENet (Hu et al., arXiv:1709.01507, section 3); the biases are
    /// those of the authors' code, the paper's formula has none.
    case squeezeAndExcitation(reductionRatio: Int = 16, hasBiases: Bool = true)
    /// SE whose hidden layer is `ratio` times wider than the input, without biases.
    case expandedSqueeze(ratio: Int = 2)
    /// SK: convolution by several kernels, of which each channel selects (Li et al.,
    /// arXiv:1903.06586).
    case selectiveKernel(SelectiveKernel = SelectiveKernel())

    /// The kind's name in files, such as `channelAndSpatial`.
    public var name: String {
        switch self {
        case .none: "none"
        case .channel: "channel"
        case .spatial: "spatial"
        case .channelAndSpatial: "channelAndSpatial"
        case .squeezeAndExcitation: "squeezeAndExcitation"
        case .expandedSqueeze: "expandedSqueeze"
        case .selectiveKernel: "selectiveKernel"
        }
    }

    /// r: how much narrower, or wider, the hidden layer is than the input, or `nil` where there is none.
    public var reductionRatio: Int? {
        switch self {
        case .none, .spatial: nil
        case .channel(let ratio), .channelAndSpatial(let ratio, _),
            .squeezeAndExcitation(let ratio, _), .expandedSqueeze(let ratio):
            ratio
        case .selectiveKernel(let options): options.reductionRatio
        }
    }

    /// The problem with a number of channels as a sentence, or `nil` if it can be built.
    func problem(channels: Int) -> String? {
        switch self {
        case .none, .spatial: return nil
        case .channel(let ratio), .channelAndSpatial(let ratio, _),
            .squeezeAndExcitation(let ratio, _):
            return (1...channels).contains(ratio)
                ? nil : "reductionRatio must be 1 to \(channels), not \(ratio)"
        case .expandedSqueeze(let ratio):
            return (1...64).contains(ratio)
                ? nil : "reductionRatio must be 1 to 64 in expandedSqueeze, not \(ratio)"
        case .selectiveKernel(let options):
            if let problem = options.problem { return problem }
            return channels % options.groups == 0
                ? nil : "\(channels) channels cannot be convolved in \(options.groups) groups"
        }
    }
}

extension Recalibration: CaseIterable {
    /// Every kind with its default options.
    public static var allCases: [Recalibration] {
        [
            .none, .channel(), .spatial, .channelAndSpatial(), .squeezeAndExcitation(),
            .expandedSqueeze(), .selectiveKernel(),
        ]
    }
}

/// A way in which scSE combines its two maps (Roy et al., arXiv:1808.08127, section III-C).
public enum Combination: String, Sendable, Hashable, Codable, CaseIterable {
    /// Their sum, as in the MICCAI paper (arXiv:1803.02579).
    case addition
    /// The larger of the two, place by place, which the journal paper keeps.
    case maximum
    /// Their product.
    case product
    /// Both side by side. Here a 1x1 convolution brings them back to C channels, where the paper
    /// hands 2C channels on.
    case concatenation
}

/// The place of the recalibration blocks.
public enum RecalibrationPlacement: String, Sendable, Hashable, Codable, CaseIterable {
    /// At the end of every encoder and decoder block, so that skip connections are recalibrated
    /// too: as in the papers' code.
    case endOfBlock
    /// Between block and pooling in the encoder, so that skip connections are not recalibrated; at
    /// the end of the block in the decoder.
    case beforePooling
    /// After every pooling and every upsampling.
    case afterPoolingAndUpsampling
}
