internal import CNIfTI

/// The type of the numbers in a file.
public enum StoredType: String, Sendable, Hashable, Codable, CaseIterable {
    /// 8 bits without sign.
    case uint8
    /// 8 bits with sign.
    case int8
    /// 16 bits with sign.
    case int16
    /// 16 bits without sign.
    case uint16
    /// 32 bits with sign.
    case int32
    /// 32 bits without sign.
    case uint32
    /// 64 bits with sign.
    case int64
    /// 64 bits without sign.
    case uint64
    /// IEEE single precision.
    case float32
    /// IEEE double precision.
    case float64

    /// Bytes of one number.
    public var byteCount: Int { cnifti_datatype_size(niftiCode) }

    /// The code in a NIfTI header's `datatype`.
    var niftiCode: Int32 {
        switch self {
        case .uint8: 2
        case .int16: 4
        case .int32: 8
        case .float32: 16
        case .float64: 64
        case .int8: 256
        case .uint16: 512
        case .uint32: 768
        case .int64: 1024
        case .uint64: 1280
        }
    }

    /// The code in an MGH header, where it has one.
    var mghCode: Int32? {
        switch self {
        case .uint8: 0
        case .int32: 1
        case .float32: 3
        case .int16: 4
        case .uint16: 10
        default: nil
        }
    }

    init?(niftiCode: Int32) {
        guard let type = Self.allCases.first(where: { $0.niftiCode == niftiCode }) else {
            return nil
        }
        self = type
    }

    init?(mghCode: Int32) {
        guard let type = Self.allCases.first(where: { $0.mghCode == mghCode }) else { return nil }
        self = type
    }
}
