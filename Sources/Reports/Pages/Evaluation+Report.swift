public import SegmentationMetrics
import Volumes

extension Evaluation {
    /// A metric as a page shows it.
    private static func shown(_ metric: StructureMetric) -> ReportMetric {
        ReportMetric(
            name: metric.title, unit: metric.isDistance ? "mm" : "", direction: metric.direction,
            decimals: metric.isDistance ? 2 : 3)
    }

    /// The metrics that a page shows for each case and structure.
    private static let reported: [(shown: ReportMetric, metric: StructureMetric)] =
        [StructureMetric.dice, .surfaceDice, .hausdorff95, .meanSurfaceDistance]
        .map { (shown($0), $0) }

    /// The distance between the volumes as a share of the reference's.
    private static let volumeError = ReportMetric(
        name: "Volume error", unit: "%", direction: .lowerIsBetter, decimals: 1)

    /// The cases as a page to read; those that could not be measured stand there with the reason.
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
        let excluded = Set(structuresInNoReference.map(\.index))
        let measured = cases.map { evaluated -> ReportCase in
            var values: [ReportMetric: [UInt16: Double]] = [:]
            var penalties: [ReportMetric: Set<UInt16>] = [:]
            for (shown, metric) in Self.reported {
                for structure in evaluated.structures where !excluded.contains(structure.label) {
                    values[shown, default: [:]][structure.label] = structure[metric]
                    if metric.isDistance, structure.hasPenaltyDistances {
                        penalties[shown, default: []].insert(structure.label)
                    }
                }
            }
            for structure in evaluated.structures where !excluded.contains(structure.label) {
                values[Self.volumeError, default: [:]][structure.label] =
                    structure.relativeVolumeDifference.map { abs($0) * 100 }
            }
            // Without a prediction all are missing, as the failure says.
            let oneSided =
                evaluated.failure != nil ? [] : evaluated.oneSidedFlags(in: table, except: excluded)
            let known = evaluated.failure != nil ? [] : evaluated.oneSidedNames(in: table)
            var reported = ReportCase(
                name: evaluated.name, values: values, failure: evaluated.failure,
                flags: oneSided
                    + (flags[evaluated.name] ?? []).filter {
                        !oneSided.contains($0) && !known.contains($0)
                    })
            reported.penalties = penalties
            return reported
        }
        let others = unmeasured.map { other -> ReportCase in
            var reported = ReportCase(
                name: other.name, values: [:], failure: other.reason,
                flags: flags[other.name] ?? [])
            reported.isUnmeasured = true
            return reported
        }
        var report = Report(
            title: title, summary: summary, table: table,
            metrics: Self.reported.map(\.shown) + [Self.volumeError], cases: measured + others,
            provenance: [
                ReportFact(name: "Convention", value: options.convention.rawValue),
                ReportFact(
                    name: "Tolerance of the surface Dice",
                    value: "\(options.toleranceMillimeters) mm"),
            ] + provenance, groups: groups)
        report.notes = notes
        report.structuresInNoReference = excluded
        return report
    }
}

extension EvaluatedCase {
    /// The largest number of structures missing in one map that are named one by one.
    private static let namedOneByOne = 3

    /// The structures that only one map holds: a few by name, more in one remark.
    fileprivate func oneSidedFlags(in table: LabelTable, except excluded: Set<UInt16>) -> [String] {
        [StructurePresence.missing, .spurious].flatMap { presence -> [String] in
            let names = self.names(presence, in: table, except: excluded)
            let isMissing = presence == .missing
            guard names.count > Self.namedOneByOne else {
                return names.map { $0 + (isMissing ? " is missing" : " is not in the reference") }
            }
            return [
                "\(names.count) structures are "
                    + (isMissing ? "missing: " : "not in the reference: ")
                    + names.joined(separator: ", ")
            ]
        }
    }

    /// The sentences about single structures that ``oneSidedFlags(in:except:)`` may have drawn together.
    fileprivate func oneSidedNames(in table: LabelTable) -> Set<String> {
        Set(names(.missing, in: table).map { $0 + " is missing" })
    }

    private func names(
        _ presence: StructurePresence, in table: LabelTable, except excluded: Set<UInt16> = []
    ) -> [String] {
        structures.filter { $0.presence == presence && !excluded.contains($0.label) }.map {
            table[$0.label]?.name ?? String($0.label)
        }
    }
}
