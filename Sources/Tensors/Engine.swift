internal import CPlan
internal import CTorch
internal import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A failure of the network engine.
public struct TensorError: Error, CustomStringConvertible {
    /// The kind of the failure.
    public enum Code: Sendable {
        /// The engine's library is missing or does not fit.
        case engineUnavailable
        /// An operation was called with what it does not take.
        case invalidCall
        /// The memory of the device or of the machine is used up.
        case outOfMemory
        /// Anything else that LibTorch reports.
        case other
    }

    /// The kind, for callers.
    public var code: Code
    /// The operation, such as `aten::conv2d`, or empty.
    public var operation: String
    /// The engine's message.
    public var message: String

    /// Makes an error.
    package init(code: Code, operation: String, message: String) {
        self.code = code
        self.operation = operation
        self.message = message
    }

    /// One sentence with a next step.
    public var description: String {
        switch code {
        case .engineUnavailable: message
        case .outOfMemory:
            "memory ran out in \(operation); free memory, or use smaller batches or another device "
                + "(\(message))"
        case .invalidCall, .other: "\(operation) failed: \(message)"
        }
    }
}

/// The process-wide state of what computes: threads, seeds, memory.
///
/// Compiled networks need no LibTorch. It is loaded where something else is asked for: training, GPUs, layers
/// that are called one after another.
public enum Engine {
    private static let isLoaded = Atomic(false)

    /// LibTorch's table of functions, or the reason why there is none.
    @safe private static let loaded: Result<EngineFunctions, TensorError> = {
        var message: UnsafePointer<CChar>?
        if let table = unsafe ctorch_load(nil, &message) {
            let engine = unsafe EngineFunctions(table: table)
            if let plans = try? plans() {
                _ = unsafe table.pointee.set_thread_count(plans.table.pointee.thread_count())
            }
            isLoaded.store(true, ordering: .releasing)
            return .success(engine)
        }
        let text = unsafe message.map { unsafe String(cString: $0) } ?? "unknown reason"
        return .failure(TensorError(code: .engineUnavailable, operation: "", message: text))
    }()

    /// The table of functions of compiled networks, or the reason why there is none.
    @safe private static let loadedPlans: Result<PlanFunctions, TensorError> = {
        var message: UnsafePointer<CChar>?
        if let table = unsafe cplan_load(&message) {
            return .success(unsafe PlanFunctions(table: table))
        }
        let text = unsafe message.map { unsafe String(cString: $0) } ?? "unknown reason"
        return .failure(TensorError(code: .engineUnavailable, operation: "", message: text))
    }()

    static func functions() throws(TensorError) -> EngineFunctions { try loaded.get() }

    static func plans() throws(TensorError) -> PlanFunctions { try loadedPlans.get() }

    /// LibTorch's functions, where something has loaded it.
    private static var loadedFunctions: EngineFunctions? {
        isLoaded.load(ordering: .acquiring) ? try? functions() : nil
    }

    /// Loads LibTorch now rather than at the first tensor that needs it.
    ///
    /// - Throws: ``TensorError`` where its library is missing or does not fit.
    public static func load() throws(TensorError) { _ = try functions() }

    /// Loads what compiled networks need.
    ///
    /// - Throws: ``TensorError`` where its library is missing or does not fit.
    public static func loadPlans() throws(TensorError) { _ = try plans() }

    /// Sets how many threads are computed on.
    public static func setThreadCount(_ count: Int) throws(TensorError) {
        let plans = try plans()
        try plans.check(unsafe plans.table.pointee.set_thread_count(Int32(count)), "threads")
        guard let engine = loadedFunctions else { return }
        try engine.check(unsafe engine.table.pointee.set_thread_count(Int32(count)), "threads")
    }

    /// The number of threads that are computed on; at first `$OMP_NUM_THREADS`, or the machine's cores.
    public static func threadCount() throws(TensorError) -> Int {
        Int(unsafe try plans().table.pointee.thread_count())
    }

    /// Has the allocator keep memory that is freed for the next tensors, for as long as the process
    /// lives.
    ///
    /// A training step frees and asks for the same large blocks again and again, which would each
    /// time go back to the system.
    public static func keepFreedMemory() throws(TensorError) {
        _ = try dispatch("sliceseg::keep_freed_memory", "", [])
    }

