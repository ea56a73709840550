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
