import Foundation
import Synchronization

/// Numbered values that are made ahead of need, of which a window is held at a time.
///
/// The window moves on by the numbers alone, so that a training that goes on after a break sees what
/// the unbroken one would have seen.
final class ScanPool<Value: Sendable>: Sendable {
    private let make: @Sendable (Int) -> Value
    private let size: Int
    private let aheadCount: Int
    private let values = Mutex<[Int: PendingValue<Value>]>([:])
    private let queue: OperationQueue

    /// Makes a pool.
    ///
    /// - Parameters:
    ///   - size: How many values the window holds.
    ///   - threadCount: How many values are made at once, ahead of need.
    ///   - make: Makes the value of a number: the same whenever it is called.
    init(size: Int, threadCount: Int, _ make: @escaping @Sendable (Int) -> Value) {
        precondition(size > 0, "an empty pool of scans")
        self.size = size
        self.make = make
        aheadCount = threadCount
        queue = OperationQueue()
        queue.maxConcurrentOperationCount = threadCount
    }

    /// The values of the window that begins with a number, made where they are not there yet; those
    /// that come next are made in the background.
    func window(from first: Int) -> [Value] {
        let pending = values.withLock { values in
            // Batches are made by several threads: an earlier one may still ask for what lies behind.
            for number in values.keys where number < first - 2 { values[number] = nil }
            for number in first..<first + size + aheadCount where values[number] == nil {
                values[number] = PendingValue(on: queue) { [make] in make(number) }
            }
            return (first..<first + size).compactMap { values[$0] }
        }
        return pending.map { $0.value() }
    }
}

/// A value that another thread makes; whoever asks early waits.
private final class PendingValue<Value: Sendable>: Sendable {
    private let made = Mutex<Value?>(nil)
    private let group = DispatchGroup()

    /// Starts to make the value on a queue.
    init(on queue: OperationQueue, _ make: @escaping @Sendable () -> Value) {
        group.enter()
        queue.addOperation { [self] in
            let value = make()
            made.withLock { $0 = value }
            group.leave()
        }
    }

    /// The value, as soon as it is there.
    func value() -> Value {
        group.wait()
        guard let value = made.withLock({ $0 }) else { preconditionFailure("no value was made") }
        return value
    }
}
