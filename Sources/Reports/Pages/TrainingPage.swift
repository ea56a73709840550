import Foundation
public import Volumes

/// What a training has come to, as a page to read: curves, accuracy, the worst slices, and what it
/// was made of.
public struct TrainingPage: Sendable {
    /// A line of a training's log.
    public struct Row: Sendable, Hashable {
        /// Steps done.
        public var step: Double
        /// Mean loss since the line before.
        public var loss: Double
        /// The learning rate.
        public var learningRate: Double
        /// Slices a second since the line before.
        public var slicesPerSecond: Double
        /// Mean Dice on the held-out cases, where it was measured.
        public var validationDice: Double?

        /// Makes a line.
        public init(
            step: Double, loss: Double, learningRate: Double, slicesPerSecond: Double,
            validationDice: Double?
        ) {
            self.step = step
            self.loss = loss
            self.learningRate = learningRate
            self.slicesPerSecond = slicesPerSecond
            self.validationDice = validationDice
        }
    }

    /// The training of one network.
    public struct Network: Sendable, Hashable {
        /// Its plane.
        public var name: String
        /// Its log.
        public var rows: [Row]

        /// Makes a network's part.
        public init(name: String, rows: [Row]) {
            self.name = name
            self.rows = rows
        }
    }

    /// Mean Dice over the held-out cases, seen from some planes.
    public struct Accuracy: Sendable, Hashable {
        /// The planes.
        public var name: String
        /// Of all structures.
        public var mean: Double
        /// Of each structure of the table; `nil` where it is in no case.
        public var perStructure: [Double?]

        /// Makes a column.
        public init(name: String, mean: Double, perStructure: [Double?]) {
            self.name = name
            self.mean = mean
            self.perStructure = perStructure
        }
    }

    /// The page's title.
    public var title: String
    /// A sentence below it.
    public var lead: String
    /// One network a plane.
    public var networks: [Network]
    /// The structures.
    public var table: LabelTable
    /// The columns of the table of accuracy; empty while the training goes on.
    public var accuracy: [Accuracy]
    /// The slices on which the networks are worst, worst first.
    public var worst: [SliceComparison]
    /// Names and values of what the training was made of.
    public var facts: [(name: String, value: String)]
    /// The configuration's text.
    public var configuration: String

    /// Makes a page.
    public init(
        title: String, lead: String, networks: [Network], table: LabelTable,
        accuracy: [Accuracy] = [], worst: [SliceComparison] = [],
        facts: [(name: String, value: String)], configuration: String
    ) {
        self.title = title
        self.lead = lead
        self.networks = networks
        self.table = table
        self.accuracy = accuracy
        self.worst = worst
        self.facts = facts
        self.configuration = configuration
    }

    /// The page: one file that needs no other.
    ///
    /// - Returns: HTML in UTF-8.
    /// - Throws: ``PictureError`` where a slice cannot be encoded.
    public func html() throws -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
        style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
        <title>\(escapedForHTML(title))</title>
        <style>
        \(reportStyle)
        \(trainingStyle)
        </style>
        </head>
        <body>
        <main>
        <header>
        <h1>\(escapedForHTML(title))</h1>
        <p class="lead">\(escapedForHTML(lead))</p>
        </header>
        \(curves)
        \(accuracySection)
        \(try worstSection())
        \(origin)
        </main>
        </body>
        </html>

