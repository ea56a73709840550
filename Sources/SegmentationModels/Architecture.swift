/// The encoder-decoder families of the scSE paper (Roy et al., arXiv:1803.02579).
public enum NetworkFamily: String, Sendable, Hashable, Codable, CaseIterable {
    /// Two convolutions a block, skip connections (Ronneberger et al., arXiv:1505.04597).
    case uNet
    /// One convolution a block, unpooling by indices, skip connections (Roy et al., MICCAI 2017,
    /// arXiv:1705.00938).
    case sdNet
    /// Densely connected blocks, unpooling by indices, skip connections: the fully convolutional
    /// DenseNet of QuickNAT (Roy et al., arXiv:1801.04161).
    case denseNet
}

/// Which squeeze & excitation blocks a network carries (Roy et al., arXiv:1803.02579).
public enum Recalibration: String, Sendable, Hashable, Codable, CaseIterable {
    /// None.
    case none
    /// cSE: squeeze over space, excite channels.
    case channel
    /// sSE: squeeze over channels, excite pixels.
    case spatial
    /// scSE: both, combined.
    case channelAndSpatial
}

/// How scSE combines the two recalibrated maps (Roy et al., arXiv:1808.08127, section III-C).
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

/// Where the recalibration blocks stand.
public enum RecalibrationPlacement: String, Sendable, Hashable, Codable, CaseIterable {
    /// At the end of every encoder and decoder block, so that skip connections are recalibrated
    /// too: as in the papers' code.
    case endOfBlock
    /// In the encoder only on the way into the pooling, so that skip connections are not; in the
    /// decoder at the end of the block.
    case beforePooling
    /// On the output of every pooling and of every upsampling.
    case afterPoolingAndUpsampling
}

/// Whether a U-Net normalises after its convolutions; the other families always do.
public enum Normalization: String, Sendable, Hashable, Codable, CaseIterable {
    /// As published (arXiv:1505.04597): convolution and rectifier alone.
    case none
    /// Batch normalisation between convolution and rectifier.
    case batch
}

/// How a U-Net's decoder grows its input; the other families unpool by indices.
public enum Upsampling: String, Sendable, Hashable, Codable, CaseIterable {
    /// Linear interpolation, nothing learned.
    case bilinear
    /// Repetition of pixels, nothing learned.
    case nearest
    /// A learned 2x2 transposed convolution of stride 2 (arXiv:1505.04597).
    case transposedConvolution
}

/// Everything that fixes a network's layers and the shapes of its weights.
///
/// The defaults are the reference of the papers: 64 channels, 5x5 kernels, four poolings,
/// reduction ratio 2, scSE by addition at the end of each block.
public struct Architecture: Sendable, Hashable {
    /// The encoder-decoder family.
    public var family: NetworkFamily
    /// Classes, background included: the channels of the output.
    public var classes: Int
    /// Channels of every block.
    public var channels: Int
    /// Edge length of the kernels; odd.
    public var kernel: Int
    /// How many poolings, and so how many encoders and decoders.
    public var depth: Int
    /// Neighbouring slices that enter as channels; odd, the one to label in the middle.
    public var contextSlices: Int
    /// Which squeeze & excitation blocks it carries.
    public var recalibration: Recalibration
    /// r: how much narrower cSE's hidden layer is than its input.
    public var reductionRatio: Int
    /// How scSE combines its halves.
    public var combination: Combination
    /// Where the recalibration blocks stand.
    public var placement: RecalibrationPlacement
    /// Whether a U-Net normalises.
    public var normalization: Normalization
    /// How a U-Net upsamples.
    public var upsampling: Upsampling
    /// The probability with which a channel is dropped after each encoder and decoder block in
    /// training.
    public var dropout: Double

    /// Makes an architecture; see ``Architecture`` for where the defaults come from.
    public init(
        family: NetworkFamily, classes: Int, channels: Int = 64, kernel: Int = 5, depth: Int = 4,
        contextSlices: Int = 1, recalibration: Recalibration = .channelAndSpatial,
        reductionRatio: Int = 2, combination: Combination = .addition,
        placement: RecalibrationPlacement = .endOfBlock, normalization: Normalization = .none,
        upsampling: Upsampling = .bilinear, dropout: Double = 0
    ) {
        self.family = family
        self.classes = classes
        self.channels = channels
        self.kernel = kernel
        self.depth = depth
        self.contextSlices = contextSlices
        self.recalibration = recalibration
        self.reductionRatio = reductionRatio
        self.combination = combination
        self.placement = placement
        self.normalization = normalization
        self.upsampling = upsampling
        self.dropout = dropout
    }

    /// What cannot be built, as a sentence, or `nil` where all is well.
    ///
    /// Files and command lines are checked with this before a network is made of them.
    public var problem: String? {
        if !(2...65536).contains(classes) { return "classes must be 2 to 65536, not \(classes)" }
        if !(1...4096).contains(channels) { return "channels must be 1 to 4096, not \(channels)" }
        if kernel < 1 || kernel > 31 || kernel % 2 == 0 {
            return "kernel must be odd, 1 to 31, not \(kernel)"
        }
        if !(1...8).contains(depth) { return "depth must be 1 to 8, not \(depth)" }
        if contextSlices < 1 || contextSlices > 31 || contextSlices % 2 == 0 {
            return "contextSlices must be odd, 1 to 31, not \(contextSlices)"
        }
        if !(1...channels).contains(reductionRatio) {
            return "reductionRatio must be 1 to \(channels), not \(reductionRatio)"
        }
        if !(0..<1).contains(dropout) { return "dropout must be in 0..<1, not \(dropout)" }
        return nil
    }
}

extension Architecture: Codable {
    private enum Key: String, CodingKey, CaseIterable {
        case family, classes, channels, kernel, depth, contextSlices, recalibration
        case reductionRatio, combination, placement, normalization, upsampling, dropout
    }

    /// Decodes an architecture; what is left out takes its default, except the family.
    ///
    /// A file may leave out the classes where a label table gives them; they are 2 until set.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func value<Value: Decodable>(_ key: Key, default standard: Value) throws -> Value {
            try container.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        let standard = Architecture(
            family: try container.decode(NetworkFamily.self, forKey: .family),
            classes: try container.decodeIfPresent(Int.self, forKey: .classes) ?? 2)
        self = standard
        channels = try value(.channels, default: standard.channels)
        kernel = try value(.kernel, default: standard.kernel)
        depth = try value(.depth, default: standard.depth)
        contextSlices = try value(.contextSlices, default: standard.contextSlices)
        recalibration = try value(.recalibration, default: standard.recalibration)
        reductionRatio = try value(.reductionRatio, default: standard.reductionRatio)
        combination = try value(.combination, default: standard.combination)
        placement = try value(.placement, default: standard.placement)
        normalization = try value(.normalization, default: standard.normalization)
        upsampling = try value(.upsampling, default: standard.upsampling)
        dropout = try value(.dropout, default: standard.dropout)
        if let problem {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: problem))
        }
    }
}
