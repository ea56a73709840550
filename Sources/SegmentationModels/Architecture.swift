/// Everything that fixes a network's layers and the shapes of its weights.
///
/// The defaults are the reference of the papers: 64 channels, 5x5 kernels, four poolings,
/// reduction ratio 2, scSE by addition at the end of each block.
public struct Architecture: Sendable, Hashable {
    /// The encoder.
    public var encoder: EncoderKind
    /// The decoder.
    public var decoder: DecoderKind
    /// Channels of every level from fine to coarse, the bottleneck's last; of a published encoder
    /// those of the decoder's levels.
    public var widths: [Int]
    /// Classes, background included: the channels of the output.
    public var classes: Int
    /// Edge length of the kernels; odd.
    public var kernel: Int
    /// Step between the taps of those kernels.
    public var dilation = 1
    /// Groups of channels that are convolved apart by those kernels, wherever both numbers of
    /// channels are multiples of it.
    public var groups = 1
    /// Neighbouring slices that enter as channels; odd, the one to label in the middle.
    public var contextSlices: Int
    /// The squeeze & excitation blocks it carries.
    public var recalibration: Recalibration
    /// The place of those blocks.
    public var placement: RecalibrationPlacement
    /// The probability with which a channel is dropped after each encoder and decoder block in
    /// training.
    public var dropout: Double

    /// Makes an architecture; see ``Architecture`` for where the defaults come from.
    public init(
        encoder: EncoderKind, decoder: DecoderKind, classes: Int, widths: [Int], kernel: Int = 5,
        contextSlices: Int = 1, recalibration: Recalibration = .channelAndSpatial(),
        placement: RecalibrationPlacement = .endOfBlock, dropout: Double = 0
    ) {
        self.encoder = encoder
        self.decoder = decoder
        self.widths = widths
        self.classes = classes
        self.kernel = kernel
        self.contextSlices = contextSlices
        self.recalibration = recalibration
        self.placement = placement
        self.dropout = dropout
    }

    /// Makes an architecture of a published family, as wide at every level.
    public init(
        family: NetworkFamily, classes: Int, channels: Int = 64, kernel: Int = 5, depth: Int = 4,
        contextSlices: Int = 1, recalibration: Recalibration = .channelAndSpatial(),
        placement: RecalibrationPlacement = .endOfBlock, dropout: Double = 0
    ) {
        self.init(
            encoder: family.encoder, decoder: family.decoder, classes: classes,
            widths: Array(repeating: channels, count: max(0, depth) + 1), kernel: kernel,
            contextSlices: contextSlices, recalibration: recalibration, placement: placement,
            dropout: dropout)
    }

    /// The number of poolings, and so of levels of the decoder.
    public var depth: Int {
        if case .published = encoder { return widths.count }
        return max(0, widths.count - 1)
    }

    /// A Boolean value indicating whether slices are labelled as a whole, and not pixel by pixel.
    public var classifiesSlices: Bool { decoder == .average }

    /// The number to whose multiples slice heights and widths are padded.
    public var sizeMultiple: Int { classifiesSlices ? 1 : 1 << depth }

    /// The problem as a sentence, or `nil` if it can be built.
    ///
    /// Files and command lines are checked with this before a network is made of them.
    public var problem: String? {
        if !(2...65536).contains(classes) { return "classes must be 2 to 65536, not \(classes)" }
        if let width = widths.first(where: { !(1...4096).contains($0) }) {
            return "channels must be 1 to 4096, not \(width)"
        }
        if kernel < 1 || kernel > 31 || kernel % 2 == 0 {
            return "kernel must be odd, 1 to 31, not \(kernel)"
        }
        if !(1...8).contains(depth) { return "depth must be 1 to 8, not \(depth)" }
        if contextSlices < 1 || contextSlices > 31 || contextSlices % 2 == 0 {
            return "contextSlices must be odd, 1 to 31, not \(contextSlices)"
        }
        if !(1...31).contains(dilation) { return "dilation must be 1 to 31, not \(dilation)" }
        if !(1...4096).contains(groups) { return "groups must be 1 to 4096, not \(groups)" }
        if case .published = encoder, classifiesSlices {
            // Its widths are the paper's.
        } else if let problem = widths.lazy.compactMap({ recalibration.problem(channels: $0) })
            .first
        {
            return problem
        }
        if case .published(let kind) = encoder {
            if depth != kind.levelCount {
                return "depth must be \(kind.levelCount) for \(kind.rawValue), not \(depth)"
            }
            if placement != .endOfBlock {
                return "placement must be endOfBlock for \(kind.rawValue), whose paper fixes it"
            }
        } else if case .uNet(let encoded, _) = encoder, case .uNet(let decoded, _) = decoder,
            encoded != decoded
        {
            return "normalization must be one for encoder and decoder"
        }
        if !(0..<1).contains(dropout) { return "dropout must be in 0..<1, not \(dropout)" }
        return nil
    }
}
