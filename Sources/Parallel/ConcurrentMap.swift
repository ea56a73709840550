import Dispatch

/// Computes values on all processors; the result does not depend on how many there are.
public func concurrentMap<Value: Sendable>(
    count: Int, _ transform: @Sendable (Int) -> Value
) -> [Value] {
    var values = [Value?](repeating: nil, count: count)
    values.withUnsafeMutableBufferPointer { buffer in
        // Every iteration writes an element of its own, and all end before the buffer does.
        nonisolated(unsafe) let buffer = buffer
        DispatchQueue.concurrentPerform(iterations: count) { buffer[$0] = transform($0) }
    }
    return values.compactMap(\.self)
}
