public import SegmentationMetrics
public import Volumes

/// The comparison of two runs evaluated against the same references.
public struct EvaluationComparison: Sendable, Hashable {
    /// One metric's differences.
    public struct Entry: Sendable, Hashable {
        /// The metric.
        public var metric: StructureMetric
        /// The first run's values minus the second's.
        public var comparison: RunComparison
    }

    /// The structures.
    public let table: LabelTable
    /// The metrics that are compared, Dice first.
    public let entries: [Entry]

    /// The compared metrics.
    public static let metrics: [StructureMetric] = [
        .dice, .surfaceDice, .hausdorff95, .meanSurfaceDistance, .absoluteVolumeDifference,
    ]

    /// Compares two runs case by case; cases are the same where their references are.
    ///
    /// - Parameters:
    ///   - run: A run.
    ///   - other: The run it is compared with, measured with the same options.
    /// - Precondition: both runs have the same options, and no reference stands twice in a run.
    public init(of run: Evaluation, against other: Evaluation) {
        precondition(
            run.options == other.options,
            "options differ: \(run.conventionDescription) and \(other.conventionDescription)")
        table = run.table
        entries = Self.metrics.map { metric in
            Entry(
                metric: metric,
                comparison: RunComparison(
                    of: run.values(of: metric, namedBy: \.referenceFile),
                    against: other.values(of: metric, namedBy: \.referenceFile)))
        }
    }

    /// The references that only one of the runs was measured against; they enter no figure.
    public var unpairedReferences: [String] {
        entries.first.map { $0.comparison.onlyInRun + $0.comparison.onlyInOther } ?? []
    }

    /// One line per metric and structure (`comparison.tsv`), each metric ending with the mean over
    /// structures, whose index is `n/a`.
    ///
    /// Differences are the run's values minus the other's. `p` is Wilcoxon's signed-rank test of
    /// the pairs, two-sided; `p_holm` is corrected for testing each structure. `boot` is the
    /// bootstrap's 95 % interval of the mean difference.
    public var comparisonTable: TSVTable {
        var result = TSVTable(columns: [
            "metric", "unit", "index", "name", "pairs", "undefined", "mean_difference", "sd",
            "median", "lower_quartile", "upper_quartile", "boot_lower", "boot_upper", "p",
            "p_holm", "p_method",
        ])
        for entry in entries {
            for difference in entry.comparison.structures + [entry.comparison.overall] {
                let summary = difference.summary
                let numbers = [
                    summary.mean, summary.standardDeviation, summary.median,
                    summary.lowerQuartile, summary.upperQuartile, summary.meanInterval?.lower,
                    summary.meanInterval?.upper, difference.test?.pValue,
                    difference.adjustedPValue,
                ]
                result.append(
                    [
                        .text(entry.metric.id), .text(entry.metric.unit.rawValue),
                        difference.label.map { .integer(Int($0)) } ?? .missing,
                        .text(name(of: difference)), .integer(summary.count),
                        .integer(summary.undefinedCount),
                    ] + numbers.map { $0.map(TSVField.number) ?? .missing }
                        + [difference.test.map { .text($0.method.rawValue) } ?? .missing])
            }
        }
        return result
    }

    /// The differences of Dice as lines of text, each ended by a line feed.
    ///
    /// On a terminal with colors a structure that gained is green and one that lost red, where
    /// Holm's p-value is below 0.05.
    public func rendered(for style: TerminalStyle) -> String {
        guard let entry = entries.first else { return "" }
        func signed(_ value: Double) -> String {
            (value < 0 ? "" : "+") + fixedDecimals(value, 3)
        }
        var table = TerminalTable([
            .init("structure", .left), .init("difference"), .init("95 % interval", leastWidth: 16),
            .init("p (Holm)"), .init("pairs"),
        ])
        for difference in entry.comparison.structures + [entry.comparison.overall] {
            let interval = difference.summary.reliableMeanInterval
            let isClear = (difference.adjustedPValue ?? 1) < 0.05
            let gain = difference.summary.mean ?? 0
            table.append(
                [
                    style.shortName(name(of: difference)),
                    difference.summary.mean.map(signed) ?? "n/a",
                    interval.map { "\(signed($0.lower)) \(signed($0.upper))" } ?? "-",
                    difference.adjustedPValue.map { $0 < 0.001 ? "<0.001" : fixedDecimals($0, 3) }
                        ?? "-",
                    String(difference.summary.count),
                ], color: isClear && gain != 0 ? (gain > 0 ? .green : .red) : nil)
        }
        return table.rendered(for: style)
            + style.colored(
                "Dice minus the other run's; Wilcoxon's signed-rank test, two-sided.", .dim) + "\n"
    }

    func name(of difference: RunComparison.Difference) -> String {
        guard let label = difference.label else { return "mean of structures" }
        return table[label]?.name ?? String(label)
    }
}
