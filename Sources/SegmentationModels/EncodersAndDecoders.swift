/// A Boolean value indicating whether a U-Net's block normalizes after its convolutions.
public enum Normalization: String, Sendable, Hashable, Codable, CaseIterable {
    /// As published (arXiv:1505.04597): convolution and rectifier alone.
    case none
    /// Batch normalization between convolution and rectifier.
    case batch
}

/// A decoder's step from one level to the finer one, for decoders that do not unpool.
public enum Upsampling: String, Sendable, Hashable, Codable, CaseIterable {
    /// Linear interpolation, nothing learned.
    case bilinear
    /// Repetition of pixels, nothing learned.
    case nearest
    /// A learned 2x2 transposed convolution of stride 2 (arXiv:1505.04597).
    case transposedConvolution
}

/// A step of an encoder from one level to the coarser one.
public enum LevelPooling: String, Sendable, Hashable, Codable, CaseIterable {
    /// The largest value of each 2x2 square.
    case maximum
    /// The mean of each square.
    case average
    /// In training one value of each square, drawn in proportion to it; in use the mean by those
    /// probabilities (Zeiler and Fergus, arXiv:1301.3557).
    case stochastic
    /// A learned 2x2 convolution of stride 2.
    case stridedConvolution
}

/// An encoder: what computes features at every level of a network.
public enum EncoderKind: Sendable, Hashable {
    /// Two convolutions a block, max pooling (Ronneberger et al., arXiv:1505.04597).
    case uNet(normalization: Normalization = .none, pooling: LevelPooling = .maximum)
    /// One convolution a block, max pooling with indices (Roy et al., arXiv:1705.00938).
    case sdNet
    /// Densely connected blocks, max pooling with indices: the fully convolutional DenseNet of
    /// QuickNAT (Roy et al., arXiv:1801.04161).
    case denseNet
    /// Two convolutions and a shortcut a block (He et al., arXiv:1512.03385).
    case residual(pooling: LevelPooling = .maximum)
    /// An encoder that a paper fixes.
    case published(PublishedEncoder)
}

/// A decoder: what brings features back to the size of the slice.
public enum DecoderKind: Sendable, Hashable {
    /// Upsampling, the skip connection, a U-Net's block.
    case uNet(normalization: Normalization = .none, upsampling: Upsampling = .bilinear)
    /// Unpooling by indices, the skip connection, SD-Net's block.
    case sdNet
    /// Unpooling by indices, the skip connection, a dense block.
    case denseNet
    /// None: the mean of the coarsest features over the slice, of which a fully connected layer makes
    /// one answer for the slice as a whole. So the papers' encoders classify images.
    case average
}

/// The encoder-decoder families of the scSE paper (Roy et al., arXiv:1803.02579), each an encoder
/// with the decoder it was published with.
public enum NetworkFamily: Sendable, Hashable {
    /// ``EncoderKind/uNet(normalization:pooling:)`` and ``DecoderKind/uNet(normalization:upsampling:)``.
    case uNet(normalization: Normalization = .none, upsampling: Upsampling = .bilinear)
    /// ``EncoderKind/sdNet`` and ``DecoderKind/sdNet``.
    case sdNet
    /// ``EncoderKind/denseNet`` and ``DecoderKind/denseNet``.
    case denseNet

    /// The family's encoder.
    public var encoder: EncoderKind {
        switch self {
        case .uNet(let normalization, _): .uNet(normalization: normalization)
        case .sdNet: .sdNet
        case .denseNet: .denseNet
        }
    }

    /// The family's decoder.
    public var decoder: DecoderKind {
        switch self {
        case .uNet(let normalization, let upsampling):
            .uNet(normalization: normalization, upsampling: upsampling)
        case .sdNet: .sdNet
        case .denseNet: .denseNet
        }
    }
}

extension NetworkFamily: CaseIterable {
    /// The families as published.
    public static var allCases: [NetworkFamily] { [.uNet(), .sdNet, .denseNet] }
}