        """
    }

    private var curves: String {
        func series(_ value: (Row) -> Double?) -> [ChartSeries] {
            networks.map { network in
                ChartSeries(
                    name: network.name,
                    points: network.rows.compactMap { row in
                        value(row).map { SIMD2(row.step, $0) }
                    })
            }
        }
        let charts = [
            LineChart(
                title: "Loss", note: "mean since the point before, logarithmic",
                series: series(\.loss), isLogarithmic: true),
            LineChart(
                title: "Held-out Dice", note: "mean over structures and cases, whole volumes",
                series: series(\.validationDice), marksPoints: true),
            LineChart(title: "Learning rate", note: "", series: series(\.learningRate)),
            LineChart(title: "Slices per second", note: "", series: series(\.slicesPerSecond)),
        ]
        return """
            <section aria-labelledby="curves">
            <div class="bar"><h2 id="curves">Over the steps</h2>\
            \(LineChart.legend(of: networks.map(\.name)))</div>
            <div class="charts">
            \(charts.map(\.html).joined(separator: "\n"))
            </div>
            \(sagittalNote)
            </section>
            """
    }

    private var sagittalNote: String {
        guard networks.contains(where: { $0.name == Plane.sagittal.rawValue }) else { return "" }
        return """
            <p class="quiet">Seen from the side, left and right look alike: alone, the sagittal \
            network gives both sides one name, so its Dice here is low by nature.</p>
            """
    }

    private var accuracySection: String {
        guard !accuracy.isEmpty else { return "" }
        let columns = accuracy.map {
            "<th scope=\"col\" class=\"number\">\(escapedForHTML($0.name))</th>"
        }
        let rows = table.structures.enumerated().map { position, structure in
            let values = accuracy.map { column in
                let value = column.perStructure[position]
                let text = value.map { fixedDecimals($0, 3) } ?? "–"
                let isLow = value.map { $0 < 0.7 } ?? false
                return "<td class=\"number\">"
                    + (isLow ? "<span class=\"flag\">\(text)</span>" : text) + "</td>"
            }
            return "<tr><th scope=\"row\">\(swatch(structure.color))"
                + "\(escapedForHTML(structure.name))</th>\(values.joined())</tr>"
        }
        let means = accuracy.map { "<td class=\"number\"><b>\(fixedDecimals($0.mean, 3))</b></td>" }
        return """
            <section aria-labelledby="accuracy">
            <h2 id="accuracy">Dice on the held-out cases</h2>
            <p class="quiet">On the scans' own grids, mean over cases; figures below 0.7 are \
            marked.</p>
            <div class="scroll"><table>
            <thead><tr><th scope="col">Structure</th>\(columns.joined())</tr></thead>
            <tbody>
            <tr><th scope="row"><b>Mean of \(table.structures.count) structures</b></th>\
            \(means.joined())</tr>
            \(rows.joined(separator: "\n"))
            </tbody></table></div>
            </section>
            """
    }

    private func worstSection() throws -> String {
        guard !worst.isEmpty else { return "" }
        let figures = try worst.map { slice in
            let data = Data(try slice.picture.pngData()).base64EncodedString()
            let caption = escapedForHTML(slice.caption)
            return """
                <figure><img alt="\(caption): scan, prediction, reference" \
                width="\(slice.picture.width)" height="\(slice.picture.height)" \
                src="data:image/png;base64,\(data)"><figcaption>\(caption)</figcaption></figure>
                """
        }
        return """
            <section aria-labelledby="worst">
            <h2 id="worst">Worst slices</h2>
            <p class="quiet">Slices of the held-out cases with the lowest mean Dice over the \
            structures that they show: the scan, the prediction, the reference. The patient's \
            right is at the left.</p>
            <div class="slices">
            \(figures.joined(separator: "\n"))
            </div>
            </section>
            """
    }

    private var origin: String {
        let facts = facts.map {
            "<dt>\(escapedForHTML($0.name))</dt><dd>\(escapedForHTML($0.value))</dd>"
        }
        // Line by line: escaping makes line breaks visible.
        let lines = configuration.split(separator: "\n", omittingEmptySubsequences: false)
            .map { escapedForHTML(String($0)) }
        return """
            <section aria-labelledby="origin">
            <h2 id="origin">Where this comes from</h2>
            <dl>\(facts.joined(separator: "\n"))</dl>
            <details><summary>Configuration</summary>
            <pre>\(lines.joined(separator: "\n"))</pre></details>
            </section>
            """
    }
}

/// What the page's look adds to that of the report.
private let trainingStyle = """
    .charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 28px 36px; }
    .chart { margin: 0; min-width: 0; }
    .chart figcaption { font-size: 13px; font-weight: 600; margin-bottom: 4px; }
    .chart svg { display: block; width: 100%; height: auto; }
    .chart text { font-size: 11.5px; fill: var(--quiet); }
    .chart .grid { stroke: var(--rule); stroke-width: 1; fill: none; }
    .series { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke: #0072b2; }
    .series.s1 { stroke: #d55e00; stroke-dasharray: 7 3; }
    .series.s2 { stroke: #009e73; stroke-dasharray: 2 3; }
    .series.s3 { stroke: #cc79a7; stroke-dasharray: 9 3 2 3; }
    .series.s4 { stroke: #8a6d00; stroke-dasharray: 4 4; }
    .series.s5 { stroke: #56b4e9; stroke-dasharray: 12 4; }
    .series.mark { stroke-width: 6; stroke-linecap: round; stroke-dasharray: none; }
    .keys { display: flex; flex-wrap: wrap; gap: 6px 20px; font-size: 13px; margin: 0; }
    .keys svg { vertical-align: 1px; }
    .slices {
      display: grid; grid-template-columns: repeat(auto-fill, minmax(min(460px, 100%), 1fr));
      gap: 24px 32px; margin-top: 16px;
    }
    .slices figure { margin: 0; min-width: 0; break-inside: avoid; }
    .slices img {
      display: block; width: 100%; height: auto; border-radius: 4px; background: #000;
    }
    .slices figcaption { font-size: 13px; color: var(--quiet); margin-top: 6px; }
    details { margin-top: 18px; font-size: 13px; }
    summary { cursor: pointer; color: var(--accent); }
    pre {
      font: 12px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--soft);
      padding: 14px 18px; border-radius: 6px; overflow-x: auto;
    }
    @media (max-width: 700px) { .charts { grid-template-columns: minmax(0, 1fr); } }
    """
