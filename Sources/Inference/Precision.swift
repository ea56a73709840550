public import Tensors

/// The number format in which a network is computed.
public enum Precision: String, Sendable, Hashable, Codable, CaseIterable {
    /// bf16 where the device computes it in hardware, fp32 elsewhere.
    case auto
    /// Convolutions in bfloat16, sums in single precision.
    case bf16
    /// Single precision throughout.
    case fp32
    /// The convolutions that take the time in 8-bit integers, the rest as `auto`: for networks that
    /// were calibrated, on the processor.
    case int8

    /// The precision that `auto` selects on a device; other precisions are returned unchanged.
    public func resolved(on device: Device) -> Precision {
        guard self == .auto else { return self }
        if case .cuda = device { return .bf16 }
        return Self.processorHasBfloat16 ? .bf16 : .fp32
    }

    /// The element type that operations are cast to, or `nil` for single precision.
    public var autocastType: ElementType? { self == .bf16 ? .bfloat16 : nil }

    /// The element type of a plan's values between convolutions.
    var planType: ElementType {
        switch self {
        case .fp32: .float32
        case .bf16: .bfloat16
        case .auto, .int8: Self.processorHasBfloat16 ? .bfloat16 : .float32
        }
    }

    /// A Boolean value indicating whether the processor multiplies bfloat16 in hardware.
    ///
    /// Without that, LibTorch would convert back and forth and be slower than in single precision.
    private static let processorHasBfloat16 = (try? Engine.hasBfloat16()) ?? false
}
