/// The layout of a tensor's elements in memory.
public enum MemoryLayout4D: Int, Sendable {
    /// `[N, C, H, W]`, the last dimension fastest.
    case rowMajor = 0
    /// The same dimensions with the channels of a pixel side by side: what convolutions like best.
    case channelsLast = 2
}

// MARK: - Making

extension Tensor {
    /// A tensor filled with one value.
    public static func full(
        _ value: Double, shape: [Int], type: ElementType = .float32, device: Device = .cpu
    ) throws(TensorError) -> Tensor {
        if device == .cpu, type == .float32 {
            let storage = try HostStorage(count: try elementCount(of: shape), type: type)
            let elements = unsafe storage.bytes.bindMemory(to: Float.self)
            for position in 0..<storage.count { unsafe elements[position] = Float(value) }
            return Tensor(storage, shape: shape)
        }
        return try dispatchOne(
            "full", "", .integers(shape), .real(value), type.number, .none, .device(device))
    }

    /// The number of elements of a shape.
    private static func elementCount(of shape: [Int]) throws(TensorError) -> Int {
        var count = 1
        for extent in shape {
            let (product, overflows) = count.multipliedReportingOverflow(by: extent)
            guard !overflows, extent >= 0 else {
                throw TensorError(
                    code: .invalidCall, operation: "tensor", message: "no shape is \(shape)")
            }
            count = product
        }
        return count
    }

    /// A tensor of zeros.
    public static func zeros(
        _ shape: [Int], type: ElementType = .float32, device: Device = .cpu
    ) throws(TensorError) -> Tensor {
        if device == .cpu {
            return Tensor(
                try HostStorage(count: try elementCount(of: shape), type: type), shape: shape)
        }
        return try full(0, shape: shape, type: type, device: device)
    }

    /// A tensor of ones.
    public static func ones(
        _ shape: [Int], type: ElementType = .float32, device: Device = .cpu
    ) throws(TensorError) -> Tensor {
        try full(1, shape: shape, type: type, device: device)
    }

    /// A tensor of standard normal numbers from the engine's seeded generator.
    public static func randomNormal(
        _ shape: [Int], device: Device = .cpu
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "randn", "", .integers(shape), ElementType.float32.number, .none, .device(device))
    }

    /// A copy that shares nothing with this tensor.
    public func clone() throws(TensorError) -> Tensor {
        if let host = operand {
            let copy = try HostStorage(count: host.count, type: host.type)
            unsafe copy.bytes.copyMemory(from: UnsafeRawBufferPointer(host.bytes))
            return Tensor(copy, shape: shape)
        }
        return try dispatchOne("clone", "", .tensor(self))
    }

    /// The same values, cut off from the graph of gradients.
    public func detached() throws(TensorError) -> Tensor {
        if let (storage, strides) = hostLayout {
            return Tensor(storage, shape: shape, strides: strides)
        }
        return try dispatchOne("detach", "", .tensor(self))
    }

    /// The tensor in another element type and on another device; itself where both agree already.
    public func converted(
        to type: ElementType, on device: Device? = nil
    ) throws(TensorError) -> Tensor {
        let target = device ?? self.device
        if target == .cpu, type != elementType, operandLayout != nil,
            let converted = try contiguous().host?.converted(to: type)
        {
            return Tensor(converted, shape: shape)
        }
        if target == self.device {
            return type == elementType
                ? self : try dispatchOne("to", "dtype", .tensor(self), type.number)
        }
        return try dispatchOne("to", "device", .tensor(self), .device(target), type.number)
    }

    /// The tensor with its elements laid out densely.
    public func contiguous(_ layout: MemoryLayout4D = .rowMajor) throws(TensorError) -> Tensor {
        if layout == .rowMajor, let (storage, strides) = operandLayout {
            return Tensor(
                host == nil ? try storage.gathered(shape: shape, strides: strides) : storage,
                shape: shape)
        }
        return try dispatchOne("contiguous", "", .tensor(self), .integer(layout.rawValue))
    }
}

// MARK: - Shape

extension Tensor {
    /// The same elements in another shape.
    public func reshaped(_ shape: [Int]) throws(TensorError) -> Tensor {
        if let host = operand, shape.allSatisfy({ $0 >= 0 }), shape.reduce(1, *) == host.count {
            return Tensor(host, shape: shape)
        }
        return try dispatchOne("reshape", "", .tensor(self), .integers(shape))
    }

    /// The dimensions in another order.
    public func permuted(_ order: [Int]) throws(TensorError) -> Tensor {
        if let (storage, strides) = operandLayout, order.sorted() == Array(strides.indices) {
            let shape = shape
            return Tensor(
                storage, shape: order.map { shape[$0] }, strides: order.map { strides[$0] })
        }
        return try dispatchOne("permute", "", .tensor(self), .integers(order))
    }

