import Foundation
import SegmentationMetrics
import Testing

struct MetricTableTests {
    static let table = MetricTable(
        labels: [17, 53],
        cases: [
            .init(name: "a", values: [0.75, 0.5]),
            .init(name: "b", values: [0, nil]),
            .init(name: "c", values: [nil, nil]),
            .init(name: "d", values: [0.75, 0.25]),
        ])

    @Test func `structures are summarised over cases, and cases over structures`() throws {
        let structures = Self.table.structureSummaries()
        #expect(structures.map(\.count) == [3, 2])
        #expect(structures.map(\.undefinedCount) == [1, 2])
        #expect(structures.map(\.mean) == [0.5, 0.375])
        #expect(structures == Self.table.structureSummaries(seed: 1))
        // The failed case b counts; c has nothing to count.
        let overall = Self.table.overallSummary()
        #expect(overall.count == 3 && overall.undefinedCount == 1)
        #expect(overall.mean == 0.375 && overall.median == 0.5)
        #expect(overall.meanInterval == bootstrapMeanInterval(of: [0.625, 0, 0.5]))
    }

    @Test func `worst cases come first, equal ones in the table's order`() {
        let table = Self.table
        let dice = table.worstCases(of: 17, where: .higherIsBetter)
        #expect(dice.map(\.name) == ["b", "a", "d"])
        #expect(dice.map(\.value) == [0, 0.75, 0.75])
        #expect(table.worstCases(of: 53, where: .lowerIsBetter).map(\.name) == ["a", "d"])
        let overall = table.worstCases(of: nil, where: .higherIsBetter, count: 2)
        #expect(overall.map(\.name) == ["b", "d"])
        let differences = MetricTable(
            labels: [4],
            cases: [
                .init(name: "less", values: [-30]), .init(name: "same", values: [1]),
                .init(name: "more", values: [20]),
            ])
        #expect(
            differences.worstCases(of: 4, where: .zeroIsBest).map(\.name)
                == ["less", "more", "same"])
    }

    @Test func `groups hold every case once`() {
        let groups = Self.table.grouped(
            by: CaseGroups(
                name: "scanner",
                categoryOfCase: ["d": "Skyra", "a": "Avanto", "b": "Skyra", "x": "?"]))
        #expect(groups.map(\.category) == ["Avanto", "Skyra", nil])
        #expect(groups.map { $0.table.cases.map(\.name) } == [["a"], ["b", "d"], ["c"]])
        #expect(groups[1].table.structureSummaries().map(\.mean) == [0.375, 0.25])
    }

    @Test func `two runs are compared case by case, by name`() throws {
        let run = MetricTable(
            labels: [17, 53, 4],
            cases: [
                .init(name: "a", values: [0.75, 0.5, 1]),
                .init(name: "new", values: [0, 0, 0]),
                .init(name: "b", values: [0.5, nil, 1]),
                .init(name: "c", values: [1, 0.75, 1]),
            ])
        let other = MetricTable(
            labels: [53, 17],
            cases: [
                .init(name: "c", values: [0.5, 0.5]),
                .init(name: "b", values: [0.25, 0.375]),
                .init(name: "old", values: [0.5, 0.5]),
                .init(name: "a", values: [0.25, 0.5]),
            ])
        let comparison = RunComparison(of: run, against: other)
        #expect(comparison.onlyInRun == ["new"] && comparison.onlyInOther == ["old"])
        #expect(comparison.structures.map(\.label) == [17, 53])
        // 17: 0.25, 0.125, 0.5; 53: 0.25, undefined, 0.25; over both: 0.25, 0.125, 0.375.
        let first = comparison.structures[0]
        #expect(first.summary == SampleSummary(of: [0.25, 0.125, 0.5]))
        #expect(first.test?.pValue == 0.25 && first.adjustedPValue == 0.5)
        let second = comparison.structures[1]
        #expect(second.summary == SampleSummary(of: [0.25, nil, 0.25]))
        #expect(second.test?.pValue == 0.5 && second.adjustedPValue == 0.5)
        #expect(comparison.overall.label == nil)
        #expect(comparison.overall.summary.mean == 0.25)
        #expect(comparison.overall.adjustedPValue == comparison.overall.test?.pValue)

        let back = RunComparison(of: other, against: run)
        #expect(back.overall.summary.mean == -0.25)
        #expect(back.overall.test?.pValue == comparison.overall.test?.pValue)

        let data = try JSONEncoder().encode(comparison)
        #expect(try JSONDecoder().decode(RunComparison.self, from: data) == comparison)
    }

    @Test func `runs without a common case have no test`() {
        let other = MetricTable(labels: [17], cases: [.init(name: "x", values: [1])])
        let comparison = RunComparison(of: Self.table, against: other)
        #expect(comparison.structures.map(\.label) == [17])
        #expect(comparison.structures[0].test == nil)
        #expect(comparison.structures[0].adjustedPValue == nil)
        #expect(comparison.overall.test == nil && comparison.overall.summary.count == 0)
    }

    @Test func `a case that stands twice stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = MetricTable(
                labels: [1], cases: [.init(name: "a", values: [1]), .init(name: "a", values: [0])])
        }
    }

    @Test func `a value that is not a number stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = MetricTable(labels: [1], cases: [.init(name: "a", values: [.nan])])
        }
    }
}
