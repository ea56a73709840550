/// A table for a terminal or a log: cells in columns, two blanks apart.
package struct TerminalTable: Sendable {
    /// A column.
    package struct Column: Sendable {
        /// The edge of the column at which its cells stand.
        package enum Alignment: Sendable {
            /// For names.
            case left
            /// For numbers.
            case right
        }

        var heading: String
        var alignment: Alignment
        var leastWidth: Int

        /// Makes a column.
        package init(_ heading: String, _ alignment: Alignment = .right, leastWidth: Int = 0) {
            self.heading = heading
            self.alignment = alignment
            self.leastWidth = leastWidth
        }
    }

    /// A line.
    struct Row: Sendable {
        var cells: [String]
        var color: TerminalColor?
        /// The text after the last column.
        var suffix = ""
    }

    private let columns: [Column]
    private(set) var rows: [Row] = []

    /// Makes a table without rows.
    package init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row.
    ///
    /// - Parameters:
    ///   - cells: Its cells; missing ones at the end stay empty.
    ///   - suffix: Text behind the last column.
    package mutating func append(_ cells: [String], suffix: String = "") {
        append(cells, color: nil, suffix: suffix)
    }

    mutating func append(_ cells: [String], color: TerminalColor?, suffix: String = "") {
        precondition(
            cells.count <= columns.count, "\(cells.count) cells in \(columns.count) columns")
        rows.append(Row(cells: cells, color: color, suffix: suffix))
    }

    /// The widths of the columns: that of the widest cell, heading included.
    private var widths: [Int] {
        columns.enumerated().map { position, column in
            rows.reduce(max(column.leastWidth, terminalColumns(of: column.heading))) {
                max($0, position < $1.cells.count ? terminalColumns(of: $1.cells[position]) : 0)
            }
        }
    }

    /// The width of all columns, without what stands behind them.
    var width: Int { widths.reduce(0, +) + 2 * max(0, columns.count - 1) }

    /// The lines, each ended by a line feed; the headings are left out where none has a text.
    ///
    /// - Parameter style: Colors, where they may be used.
    /// - Returns: The text.
    package func rendered(
        for style: TerminalStyle = TerminalStyle(
            isInteractive: false, columns: 80, usesColor: false, usesUnicode: false)
    ) -> String {
        let widths = widths
        func line(_ cells: [String]) -> String {
            var text = zip(zip(columns, widths), cells).map { column, cell in
                padded(cell, toColumns: column.1, onLeft: column.0.alignment == .right)
            }.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
        var lines: [String] = []
        if columns.contains(where: { !$0.heading.isEmpty }) {
            lines.append(style.colored(line(columns.map(\.heading)), .bold))
        }
        for row in rows {
            var text = line(row.cells)
            if !row.suffix.isEmpty {
                text = padded(text, toColumns: width) + "  " + row.suffix
            }
            lines.append(row.color.map { style.colored(text, $0) } ?? text)
        }
        return lines.map { $0 + "\n" }.joined()
    }
}
