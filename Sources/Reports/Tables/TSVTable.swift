import Files
import Foundation

/// One field of a table.
public enum TSVField: Sendable, Hashable {
    /// Text; control characters in it are made visible, so that it stays one field on one line.
    case text(String)
    /// A whole number.
    case integer(Int)
    /// A number in the shortest form that reads back as the same number; NaN becomes `n/a`.
    case number(Double)
    /// A number with a fixed count of decimals; NaN becomes `n/a`.
    case fixed(Double, decimals: Int)
    /// A value that does not exist: `n/a`, as BIDS asks for.
    case missing

    /// The field as it stands in the file.
    public var text: String {
        switch self {
        case .text(let text): visibleText(text)
        case .integer(let value): String(value)
        case .number(let value): value.isNaN ? "n/a" : String(value)
        case .fixed(let value, let decimals):
            value.isNaN ? "n/a" : fixedDecimals(value, decimals)
        case .missing: "n/a"
        }
    }

    /// Some texts in one field, separated by `; `; `n/a` for none.
    package static func list(_ texts: [String]) -> TSVField {
        texts.isEmpty ? .missing : .text(texts.joined(separator: "; "))
    }
}

/// A table of tab-separated values with one line of column names, as BIDS has them.
///
/// UTF-8, lines ended by a line feed, no quotes: what would break a line or a field in a text is
/// written visibly (`\t`, `\n`). Numbers have a decimal point whatever the locale.
public struct TSVTable: Sendable, Hashable {
    /// The column names.
    public let columns: [String]
    /// The rows, each as long as `columns`.
    public private(set) var rows: [[TSVField]]

    /// Makes a table.
    ///
    /// - Precondition: each row has as many fields as there are columns.
    public init(columns: [String], rows: [[TSVField]] = []) {
        self.columns = columns
        self.rows = []
        for row in rows { append(row) }
    }

    /// Adds a row at the end.
    ///
    /// - Precondition: it has as many fields as there are columns.
    public mutating func append(_ row: [TSVField]) {
        precondition(
            row.count == columns.count, "\(row.count) fields in a table of \(columns.count)")
        rows.append(row)
    }

    /// The file's text.
    public var text: String {
        let lines = [columns.map(visibleText)] + rows.map { $0.map(\.text) }
        return lines.map { $0.joined(separator: "\t") + "\n" }.joined()
    }

    /// The same as comma-separated values (RFC 4180, but lines end by a line feed): texts are quoted
    /// where they must be, and what does not exist is empty.
    public var csvText: String {
        func quoted(_ text: String) -> String {
            guard text.contains(where: { $0 == "," || $0 == "\"" }) else { return text }
            return "\"" + text.replacing("\"", with: "\"\"") + "\""
        }
        let header = columns.map { quoted(visibleText($0)) }
        let lines = rows.map { row in
            row.map { field in
                guard case .text = field else { return field.text == "n/a" ? "" : field.text }
                return quoted(field.text)
            }
        }
        return ([header] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
    }

    /// Writes the file, whole or not at all.
    ///
    /// - Parameter path: Where it goes; a file there is replaced.
    /// - Throws: `FileWriteError` where it cannot be written.
    public func write(to path: String) throws {
        try writeAtomically(text, to: path)
    }
}

/// A number with a fixed count of decimals and a decimal point, whatever the locale.
func fixedDecimals(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", value)
}
