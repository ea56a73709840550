import Files
public import SegmentationMetrics
public import Volumes

/// A prediction measured against its reference.
public struct EvaluatedCase: Sendable, Hashable {
    /// The case's name.
    public var name: String
    /// Path of the prediction; empty where there is none.
    public var predictionFile: String
    /// Path of the reference.
    public var referenceFile: String
    /// How the two agree, structure by structure.
    public var structures: [StructureMetrics]
    /// Why there is no prediction, in one sentence; `nil` where there is one.
    ///
    /// Such a case is measured as if its prediction were empty, so that a failure never improves a
    /// mean.
    public var failure: String?

    /// Makes an evaluated case.
    public init(
        name: String, predictionFile: String, referenceFile: String,
        structures: [StructureMetrics], failure: String? = nil
    ) {
        self.name = name
        self.predictionFile = predictionFile
        self.referenceFile = referenceFile
        self.structures = structures
        self.failure = failure
    }
}

/// Cases measured against references, ready to be written.
public struct Evaluation: Sendable, Hashable {
    /// The cases, in the order of the tables.
    public let cases: [EvaluatedCase]
    /// The structures, in the order of the tables.
    public let table: LabelTable
    /// Whose definitions were followed, and the tolerance of the surface Dice.
    public let options: MetricOptions
    /// What the cases are told apart by, such as the sex of the participants; `nil` for nothing.
    public var groups: CaseGroups?

