import SegmentationMetrics
import Volumes

extension Evaluation {
    /// Dice per structure and group as lines of text, each ended by a line feed; empty where the
    /// cases are not grouped.
    ///
    /// A group that does not fit beside the others is left out and said to be.
    ///
    /// - Parameter style: How wide and in which characters text is shown.
    /// - Returns: The mean of each structure in each group, with its standard deviation.
    public func renderedGroups(for style: TerminalStyle) -> String {
        guard let groups else { return "" }
        let found = grouped(by: .dice)
        let ellipsis = style.usesUnicode ? "…" : "..."
        let rows = table.structures.map { structure in
            (
                name: structure.name,
                summaries: found.map { SampleSummary(of: $0.table.values(of: structure.index)) }
            )
        }
        let overall = found.map { group in
            SampleSummary(of: group.table.cases.map(\.meanOverStructures))
        }
        let names = (["by " + groups.name] + rows.map(\.name) + ["mean of structures"]).map {
            truncated(visibleText($0), toColumns: 40, ellipsis: ellipsis)
        }
        let width = names.map { terminalColumns(of: $0) }.max() ?? 0
        let headings = found.map { group in
            truncated(visibleText(group.category ?? "none"), toColumns: 24, ellipsis: ellipsis)
                + ", n = \(group.table.cases.count)"
        }
        let widths = headings.map { max(11, terminalColumns(of: $0)) }
        // As many groups as fit, but never none.
        var (shown, used) = (0, width)
        for width in widths {
            used += 2 + width
            guard shown == 0 || used <= style.columns else { break }
            shown += 1
        }

        func line(_ name: String, _ cells: [String]) -> String {
            ([padded(name, toColumns: width)]
                + zip(cells, widths).prefix(shown).map {
                    padded($0, toColumns: $1, onLeft: true)
                }).joined(separator: "  ")
        }
        func cell(_ summary: SampleSummary) -> String {
            guard let mean = summary.mean else { return "n/a" }
            return fixedDecimals(mean, 3) + " "
                + (summary.standardDeviation.map { fixedDecimals($0, 3) } ?? "    -")
        }
        var lines = [style.colored(line(names[0], headings), .bold)]
        for (name, row) in zip(names.dropFirst(), rows) {
            lines.append(line(name, row.summaries.map(cell)))
        }
        lines.append(style.colored(line(names[names.count - 1], overall.map(cell)), .bold))
        var note = "Dice: mean and SD of each group."
        if shown < found.count {
            note += " \(found.count - shown) more in statistics.tsv."
        }
        lines.append(style.colored(note, .dim))
        return lines.map { $0 + "\n" }.joined()
    }
}
