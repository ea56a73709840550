/// The comparison of two runs on the same cases.
public struct RunComparison: Sendable, Hashable, Codable {
    /// The differences of one structure, or of the mean over structures.
    public struct Difference: Sendable, Hashable, Codable {
        /// The structure's value in label maps, or `nil` for the mean over structures.
        public var label: UInt16?
        /// The run's values minus the other's; a pair in which either is undefined is undefined.
        public var summary: SampleSummary
        /// A Boolean value indicating whether the differences lie to one side of zero; `nil` where
        /// no pair is defined.
        public var test: WilcoxonTest?
        /// The test's p-value, corrected for testing each structure.
        ///
        /// The mean over structures is a test of its own and is not corrected.
        public var adjustedPValue: Double?
    }

    /// The structures that both runs have, in the run's order.
    public var structures: [Difference]
    /// The means over these structures, for each case over those defined in both runs.
    public var overall: Difference
    /// The cases of the run that the other lacks; they enter no figure.
    public var onlyInRun: [String]
    /// The cases of the other run that the run lacks; they enter no figure.
    public var onlyInOther: [String]

    /// Compares two runs case by case.
    ///
    /// - Parameters:
    ///   - run: One metric of the run.
    ///   - other: The same metric of the run it is measured against.
    ///   - seed: Starts the random numbers of the intervals.
    public init(of run: MetricTable, against other: MetricTable, seed: UInt64 = 1) {
        let rowOfOther = Dictionary(
            uniqueKeysWithValues: other.cases.map { ($0.name, $0.values) })
        let columnOfOther = Dictionary(
            uniqueKeysWithValues: other.labels.enumerated().map { ($1, $0) })
        let columns = run.labels.enumerated().compactMap { column, label in
            columnOfOther[label].map { (label: label, run: column, other: $0) }
        }
        // Differences by case and common structure.
        let differences: [[Double?]] = run.cases.compactMap { row in
            rowOfOther[row.name].map { otherValues in
                columns.map { column in
                    guard let first = row.values[column.run],
                        let second = otherValues[column.other]
                    else { return nil }
                    return first - second
                }
            }
        }
        structures = columns.indices.map { position in
            Difference(
                label: columns[position].label,
                differences: differences.map { $0[position] }, seed: seed)
        }
        let adjusted = holmAdjusted(structures.map(\.test?.pValue))
        for position in structures.indices {
            structures[position].adjustedPValue = adjusted[position]
        }
        overall = Difference(
            label: nil, differences: differences.map { mean(of: $0.compactMap(\.self)) },
            seed: seed)
        overall.adjustedPValue = overall.test?.pValue
        let namesOfRun = Set(run.cases.map(\.name))
        onlyInRun = run.cases.map(\.name).filter { rowOfOther[$0] == nil }
        onlyInOther = other.cases.map(\.name).filter { !namesOfRun.contains($0) }
    }
}

extension RunComparison.Difference {
    fileprivate init(label: UInt16?, differences: [Double?], seed: UInt64) {
        self.label = label
        summary = SampleSummary(of: differences, seed: seed)
        test = WilcoxonTest(differences: differences.compactMap(\.self))
        adjustedPValue = nil
    }
}
