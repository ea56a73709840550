internal import CTorch

/// An n-dimensional array on a device, with gradients where they are asked for.
///
/// A tensor is a reference to storage that LibTorch owns; operations return new tensors unless
/// their name ends in `InPlace`. It is not `Sendable`: it stays with whoever owns the device.
@safe public final class Tensor {
    let handle: CTorchTensor
    let engine: EngineFunctions

    /// Takes over a handle that the engine gave out.
    init(adopting handle: CTorchTensor?, _ engine: EngineFunctions) throws(TensorError) {
        guard let handle = unsafe handle else {
            throw TensorError(code: .other, operation: "", message: "no tensor was returned")
        }
        unsafe self.handle = handle
        self.engine = engine
    }

    deinit { unsafe engine.table.pointee.tensor_release(handle) }

    /// Makes a tensor of its elements, row by row (the last dimension is the fastest).
    ///
    /// - Precondition: there are as many elements as the shape holds.
    public convenience init<Scalar: TensorScalar>(
        _ elements: [Scalar], shape: [Int], device: Device = .cpu
    ) throws(TensorError) {
        let copied: Result<Tensor.Adopted, TensorError> = unsafe elements.withUnsafeBytes { bytes in
            unsafe Tensor.make(bytes, Scalar.elementType, shape, device)
        }
        let adopted = try copied.get()
        try unsafe self.init(adopting: adopted.handle, adopted.engine)
    }

    /// Makes a tensor of the bytes of its elements.
    ///
    /// - Precondition: there are as many bytes as the shape and the type need.
    public convenience init(
        bytes: [UInt8], type: ElementType, shape: [Int], device: Device = .cpu
    ) throws(TensorError) {
        let copied: Result<Tensor.Adopted, TensorError> = unsafe bytes.withUnsafeBytes { bytes in
            unsafe Tensor.make(bytes, type, shape, device)
        }
        let adopted = try copied.get()
        try unsafe self.init(adopting: adopted.handle, adopted.engine)
    }

    /// Makes a one-element tensor without dimensions.
    public static func scalar(_ value: Float, device: Device = .cpu) throws(TensorError) -> Tensor {
        try Tensor([value], shape: [], device: device)
    }

    @safe private struct Adopted {
        let handle: CTorchTensor?
        let engine: EngineFunctions
    }

    private static func make(
        _ bytes: UnsafeRawBufferPointer, _ type: ElementType, _ shape: [Int], _ device: Device
    ) -> Result<Adopted, TensorError> {
        let needed = shape.reduce(type.byteCount, *)
        precondition(bytes.count == needed, "\(bytes.count) bytes for shape \(shape) of \(type)")
        do throws(TensorError) {
            let engine = try Engine.functions()
            var result: CTorchTensor?
            var empty: UInt8 = 0
            let dimensions = shape.map(Int64.init)
            let status = unsafe withUnsafePointer(to: &empty) { nothing in
                unsafe engine.table.pointee.tensor_make(
                    bytes.baseAddress ?? UnsafeRawPointer(nothing), type.code, dimensions,
                    Int32(shape.count), device.type, device.index, &result)
            }
            try engine.check(status, "tensor")
            return .success(unsafe Adopted(handle: result, engine: engine))
        } catch {
            return .failure(error)
        }
    }

    /// The extent of each dimension.
    public var shape: [Int] {
        let table = unsafe engine.table
        let rank = unsafe table.pointee.tensor_rank(handle)
        return (0..<rank).map { Int(unsafe table.pointee.tensor_size(handle, $0)) }
    }

    /// How many elements there are.
    public var count: Int { shape.reduce(1, *) }

    /// The type of the elements.
    public var elementType: ElementType {
        let code = unsafe engine.table.pointee.tensor_type(handle)
        guard let type = ElementType.allCases.first(where: { $0.code == code }) else {
            preconditionFailure("a tensor of element type \(code)")
        }
        return type
    }

    /// Where the tensor lives.
    public var device: Device {
        var index: Int32 = 0
        let type = unsafe engine.table.pointee.tensor_device(handle, &index)
        return type == CTORCH_CUDA ? .cuda(Int(index)) : .cpu
    }

