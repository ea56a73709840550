public import Volumes

/// The fate of a case that was asked for.
public enum CaseState: String, Sendable, Hashable, Codable, CaseIterable {
    /// Prediction and reference were compared.
    case measured
    /// There is no prediction; the case counts as if nothing had been found.
    case noPrediction = "no-prediction"
    /// The prediction cannot be read; the case counts as if nothing had been found.
    case unreadablePrediction = "unreadable-prediction"
    /// The two maps lie on different grids; the case is in no figure.
    case otherGrid = "other-grid"
    /// The reference cannot be read; the case is in no figure.
    case unreadableReference = "unreadable-reference"
    /// There is no reference; the case is in no figure.
    case noReference = "no-reference"

    /// The state as a part of a sentence: "2 on another grid".
    public var phrase: String {
        switch self {
        case .measured: "measured"
        case .noPrediction: "without a prediction"
        case .unreadablePrediction: "with an unreadable prediction"
        case .otherGrid: "on another grid"
        case .unreadableReference: "with an unreadable reference"
        case .noReference: "without a reference"
        }
    }
}

/// A prediction measured against its reference.
public struct EvaluatedCase: Sendable, Hashable {
    /// The case's name.
    public var name: String
    /// Path of the prediction; empty where there is none.
    public var predictionFile: String
    /// Path of the reference.
    public var referenceFile: String
    /// The agreement of the two, structure by structure.
    public var structures: [StructureMeasurement]
    /// The reason why there is no prediction, in one sentence; `nil` where there is one.
    ///
    /// Such a case is measured as if its prediction were empty, so that a failure never improves a
    /// mean.
    public var failure: String?
    /// The case's fate: one of those that enter the figures.
    public var state: CaseState

    /// Makes an evaluated case.
    ///
    /// - Parameters:
    ///   - name: The case's name.
    ///   - predictionFile: Path of the prediction; empty where there is none.
    ///   - referenceFile: Path of the reference.
    ///   - structures: The measurements.
    ///   - failure: The reason why there is no prediction.
    ///   - state: The case's fate; by default ``CaseState/measured``, or
    ///     ``CaseState/noPrediction`` where there is a failure.
    public init(
        name: String, predictionFile: String, referenceFile: String,
        structures: [StructureMeasurement], failure: String? = nil, state: CaseState? = nil
    ) {
        self.name = name
        self.predictionFile = predictionFile
        self.referenceFile = referenceFile
        self.structures = structures
        self.failure = failure
        self.state = state ?? (failure == nil ? .measured : .noPrediction)
    }
}

/// A case that was asked for and could not be measured.
public struct UnmeasuredCase: Sendable, Hashable {
    /// The case's name.
    public var name: String
    /// The case's fate: one of those that enter no figure.
    public var state: CaseState
    /// The reason in one sentence.
    public var reason: String

    /// Makes an entry.
    public init(name: String, state: CaseState, reason: String) {
        self.name = name
        self.state = state
        self.reason = reason
    }
}

/// Cases measured against references, and those that could not be.
public struct Evaluation: Sendable, Hashable {
    /// The cases in the figures, in the order of the tables.
    public let cases: [EvaluatedCase]
    /// The structures, in the order of the tables.
    public let table: LabelTable
    /// The structures that predictions hold and no reference does, in the order of the tables.
    ///
    /// The references know nothing of them, so that they are in no mean.
    public let structuresInNoReference: [Structure]
    /// The convention that was followed, and the tolerance of the surface Dice.
    public let options: MetricOptions
    /// Cases that were asked for and are in no figure.
    public var unmeasured: [UnmeasuredCase]
    /// Remarks that a reader of any figure should know, a sentence each.
    public var notes: [String]
    /// The groups of the cases, such as the sex of the participants; `nil` for none.
    public var groups: CaseGroups?

