internal import CSQLite

/// The error of a statement or of a database's file.
public struct SQLiteError: Error, Sendable, CustomStringConvertible {
    /// The kinds of errors that callers tell apart.
    public enum Code: Sendable, Hashable {
        /// The disk is full.
        case full
        /// The file or its folder cannot be written.
        case readOnly
        /// The file cannot be opened.
        case cannotOpen
        /// Another process writes.
        case busy
        /// The file system failed.
        case inputOutput
        /// The file is no database, or a damaged one.
        case damaged
        /// A statement or a value that the database does not take.
        case other
    }

    /// The kind of the error.
    public let code: Code
    /// SQLite's extended result code, <https://sqlite.org/rescode.html>.
    public let number: Int32
    /// SQLite's message.
    public let message: String

    /// The message and the code.
    public var description: String { "\(message) (SQLite error \(number))" }

    init(status: Int32, message: String? = nil) {
        number = status
        self.message = unsafe message ?? String(cString: sqlite3_errstr(status))
        // The primary code is the low byte of an extended one.
        code =
            switch status & 0xff {
            case SQLITE_FULL: .full
            case SQLITE_READONLY: .readOnly
            case SQLITE_CANTOPEN, SQLITE_PERM: .cannotOpen
            case SQLITE_BUSY, SQLITE_LOCKED: .busy
            case SQLITE_IOERR: .inputOutput
            case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged
            default: .other
            }
    }

    init(status: Int32, of connection: OpaquePointer) {
        self.init(status: status, message: unsafe String(cString: sqlite3_errmsg(connection)))
    }
}
