internal import CTorch

#if canImport(Glibc)
    import Glibc
#endif

/// Elements in plain memory, which tensors share until an operation of LibTorch needs one of them.
///
/// From then on LibTorch's copy alone counts.
@safe final class HostStorage {
    let type: ElementType
    let count: Int
    private var memory: UnsafeMutableRawPointer?
    private var adopted: CTorchTensor?
    private var engine: EngineFunctions?

    /// Makes room for elements, zeros at first.
    init(count: Int, type: ElementType) throws(TensorError) {
        self.count = count
        self.type = type
        guard let memory = unsafe calloc(max(1, count), type.byteCount) else {
            throw TensorError(
                code: .outOfMemory, operation: "tensor",
                message: "\(count) elements of \(type)")
        }
        unsafe self.memory = memory
    }

    deinit {
        unsafe free(memory)
        if let engine { unsafe engine.table.pointee.tensor_release(adopted) }
    }

    /// A Boolean value indicating whether the elements are still here.
    var isPlain: Bool { unsafe memory != nil }

    /// The elements, while they lie here.
    var bytes: UnsafeMutableRawBufferPointer {
        guard let memory = unsafe memory else {
            preconditionFailure("elements that LibTorch holds")
        }
        return unsafe UnsafeMutableRawBufferPointer(start: memory, count: count * type.byteCount)
    }

    /// The address of the first element, while the elements are here.
    var start: UnsafeMutableRawPointer {
        guard let memory = unsafe memory else {
            preconditionFailure("elements that LibTorch holds")
        }
        return unsafe memory
    }

    /// A tensor of LibTorch with a copy of the elements, which the caller owns.
    func copied(shape: [Int], _ engine: EngineFunctions) throws(TensorError) -> CTorchTensor {
        let dimensions = shape.map(Int64.init)
        var made: CTorchTensor?
        guard let memory = unsafe memory else {
            preconditionFailure("elements that LibTorch holds")
        }
        let status = unsafe engine.table.pointee.tensor_make(
            memory, type.code, dimensions, Int32(shape.count), CTORCH_CPU, 0, &made)
        try engine.check(status, "tensor")
        guard let made = unsafe made else {
            throw TensorError(code: .other, operation: "tensor", message: "no tensor was returned")
        }
        return unsafe made
    }

    /// LibTorch's tensor of all elements side by side, which replaces those here.
    func adopt(_ engine: EngineFunctions) throws(TensorError) -> CTorchTensor {
        if let adopted = unsafe adopted { return unsafe adopted }
        let made = unsafe try copied(shape: [count], engine)
        unsafe adopted = made
        self.engine = engine
        unsafe free(memory)
        unsafe memory = nil
        return unsafe made
    }
}

extension Array where Element == Int {
    /// The distances between neighbours in an array of this shape whose last dimension is the fastest.
    var denseStrides: [Int] {
        var strides = [Int](repeating: 1, count: count)
        for dimension in indices.dropLast().reversed() {
            strides[dimension] = strides[dimension + 1] * Swift.max(1, self[dimension + 1])
        }
        return strides
    }
}

/// The number of half-precision bits.
func single(halfBits bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let rest = UInt32(bits & 0x7fff) << 13
    // Infinity and what is not a number; else the same bits with the larger bias of exponents.
    if bits & 0x7c00 == 0x7c00 { return Float(bitPattern: sign | 0x7f80_0000 | rest) }
    return Float(bitPattern: sign | (Float(bitPattern: rest) * 0x1p112).bitPattern)
}

/// The bits of a number as bfloat16 has them, rounded to nearest, ties to even.
func bfloat16Bits(_ number: Float) -> UInt16 {
    if number.isNaN { return 0x7fc0 }
    let bits = number.bitPattern
    return UInt16(truncatingIfNeeded: (bits + 0x7fff + (bits >> 16 & 1)) >> 16)
}

extension HostStorage {
    /// The elements in the order of a shape whose neighbours lie so far apart here.
    func gathered(shape: [Int], strides: [Int]) throws(TensorError) -> HostStorage {
        let result = try HostStorage(count: shape.reduce(1, *), type: type)
        let width = type.byteCount
        let (from, to) = unsafe (bytes, result.bytes)
        var position = [Int](repeating: 0, count: shape.count)
        var offset = 0
        for element in 0..<result.count {
            for byte in 0..<width {
                unsafe to[element * width + byte] = from[offset * width + byte]
            }
            for dimension in shape.indices.reversed() {
                position[dimension] += 1
                offset += strides[dimension]
                if position[dimension] < shape[dimension] { break }
                offset -= strides[dimension] * shape[dimension]
                position[dimension] = 0
            }
        }
        return result
    }

    /// The elements as floating-point numbers of another type, or `nil` where that is LibTorch's work.
    func converted(to target: ElementType) throws(TensorError) -> HostStorage? {
        guard target != type, let numbers = numbers() else { return nil }
        let result = try HostStorage(count: count, type: target)
        switch target {
        case .float32:
            let places = unsafe result.bytes.bindMemory(to: Float.self)
            for position in 0..<count { unsafe places[position] = numbers(position) }
        case .float16:
            let places = unsafe result.bytes.bindMemory(to: UInt16.self)
            for position in 0..<count {
                unsafe places[position] = Float16(numbers(position)).bitPattern
            }
        case .bfloat16:
            let places = unsafe result.bytes.bindMemory(to: UInt16.self)
            for position in 0..<count {
                unsafe places[position] = bfloat16Bits(numbers(position))
            }
        case .float64:
            // Of numbers that are exact in single precision.
            guard type != .float64 else { return nil }
            let places = unsafe result.bytes.bindMemory(to: Double.self)
            for position in 0..<count { unsafe places[position] = Double(numbers(position)) }
        case .uint8, .int8, .int16, .int32, .int64, .bool: return nil
        }
        return result
    }

    /// The elements in single precision, of types that are not wider.
    private func numbers() -> ((Int) -> Float)? {
        switch type {
        case .float32:
            let elements = unsafe bytes.bindMemory(to: Float.self)
            return { unsafe elements[$0] }
        case .float16:
            let elements = unsafe bytes.bindMemory(to: UInt16.self)
            return { unsafe single(halfBits: elements[$0]) }
        case .bfloat16:
            let elements = unsafe bytes.bindMemory(to: UInt16.self)
            return { unsafe Float(bitPattern: UInt32(elements[$0]) << 16) }
        case .uint8:
            let elements = unsafe bytes.bindMemory(to: UInt8.self)
            return { unsafe Float(elements[$0]) }
        case .float64, .int8, .int16, .int32, .int64, .bool: return nil
        }
    }

    /// A Boolean value indicating whether every element is finite; `nil` for types that only LibTorch reads.
    var isFinite: Bool? {
        switch type {
        case .float32:
            let words = unsafe bytes.bindMemory(to: UInt32.self)
            var all = true
            for position in 0..<count {
                all = unsafe all && words[position] & 0x7f80_0000 != 0x7f80_0000
            }
            return all
        case .uint8, .int8, .int16, .int32, .int64, .bool: return true
        case .float16, .float64, .bfloat16: return nil
        }
    }
}
