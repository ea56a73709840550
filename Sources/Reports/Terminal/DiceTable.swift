public import SegmentationMetrics

/// Dice per structure, to be printed on a terminal or into a log.
public struct DiceTable: Sendable, Hashable {
    /// One structure's Dice over the cases.
    public struct Row: Sendable, Hashable {
        /// The structure's name.
        public var name: String
        /// Its Dice over the cases.
        public var summary: SampleSummary
        /// The mean of its HD95 over the cases, or `nil` where there is none.
        public var hausdorff95Millimeters: Double?
        /// The mean of its surface Dice over the cases, or `nil` where there is none.
        public var surfaceDice: Double?

        /// Makes a row.
        public init(
            name: String, summary: SampleSummary, hausdorff95Millimeters: Double? = nil,
            surfaceDice: Double? = nil
        ) {
            self.name = name
            self.summary = summary
            self.hausdorff95Millimeters = hausdorff95Millimeters
            self.surfaceDice = surfaceDice
        }
    }

    /// The structures, in the order in which they are printed.
    public var rows: [Row]

    /// A line below the table, such as whose definitions were followed; may be empty.
    public var note: String

    /// Makes a table of its rows.
    public init(rows: [Row], note: String = "") {
        self.rows = rows
        self.note = note
    }

    /// The mean over the structures of their means, or `nil` where none is defined.
    public var mean: Double? {
        SegmentationMetrics.mean(of: rows.compactMap(\.summary.mean))
    }

    /// The table as lines of text, each ended by a line feed.
    ///
    /// The interval of the mean is shown where a structure has four cases or more; from fewer it
    /// would be their range. HD95 and surface Dice (NSD) are shown where they are known and leave
    /// room for the bars. On a terminal with colors a mean from 0.8 on is green, from 0.6 on yellow,
    /// below it red.
    public func rendered(for style: TerminalStyle) -> String {
        let hasInterval = rows.contains { $0.summary.tellingMeanInterval != nil }
        let footer = "mean of \(rows.count { $0.summary.mean != nil }) structures"
        let ellipsis = style.usesUnicode ? "…" : "..."
        let names = rows.map { truncated(visibleText($0.name), toColumns: 40, ellipsis: ellipsis) }
        let nameWidth = (names + [footer, "structure"]).map { terminalColumns(of: $0) }.max() ?? 0
        let countWidth = max(1, rows.map { String($0.summary.count).count }.max() ?? 1)

        let distances = rows.map(\.hausdorff95Millimeters)
        let surfaces = rows.map(\.surfaceDice)
        var hasSurfaces = distances.contains { $0 != nil } || surfaces.contains { $0 != nil }

        func line(
            _ name: String, mean: String, deviation: String, interval: String, distance: String,
            surface: String, count: String, bar: String
        ) -> String {
            var cells = [
                padded(name, toColumns: nameWidth), padded(mean, toColumns: 6, onLeft: true),
                padded(deviation, toColumns: 5, onLeft: true),
            ]
            if hasInterval { cells.append(padded(interval, toColumns: 13)) }
            if hasSurfaces {
                cells.append(padded(distance, toColumns: 6, onLeft: true))
                cells.append(padded(surface, toColumns: 5, onLeft: true))
            }
            cells.append(padded(count, toColumns: countWidth, onLeft: true))
            cells.append(bar)
            var text = cells.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
        func widthLeft() -> Int {
            style.columns
                - terminalColumns(
                    of: line(
                        "", mean: "", deviation: "", interval: "", distance: "", surface: "",
                        count: "n", bar: "|"))
        }
        if widthLeft() < 3 { hasSurfaces = false }
        let barWidth = min(20, widthLeft())
        let smallestBar = hasSurfaces ? 3 : 5

        var lines = [
            style.colored(
                line(
                    "structure", mean: "Dice", deviation: "SD", interval: "95 % interval",
                    distance: "HD95", surface: "NSD", count: "n", bar: ""), .bold)
        ]
        func decimals(_ value: Double?, _ count: Int) -> String {
            value.map { fixedDecimals($0, count) } ?? "-"
        }
        for (row, name) in zip(rows, names) {
            let text = line(
                name, mean: row.summary.mean.map { fixedDecimals($0, 3) } ?? "n/a",
                deviation: row.summary.standardDeviation.map { fixedDecimals($0, 3) } ?? "-",
                interval: row.summary.tellingMeanInterval.map {
                    "\(fixedDecimals($0.lower, 3))-\(fixedDecimals($0.upper, 3))"
                } ?? "-",
                distance: decimals(row.hausdorff95Millimeters, 2),
                surface: decimals(row.surfaceDice, 3), count: String(row.summary.count), bar: "")
            let bar =
                barWidth < smallestBar ? "" : style.bar(row.summary.mean ?? 0, columns: barWidth)
            lines.append(
                bar.isEmpty
                    ? text : text + "  " + style.colored(bar, quality(row.summary.mean ?? 0)))
        }
        let footerLine = line(
            footer, mean: mean.map { fixedDecimals($0, 3) } ?? "n/a", deviation: "", interval: "",
            distance: decimals(SegmentationMetrics.mean(of: distances.compactMap(\.self)), 2),
            surface: decimals(SegmentationMetrics.mean(of: surfaces.compactMap(\.self)), 3),
            count: "", bar: "")
        lines.append(style.colored(footerLine, .bold))
        if !note.isEmpty { lines.append(style.colored(note, .dim)) }
        return lines.map { $0 + "\n" }.joined()
    }

    private func quality(_ mean: Double) -> TerminalColor {
        mean >= 0.8 ? .green : mean >= 0.6 ? .yellow : .red
    }
}

extension TerminalStyle {
    /// A bar as long as a share of a width; in eighths of a column where the output has them.
    func bar(_ share: Double, columns: Int) -> String {
        let share = min(max(share.isNaN ? 0 : share, 0), 1)
        guard usesUnicode else {
            return String(repeating: "#", count: Int((share * Double(columns)).rounded()))
        }
        let eighths = Int((share * Double(columns) * 8).rounded())
        let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        return String(repeating: "█", count: eighths / 8) + part
    }
}
