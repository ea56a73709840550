public import SegmentationMetrics
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
        let headings = found.map { group in
            truncated(
                visibleText(group.category ?? "none"), toColumns: 24, ellipsis: style.ellipsis)
                + ", n = \(group.table.cases.count)"
        }
        func cell(_ summary: SampleSummary) -> String {
            guard let mean = summary.mean else { return "n/a" }
            return fixedDecimals(mean, 3) + " "
                + (summary.standardDeviation.map { fixedDecimals($0, 3) } ?? "    -")
        }
        func table(ofFirst count: Int) -> TerminalTable {
            let shown = found.prefix(count)
            var result = TerminalTable(
                [.init(style.shortName("by " + groups.name), .left)]
                    + headings.prefix(count).map { .init($0, leastWidth: 11) })
            for structure in self.table.structures {
                result.append(
                    [style.shortName(structure.name)]
                        + shown.map {
                            cell(SampleSummary(of: $0.table.values(of: structure.index)))
                        })
            }
            result.append(
                ["mean of structures"]
                    + shown.map {
                        cell(SampleSummary(of: $0.table.cases.map(\.meanOverStructures)))
                    }, color: .bold)
            return result
        }
        // As many groups as fit, but never none.
        var shown = found.count
        var fitting = table(ofFirst: shown)
        while shown > 1, fitting.width > style.columns {
            shown -= 1
            fitting = table(ofFirst: shown)
        }
        var note = "Dice: mean and SD of each group."
        if shown < found.count {
            note += " \(found.count - shown) more in statistics.tsv."
        }
        return fitting.rendered(for: style) + style.colored(note, .dim) + "\n"
    }
}
