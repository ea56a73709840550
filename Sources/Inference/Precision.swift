import Foundation
public import Tensors

/// The number format in which a network is computed.
public enum Precision: String, Sendable, Hashable, Codable, CaseIterable {
    /// bf16 where the device computes it in hardware, fp32 elsewhere.
    case auto
    /// Convolutions in bfloat16, sums in single precision.
    case bf16
    /// Single precision throughout.
    case fp32

    /// What `auto` means on a device; the others are themselves.
    public func resolved(on device: Device) -> Precision {
        guard self == .auto else { return self }
        if case .cuda = device { return .bf16 }
        return Self.processorHasBfloat16 ? .bf16 : .fp32
    }

    /// What operations are cast to, or `nil` for single precision.
    public var autocastType: ElementType? { self == .bf16 ? .bfloat16 : nil }

    /// Whether the processor multiplies bfloat16 in hardware.
    ///
    /// Without that, LibTorch would convert back and forth and be slower than in single precision.
    private static let processorHasBfloat16: Bool = {
        let description = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let words = Set(description.split(whereSeparator: \.isWhitespace))
        return !words.isDisjoint(with: ["amx_bf16", "avx512_bf16", "bf16"])
    }()
}
