import AtomicFiles
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

    /// Dice per structure, with 95 % intervals of the means where there are three cases or more,
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
    /// `undefined` counts the cases left out, such as those in which neither map holds the
    /// structure. Intervals hold the mean with 95 % probability: `boot` by the bootstrap, `t` by
    /// Student's distribution.
    public var statisticsTable: TSVTable {
        var result = TSVTable(columns: [
            "metric", "unit", "index", "name", "n", "undefined", "mean", "sd", "median",
            "lower_quartile", "upper_quartile", "minimum", "maximum", "boot_lower", "boot_upper",
            "t_lower", "t_upper", "worst_case",
        ])
        for metric in StructureMetric.headline {
            let values = values(of: metric)
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
                        .text(metric.rawValue), .text(metric.unit),
                        structure.map { .integer(Int($0.index)) } ?? .missing,
                        .text(structure?.name ?? "mean of structures"),
                        .integer(summary.count), .integer(summary.undefinedCount),
                    ] + numbers.map { $0.map(TSVField.number) ?? .missing }
                        + [worst.first.map { .text($0.name) } ?? .missing])
            }
        }
        return result
    }

    // MARK: - Summary

    /// The text of `summary.json`: what nnU-Net v2 writes, and more.
    ///
    /// `metric_per_case`, `mean` and `foreground_mean` have nnU-Net's names and, under them,
    /// nnU-Net's values: a mean is over the cases where the metric is defined, `foreground_mean` is
    /// over all structures and undefined as soon as one of them is. Beyond nnU-Net, all metrics of
    /// `metrics_wide.csv` stand beside nnU-Net's, each case has its `name` and perhaps a
    /// `failure`, `structures` names the labels, `convention` and `tolerance_mm` the definitions,
    /// and `foreground_mean_of_defined` leaves undefined structures out.
    ///
    /// As Python does, an undefined number is written `NaN`, which strict JSON readers refuse;
    /// nnU-Net's own readers expect it. Keys are sorted, numbers are the shortest that read back as
    /// the same value.
    public var summaryJSON: String { summary.text + "\n" }

    /// The same in strict JSON, in ASCII on one line: what is undefined is `null`.
    public var strictSummaryJSON: String { summary.scriptText + "\n" }

    private var summary: JSONValue {
        func json(_ value: Double?) -> JSONValue { .number(value ?? .nan) }
        func object(_ value: (SummaryMetric) -> JSONValue) -> JSONValue {
            .object(
                Dictionary(uniqueKeysWithValues: SummaryMetric.all.map { ($0.name, value($0)) }))
        }
        let means = table.structures.indices.map { position in
            Dictionary(
                uniqueKeysWithValues: SummaryMetric.all.map { metric in
                    (
                        metric.name,
                        mean(of: cases.compactMap { metric.value($0.structures[position]) })
                    )
                })
        }
        let perCase = cases.map { evaluated in
            var members: [String: JSONValue] = [
                "name": .string(evaluated.name),
                "prediction_file": .string(evaluated.predictionFile),
                "reference_file": .string(evaluated.referenceFile),
                "metrics": .object(
                    Dictionary(
                        uniqueKeysWithValues: evaluated.structures.map { metrics in
                            (
                                String(metrics.label),
                                object { metric in
                                    let value = metric.value(metrics)
                                    return metric.isCount
                                        ? .integer(Int(value ?? 0)) : json(value)
                                }
                            )
                        })),
            ]
            if let failure = evaluated.failure { members["failure"] = .string(failure) }
            return JSONValue.object(members)
        }
        let labels = table.structures.map { String($0.index) }
        return JSONValue.object([
            "metric_per_case": .array(perCase),
            "mean": .object(
                Dictionary(
                    uniqueKeysWithValues: zip(labels, means).map { label, means in
                        (label, object { json(means[$0.name].flatMap(\.self)) })
                    })),
            "foreground_mean": object { metric in
                let values = means.map { $0[metric.name].flatMap(\.self) }
                return values.contains(nil) ? json(nil) : json(mean(of: values.compactMap(\.self)))
            },
            "foreground_mean_of_defined": object { metric in
                json(mean(of: means.compactMap { $0[metric.name].flatMap(\.self) }))
            },
            "structures": .object(
                Dictionary(
                    uniqueKeysWithValues: table.structures.map {
                        (String($0.index), .string($0.name))
                    })),
            "convention": .string(options.convention.rawValue),
            "tolerance_mm": .number(options.toleranceMillimeters),
        ])
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

/// A metric of `summary.json`: nnU-Net's under its names, then all others.
private struct SummaryMetric {
    var name: String
    var isCount: Bool
    var value: (StructureMetrics) -> Double?

    private static func count(
        _ name: String, _ count: @escaping (OverlapCounts) -> Int
    ) -> SummaryMetric {
        SummaryMetric(name: name, isCount: true) { Double(count($0.counts)) }
    }

    static var all: [SummaryMetric] {
        [
            // nnU-Net's definitions, whatever the convention.
            SummaryMetric(name: "Dice", isCount: false) { $0.counts.diceCoefficient },
            SummaryMetric(name: "IoU", isCount: false) { $0.counts.jaccardIndex },
            count("TP", \.truePositives), count("FP", \.falsePositives),
            count("FN", \.falseNegatives), count("TN", \.trueNegatives),
            count("n_pred", \.predictionVoxels), count("n_ref", \.referenceVoxels),
        ]
            + StructureMetric.allCases.filter { $0.unit != "voxels" }.map { metric in
                SummaryMetric(name: metric.columnName, isCount: false) { $0[metric] }
            }
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
