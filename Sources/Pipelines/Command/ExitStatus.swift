/// The exit status of a command.
public enum ExitStatus: Int32, Sendable, Hashable {
    /// All was done.
    case success = 0
    /// Something failed; what could be done was.
    case failure = 1
    /// The command line is wrong; nothing was done.
    case wrongUsage = 2
    /// Some participants of a BIDS App are done and others failed.
    case partialSuccess = 3
    /// The terminal was closed.
    case hungUp = 129
    /// The user stopped it.
    case interrupted = 130
    /// The system, or a scheduler at its time limit, stopped it.
    case terminated = 143
}
