import AtomicFiles
public import SegmentationMetrics
public import Volumes

/// A prediction measured against its reference.
public struct EvaluatedCase: Sendable, Hashable {
    /// The case's name.
    public var name: String
    /// Path of the prediction.
    public var predictionFile: String
    /// Path of the reference.
    public var referenceFile: String
    /// How the two agree, structure by structure.
    public var overlaps: [OverlapCounts]

    /// Makes an evaluated case.
    public init(
        name: String, predictionFile: String, referenceFile: String, overlaps: [OverlapCounts]
    ) {
        self.name = name
        self.predictionFile = predictionFile
        self.referenceFile = referenceFile
        self.overlaps = overlaps
    }
}

/// Cases measured against references, ready to be written.
public struct Evaluation: Sendable, Hashable {
    /// The cases, in the order of the tables.
    public let cases: [EvaluatedCase]
    /// The structures, in the order of the tables.
    public let table: LabelTable

    /// Collects cases.
    ///
    /// - Parameters:
    ///   - cases: The cases.
    ///   - table: The structures to report.
    /// - Precondition: each case has counts for every structure of the table.
    public init(cases: [EvaluatedCase], table: LabelTable) {
        for evaluated in cases {
            let counted = Set(evaluated.overlaps.map(\.label))
            let missing = table.structures.filter { !counted.contains($0.index) }
            precondition(
                missing.isEmpty,
                "case '\(evaluated.name)' has no counts for \(missing.map(\.index))")
        }
        self.cases = cases
        self.table = table
    }

    /// The counts of the table's structures in a case, in the table's order.
    private func overlaps(of evaluated: EvaluatedCase) -> [(Structure, OverlapCounts)] {
        let counts = Dictionary(
            evaluated.overlaps.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        return table.structures.compactMap { structure in
            counts[structure.index].map { (structure, $0) }
        }
    }

    /// Dice per structure, with 95 % intervals of the means where there are three cases or more.
    public var diceTable: DiceTable {
        let scores = cases.map { overlaps(of: $0).map(\.1.diceCoefficient) }
        return DiceTable(
            rows: table.structures.enumerated().map { position, structure in
                DiceTable.Row(
                    name: structure.name, summary: SampleSummary(of: scores.map { $0[position] }))
            })
    }

    /// One line per case, structure and metric (`metrics.tsv`): case, index, name, metric, value.
    ///
    /// Dice and IoU are `n/a` where neither map holds the structure.
    public var metricsTable: TSVTable {
        var result = TSVTable(columns: ["case", "index", "name", "metric", "value"])
        for evaluated in cases {
            for (structure, counts) in overlaps(of: evaluated) {
                for metric in Metric.allCases {
                    result.append([
                        .text(evaluated.name), .integer(Int(structure.index)),
                        .text(structure.name), .text(metric.rawValue), metric.field(counts),
                    ])
                }
            }
        }
        return result
    }

    /// The text of `summary.json`: what nnU-Net v2 writes, and a little more.
    ///
    /// `metric_per_case`, `mean` and `foreground_mean` have nnU-Net's names and values: a mean is
    /// over the cases where the metric is defined, `foreground_mean` is over all structures and
    /// undefined as soon as one of them is. Beyond nnU-Net, each case has its `name`, `structures`
    /// names the labels, and `foreground_mean_of_defined` leaves undefined structures out.
    ///
    /// As Python does, an undefined number is written `NaN`, which strict JSON readers refuse;
    /// nnU-Net's own readers expect it. Keys are sorted, numbers are the shortest that read back as
    /// the same value.
    public var summaryJSON: String {
        let metricsOfCases = cases.map { overlaps(of: $0) }
        var means: [String: [Metric: Double]] = [:]
        for (position, structure) in table.structures.enumerated() {
            var ofMetrics: [Metric: Double] = [:]
            for metric in Metric.allCases {
                let values = metricsOfCases.compactMap { metric.value($0[position].1) }
                ofMetrics[metric] = mean(of: values) ?? .nan
            }
            means[String(structure.index)] = ofMetrics
        }
        func foregroundMean(_ isCounted: (Double) -> Bool) -> JSONValue {
            .metrics { metric in
                let values = table.structures.compactMap { means[String($0.index)]?[metric] }
                return .number(mean(of: values.filter(isCounted)) ?? .nan)
            }
        }
        let perCase = zip(cases, metricsOfCases).map { evaluated, metrics in
            JSONValue.object([
                "name": .string(evaluated.name),
                "prediction_file": .string(evaluated.predictionFile),
                "reference_file": .string(evaluated.referenceFile),
                "metrics": .object(
                    Dictionary(
                        uniqueKeysWithValues: metrics.map { structure, counts in
                            (String(structure.index), .metrics { $0.json(counts) })
                        })),
            ])
        }
        let names = table.structures.map { (String($0.index), JSONValue.string($0.name)) }
        return JSONValue.object([
            "metric_per_case": .array(perCase),
            "mean": .object(
                means.mapValues { ofMetrics in .metrics { .number(ofMetrics[$0] ?? .nan) } }),
            "foreground_mean": foregroundMean { _ in true },
            "foreground_mean_of_defined": foregroundMean { !$0.isNaN },
            "structures": .object(Dictionary(uniqueKeysWithValues: names)),
        ]).text + "\n"
    }

    /// Writes `metrics.tsv` and `summary.json` into a folder that exists.
    ///
    /// - Parameter folder: Where they go; files there are replaced.
    /// - Throws: `FileWriteError` where one cannot be written.
    public func write(to folder: String) throws {
        try metricsTable.write(to: folder + "/metrics.tsv")
        try writeAtomically(summaryJSON, to: folder + "/summary.json")
    }
}

/// What is reported of each structure, under nnU-Net's names.
private enum Metric: String, CaseIterable {
    case dice = "Dice"
    case intersectionOverUnion = "IoU"
    case truePositives = "TP"
    case falsePositives = "FP"
    case falseNegatives = "FN"
    case trueNegatives = "TN"
    case predictionVoxels = "n_pred"
    case referenceVoxels = "n_ref"

    func field(_ counts: OverlapCounts) -> TSVField {
        switch self {
        case .dice: counts.diceCoefficient.map(TSVField.number) ?? .missing
        case .intersectionOverUnion: counts.jaccardIndex.map(TSVField.number) ?? .missing
        case .truePositives: .integer(counts.truePositives)
        case .falsePositives: .integer(counts.falsePositives)
        case .falseNegatives: .integer(counts.falseNegatives)
        case .trueNegatives: .integer(counts.trueNegatives)
        case .predictionVoxels: .integer(counts.predictionVoxels)
        case .referenceVoxels: .integer(counts.referenceVoxels)
        }
    }

    func value(_ counts: OverlapCounts) -> Double? {
        switch field(counts) {
        case .number(let value): value
        case .integer(let count): Double(count)
        default: nil
        }
    }

    func json(_ counts: OverlapCounts) -> JSONValue {
        switch field(counts) {
        case .number(let value): .number(value)
        case .integer(let count): .integer(count)
        default: .number(.nan)
        }
    }
}

extension JSONValue {
    /// An object with one value for each metric.
    fileprivate static func metrics(_ value: (Metric) -> JSONValue) -> JSONValue {
        .object(
            Dictionary(uniqueKeysWithValues: Metric.allCases.map { ($0.rawValue, value($0)) }))
    }
}
