internal import CTorch

internal import Synchronization

/// An n-dimensional array on a device, with gradients where they are asked for.
///
/// On the processor its elements lie in plain memory until an operation of LibTorch needs them; then,
/// and on other devices, they are storage that LibTorch owns. Operations return new tensors unless their
/// name ends in `InPlace`. It is not `Sendable`: it stays with whoever owns the device.
@safe public final class Tensor {
    /// The number of them in this process.
    static let liveCount = Atomic(0)

    private var adopted: CTorchTensor?
    private var loaded: EngineFunctions?
    /// The elements and their layout while LibTorch does not hold them.
    private var storage: HostStorage?
    private var hostShape: [Int] = []
    private var strides: [Int] = []
    /// A Boolean value indicating whether gradients are wanted once LibTorch holds it.
    private var wantsGradient = false

    /// Takes over a handle that the engine gave out.
    init(adopting handle: CTorchTensor?, _ engine: EngineFunctions) throws(TensorError) {
        guard let handle = unsafe handle else {
            throw TensorError(code: .other, operation: "", message: "no tensor was returned")
        }
        unsafe adopted = handle
        loaded = engine
        Self.liveCount.add(1, ordering: .relaxed)
    }

    /// Shares elements in plain memory.
    init(_ storage: HostStorage, shape: [Int], strides: [Int]? = nil) {
        self.storage = storage
        hostShape = shape
        self.strides = strides ?? shape.denseStrides
        Self.liveCount.add(1, ordering: .relaxed)
    }

    deinit {
        if let loaded { unsafe loaded.table.pointee.tensor_release(adopted) }
        Self.liveCount.subtract(1, ordering: .relaxed)
    }

    /// The elements in plain memory, side by side and in order; `nil` where they do not lie so.
    var host: HostStorage? {
        guard let storage, storage.isPlain, storage.count == count, strides == shape.denseStrides
        else { return nil }
        return storage
    }

    /// The elements in plain memory and the distances between neighbours in each dimension.
    var hostLayout: (storage: HostStorage, strides: [Int])? {
        guard let storage, storage.isPlain else { return nil }
        return (storage, strides)
    }

    /// ``host`` for an operation whose gradient is not wanted; gradients are LibTorch's work.
    var operand: HostStorage? { wantsGradient ? nil : host }

    /// ``hostLayout`` for an operation whose gradient is not wanted.
    var operandLayout: (storage: HostStorage, strides: [Int])? { wantsGradient ? nil : hostLayout }

    /// LibTorch's tensor, which is made of plain memory where there is none yet.
    ///
    /// - Throws: ``TensorError`` where there is no LibTorch.
    @discardableResult
    func resident() throws(TensorError) -> CTorchTensor {
        if let adopted = unsafe adopted { return unsafe adopted }
        let engine = try LoadedLibraries.functions()
        let made: CTorchTensor
        // What nobody else shares needs no view of it.
        if host != nil, isKnownUniquelyReferenced(&storage),
            let copy = unsafe try storage?.copied(shape: hostShape, engine)
        {
            unsafe made = copy
        } else if let all = unsafe try storage?.adopt(engine) {
            unsafe made = try view(of: all, engine)
        } else {
            preconditionFailure("a tensor without elements")
        }
        unsafe adopted = made
        loaded = engine
        storage = nil
        if wantsGradient {
            try engine.check(
                unsafe engine.table.pointee.set_requires_gradient(made, true), "requires gradient")
        }
        return unsafe made
    }

    /// A view of a tensor that holds all elements side by side, in this tensor's shape and strides.
    private func view(
        of all: CTorchTensor, _ engine: EngineFunctions
    ) throws(TensorError) -> CTorchTensor {
        let (sizes, steps) = (hostShape.map(Int64.init), strides.map(Int64.init))
        var made: CTorchTensor?
        let status = unsafe sizes.withUnsafeBufferPointer { sizes in
            unsafe steps.withUnsafeBufferPointer { steps in
                var arguments = unsafe [CTorchValue](repeating: CTorchValue(), count: 3)
                unsafe arguments[0].kind = CTORCH_VALUE_TENSOR
                unsafe arguments[0].tensor = all
                unsafe arguments[1].list = UnsafeRawPointer(sizes.baseAddress)
                unsafe arguments[2].list = UnsafeRawPointer(steps.baseAddress)
                for position in 1...2 {
                    unsafe arguments[position].kind = CTORCH_VALUE_INTEGERS
                    unsafe arguments[position].count = Int64(sizes.count)
                }
                var result = unsafe CTorchValue()
                var count: Int32 = 0
                let status = unsafe engine.table.pointee.call(
                    "aten::as_strided", "", arguments, 3, &result, 1, &count)
                unsafe made = result.tensor
                return status
            }
        }
        try engine.check(status, "aten::as_strided")
        guard let made = unsafe made else {
            throw TensorError(
                code: .other, operation: "aten::as_strided", message: "no tensor was returned")
        }
        return unsafe made
    }

    /// LibTorch's tensor, where ``resident()`` has been called.
    var handle: CTorchTensor {
        guard let adopted = unsafe adopted else { preconditionFailure("a tensor in plain memory") }
        return unsafe adopted
    }

    private var engine: EngineFunctions {
        guard let loaded else { preconditionFailure("a tensor in plain memory") }
        return loaded
    }

