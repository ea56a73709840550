internal import CSQLite

/// A connection to a database, which runs statements.
@safe public struct SQLiteConnection: ~Copyable {
    private let handle: OpaquePointer
    private let prepared = PreparedStatements()

    init(path: String, isReadOnly: Bool, patienceSeconds: Double) throws(SQLiteError) {
        unsafe handle = try unsafe Self.open(path, isReadOnly: isReadOnly)
        unsafe sqlite3_busy_timeout(handle, Int32(patienceSeconds * 1000))
    }

    private static func open(
        _ path: String, isReadOnly: Bool
    ) throws(SQLiteError) -> OpaquePointer {
        let flags =
            isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        var handle: OpaquePointer?
        var status = unsafe sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard let opened = unsafe handle else { throw SQLiteError(status: status) }
        unsafe sqlite3_extended_result_codes(opened, 1)
        if status == SQLITE_OK {
            status = unsafe sqlite3_exec(opened, "PRAGMA foreign_keys = ON", nil, nil, nil)
        }
        guard status == SQLITE_OK else {
            let error = unsafe SQLiteError(status: status, of: opened)
            unsafe sqlite3_close_v2(opened)
            throw error
        }
        return unsafe opened
    }

    // The file is closed when the last prepared statement is gone too.
    deinit { unsafe sqlite3_close_v2(handle) }

    /// The number of the row that was inserted last.
    public var lastInsertedRow: Int64 { unsafe sqlite3_last_insert_rowid(handle) }

    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    /// Runs statements that take no values.
    ///
    /// - Parameter script: SQL statements, with semicolons between them.
    /// - Throws: ``SQLiteError``.
    public func run(script: String) throws(SQLiteError) {
        try check(unsafe sqlite3_exec(handle, script, nil, nil, nil))
    }

    /// Runs a statement.
    ///
    /// - Parameters:
    ///   - sql: The statement, with a `?` for each value.
    ///   - values: The values.
    /// - Throws: ``SQLiteError``.
    /// - Precondition: There are as many values as question marks.
    public func execute(_ sql: String, _ values: [(any SQLiteConvertible)?] = [])
        throws(SQLiteError)
    {
        _ = try rows(sql, values)
    }

    /// Runs a query.
    ///
    /// - Parameters:
    ///   - sql: The query, with a `?` for each value.
    ///   - values: The values.
    /// - Returns: All its rows.
    /// - Throws: ``SQLiteError``.
    /// - Precondition: There are as many values as question marks.
    public func rows(_ sql: String, _ values: [(any SQLiteConvertible)?] = [])
        throws(SQLiteError) -> [SQLiteRow]
    {
        let statement = try unsafe prepare(sql).handle
        defer {
            unsafe sqlite3_reset(statement)
            unsafe sqlite3_clear_bindings(statement)
        }
        let count = unsafe Int(sqlite3_bind_parameter_count(statement))
        precondition(count == values.count, "\(values.count) values for \(count) places in: \(sql)")
        for (index, value) in values.enumerated() {
            try unsafe bind(value?.sqliteValue ?? .null, Int32(index + 1), statement)
        }
        var rows: [SQLiteRow] = []
        var columns: SQLiteColumns?
        while true {
            switch unsafe sqlite3_step(statement) {
            case SQLITE_ROW:
                // The columns of `*` are known for certain after the first step.
                let names = unsafe columns ?? Self.columns(of: statement)
                columns = names
                rows.append(
                    SQLiteRow(
                        columns: names,
                        values: names.names.indices.map { unsafe Self.value($0, statement) }))
            case SQLITE_DONE: return rows
            case let status: throw unsafe SQLiteError(status: status, of: handle)
            }
        }
    }

    /// The prepared statement of a text, which is parsed once.
    private func prepare(_ sql: String) throws(SQLiteError) -> PreparedStatement {
        if let known = prepared.byText[sql] { return known }
        var opened: OpaquePointer?
        try check(unsafe sqlite3_prepare_v2(handle, sql, -1, &opened, nil))
        guard let opened = unsafe opened else { preconditionFailure("no statement: \(sql)") }
        let statement = unsafe PreparedStatement(opened)
        prepared.byText[sql] = statement
        return statement
    }

    private func bind(
        _ value: SQLiteValue, _ index: Int32, _ statement: OpaquePointer
    ) throws(SQLiteError) {
        switch value {
        case .null: try check(unsafe sqlite3_bind_null(statement, index))
        case .integer(let value): try check(unsafe sqlite3_bind_int64(statement, index, value))
        case .real(let value): try check(unsafe sqlite3_bind_double(statement, index, value))
        case .text(let value):
            try check(
                unsafe csqlite_bind_text(statement, index, value, Int32(value.utf8.count)))
        }
    }

    private static func columns(of statement: OpaquePointer) -> SQLiteColumns {
        SQLiteColumns(
            names: unsafe (0..<sqlite3_column_count(statement)).map {
                unsafe String(cString: sqlite3_column_name(statement, $0))
            })
    }

    private static func value(_ column: Int, _ statement: OpaquePointer) -> SQLiteValue {
        let column = Int32(column)
        switch unsafe sqlite3_column_type(statement, column) {
        case SQLITE_NULL: return .null
        case SQLITE_INTEGER: return .integer(unsafe sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: return .real(unsafe sqlite3_column_double(statement, column))
        default:
            let text = unsafe UnsafeBufferPointer(
                start: sqlite3_column_text(statement, column),
                count: Int(sqlite3_column_bytes(statement, column)))
            return .text(unsafe String(decoding: text, as: UTF8.self))
        }
    }

    private func check(_ status: Int32) throws(SQLiteError) {
        guard status == SQLITE_OK else { throw unsafe SQLiteError(status: status, of: handle) }
    }
}

/// The prepared statements of a connection by their text.
private final class PreparedStatements {
    var byText: [String: PreparedStatement] = [:]
}

/// Sole owner of a prepared statement.
@safe private final class PreparedStatement {
    let handle: OpaquePointer

    init(_ handle: OpaquePointer) { unsafe self.handle = handle }

    deinit { unsafe sqlite3_finalize(handle) }
}
