internal import CSQLite

/// A row of a result.
public struct SQLiteRow: Sendable {
    let columns: SQLiteColumns
    let values: [SQLiteValue]

    /// The names of its columns in their order.
    public var columnNames: [String] { columns.names }

    /// The value of a column as it is stored.
    ///
    /// - Precondition: There is such a column.
    public subscript(column: String) -> SQLiteValue {
        guard let place = columns.places[column] else {
            preconditionFailure("no column '\(column)' among \(columnNames)")
        }
        return values[place]
    }

    /// The value of a column, or `nil` where it is NULL or of another type.
    ///
    /// - Precondition: There is such a column.
    public subscript<Value: SQLiteConvertible>(column: String) -> Value? {
        Value(sqliteValue: self[column])
    }

    /// The value of a column that must have one.
    ///
    /// - Throws: ``SQLiteError`` where it is NULL or of another type.
    /// - Precondition: There is such a column.
    public func value<Value: SQLiteConvertible>(_ column: String) throws(SQLiteError) -> Value {
        guard let value: Value = self[column] else {
            throw SQLiteError(
                status: SQLITE_MISMATCH, message: "\(self[column]) stands in its column '\(column)'"
            )
        }
        return value
    }
}

/// The columns of a result, shared by its rows.
final class SQLiteColumns: Sendable {
    let names: [String]
    let places: [String: Int]

    init(names: [String]) {
        self.names = names
        // A name that stands twice means the first.
        places = Dictionary(zip(names, names.indices)) { first, _ in first }
    }
}
