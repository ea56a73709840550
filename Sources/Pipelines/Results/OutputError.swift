import Files

/// Tells that an output folder cannot be used.
public struct OutputError: UserFacingError, Hashable {
    /// The kind of trouble.
    public enum Code: String, Sendable, Hashable {
        /// Another process writes there.
        case inUse
        /// Its ledger cannot be read.
        case unreadableLedger
        /// Shards, or scans of them, are missing.
        case incomplete
    }

    /// The kind.
    public var code: Code
    /// The folder.
    public var path: String
    /// One sentence with a next step.
    public var description: String

    /// Such as `output.inUse`.
    public var errorCode: String { "output." + code.rawValue }
    /// The folder.
    public var errorPath: String? { path }

    /// The error of a folder that another process holds.
    static func inUse(path: String, holder: FileLock.Holder?) -> OutputError {
        let who =
            holder.map {
                "process \($0.process) on \($0.host) since \($0.since) ('\($0.command)')"
            } ?? "other processes, each for a shard"
        return OutputError(
            code: .inUse, path: path,
            description: "'\(path)' is being written by \(who); wait for it, stop it, choose "
                + "another output folder, or give each process a part with --shard.")
    }
}
