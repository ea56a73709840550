import Foundation
import PageResources
public import Volumes

/// A page about a training: curves, accuracy, worst slices, and its data and options.
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
        /// Mean Dice or, of a classifier, accuracy on the held-out cases, where it was measured.
        public var validation: Double?

        /// Makes a line.
        public init(
            step: Double, loss: Double, learningRate: Double, slicesPerSecond: Double,
            validation: Double?
        ) {
            self.step = step
            self.loss = loss
            self.learningRate = learningRate
            self.slicesPerSecond = slicesPerSecond
            self.validation = validation
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
        /// The mean over all structures.
        public var mean: Double
        /// The value of each structure of the table; `nil` where no case contains it.
        public var perStructure: [Double?]

        /// Makes a column.
        public init(name: String, mean: Double, perStructure: [Double?]) {
            self.name = name
            self.mean = mean
            self.perStructure = perStructure
        }
    }

    /// A Boolean value indicating whether whole scans are classified.
    public var isOfClassifier = false
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
        PageShell(
            title: title, lead: lead, styles: [.training],
            sections: [curves, accuracySection, try worstSection(), origin]
        ).text
    }

    private var curves: HTML {
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
                title: isOfClassifier ? "Held-out accuracy" : "Held-out Dice",
                note: isOfClassifier
                    ? "scans classified right" : "mean over structures and cases, whole volumes",
                series: series(\.validation), marksPoints: true),
            LineChart(title: "Learning rate", note: "", series: series(\.learningRate)),
            LineChart(title: "Slices per second", note: "", series: series(\.slicesPerSecond)),
        ]
        return .section(
            "curves", "Over the steps", controls: LineChart.legend(of: networks.map(\.name)),
            """
            <div class="charts">
            \(lines: charts.map(\.html))
            </div>
            \(sagittalNote)
            """)
    }

    private var sagittalNote: HTML {
        guard networks.contains(where: { $0.name == Plane.sagittal.rawValue }) else { return "" }
        return """
            <p class="quiet">Seen from the side, left and right look alike: alone, the sagittal \
            network gives both sides one name, so its Dice here is low by nature.</p>
            """
    }

    private var accuracySection: HTML {
        guard !accuracy.isEmpty else { return "" }
        let columns = accuracy.map { column -> HTML in
            "<th scope=\"col\" class=\"number\">\(column.name)</th>"
        }
        let rows = table.structures.enumerated().map { position, structure -> HTML in
            let values = accuracy.map { column -> HTML in
                let value = column.perStructure[position]
                let text = value.map { fixedDecimals($0, 3) } ?? "–"
                let isLow = value.map { $0 < 0.7 } ?? false
                return isLow
                    ? "<td class=\"number\"><span class=\"flag\">\(text)</span></td>"
                    : "<td class=\"number\">\(text)</td>"
            }
            return """
                <tr><th scope="row">\(swatch(structure.color))\(structure.name)</th>\(values)</tr>
                """
        }
        let defined = table.structures.indices.count { position in
            accuracy.contains { $0.perStructure[position] != nil }
        }
        let means = accuracy.map { column -> HTML in
            "<td class=\"number\"><b>\(fixedDecimals(column.mean, 3))</b></td>"
        }
        return .section(
            "accuracy", "Dice on the held-out cases",
            """
            <p class="quiet">On the scans' own grids, mean over cases; figures below 0.7 are \
            marked.</p>
            <div class="scroll"><table>
            <thead><tr><th scope="col">Structure</th>\(columns)</tr></thead>
            <tbody>
            <tr><th scope="row"><b>Mean of \(defined) \(defined == 1 ? "structure" : "structures")</b></th>\
            \(means)</tr>
            \(lines: rows)
            </tbody></table></div>
            """)
    }

    private func worstSection() throws -> HTML {
        guard !worst.isEmpty else { return "" }
        let figures = try worst.map { slice -> HTML in
            let data = Data(try slice.picture.pngData()).base64EncodedString()
            let caption = slice.caption
            return """
                <figure><img alt="\(caption): scan, prediction, reference" \
                width="\(slice.picture.width)" height="\(slice.picture.height)" \
                src="data:image/png;base64,\(markup: data)"><figcaption>\(caption)</figcaption></figure>
                """
        }
        return .section(
            "worst", "Worst slices",
            """
            <p class="quiet">Slices of the held-out cases with the lowest mean Dice over the \
            structures that they show: the scan, the prediction, the reference. The patient's \
            right is at the left.</p>
            <div class="slices">
            \(lines: figures)
            </div>
            """)
    }

    private var origin: HTML {
        // Line by line: escaping makes line breaks visible.
        let lines = configuration.split(separator: "\n", omittingEmptySubsequences: false)
            .map { HTML(text: String($0)) }
        return .section(
            "origin", "Where this comes from",
            """
            \(HTML.facts(facts))
            <details><summary>Configuration</summary>
            <pre>\(lines: lines)</pre></details>
            """)
    }
}