    /// Collects cases.
    ///
    /// - Parameters:
    ///   - cases: The cases that were measured.
    ///   - table: The structures to report.
    ///   - options: The options that all cases were measured with.
    ///   - unmeasured: Cases that could not be measured.
    ///   - notes: Remarks, a sentence each.
    /// - Precondition: each case has metrics for every structure of the table, and no two cases
    ///   have one name.
    public init(
        cases: [EvaluatedCase], table: LabelTable, options: MetricOptions,
        unmeasured: [UnmeasuredCase] = [], notes: [String] = []
    ) {
        let indices = table.structures.map(\.index)
        let filled = cases.map { evaluated in
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
        self.cases = filled
        self.table = table
        structuresInNoReference = table.structures.enumerated().compactMap { position, structure in
            let presences = filled.map { $0.structures[position].presence }
            return presences.contains(.spurious)
                && presences.allSatisfy { $0 == .spurious || $0 == .inNeither } ? structure : nil
        }
        self.options = options
        self.unmeasured = unmeasured
        self.notes = notes
    }

    /// The number of cases that were asked for.
    public var requestedCount: Int { cases.count + unmeasured.count }

    /// The number of requested cases in each state that occurs.
    public var stateCounts: [(state: CaseState, count: Int)] {
        let states = cases.map(\.state) + unmeasured.map(\.state)
        return CaseState.allCases.compactMap { state in
            let count = states.count { $0 == state }
            return count == 0 ? nil : (state, count)
        }
    }

    /// The number of cases that the means are over, and the fate of the others: `3 of 5 cases; not
    /// measured: 1 on another grid, 1 without a reference`.
    public var coverageDescription: String {
        let asked = "\(requestedCount) \(requestedCount == 1 ? "case" : "cases")"
        guard !unmeasured.isEmpty else { return asked }
        let others = stateCounts.filter { entry in unmeasured.contains { $0.state == entry.state } }
        return "\(cases.count) of \(asked); not measured: "
            + others.map { "\($0.count) \($0.state.phrase)" }.joined(separator: ", ")
    }

    /// The definitions as tables name them: `surface-distance, tolerance 1.0 mm`.
    public var conventionDescription: String {
        "\(options.convention.rawValue), tolerance \(options.toleranceMillimeters) mm"
    }

    /// The structures that only one of the two maps of a case holds, in the order of the tables.
    public var presenceMismatches:
        [(name: String, structure: Structure, presence: StructurePresence)]
    {
        cases.flatMap { evaluated in
            zip(table.structures, evaluated.structures).compactMap { structure, metrics in
                metrics.isOneSided ? (evaluated.name, structure, metrics.presence) : nil
            }
        }
    }

    /// A remark that names the structures in no reference; `nil` where there are none.
    public var noteOnStructuresInNoReference: String? {
        let names = structuresInNoReference.map(\.name)
        guard !names.isEmpty else { return nil }
        return "\(names.count) \(names.count == 1 ? "structure is" : "structures are") in no "
            + "reference and not in the mean: " + names.prefix(8).joined(separator: ", ")
            + (names.count > 8 ? " and \(names.count - 8) more" : "")
    }

    /// The number of structures that the means are over: those that some case has a Dice of.
    public var structureCountOfMeans: Int {
        let dice = values(of: .dice)
        return dice.labels.indices.count { column in
            dice.cases.contains { $0.values[column] != nil }
        }
    }

    /// One metric of all cases; undefined for ``structuresInNoReference``.
    ///
    /// - Parameters:
    ///   - metric: The metric.
    ///   - name: The names of the rows; by default the cases' names.
    /// - Returns: A row per case, a column per structure.
    public func values(
        of metric: StructureMetric, namedBy name: (EvaluatedCase) -> String = { $0.name }
    ) -> MetricTable {
        let excluded = Set(structuresInNoReference.map(\.index))
        return MetricTable(
            labels: table.structures.map(\.index),
            cases: cases.map { evaluated in
                MetricTable.Case(
                    name: name(evaluated),
                    values: evaluated.structures.map {
                        excluded.contains($0.label) ? nil : $0[metric]
                    })
            })
    }

    /// One metric of the cases of each group, the cases without a group last; empty where the cases
    /// are not grouped.
    public func grouped(by metric: StructureMetric) -> [MetricTable.Group] {
        groups.map { values(of: metric).grouped(by: $0) } ?? []
    }
}