    /// Copies the elements out, row by row, converting them to the asked type first.
    public func elements<Scalar: TensorScalar>(
        as type: Scalar.Type = Scalar.self
    ) throws(TensorError) -> [Scalar] {
        let dense = try converted(to: Scalar.elementType, on: .cpu).contiguous()
        var elements: [Scalar] = []
        try unsafe dense.withDenseBytes { bytes in
            elements = unsafe [Scalar](bytes.bindMemory(to: Scalar.self))
        }
        return elements
    }

    /// The bytes of the elements in their own type, row by row.
    public func bytes() throws(TensorError) -> [UInt8] {
        let dense = try converted(to: elementType, on: .cpu).contiguous()
        var bytes: [UInt8] = []
        try unsafe dense.withDenseBytes { bytes = unsafe [UInt8]($0) }
        return bytes
    }

    /// The single element as a number.
    ///
    /// - Precondition: the tensor has exactly one element.
    public func item() throws(TensorError) -> Double {
        let values = try elements(as: Double.self)
        precondition(values.count == 1, "item() of a tensor with \(values.count) elements")
        return values[0]
    }

    /// Looks at the elements' bytes where they lie.
    ///
    /// Nothing is copied where they are dense and on the processor already.
    ///
    /// - Parameter body: Gets the bytes, row by row; they are gone when it returns.
    /// - Returns: What the body returns.
    /// - Throws: ``TensorError``.
    package func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(TensorError) -> Result {
        let dense = try converted(to: elementType, on: .cpu).contiguous()
        var result: Result?
        try unsafe dense.withDenseBytes { result = unsafe body($0) }
        guard let result else { preconditionFailure("the bytes of a tensor were not looked at") }
        return result
    }

    private func withDenseBytes(
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(TensorError) {
        var data: UnsafeMutableRawPointer?
        var byteCount: Int64 = 0
        try engine.check(
            unsafe engine.table.pointee.tensor_data(handle, &data, &byteCount), "data")
        unsafe body(UnsafeRawBufferPointer(start: data, count: Int(byteCount)))
    }

    // MARK: Gradients

    /// Asks for gradients with respect to this tensor, or no longer.
    @discardableResult
    public func requiresGradient(_ required: Bool = true) throws(TensorError) -> Tensor {
        try engine.check(
            unsafe engine.table.pointee.set_requires_gradient(handle, required),
            "requires gradient")
        return self
    }

    /// The gradient that ``backward()`` has added up here, if any.
    public func gradient() throws(TensorError) -> Tensor? {
        var result: CTorchTensor?
        try engine.check(unsafe engine.table.pointee.gradient(handle, &result), "gradient")
        guard unsafe result != nil else { return nil }
        return try unsafe Tensor(adopting: result, engine)
    }

    /// Forgets the gradient.
    public func clearGradient() throws(TensorError) {
        try engine.check(unsafe engine.table.pointee.clear_gradient(handle), "clear gradient")
    }

    /// Adds the gradient of this scalar with respect to every leaf that requires one.
    public func backward() throws(TensorError) {
        try engine.check(unsafe engine.table.pointee.backward(handle), "backward")
    }
}

/// Runs a body without recording what gradients would need.
public func withoutGradients<Result>(_ body: () throws -> Result) throws -> Result {
    let engine = try Engine.functions()
    let before = unsafe engine.table.pointee.set_gradient_mode(false)
    defer { _ = unsafe engine.table.pointee.set_gradient_mode(before) }
    return try body()
}

/// Runs a body in mixed precision: convolutions and matrix products in a half-size type, sums and
/// losses in single precision.
///
/// - Parameters:
///   - type: `.bfloat16` or `.float16`, or `nil` to run as it is.
///   - device: The device whose operations are cast.
///   - body: What to run.
/// - Returns: What the body returns.
/// - Throws: What the body throws, or ``TensorError`` where there is no engine.
public func withAutocast<Result>(
    to type: ElementType?, on device: Device, _ body: () throws -> Result
) throws -> Result {
    guard let type else { return try body() }
    let engine = try Engine.functions()
    let before = unsafe engine.table.pointee.set_autocast(device.type, true, type.code)
    defer {
        unsafe engine.table.pointee.clear_autocast_cache()
        _ = unsafe engine.table.pointee.set_autocast(device.type, before, type.code)
    }
    return try body()
}
