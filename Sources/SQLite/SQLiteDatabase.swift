internal import Synchronization

/// A SQLite database in a file.
///
/// Reads and writes are transactions, one at a time: a process that ends in the middle of one has
/// changed nothing, and what it left behind is undone by the next one that opens the file.
///
/// ```swift
/// let database = try SQLiteDatabase(path: "ledger.sqlite", patienceSeconds: 10)
/// try database.write { try $0.execute("INSERT INTO scan (name) VALUES (?)", ["sub-01"]) }
/// let names: [String] = try database.read {
///     try $0.rows("SELECT name FROM scan").map { try $0.value("name") }
/// }
/// ```
public final class SQLiteDatabase: Sendable {
    private let connection: Mutex<SQLiteConnection>

    /// Opens a database, and makes it where it is missing and may be written.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - isReadOnly: A Boolean value indicating whether nothing may be written.
    ///   - patienceSeconds: The longest wait for another process that writes.
    /// - Throws: ``SQLiteError``.
    public init(path: String, isReadOnly: Bool = false, patienceSeconds: Double) throws(SQLiteError)
    {
        connection = Mutex(
            try SQLiteConnection(
                path: path, isReadOnly: isReadOnly, patienceSeconds: patienceSeconds))
    }

    /// Runs queries that see one state of the database.
    ///
    /// - Returns: What the body returns.
    /// - Throws: ``SQLiteError``; what the body throws.
    public func read<Value: Sendable>(
        _ body: (borrowing SQLiteConnection) throws -> Value
    ) throws -> Value {
        try transaction("BEGIN DEFERRED", body)
    }

    /// Runs statements of which all take effect or, where the body throws, none.
    ///
    /// - Returns: What the body returns.
    /// - Throws: ``SQLiteError``; what the body throws.
    @discardableResult
    public func write<Value: Sendable>(
        _ body: (borrowing SQLiteConnection) throws -> Value
    ) throws -> Value {
        try transaction("BEGIN IMMEDIATE", body)
    }

    /// Runs statements without a transaction around them, such as settings of the connection.
    ///
    /// - Throws: ``SQLiteError``; what the body throws.
    public func withConnection<Value: Sendable>(
        _ body: (borrowing SQLiteConnection) throws -> Value
    ) throws -> Value {
        try connection.withLock { try body($0) }
    }

    private func transaction<Value: Sendable>(
        _ begin: String, _ body: (borrowing SQLiteConnection) throws -> Value
    ) throws -> Value {
        try connection.withLock { connection in
            try connection.execute(begin)
            do {
                let value = try body(connection)
                try connection.execute("COMMIT")
                return value
            } catch {
                // SQLite has ended it by itself after some errors, a full disk for one.
                if connection.isInTransaction { try? connection.execute("ROLLBACK") }
                throw error
            }
        }
    }
}