    /// Collects cases.
    ///
    /// - Parameters:
    ///   - cases: The cases.
    ///   - table: The structures to report.
    ///   - options: What all cases were measured with.
    /// - Precondition: each case has metrics for every structure of the table, and no two cases
    ///   have one name.
    public init(cases: [EvaluatedCase], table: LabelTable, options: MetricOptions) {
        let indices = table.structures.map(\.index)
        self.cases = cases.map { evaluated in
            let measured = Dictionary(
                evaluated.structures.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first }
            )
            let missing = indices.filter { measured[$0] == nil }
            precondition(
                missing.isEmpty, "case '\(evaluated.name)' has no metrics for \(missing)")
            var evaluated = evaluated
            evaluated.structures = indices.compactMap { measured[$0] }
            return evaluated
        }
        self.table = table
        self.options = options
    }

    /// What tables say about the definitions: `surface-distance, tolerance 1.0 mm`.
    public var conventionDescription: String {
        "\(options.convention.rawValue), tolerance \(options.toleranceMillimeters) mm"
    }

    /// The structures that only one of the two maps of a case holds, in the order of the tables.
    public var oneSidedStructures:
        [(name: String, structure: Structure, presence: StructurePresence)]
    {
        cases.flatMap { evaluated in
            zip(table.structures, evaluated.structures).compactMap { structure, metrics in
                [.missing, .spurious].contains(metrics.presence)
                    ? (evaluated.name, structure, metrics.presence) : nil
            }
        }
    }

    /// One metric of all cases.
    ///
    /// - Parameters:
    ///   - metric: The metric.
    ///   - name: What the rows are called; by default the cases' names.
    /// - Returns: A row per case, a column per structure.
    public func values(
        of metric: StructureMetric, namedBy name: (EvaluatedCase) -> String = { $0.name }
    ) -> MetricTable {
        MetricTable(
            labels: table.structures.map(\.index),
            cases: cases.map { evaluated in
                MetricTable.Case(
                    name: name(evaluated), values: evaluated.structures.map { $0[metric] })
            })
    }

    /// Dice per structure, with 95 % intervals of the means where there are four cases or more,
    /// and the means of two distances.
    public var diceTable: DiceTable {
        let dice = values(of: .dice).structureSummaries()
        let distances = cases.map { $0.structures.map(\.hausdorff95Millimeters) }
        let surfaces = cases.map { $0.structures.map(\.surfaceDice) }
        func meanOfCases(_ values: [[Double?]], _ position: Int) -> Double? {
            mean(of: values.compactMap { $0[position] })
        }
        return DiceTable(
            rows: table.structures.indices.map { position in
                DiceTable.Row(
                    name: table.structures[position].name, summary: dice[position],
                    hausdorff95Millimeters: meanOfCases(distances, position),
                    surfaceDice: meanOfCases(surfaces, position))
            },
            note: "Convention \(options.convention.rawValue); NSD at "
                + "\(options.toleranceMillimeters) mm, HD95 in mm.")
    }

    // MARK: - Tables

    /// One line per case, structure and metric (`metrics.tsv`): case, index, name, metric, value,
    /// unit, convention, tolerance_mm.
    ///
    /// An undefined value is `n/a`. After a case's structures come its mean foreground Dice and its
    /// generalised Dice, whose index is `n/a`.
    public var metricsTable: TSVTable {
        var result = TSVTable(columns: [
            "case", "index", "name", "metric", "value", "unit", "convention", "tolerance_mm",
        ])
        let definitions: [TSVField] = [
            .text(options.convention.rawValue), .number(options.toleranceMillimeters),
        ]
        for evaluated in cases {
            for (structure, metrics) in zip(table.structures, evaluated.structures) {
                for metric in StructureMetric.allCases {
                    result.append(
                        [
                            .text(evaluated.name), .integer(Int(structure.index)),
                            .text(structure.name), .text(metric.rawValue),
                            metric.field(of: metrics), .text(metric.unit),
                        ] + definitions)
                }
            }
            let whole = CaseMetrics(structures: evaluated.structures, options: options)
            for (name, value) in [
                ("mean_foreground_dice", whole.meanForegroundDice),
                ("generalised_dice", whole.generalisedDice),
            ] {
                result.append(
                    [
                        .text(evaluated.name), .missing, .text("all structures"), .text(name),
                        value.map(TSVField.number) ?? .missing, .text("1"),
                    ] + definitions)
            }
        }
        return result
    }

    /// One line per case and structure, a column per metric (`metrics_wide.csv`).
    ///
    /// Columns in millimetres end in `_mm` and `_mm3`; `presence` says whether the structure is in
    /// `both` maps, `missing` in the prediction, `spurious` or in `neither`; `failure` why a case
    /// has no prediction.
    public var wideTable: TSVTable {
        var result = TSVTable(
            columns: ["case", "index", "name", "presence"]
                + StructureMetric.allCases.map(\.columnName)
                + ["convention", "tolerance_mm", "failure"])
        for evaluated in cases {
            for (structure, metrics) in zip(table.structures, evaluated.structures) {
                result.append(
                    [
                        .text(evaluated.name), .integer(Int(structure.index)),
                        .text(structure.name), .text(metrics.presence.rawValue),
                    ] + StructureMetric.allCases.map { $0.field(of: metrics) }
                        + [
                            .text(options.convention.rawValue),
                            .number(options.toleranceMillimeters),
                            evaluated.failure.map(TSVField.text) ?? .missing,
                        ])
            }
        }
        return result
    }

    /// One line per structure and headline metric over the cases (`statistics.tsv`), each metric
    /// ending with the cases' means over structures, whose index is `n/a`.
    ///
    /// Where there are ``groups``, the same follows for each of them; `group` names it, or says `all`,
    /// or `n/a` for the cases that are in none.
    ///
    /// `undefined` counts the cases left out, such as those in which neither map holds the
    /// structure. Intervals hold the mean with 95 % probability: `boot` by the bootstrap, `t` by
    /// Student's distribution.
    public var statisticsTable: TSVTable {
        var result = TSVTable(columns: [
            "group", "metric", "unit", "index", "name", "n", "undefined", "mean", "sd", "median",
            "lower_quartile", "upper_quartile", "minimum", "maximum", "boot_lower", "boot_upper",
            "t_lower", "t_upper", "worst_case",
        ])
        func append(_ values: MetricTable, of metric: StructureMetric, group: TSVField) {
            let rows =
                zip(table.structures.map(Optional.some), values.structureSummaries())
                + [(nil, values.overallSummary())]
            for (structure, summary) in rows {
                let worst = values.worstCases(
                    of: structure?.index, where: metric.direction, count: 1)
                let numbers = [
                    summary.mean, summary.standardDeviation, summary.median,
                    summary.lowerQuartile, summary.upperQuartile, summary.minimum,
                    summary.maximum, summary.meanInterval?.lower, summary.meanInterval?.upper,
                    summary.parametricMeanInterval?.lower, summary.parametricMeanInterval?.upper,
                ]
                result.append(
                    [
                        group, .text(metric.rawValue), .text(metric.unit),
                        structure.map { .integer(Int($0.index)) } ?? .missing,
                        .text(structure?.name ?? "mean of structures"),
                        .integer(summary.count), .integer(summary.undefinedCount),
                    ] + numbers.map { $0.map(TSVField.number) ?? .missing }
                        + [worst.first.map { .text($0.name) } ?? .missing])
            }
        }
        for metric in StructureMetric.headline {
            append(values(of: metric), of: metric, group: .text("all"))
        }
        for metric in groups == nil ? [] : StructureMetric.headline {
            for group in grouped(by: metric) {
                append(
                    group.table, of: metric, group: group.category.map(TSVField.text) ?? .missing)
            }
        }
        return result
    }

    /// One metric of the cases of each group, the cases without a group last; empty where the cases
    /// are not grouped.
    func grouped(by metric: StructureMetric) -> [MetricTable.Group] {
        groups.map { values(of: metric).grouped(by: $0) } ?? []
    }

    /// Writes `metrics.tsv`, `metrics_wide.csv`, `statistics.tsv` and `summary.json` into a folder
    /// that exists.
    ///
    /// - Parameter folder: Where they go; files there are replaced.
    /// - Throws: `FileWriteError` where one cannot be written.
    public func write(to folder: String) throws {
        try metricsTable.write(to: folder + "/metrics.tsv")
        try writeAtomically(wideTable.csvText, to: folder + "/metrics_wide.csv")
        try statisticsTable.write(to: folder + "/statistics.tsv")
        try writeAtomically(summaryJSON, to: folder + "/summary.json")
    }
}

extension StructureMetric {
    /// What stands for all others in statistics and comparisons.
    public static let headline: [StructureMetric] = [
        .dice, .surfaceDice, .hausdorff95, .meanSurfaceDistance, .relativeVolumeDifference,
    ]

    /// The name of the metric's column where the unit has none of its own: `hausdorff95_mm`.
    public var columnName: String {
        switch unit {
        case "mm", "mm3": "\(rawValue)_\(unit)"
        default: rawValue
        }
    }

    /// Which values are good.
    var direction: MetricDirection {
        switch isBetterWhenLarger {
        case true: .higherIsBetter
        case false: .lowerIsBetter
        case nil: .zeroIsBest
        }
    }

    fileprivate func field(of metrics: StructureMetrics) -> TSVField {
        guard let value = metrics[self] else { return .missing }
        return unit == "voxels" ? .integer(Int(value)) : .number(value)
    }
}
