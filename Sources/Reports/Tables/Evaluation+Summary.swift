public import SegmentationMetrics
import Volumes

extension Evaluation {
    /// The text of `summary.json`: what nnU-Net v2 writes, and more.
    ///
    /// `metric_per_case`, `mean` and `foreground_mean` have nnU-Net's names and, under them,
    /// nnU-Net's values: a mean is over the cases where the metric is defined. Beyond nnU-Net, all
    /// metrics of `metrics_wide.csv` stand beside nnU-Net's, each measured case has its `name`,
    /// `state` and perhaps a `failure` and `penalty_distances`; `cases` lists every case that was
    /// asked for with its state, `unmeasured` those in no figure, and `case_counts` counts them;
    /// `mean_of_cases` is the mean that the terminal and the page show, over cases of each case's
    /// mean over its structures, with the number `n` of cases, and leaves out the structures of
    /// `structures_in_no_reference`, whose Dice is 0 in nnU-Net's means; `structures` names the labels,
    /// `convention` and `tolerance_mm` the definitions, `notes` has what a reader should know, and
    /// `groups` the means of each group where cases are grouped.
    ///
    /// Where nnU-Net writes `NaN`, which is not JSON, `null` stands here: nnU-Net's
    /// `load_summary_json` reads it as `None`. `foreground_mean` leaves out the structures that are
    /// defined in no case (nnU-Net's is `NaN` then), so that `determine_postprocessing` always finds a
    /// number to compare. Keys are sorted, numbers are the shortest that read back as the same value.
    public var summaryJSON: String { summary.text + "\n" }

    /// The same in ASCII on one line.
    public var strictSummaryJSON: String { summary.scriptText + "\n" }

    private var summary: JSONValue {
        func json(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
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
                "name": .string(evaluated.name), "state": .string(evaluated.state.rawValue),
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
            let penalties = evaluated.structures.filter(\.hasPenaltyDistances)
            if !penalties.isEmpty {
                members["penalty_distances"] = .array(penalties.map { .integer(Int($0.label)) })
            }
            return JSONValue.object(members)
        }
        let labels = table.structures.map { String($0.index) }
        var members: [String: JSONValue] = [
            "metric_per_case": .array(perCase),
            "mean": .object(
                Dictionary(
                    uniqueKeysWithValues: zip(labels, means).map { label, means in
                        (label, object { json(means[$0.name].flatMap(\.self)) })
                    })),
            "foreground_mean": object { metric in
                json(mean(of: means.compactMap { $0[metric.name].flatMap(\.self) }))
            },
            "mean_of_cases": .object(
                Dictionary(
                    uniqueKeysWithValues: StructureMetric.headline.map { metric in
                        let summary = values(of: metric).overallSummary()
                        return (
                            metric.columnName,
                            .object([
                                "mean": json(summary.mean), "n": .integer(summary.count),
                                "sd": json(summary.standardDeviation),
                            ])
                        )
                    })),
            "cases": .array(
                (cases.map { ($0.name, $0.state) } + unmeasured.map { ($0.name, $0.state) }).map {
                    .object(["name": .string($0), "state": .string($1.rawValue)])
                }),
            "unmeasured": .array(
                unmeasured.map {
                    .object([
                        "name": .string($0.name), "state": .string($0.state.rawValue),
                        "reason": .string($0.reason),
                    ])
                }),
            "case_counts": .object(
                Dictionary(
                    uniqueKeysWithValues: [
                        ("requested", .integer(requestedCount)),
                        ("in_figures", .integer(cases.count)),
                    ] + stateCounts.map { ($0.state.rawValue, .integer($0.count)) })),
            "structures_in_no_reference": .array(
                structuresInNoReference.map { .integer(Int($0.index)) }),
            "notes": .array(notes.map(JSONValue.string)),
            "structures": .object(
                Dictionary(
                    uniqueKeysWithValues: table.structures.map {
                        (String($0.index), .string($0.name))
                    })),
            "convention": .string(options.convention.rawValue),
            "tolerance_mm": .number(options.toleranceMillimeters),
        ]
        if let groups { members["groups"] = summary(of: groups) }
        return JSONValue.object(members)
    }

    /// The means of each group: what `mean` is over all cases.
    private func summary(of groups: CaseGroups) -> JSONValue {
        func json(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
        let tables = StructureMetric.headline.map { ($0.columnName, grouped(by: $0)) }
        let members = (tables.first?.1 ?? []).indices.map { position in
            let cases = tables[0].1[position].table.cases.map(\.name)
            let means = table.structures.map { structure in
                JSONValue.object(
                    Dictionary(
                        uniqueKeysWithValues: tables.map { name, groups in
                            let values = groups[position].table.values(of: structure.index)
                            return (name, json(mean(of: values.compactMap(\.self))))
                        }))
            }
            let overall = Dictionary(
                uniqueKeysWithValues: tables.map { name, groups in
                    let cases = groups[position].table.cases
                    let mean = mean(of: cases.compactMap(\.meanOverStructures))
                    return (name, json(mean))
                })
            return JSONValue.object([
                "group": tables[0].1[position].category.map(JSONValue.string) ?? .null,
                "cases": .array(cases.map(JSONValue.string)),
                "mean": .object(
                    Dictionary(
                        uniqueKeysWithValues: zip(
                            table.structures.map { String($0.index) }, means))),
                "mean_of_structures": .object(overall),
            ])
        }
        return .object(["by": .string(groups.name), "groups": .array(members)])
    }
}

/// A metric of `summary.json`: nnU-Net's under its names, then all others.
private struct SummaryMetric {
    var name: String
    var isCount: Bool
    var value: (StructureMeasurement) -> Double?

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
            + StructureMetric.all.filter { $0.unit != .voxels }.map { metric in
                SummaryMetric(name: metric.columnName, isCount: false) { $0[metric] }
            }
    }
}