    /// Seeds the random generators of every device (initialisation, dropout).
    public static func setSeed(_ seed: UInt64) throws(TensorError) {
        let engine = try functions()
        try engine.check(unsafe engine.table.pointee.set_seed(seed), "seed")
    }

    /// The state of a device's random generator, to go on from it later.
    public static func randomState(of device: Device = .cpu) throws(TensorError) -> Tensor {
        let engine = try functions()
        var result: CTorchTensor?
        try engine.check(
            unsafe engine.table.pointee.random_state(device.type, device.index, &result),
            "random state")
        return try unsafe Tensor(adopting: result, engine)
    }

    /// Puts a device's random generator back into an earlier state.
    public static func setRandomState(
        _ state: Tensor, of device: Device = .cpu
    ) throws(TensorError) {
        let engine = try functions()
        try engine.check(
            unsafe engine.table.pointee.set_random_state(
                device.type, device.index, state.resident()), "random state")
    }

    /// The number of CUDA devices that this machine and this LibTorch offer.
    ///
    /// Without a driver for one there is none, and LibTorch is not asked.
    public static func cudaDeviceCount() throws(TensorError) -> Int {
        let drivers = ["/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"]
        guard loadedFunctions != nil || drivers.contains(where: { unsafe access($0, F_OK) == 0 })
        else { return 0 }
        return Int(unsafe try functions().table.pointee.cuda_device_count())
    }

    /// Bytes that are free on a device for tensors; `nil` where it does not tell, as processors.
    public static func freeMemory(of device: Device) throws(TensorError) -> Int? {
        if device == .cpu { return nil }
        let bytes = unsafe try functions().table.pointee.free_memory(device.type, device.index)
        return bytes > 0 ? Int(bytes) : nil
    }

    /// Gives back the memory that a device keeps for later tensors.
    public static func releaseMemory(of device: Device) throws(TensorError) {
        if device == .cpu { unsafe try plans().table.pointee.release_memory() }
        unsafe loadedFunctions?.table.pointee.release_memory(device.type)
    }

    /// The number of live tensors in this process.
    public static func liveTensorCount() throws(TensorError) -> Int {
        Tensor.liveCount.load(ordering: .relaxed)
    }

    /// The computing libraries: LibTorch with its version if it has been loaded, and the instruction sets.
    public static func name() throws(TensorError) -> String {
        if loadedFunctions != nil { return "LibTorch " + (try versionDescription()) }
        let capability = try convolutionCapability()
        return "compiled plans" + (capability.isEmpty ? "" : " " + capability)
    }

    /// LibTorch's version and the instruction set that its kernels use: `2.13.0 AVX512`.
    public static func versionDescription() throws(TensorError) -> String {
        let table = unsafe try functions().table
        return unsafe String(cString: table.pointee.torch_version()) + " "
            + String(cString: table.pointee.cpu_capability())
    }
}

/// The loaded table of functions of compiled networks.
///
/// `@unchecked Sendable`: the table is constant after loading, and its functions may be called from any
/// thread.
@safe struct PlanFunctions: @unchecked Sendable {
    let table: UnsafePointer<CPlanAPI>

    /// Throws what the library says where a status is not success.
    func check(_ status: CPlanStatus, _ operation: String) throws(TensorError) {
        guard status != CPLAN_OK else { return }
        let code: TensorError.Code =
            switch status {
            case CPLAN_ERROR_ARGUMENT: .invalidCall
            case CPLAN_ERROR_MEMORY: .outOfMemory
            default: .other
            }
        throw TensorError(
            code: code, operation: operation,
            message: unsafe String(cString: table.pointee.last_error()))
    }
}

/// LibTorch's table of functions.
///
/// `@unchecked Sendable`: the table is constant after loading, and LibTorch's functions may be
/// called from any thread.
@safe struct EngineFunctions: @unchecked Sendable {
    let table: UnsafePointer<CTorchAPI>

    /// Throws what the engine says where a status is not success.
    func check(_ status: CTorchStatus, _ operation: String) throws(TensorError) {
        guard status != CTORCH_OK else { return }
        let code: TensorError.Code =
            switch status {
            case CTORCH_ERROR_ARGUMENT: .invalidCall
            case CTORCH_ERROR_MEMORY: .outOfMemory
            default: .other
            }
        let text = unsafe String(cString: table.pointee.last_error())
        throw TensorError(
            code: code, operation: operation,
            message: text.split(separator: "\n").first.map(String.init) ?? "")
    }
}
