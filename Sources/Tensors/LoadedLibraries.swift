internal import CPlan
internal import CTorch
internal import Synchronization

/// The libraries that compute, each loaded when it is first asked for.
enum LoadedLibraries {
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
    static var loadedFunctions: EngineFunctions? {
        isLoaded.load(ordering: .acquiring) ? try? functions() : nil
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
