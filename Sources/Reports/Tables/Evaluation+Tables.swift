import Files
public import SegmentationMetrics
import Volumes

extension Evaluation {
    /// Dice per structure, with 95 % intervals of the means where there are four cases or more,
    /// and the means of two distances; in the last row the cases' means over their structures.
    public var diceTable: DiceTable {
        let dice = values(of: .dice)
        let distance = values(of: .hausdorff95)
        let surface = values(of: .surfaceDice)
        var rows = zip(table.structures, dice.structureSummaries()).map { structure, summary in
            DiceTable.Row(
                name: structure.name, summary: summary,
                hausdorff95Millimeters: mean(
                    of: distance.values(of: structure.index).compactMap(\.self)),
                surfaceDice: mean(of: surface.values(of: structure.index).compactMap(\.self)))
        }
        let excluded = Set(structuresInNoReference.map(\.index))
        var penalties = 0
        for (position, structure) in table.structures.indices.enumerated() {
            guard !excluded.contains(table.structures[structure].index) else { continue }
            let count = cases.count { $0.structures[structure].hasPenaltyDistances }
            rows[position].hasPenaltyDistances = count > 0
            penalties += count
        }
        var overall = DiceTable.Row(
            name: "mean over \(cases.count) \(cases.count == 1 ? "case" : "cases")",
            summary: dice.overallSummary(), hausdorff95Millimeters: distance.overallSummary().mean,
            surfaceDice: surface.overallSummary().mean)
        overall.hasPenaltyDistances = penalties > 0
        var notes = [
            "The last row is the mean over cases of each case's mean over its structures, "
                + "\(structureCountOfMeans) in all.",
            "Convention \(options.convention.rawValue); NSD at \(options.toleranceMillimeters) mm, "
                + "HD95 in mm.",
        ]
        if penalties > 0 {
            notes.append(
                "\(DiceTable.penaltyMark) with \(penalties) "
                    + (penalties == 1 ? "penalty" : "penalties")
                    + ": the image's diagonal, where only one of two maps holds the structure.")
        }
        if !unmeasured.isEmpty { notes.append("Means are over \(coverageDescription).") }
        return DiceTable(rows: rows, overall: overall, note: notes.joined(separator: "\n"))
    }

    /// One line per case, structure and metric (`metrics.tsv`): case, index, name, metric, value,
    /// unit, convention, tolerance_mm, note.
    ///
    /// An undefined value is `n/a`. The note is `penalty` where a distance is the image's diagonal
    /// because only one of the two maps holds the structure. After a case's structures come its
    /// mean foreground Dice and its generalised Dice, whose index is `n/a`, without structures that
    /// are in no reference.
    public var metricsTable: TSVTable {
        var result = TSVTable(columns: [
            "case", "index", "name", "metric", "value", "unit", "convention", "tolerance_mm",
            "note",
        ])
        let definitions: [TSVField] = [
            .text(options.convention.rawValue), .number(options.toleranceMillimeters),
        ]
        let excluded = Set(structuresInNoReference.map(\.index))
        for evaluated in cases {
            for (structure, metrics) in zip(table.structures, evaluated.structures) {
                for metric in StructureMetric.all {
                    let isPenalty = metric.isDistance && metrics.hasPenaltyDistances
                    result.append(
                        [
                            .text(evaluated.name), .integer(Int(structure.index)),
                            .text(structure.name), .text(metric.id),
                            metric.field(of: metrics), .text(metric.unit.rawValue),
                        ] + definitions + [isPenalty ? .text("penalty") : .missing])
                }
            }
            let whole = CaseMetrics(
                structures: evaluated.structures.filter { !excluded.contains($0.label) },
                options: options)
            for (name, value) in [
                ("mean_foreground_dice", whole.meanForegroundDice),
                ("generalised_dice", whole.generalisedDice),
            ] {
                result.append(
                    [
                        .text(evaluated.name), .missing, .text("all structures"), .text(name),
                        value.map(TSVField.number) ?? .missing, .text("1"),
                    ] + definitions + [.missing])
            }
        }
        return result
    }

