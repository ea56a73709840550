import Foundation

/// A table of tab-separated values with one line of column names, as it is read.
///
/// Lines may end in `\n` or `\r\n`, and a byte order mark is skipped; blank lines are left out.
/// Blanks around a field count for nothing; an empty field and `n/a` have no value.
package struct TSVReader: Sendable {
    /// One line below the column names.
    package struct Row: Sendable {
        /// The line's number among those below the column names, from 1.
        package let number: Int
        /// The fields, without blanks around them.
        package let fields: [String]
        fileprivate let positions: [String: Int]

        /// The field of a column; `nil` where the table or the line lacks it, or has no value.
        package subscript(column: String) -> String? {
            guard let position = positions[column], position < fields.count else { return nil }
            let field = fields[position]
            return field.isEmpty || field == "n/a" ? nil : field
        }
    }

    /// The column names, in their order.
    package let columns: [String]
    /// The lines below them.
    package let rows: [Row]

    /// Splits a table's text.
    package init(_ text: String) {
        func fields(of line: Substring) -> [String] {
            line.split(separator: "\t", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }
        let lines = text.trimmingPrefix("\u{feff}").split(whereSeparator: \.isNewline)
        let columns = lines.first.map(fields) ?? []
        // Of equal names the first counts.
        let positions = Dictionary(
            columns.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        self.columns = columns
        rows = lines.dropFirst().enumerated().map { position, line in
            Row(number: position + 1, fields: fields(of: line), positions: positions)
        }
    }

    /// Reads a table's file in UTF-8; `nil` where it is no file, cannot be read or is no text.
    package init?(contentsOfFile path: String) {
        guard let data = FileManager.default.contents(atPath: path),
            let text = String(data: data, encoding: .utf8)
        else { return nil }
        self.init(text)
    }

    /// The first line that has more or fewer fields than there are columns.
    package var raggedRow: Row? { rows.first { $0.fields.count != columns.count } }
}