    /// `length` entries along a dimension, from `start` on; shares storage.
    public func narrowed(
        dimension: Int, start: Int, length: Int
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "narrow", "", .tensor(self), .integer(dimension), .integer(start), .integer(length))
    }

    /// The entries along a dimension that `indices` name, in their order.
    public func selected(dimension: Int, indices: [Int]) throws(TensorError) -> Tensor {
        let list = try Tensor(indices.map(Int64.init), shape: [indices.count], device: device)
        return try dispatchOne(
            "index_select", "", .tensor(self), .integer(dimension), .tensor(list))
    }

    /// The tensor with zeros added around it.
    ///
    /// `padding` names (before, after) of the last dimension, then of
    /// the one before it, and so on. Negative numbers cut off.
    public func padded(_ padding: [Int]) throws(TensorError) -> Tensor {
        try dispatchOne("constant_pad_nd", "", .tensor(self), .integers(padding))
    }

    /// The tensor with the entries along a dimension in reverse order.
    public func flipped(dimension: Int) throws(TensorError) -> Tensor {
        try dispatchOne("flip", "", .tensor(self), .integers([dimension]))
    }

    /// Tensors joined along a dimension.
    public static func concatenated(
        _ tensors: [Tensor], dimension: Int
    ) throws(TensorError) -> Tensor {
        try dispatchOne("cat", "", .tensors(tensors), .integer(dimension))
    }
}

// MARK: - Arithmetic

extension Tensor {
    /// The elementwise sum; dimensions of extent 1 are repeated as needed.
    public static func + (left: Tensor, right: Tensor) throws(TensorError) -> Tensor {
        try dispatchOne("add", "Tensor", .tensor(left), .tensor(right))
    }

    /// The elementwise difference.
    public static func - (left: Tensor, right: Tensor) throws(TensorError) -> Tensor {
        try dispatchOne("sub", "Tensor", .tensor(left), .tensor(right))
    }

    /// The elementwise product.
    public static func * (left: Tensor, right: Tensor) throws(TensorError) -> Tensor {
        try dispatchOne("mul", "Tensor", .tensor(left), .tensor(right))
    }

    /// The elementwise quotient.
    public static func / (left: Tensor, right: Tensor) throws(TensorError) -> Tensor {
        try dispatchOne("div", "Tensor", .tensor(left), .tensor(right))
    }

    /// Every element times a number.
    public static func * (left: Tensor, right: Double) throws(TensorError) -> Tensor {
        try dispatchOne("mul", "Scalar", .tensor(left), .real(right))
    }

    /// Every element plus a number.
    public static func + (left: Tensor, right: Double) throws(TensorError) -> Tensor {
        try dispatchOne("add", "Scalar", .tensor(left), .real(right))
    }

    /// The larger of two elements, place by place.
    public static func maximum(_ left: Tensor, _ right: Tensor) throws(TensorError) -> Tensor {
        try dispatchOne("maximum", "", .tensor(left), .tensor(right))
    }

    /// Adds `other * scale` to this tensor.
    public func addInPlace(_ other: Tensor, scale: Double = 1) throws(TensorError) {
        _ = try dispatchOne(
            "add_", "Tensor", .tensor(self), .tensor(other), .real(scale))
    }

    /// Multiplies this tensor by a number.
    public func multiplyInPlace(by factor: Double) throws(TensorError) {
        _ = try dispatchOne("mul_", "Scalar", .tensor(self), .real(factor))
    }

    /// Multiplies this tensor by another, place by place.
    public func multiplyInPlace(by other: Tensor) throws(TensorError) {
        _ = try dispatchOne("mul_", "Tensor", .tensor(self), .tensor(other))
    }

    /// Overwrites this tensor's elements with another's, converting them.
    public func copyInPlace(from other: Tensor) throws(TensorError) {
        if let host, let given = other.host, host.type == given.type, shape == other.shape {
            unsafe host.bytes.copyMemory(from: UnsafeRawBufferPointer(given.bytes))
            return
        }
        _ = try dispatchOne("copy_", "", .tensor(self), .tensor(other))
    }

    /// The sum over dimensions, or over all where none are named.
    public func sum(
        over dimensions: [Int] = [], keepDimensions: Bool = false
    ) throws(TensorError) -> Tensor {
        if dimensions.isEmpty { return try dispatchOne("sum", "", .tensor(self)) }
        return try dispatchOne(
            "sum", "dim_IntList", .tensor(self), .integers(dimensions), .boolean(keepDimensions))
    }

    /// The mean over dimensions, or over all where none are named.
    public func mean(
        over dimensions: [Int] = [], keepDimensions: Bool = false
    ) throws(TensorError) -> Tensor {
        if dimensions.isEmpty { return try dispatchOne("mean", "", .tensor(self)) }
        return try dispatchOne(
            "mean", "dim", .tensor(self), .integers(dimensions), .boolean(keepDimensions))
    }

    /// The position of the largest entry along a dimension, as `int64`.
    public func argmax(dimension: Int) throws(TensorError) -> Tensor {
        try dispatchOne("argmax", "", .tensor(self), .integer(dimension))
    }

    /// A Boolean value indicating whether every element is finite.
    public func allFinite() throws(TensorError) -> Bool {
        if let isFinite = host?.isFinite { return isFinite }
        let finite = try dispatchOne("isfinite", "", .tensor(self))
        return try dispatchOne("all", "", .tensor(finite)).item() != 0
    }

    /// One-hot vectors of `int64` class indices, as a new last dimension.
    public func oneHot(classes: Int) throws(TensorError) -> Tensor {
        try dispatchOne("one_hot", "", .tensor(self), .integer(classes))
    }
}