    /// One line per case and structure, a column per metric (`metrics_wide.csv`).
    ///
    /// Columns in millimetres end in `_mm` and `_mm3`; `presence` says whether the structure is in
    /// `both` maps, `missing` in the prediction, `spurious` or in `neither`; `penalty_distances`
    /// whether the distances are the image's diagonal for want of one of the maps; `failure` why a
    /// case has no prediction.
    public var wideTable: TSVTable {
        var result = TSVTable(
            columns: ["case", "index", "name", "presence"]
                + StructureMetric.all.map(\.columnName)
                + ["penalty_distances", "convention", "tolerance_mm", "failure"])
        for evaluated in cases {
            for (structure, metrics) in zip(table.structures, evaluated.structures) {
                result.append(
                    [
                        .text(evaluated.name), .integer(Int(structure.index)),
                        .text(structure.name), .text(metrics.presence.rawValue),
                    ] + StructureMetric.all.map { $0.field(of: metrics) }
                        + [
                            .text(String(metrics.hasPenaltyDistances)),
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
    /// `penalties` counts the values that are the image's diagonal in place of a distance.
    ///
    /// `undefined` counts the cases left out, such as those in which neither map holds the
    /// structure, and all cases where no reference holds it. Intervals hold the mean with 95 % probability: `boot` by the bootstrap, `t` by
    /// Student's distribution.
    public var statisticsTable: TSVTable {
        var result = TSVTable(columns: [
            "group", "metric", "unit", "index", "name", "n", "undefined", "mean", "sd", "median",
            "lower_quartile", "upper_quartile", "minimum", "maximum", "boot_lower", "boot_upper",
            "t_lower", "t_upper", "worst_case", "penalties",
        ])
        let excluded = Set(structuresInNoReference.map(\.index))
        let caseOfName = Dictionary(
            cases.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        func append(_ values: MetricTable, of metric: StructureMetric, group: TSVField) {
            let members = values.cases.compactMap { caseOfName[$0.name] }
            let rows =
                zip(table.structures.map(Optional.some), values.structureSummaries())
                + [(nil, values.overallSummary())]
            for (structure, summary) in rows {
                let worst = values.worstCases(
                    of: structure?.index, where: metric.direction ?? .zeroIsBest, count: 1)
                let penalties = members.reduce(0) { sum, member in
                    sum
                        + member.structures.count {
                            $0.hasPenaltyDistances && !excluded.contains($0.label)
                                && (structure == nil || $0.label == structure?.index)
                        }
                }
                let numbers = [
                    summary.mean, summary.standardDeviation, summary.median,
                    summary.lowerQuartile, summary.upperQuartile, summary.minimum,
                    summary.maximum, summary.meanInterval?.lower, summary.meanInterval?.upper,
                    summary.parametricMeanInterval?.lower, summary.parametricMeanInterval?.upper,
                ]
                result.append(
                    [
                        group, .text(metric.id), .text(metric.unit.rawValue),
                        structure.map { .integer(Int($0.index)) } ?? .missing,
                        .text(structure?.name ?? "mean of structures"),
                        .integer(summary.count), .integer(summary.undefinedCount),
                    ] + numbers.map { $0.map(TSVField.number) ?? .missing }
                        + [
                            worst.first.map { .text($0.name) } ?? .missing,
                            .integer(metric.isDistance ? penalties : 0),
                        ])
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

    /// The files of ``write(to:)``.
    public static let fileNames = [
        "metrics.tsv", "metrics_wide.csv", "statistics.tsv", "summary.json",
    ]

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
    fileprivate func field(of metrics: StructureMeasurement) -> TSVField {
        guard let value = metrics[self] else { return .missing }
        return unit == .voxels ? .integer(Int(value)) : .number(value)
    }
}
