package import SegmentationMetrics

/// The accuracy of several networks on the same held-out cases: families by recalibration.
package struct NetworkTable: Sendable {
    /// A network that has been trained and measured.
    package struct Measured: Sendable {
        /// Dice by case and structure, case by case, `nil` where neither map holds the structure.
        package var dice: [[Double?]]
        /// The weights that are learnt.
        package var parameters: Int
        /// Seconds of training.
        package var trainingSeconds: Double

        /// Makes a measured network.
        package init(dice: [[Double?]], parameters: Int, trainingSeconds: Double) {
            self.dice = dice
            self.parameters = parameters
            self.trainingSeconds = trainingSeconds
        }

        /// All values that are defined.
        var defined: [Double] { dice.flatMap { $0.compactMap(\.self) } }
    }

    /// The comparison of a network with the one of its family in the first column.
    package struct Comparison: Sendable {
        /// The differences of Dice over all pairs: the same case and structure.
        package var differences: SampleSummary
        /// A Boolean value indicating whether they lie to one side of zero.
        package var test: WilcoxonTest
        /// The test's p-value, corrected for all comparisons of the table.
        package var adjustedPValue: Double
    }

    /// The page's title.
    package var title: String
    /// The common setup of the networks.
    package var summary: String
    /// The rows.
    package var families: [String]
    /// The columns; the others are compared with the first.
    package var recalibrations: [String]
    /// The held-out cases.
    package var cases: [String]
    /// The structures.
    package var structures: [String]
    /// The networks by row and column, `nil` where one is not finished.
    package var networks: [[Measured?]]
    /// Published mean Dice by row and column.
    package var published: [[Double?]]
    /// The source and reliability of the published figures.
    package var publishedSource: String
    /// A Boolean value indicating whether the published figures were read in the publication
    /// itself.
    package var arePublishedChecked: Bool
    /// The deviations from the publication.
    package var deviations: [String]
    /// Versions, settings and the like.
    package var provenance: [(name: String, value: String)]

    /// Makes a table.
    package init(
        title: String, summary: String, families: [String], recalibrations: [String],
        cases: [String], structures: [String], networks: [[Measured?]],
        published: [[Double?]], publishedSource: String, arePublishedChecked: Bool,
        deviations: [String], provenance: [(name: String, value: String)]
    ) {
        self.title = title
        self.summary = summary
        self.families = families
        self.recalibrations = recalibrations
        self.cases = cases
        self.structures = structures
        self.networks = networks
        self.published = published
        self.publishedSource = publishedSource
        self.arePublishedChecked = arePublishedChecked
        self.deviations = deviations
        self.provenance = provenance
    }

    /// Mean Dice over cases and structures with its bootstrap interval, or `nil` where the network
    /// is missing.
    package func summary(row: Int, column: Int) -> SampleSummary? {
        networks[row][column].map { SampleSummary(of: $0.dice.flatMap(\.self)) }
    }

    /// The comparisons with the first column by row and column; `nil` in the first column and where
    /// one of the two is missing.
    package var comparisons: [[Comparison?]] {
        var found: [[Comparison?]] = networks.map { row in
            row.indices.map { column in
                guard column > 0, let base = row[0], let network = row[column] else { return nil }
                let differences = zip(network.dice.joined(), base.dice.joined()).map {
                    network, base -> Double? in
                    guard let network, let base else { return nil }
                    // Dice has four decimals here: differences that are equal stay equal.
                    return ((network - base) * 1e6).rounded() / 1e6
                }
                guard let test = WilcoxonTest(differences: differences.compactMap(\.self)) else {
                    return nil
                }
                return Comparison(
                    differences: SampleSummary(of: differences), test: test,
                    adjustedPValue: test.pValue)
            }
        }
        let width = recalibrations.count
        let adjusted = holmAdjusted(found.joined().map { $0?.test.pValue })
        for (position, pValue) in adjusted.enumerated() {
            guard let pValue else { continue }
            found[position / width][position % width]?.adjustedPValue = pValue
        }
        return found
    }

    /// Mean Dice of a structure over the cases.
    package func mean(ofStructure position: Int, row: Int, column: Int) -> Double? {
        networks[row][column].flatMap { network in
            SegmentationMetrics.mean(of: network.dice.compactMap { $0[position] })
        }
    }

    /// The planned number of networks.
    var count: Int { families.count * recalibrations.count }

    /// The number of finished networks.
    var finishedCount: Int { networks.joined().count { $0 != nil } }

    /// The table as a file: a row a network, `n/a` where it is missing.
    package var table: TSVTable {
        var table = TSVTable(columns: [
            "family", "recalibration", "state", "mean_dice", "ci95_lower", "ci95_upper", "sd", "n",
            "parameters", "training_seconds", "difference", "difference_ci95_lower",
            "difference_ci95_upper", "pairs", "wilcoxon_statistic", "p", "p_holm",
            "published_dice",
        ])
        let comparisons = comparisons
        for (row, family) in families.enumerated() {
            for (column, recalibration) in recalibrations.enumerated() {
                let network = networks[row][column]
                let summary = summary(row: row, column: column)
                let comparison = comparisons[row][column]
                func number(_ value: Double?) -> TSVField {
                    value.map { .fixed($0, decimals: 4) } ?? .missing
                }
                table.append([
                    .text(family), .text(recalibration),
                    .text(network == nil ? "missing" : "finished"), number(summary?.mean),
                    number(summary?.meanInterval?.lower), number(summary?.meanInterval?.upper),
                    number(summary?.standardDeviation),
                    summary.map { .integer($0.count) }
                        ?? .missing, network.map { .integer($0.parameters) } ?? .missing,
                    network.map { .fixed($0.trainingSeconds, decimals: 0) } ?? .missing,
                    number(comparison?.differences.mean),
                    number(comparison?.differences.meanInterval?.lower),
                    number(comparison?.differences.meanInterval?.upper),
                    comparison.map { .integer($0.test.pairCount) } ?? .missing,
                    comparison.map { .number($0.test.statistic) } ?? .missing,
                    comparison.map { .number($0.test.pValue) } ?? .missing,
                    comparison.map { .number($0.adjustedPValue) } ?? .missing,
                    number(published[row][column]),
                ])
            }
        }
        return table
    }

    /// Mean Dice of each structure as a file: a row a structure, a column a network.
    package var structureTable: TSVTable {
        let names = families.flatMap { family in recalibrations.map { "\(family) \($0)" } }
        var table = TSVTable(columns: ["structure"] + names)
        for (position, structure) in structures.enumerated() {
            let values = families.indices.flatMap { row in
                recalibrations.indices.map { column -> TSVField in
                    mean(ofStructure: position, row: row, column: column)
                        .map { .fixed($0, decimals: 4) } ?? .missing
                }
            }
            table.append([.text(structure)] + values)
        }
        return table
    }
}
