internal import CTorch

/// A device that holds tensors and runs operations.
public enum Device: Sendable, Hashable, CustomStringConvertible {
    /// The machine's processor.
    case cpu
    /// A CUDA device by its index.
    case cuda(Int)

    var type: CTorchDeviceType {
        switch self {
        case .cpu: CTORCH_CPU
        case .cuda: CTORCH_CUDA
        }
    }

    var index: Int32 {
        switch self {
        case .cpu: 0
        case .cuda(let index): Int32(index)
        }
    }

    /// The device as it is written on a command line: `cpu`, `cuda:0`.
    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .cuda(let index): "cuda:\(index)"
        }
    }
}

/// The type of a tensor's elements.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
    /// Unsigned 8-bit integer.
    case uint8
    /// Signed 8-bit integer.
    case int8
    /// Signed 16-bit integer.
    case int16
    /// Signed 32-bit integer.
    case int32
    /// Signed 64-bit integer; class indices and pooling indices.
    case int64
    /// IEEE half precision.
    case float16
    /// IEEE single precision.
    case float32
    /// IEEE double precision.
    case float64
    /// Truth values, one byte each.
    case bool
    /// The upper half of a single-precision number.
    case bfloat16

    var code: CTorchElementType {
        switch self {
        case .uint8: CTORCH_UINT8
        case .int8: CTORCH_INT8
        case .int16: CTORCH_INT16
        case .int32: CTORCH_INT32
        case .int64: CTORCH_INT64
        case .float16: CTORCH_FLOAT16
        case .float32: CTORCH_FLOAT32
        case .float64: CTORCH_FLOAT64
        case .bool: CTORCH_BOOL
        case .bfloat16: CTORCH_BFLOAT16
        }
    }

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .int16, .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        }
    }
}

/// A Swift type that a tensor's elements can be read into or made of.
public protocol TensorScalar: BitwiseCopyable, Sendable {
    /// The element type that has the same bytes.
    static var elementType: ElementType { get }
}

extension Float: TensorScalar {
    /// Single precision.
    public static var elementType: ElementType { .float32 }
}
extension Double: TensorScalar {
    /// Double precision.
    public static var elementType: ElementType { .float64 }
}
extension UInt8: TensorScalar {
    /// Unsigned bytes.
    public static var elementType: ElementType { .uint8 }
}
extension Int32: TensorScalar {
    /// 32-bit integers.
    public static var elementType: ElementType { .int32 }
}
extension Int64: TensorScalar {
    /// 64-bit integers.
    public static var elementType: ElementType { .int64 }
}
