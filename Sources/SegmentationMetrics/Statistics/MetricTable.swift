/// One metric of many cases, structure by structure.
///
/// An undefined value is `nil`: it is counted and left out. A case whose prediction is missing is
/// not undefined; it stands in the table with the worst value that the metric's convention names,
/// so that a mean falls when a model fails.
public struct MetricTable: Sendable, Hashable {
    /// One row.
    public struct Case: Sendable, Hashable, Codable {
        /// The case's name.
        public var name: String
        /// Its values, in the order of the table's structures.
        public var values: [Double?]

        /// Makes a row.
        public init(name: String, values: [Double?]) {
            self.name = name
            self.values = values
        }

        /// The mean over the structures that have a value, or `nil` where none has.
        public var meanOverStructures: Double? { mean(of: values.compactMap(\.self)) }
    }

    /// A case and one of its values.
    public struct RankedCase: Sendable, Hashable, Codable {
        /// The case's name.
        public var name: String
        /// Its value.
        public var value: Double
    }

    /// The cases that share a category.
    public struct Group: Sendable, Hashable {
        /// The category, or `nil` for the cases that have none.
        public var category: String?
        /// The cases.
        public var table: MetricTable
    }

    /// The structures' values in label maps, in the order of the columns.
    public let labels: [UInt16]
    /// The rows.
    public let cases: [Case]

    /// Makes a table.
    ///
    /// - Parameters:
    ///   - labels: The structures' values in label maps.
    ///   - cases: The rows.
    /// - Precondition: no label and no name stands twice, each row has one value per label, and
    ///   values are finite.
    public init(labels: [UInt16], cases: [Case]) {
        precondition(Set(labels).count == labels.count, "a label stands twice in \(labels)")
        precondition(Set(cases.map(\.name)).count == cases.count, "a case stands twice")
        for row in cases {
            precondition(
                row.values.count == labels.count,
                "\(row.values.count) values for \(labels.count) structures")
            precondition(
                row.values.allSatisfy { $0?.isFinite ?? true }, "a value is not finite")
        }
        self.labels = labels
        self.cases = cases
    }

    /// The values of one structure, case by case.
    ///
    /// - Precondition: the label is in the table.
    public func values(of label: UInt16) -> [Double?] {
        guard let column = labels.firstIndex(of: label) else {
            preconditionFailure("label \(label) is not among \(labels)")
        }
        return cases.map { $0.values[column] }
    }

    /// Summarises each structure over the cases.
    ///
    /// - Parameter seed: Starts the random numbers of the intervals.
    /// - Returns: One summary for each structure, in the order of ``labels``.
    public func structureSummaries(seed: UInt64 = 1) -> [SampleSummary] {
        labels.map { SampleSummary(of: values(of: $0), seed: seed) }
    }

    /// Summarises the cases' means over structures.
    ///
    /// The cases are independent of each other and the structures of a case are not, so the
    /// interval is drawn over cases.
    ///
    /// - Parameter seed: Starts the random numbers of the interval.
    /// - Returns: The summary.
    public func overallSummary(seed: UInt64 = 1) -> SampleSummary {
        SampleSummary(of: cases.map(\.meanOverStructures), seed: seed)
    }

    /// The cases from the worst on.
    ///
    /// - Parameters:
    ///   - label: The structure that decides, or `nil` for the mean over structures.
    ///   - direction: Which values are good.
    ///   - count: How many cases are wanted; `nil` for all.
    /// - Returns: Cases with a defined value; among equal ones, the table's order.
    /// - Precondition: the label is in the table.
    public func worstCases(
        of label: UInt16?, where direction: MetricDirection, count: Int? = nil
    ) -> [RankedCase] {
        let column = label.map(values(of:)) ?? cases.map(\.meanOverStructures)
        let defined = zip(cases, column).compactMap { row, value in
            value.map { RankedCase(name: row.name, value: $0) }
        }
        let ranked = defined.enumerated().sorted { first, second in
            let (a, b) = (
                direction.rankKey(of: first.element.value),
                direction.rankKey(of: second.element.value)
            )
            return a == b ? first.offset < second.offset : a > b
        }
        return ranked.prefix(count ?? ranked.count).map(\.element)
    }
}