    /// Makes a tensor of its elements, row by row (the last dimension is the fastest).
    ///
    /// - Precondition: there are as many elements as the shape holds.
    public convenience init<Scalar: TensorScalar>(
        _ elements: [Scalar], shape: [Int], device: Device = .cpu
    ) throws(TensorError) {
        let type = Scalar.elementType
        let storage = try HostStorage(count: shape.reduce(1, *), type: type)
        unsafe elements.withUnsafeBytes { unsafe Self.copy($0, to: storage, shape) }
        try self.init(storage, shape: shape, on: device)
    }

    /// Makes a tensor of the bytes of its elements.
    ///
    /// - Precondition: there are as many bytes as the shape and the type need.
    public convenience init(
        bytes: [UInt8], type: ElementType, shape: [Int], device: Device = .cpu
    ) throws(TensorError) {
        let storage = try HostStorage(count: shape.reduce(1, *), type: type)
        unsafe bytes.withUnsafeBytes { unsafe Self.copy($0, to: storage, shape) }
        try self.init(storage, shape: shape, on: device)
    }

    private convenience init(
        _ storage: HostStorage, shape: [Int], on device: Device
    ) throws(TensorError) {
        if device == .cpu {
            self.init(storage, shape: shape)
            return
        }
        let engine = try LoadedLibraries.functions()
        let dimensions = shape.map(Int64.init)
        var result: CTorchTensor?
        let status = withExtendedLifetime(storage) {
            unsafe engine.table.pointee.tensor_make(
                UnsafeRawPointer(storage.start), storage.type.code, dimensions,
                Int32(shape.count), device.type, device.index, &result)
        }
        try engine.check(status, "tensor")
        try unsafe self.init(adopting: result, engine)
    }

    private static func copy(
        _ bytes: UnsafeRawBufferPointer, to storage: HostStorage, _ shape: [Int]
    ) {
        precondition(
            bytes.count == storage.count * storage.type.byteCount,
            "\(bytes.count) bytes for shape \(shape) of \(storage.type)")
        unsafe storage.bytes.copyMemory(from: bytes)
    }

    /// Makes a one-element tensor without dimensions.
    public static func scalar(_ value: Float, device: Device = .cpu) throws(TensorError) -> Tensor {
        try Tensor([value], shape: [], device: device)
    }

    /// The extent of each dimension.
    public var shape: [Int] {
        if storage != nil { return hostShape }
        let table = unsafe engine.table
        let rank = unsafe table.pointee.tensor_rank(handle)
        return (0..<rank).map { Int(unsafe table.pointee.tensor_size(handle, $0)) }
    }

    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// The type of the elements.
    public var elementType: ElementType {
        if let storage { return storage.type }
        let code = unsafe engine.table.pointee.tensor_type(handle)
        guard let type = ElementType.allCases.first(where: { $0.code == code }) else {
            preconditionFailure("a tensor of element type \(code)")
        }
        return type
    }

    /// The device that holds the tensor.
    public var device: Device {
        if storage != nil { return .cpu }
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
            unsafe elements = [Scalar](bytes.bindMemory(to: Scalar.self))
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
        try unsafe dense.withDenseBytes { result = unsafe body(UnsafeRawBufferPointer($0)) }
        guard let result else { preconditionFailure("the bytes of a tensor were not looked at") }
        return result
    }

    func withDenseBytes(
        _ body: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(TensorError) {
        if let host {
            withExtendedLifetime(host) { unsafe body(host.bytes) }
            return
        }
        var data: UnsafeMutableRawPointer?
        var byteCount: Int64 = 0
        let handle = unsafe try resident()
        try engine.check(
            unsafe engine.table.pointee.tensor_data(handle, &data, &byteCount), "data")
        unsafe body(UnsafeMutableRawBufferPointer(start: data, count: Int(byteCount)))
    }

    // MARK: Gradients

    /// Asks for gradients with respect to this tensor, or no longer.
    @discardableResult
    public func requiresGradient(_ required: Bool = true) throws(TensorError) -> Tensor {
        if storage != nil {
            wantsGradient = required
            return self
        }
        try engine.check(
            unsafe engine.table.pointee.set_requires_gradient(handle, required),
            "requires gradient")
        return self
    }

    /// The gradient that ``backward()`` has added up here, if any.
    public func gradient() throws(TensorError) -> Tensor? {
        if storage != nil { return nil }
        var result: CTorchTensor?
        try engine.check(unsafe engine.table.pointee.gradient(handle, &result), "gradient")
        guard unsafe result != nil else { return nil }
        return try unsafe Tensor(adopting: result, engine)
    }

    /// Forgets the gradient.
    public func clearGradient() throws(TensorError) {
        if storage != nil { return }
        try engine.check(unsafe engine.table.pointee.clear_gradient(handle), "clear gradient")
    }

    /// Adds the gradient of this scalar with respect to every leaf that requires one.
    public func backward() throws(TensorError) {
        _ = unsafe try resident()
        try engine.check(unsafe engine.table.pointee.backward(handle), "backward")
    }
}

/// Runs a body without recording what gradients would need.
public func withoutGradients<Result>(_ body: () throws -> Result) throws -> Result {
    let engine = try LoadedLibraries.functions()
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
    let engine = try LoadedLibraries.functions()
    let before = unsafe engine.table.pointee.set_autocast(device.type, true, type.code)
    defer {
        unsafe engine.table.pointee.clear_autocast_cache()
        _ = unsafe engine.table.pointee.set_autocast(device.type, before, type.code)
    }
    return try body()
}
