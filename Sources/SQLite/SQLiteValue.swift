/// A value as SQLite stores it, bytes that are no text apart.
public enum SQLiteValue: Sendable, Hashable, CustomStringConvertible {
    /// No value.
    case null
    /// A whole number.
    case integer(Int64)
    /// A floating-point number.
    case real(Double)
    /// A text.
    case text(String)

    /// The value as SQL has it.
    public var description: String {
        switch self {
        case .null: "NULL"
        case .integer(let number): "\(number)"
        case .real(let number): "\(number)"
        case .text(let text): "'\(text.replacing("'", with: "''"))'"
        }
    }
}

/// A type whose values SQLite stores.
public protocol SQLiteConvertible: Sendable {
    /// The value as it is stored.
    var sqliteValue: SQLiteValue { get }

    /// Converts a stored value; `nil` where it is NULL or of another type.
    init?(sqliteValue: SQLiteValue)
}

extension SQLiteValue: SQLiteConvertible {
    /// The value itself.
    public var sqliteValue: SQLiteValue { self }

    /// The value itself.
    public init?(sqliteValue: SQLiteValue) { self = sqliteValue }
}

extension String: SQLiteConvertible {
    /// A text.
    public var sqliteValue: SQLiteValue { .text(self) }

    /// Converts a text.
    public init?(sqliteValue: SQLiteValue) {
        guard case .text(let text) = sqliteValue else { return nil }
        self = text
    }
}

extension Double: SQLiteConvertible {
    /// A floating-point number.
    public var sqliteValue: SQLiteValue { .real(self) }

    /// Converts a number.
    public init?(sqliteValue: SQLiteValue) {
        switch sqliteValue {
        case .real(let number): self = number
        case .integer(let number): self = Double(number)
        case .null, .text: return nil
        }
    }
}

extension Bool: SQLiteConvertible {
    /// 1 or 0.
    public var sqliteValue: SQLiteValue { .integer(self ? 1 : 0) }

    /// Converts a whole number: 0 is false.
    public init?(sqliteValue: SQLiteValue) {
        guard case .integer(let number) = sqliteValue else { return nil }
        self = number != 0
    }
}

extension SQLiteConvertible where Self: FixedWidthInteger {
    /// A whole number.
    public var sqliteValue: SQLiteValue { .integer(Int64(self)) }

    /// Converts a whole number.
    public init?(sqliteValue: SQLiteValue) {
        guard case .integer(let number) = sqliteValue else { return nil }
        self.init(exactly: number)
    }
}

extension Int: SQLiteConvertible {}
extension Int32: SQLiteConvertible {}
extension Int64: SQLiteConvertible {}
