/// An encoder whose widths are those of a paper; with ``DecoderKind/average`` it is the paper's
/// classifier.
///
/// None carries recalibration unless it is asked for: SE-ResNet-50 is ``resNet50`` with
/// ``Recalibration/squeezeAndExcitation(reductionRatio:hasBiases:)``.
public enum PublishedEncoder: String, Sendable, Hashable, Codable, CaseIterable {
    /// ResNet-50 (He et al., arXiv:1512.03385).
    case resNet50
    /// ResNet-101.
    case resNet101
    /// ResNet-152.
    case resNet152
    /// ResNeXt-50 of 32 groups of 4 channels (Xie et al., arXiv:1611.05431).
    case resNeXt50
    /// Inception with batch normalization (Ioffe and Szegedy, arXiv:1502.03167).
    case inception
    /// DenseNet-121 (Huang et al., arXiv:1608.06993).
    case denseNet121
    /// DenseNet-169.
    case denseNet169
    /// DenseNet-201.
    case denseNet201
    /// DenseNet-121 whose recalibration stands once, before the last normalization.
    case denseNet121Last
    /// SKNet-50 (Li et al., arXiv:1903.06586).
    case skNet50
    /// SKNet-101.
    case skNet101
    /// The three-stage SKNet for small images.
    case skNetSmall

    /// The number of levels that a decoder leads back over.
    public var levelCount: Int { self == .skNetSmall ? 3 : 5 }
}
