import Dispatch
import Synchronization

/// Work that goes on beside the caller's.
public final class Background<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let group = DispatchGroup()

    /// Begins.
    public init(_ work: @escaping @Sendable () -> Value) {
        DispatchQueue.global(qos: .userInitiated).async(group: group) { [self] in
            let found = work()
            value.withLock { $0 = found }
        }
    }

    /// A Boolean value indicating whether ``wait()`` returns at once.
    public var isFinished: Bool { value.withLock { $0 != nil } }

    /// Waits for what comes of it.
    public func wait() -> Value {
        group.wait()
        guard let found = value.withLock(\.self) else {
            preconditionFailure("work has ended without a value")
        }
        return found
    }
}
