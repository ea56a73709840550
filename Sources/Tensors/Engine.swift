internal import CTorch
internal import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The process-wide state of what computes: threads, seeds, memory.
///
/// Compiled networks need no LibTorch. It is loaded where something else is asked for: training, GPUs, layers
/// that are called one after another.
public enum Engine {
    /// Loads LibTorch now rather than at the first tensor that needs it.
    ///
    /// - Throws: ``TensorError`` where its library is missing or does not fit.
    public static func load() throws(TensorError) { _ = try LoadedLibraries.functions() }

    /// Loads what compiled networks need.
    ///
    /// - Throws: ``TensorError`` where its library is missing or does not fit.
    public static func loadPlans() throws(TensorError) { _ = try LoadedLibraries.plans() }

    /// Sets how many threads are computed on.
    public static func setThreadCount(_ count: Int) throws(TensorError) {
        let plans = try LoadedLibraries.plans()
        try plans.check(unsafe plans.table.pointee.set_thread_count(Int32(count)), "threads")
        guard let engine = LoadedLibraries.loadedFunctions else { return }
        try engine.check(unsafe engine.table.pointee.set_thread_count(Int32(count)), "threads")
    }

    /// The number of threads that are computed on; at first `$OMP_NUM_THREADS`, or the machine's cores.
    public static func threadCount() throws(TensorError) -> Int {
        Int(unsafe try LoadedLibraries.plans().table.pointee.thread_count())
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
        let engine = try LoadedLibraries.functions()
        try engine.check(unsafe engine.table.pointee.set_seed(seed), "seed")
    }

    /// The state of a device's random generator, to go on from it later.
    public static func randomState(of device: Device = .cpu) throws(TensorError) -> Tensor {
        let engine = try LoadedLibraries.functions()
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
        let engine = try LoadedLibraries.functions()
        try engine.check(
            unsafe engine.table.pointee.set_random_state(
                device.type, device.index, state.resident()), "random state")
    }

    /// The number of CUDA devices that this machine and this LibTorch offer.
    ///
    /// Without a driver for one there is none, and LibTorch is not asked.
    public static func cudaDeviceCount() throws(TensorError) -> Int {
        let drivers = ["/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"]
        guard
            LoadedLibraries.loadedFunctions != nil
                || drivers.contains(where: { unsafe access($0, F_OK) == 0 })
        else { return 0 }
        return Int(unsafe try LoadedLibraries.functions().table.pointee.cuda_device_count())
    }

    /// Bytes that are free on a device for tensors; `nil` where it does not tell, as processors.
    public static func freeMemory(of device: Device) throws(TensorError) -> Int? {
        if device == .cpu { return nil }
        let bytes = unsafe try LoadedLibraries.functions().table.pointee.free_memory(
            device.type, device.index)
        return bytes > 0 ? Int(bytes) : nil
    }

    /// Gives back the memory that a device keeps for later tensors.
    public static func releaseMemory(of device: Device) throws(TensorError) {
        if device == .cpu { unsafe try LoadedLibraries.plans().table.pointee.release_memory() }
        unsafe LoadedLibraries.loadedFunctions?.table.pointee.release_memory(device.type)
    }

    /// The number of live tensors in this process.
    public static func liveTensorCount() throws(TensorError) -> Int {
        Tensor.liveCount.load(ordering: .relaxed)
    }

    /// The computing libraries: LibTorch with its version if it has been loaded, and the instruction sets.
    public static func name() throws(TensorError) -> String {
        if LoadedLibraries.loadedFunctions != nil {
            return "LibTorch " + (try versionDescription())
        }
        let capability = try convolutionCapability()
        return "compiled plans" + (capability.isEmpty ? "" : " " + capability)
    }

    /// LibTorch's version and the instruction set that its kernels use: `2.13.0 AVX512`.
    public static func versionDescription() throws(TensorError) -> String {
        let table = unsafe try LoadedLibraries.functions().table
        return unsafe String(cString: table.pointee.torch_version()) + " "
            + String(cString: table.pointee.cpu_capability())
    }
}
