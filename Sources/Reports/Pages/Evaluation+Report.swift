import SegmentationMetrics
import Volumes

extension Evaluation {
    /// What a page shows of each case and structure.
    private static let reported: [(shown: ReportMetric, metric: StructureMetric)] = [
        (ReportMetric(name: "Dice", higherIsBetter: true), .dice),
        (ReportMetric(name: "Surface Dice", higherIsBetter: true), .surfaceDice),
        (ReportMetric(name: "HD95", unit: "mm", higherIsBetter: false, decimals: 2), .hausdorff95),
        (
            ReportMetric(
                name: "Mean surface distance", unit: "mm", higherIsBetter: false, decimals: 2),
            .meanSurfaceDistance
        ),
    ]

    /// Beside them: how far the volumes are apart, as a share of the reference's.
    private static let volumeError = ReportMetric(
        name: "Volume error", unit: "%", higherIsBetter: false, decimals: 1)

    /// The cases as a page to read.
    ///
    /// - Parameters:
    ///   - title: The page's title.
    ///   - summary: A sentence under the title.
    ///   - flags: More for a reader to look at, by case; structures that only one of the two maps
    ///     holds are named in any way.
    ///   - provenance: Where the numbers come from; the convention is added.
    /// - Returns: The page, to be written.
    public func report(
        title: String, summary: String = "", flags: [String: [String]] = [:],
        provenance: [ReportFact] = []
    ) -> Report {
        Report(
            title: title, summary: summary, table: table,
            metrics: Self.reported.map(\.shown) + [Self.volumeError],
            cases: cases.map { evaluated in
                var values: [String: [UInt16: Double]] = [:]
                for (shown, metric) in Self.reported {
                    for structure in evaluated.structures {
                        values[shown.name, default: [:]][structure.label] = structure[metric]
                    }
                }
                for structure in evaluated.structures {
                    values[Self.volumeError.name, default: [:]][structure.label] =
                        structure.relativeVolumeDifference.map { abs($0) * 100 }
                }
                // Without a prediction all are missing, as the failure says.
                let oneSided = evaluated.failure != nil ? [] : evaluated.oneSidedFlags(in: table)
                return ReportCase(
                    name: evaluated.name, values: values, failure: evaluated.failure,
                    flags: oneSided
                        + (flags[evaluated.name] ?? []).filter { !oneSided.contains($0) })
            },
            provenance: [
                ReportFact(name: "Convention", value: options.convention.rawValue),
                ReportFact(
                    name: "Tolerance of the surface Dice",
                    value: "\(options.toleranceMillimeters) mm"),
            ] + provenance, groups: groups)
    }
}

extension EvaluatedCase {
    fileprivate func oneSidedFlags(in table: LabelTable) -> [String] {
        structures.compactMap { metrics in
            let name = table[metrics.label]?.name ?? String(metrics.label)
            switch metrics.presence {
            case .missing: return "\(name) is missing"
            case .spurious: return "\(name) is not in the reference"
            case .inBoth, .inNeither: return nil
            }
        }
    }
}
