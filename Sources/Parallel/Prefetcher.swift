import Dispatch
import Synchronization

/// Makes numbered items ahead of time on other threads and hands them out in order.
///
/// While the caller works on one item the next ones are made; no more than `depth` wait.
public final class Prefetcher<Item: Sendable>: Sendable {
    private struct State {
        var ready: [Int: Item] = [:]
        var requested: Int
        var handedOut: Int
        var isStopped = false
    }

    private let make: @Sendable (Int) -> Item
    private let depth: Int
    private let state: Mutex<State>
    private let arrived = DispatchSemaphore(value: 0)
    private let queue = DispatchQueue(
        label: "prefetching", qos: .userInitiated, attributes: .concurrent)

    /// Starts to make items.
    ///
    /// - Parameters:
    ///   - first: The number of the first item.
    ///   - depth: How many items are made ahead; as many threads are used at most.
    ///   - make: Makes the item of a number; called on any thread.
    public init(first: Int, depth: Int, make: @escaping @Sendable (Int) -> Item) {
        self.make = make
        self.depth = max(1, depth)
        state = Mutex(State(requested: first, handedOut: first))
        for _ in 0..<self.depth { request() }
    }

    /// The next item, as soon as it is there.
    public func next() -> Item {
        while true {
            let item = state.withLock { state -> Item? in
                guard let item = state.ready.removeValue(forKey: state.handedOut) else {
                    return nil
                }
                state.handedOut += 1
                return item
            }
            if let item {
                request()
                return item
            }
            arrived.wait()
        }
    }

    /// Makes nothing more; what is under way is finished and dropped.
    public func stop() { state.withLock { $0.isStopped = true } }

    private func request() {
        let number = state.withLock { state -> Int? in
            if state.isStopped { return nil }
            state.requested += 1
            return state.requested - 1
        }
        guard let number else { return }
        queue.async { [self] in
            let item = make(number)
            state.withLock { $0.ready[number] = item }
            arrived.signal()
        }
    }
}
