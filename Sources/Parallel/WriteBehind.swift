import Dispatch
import Synchronization

/// Work that goes on behind the caller's, one piece at a time, in the order in which it is given.
///
/// A piece that is given while another one goes on waits for it, so that no more than one piece's
/// data is held beside the caller's.
public final class WriteBehind: Sendable {
    private let queue = DispatchQueue(label: "writing behind", qos: .userInitiated)
    private let group = DispatchGroup()
    private let failure = Mutex<(any Error)?>(nil)

    /// Makes one without work.
    public init() {}

    /// Waits for the piece that goes on, then starts the next one.
    ///
    /// - Parameter work: The piece.
    /// - Throws: The error of an earlier piece, in which case nothing is started.
    public func submit(_ work: @escaping @Sendable () throws -> Void) throws {
        try finish()
        queue.async(group: group) { [self] in
            do {
                try work()
            } catch {
                failure.withLock { $0 = error }
            }
        }
    }

    /// Waits until nothing goes on.
    ///
    /// - Throws: The error of a piece, once.
    public func finish() throws {
        group.wait()
        let error = failure.withLock { failure -> (any Error)? in
            defer { failure = nil }
            return failure
        }
        if let error { throw error }
    }
}
