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
        /// A Boolean value indicating whether distances in the mean are penalties: the image's
        /// diagonal.
        public var hasPenaltyDistances = false

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

    /// The last row: the mean that stands for all structures, whose name says what it is over; `nil`
    /// for none.
    public var overall: Row?

    /// Lines below the table, such as whose definitions were followed; may be empty.
    public var note: String

    /// The sign behind a mean distance with penalties in it.
    static let penaltyMark = "*"

    /// Makes a table of its rows.
    public init(rows: [Row], overall: Row? = nil, note: String = "") {
        self.rows = rows
        self.overall = overall
        self.note = note
    }

    /// The table as lines of text, each ended by a line feed.
    ///
    /// The interval of the mean is shown where a structure has four cases or more; from fewer it
    /// would be their range. HD95 and surface Dice (NSD) are shown where they are known and leave
    /// room for the bars. On a terminal with colors a mean from 0.8 on is green, from 0.6 on yellow,
    /// below it red.
    public func rendered(for style: TerminalStyle) -> String {
        let hasDistances = rows.contains {
            $0.hausdorff95Millimeters != nil || $0.surfaceDice != nil
        }
        // Distances leave room for bars of three columns; bars alone need five.
        let complete = table(for: style, showsDistances: hasDistances)
        let showsDistances = hasDistances && style.columns - complete.width - 3 >= 3
        var table = showsDistances ? complete : table(for: style, showsDistances: false)
        let barWidth = min(20, style.columns - table.width - 3)
        if barWidth >= (showsDistances ? 3 : 5) {
            table = self.table(for: style, showsDistances: showsDistances) { mean in
                let bar = style.bar(mean, columns: barWidth)
                return bar.isEmpty ? "" : style.colored(bar, quality(mean))
            }
        }
        return table.rendered(for: style)
            + note.split(separator: "\n").map { style.colored(String($0), .dim) + "\n" }.joined()
    }

    private func table(
        for style: TerminalStyle, showsDistances: Bool, bar: (Double) -> String = { _ in "" }
    ) -> TerminalTable {
        let hasInterval = (rows + [overall].compactMap(\.self)).contains {
            $0.summary.reliableMeanInterval != nil
        }
        func decimals(_ value: Double?, _ count: Int, _ absent: String = "-") -> String {
            value.map { fixedDecimals($0, count) } ?? absent
        }
        func cells(
            _ name: String, mean: String, deviation: String, interval: String,
            distances: [String], count: String
        ) -> [String] {
            [name, mean, deviation] + (hasInterval ? [interval] : [])
                + (showsDistances ? distances : []) + [count]
        }
        var columns: [TerminalTable.Column] = [
            .init("structure", .left), .init("Dice", leastWidth: 6), .init("SD", leastWidth: 5),
        ]
        if hasInterval { columns.append(.init("95 % interval", .left)) }
        if showsDistances {
            columns += [.init("HD95", leastWidth: 6), .init("NSD", leastWidth: 5)]
        }
        var table = TerminalTable(columns + [.init("n")])
        func append(_ row: Row, isLast: Bool) {
            let interval = row.summary.reliableMeanInterval.map {
                "\(fixedDecimals($0.lower, 3))-\(fixedDecimals($0.upper, 3))"
            }
            let mark = row.hasPenaltyDistances ? Self.penaltyMark : ""
            table.append(
                cells(
                    style.shortName(row.name), mean: decimals(row.summary.mean, 3, "n/a"),
                    deviation: decimals(row.summary.standardDeviation, 3),
                    interval: interval ?? "-",
                    distances: [
                        decimals(row.hausdorff95Millimeters, 2) + mark,
                        decimals(row.surfaceDice, 3),
                    ], count: String(row.summary.count)),
                color: isLast ? .bold : nil, suffix: isLast ? "" : bar(row.summary.mean ?? 0))
        }
        for row in rows { append(row, isLast: false) }
        if let overall { append(overall, isLast: true) }
        return table
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
