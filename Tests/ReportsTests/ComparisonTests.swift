import Foundation
import Reports
import SegmentationMetrics
import Testing
import Volumes

/// Two runs against the same references.
@Suite struct `Comparing runs` {
    /// A run whose cases find the given numbers of a structure's 4 voxels, and nothing else.
    private func run(_ found: [Int], names: [String], of references: [String]) throws -> Evaluation
    {
        let grid = Grid(size: GridSize(4, 2, 1), affine: .identity)
        let reference = LabelMap(grid: grid, labels: [3, 3, 3, 3, 0, 0, 0, 0])
        let table = try #require(
            LabelTable([
                Structure(
                    index: 3, name: "Left-Thalamus",
                    color: LabelColor(red: 0, green: 0, blue: 0))
            ]))
        let options = MetricOptions()
        return Evaluation(
            cases: zip(zip(names, references), found).map { name, count in
                let map = LabelMap(
                    grid: grid, labels: (0..<8).map { $0 < count ? 3 : 0 })
                return EvaluatedCase(
                    name: name.0, predictionFile: name.0, referenceFile: name.1,
                    structures: structureMeasurements(
                        of: map, against: reference, labels: [3], options: options))
            }, table: table, options: options)
    }

    /// Dice 2n / (n + 4): 1, 6/7, 2/3, 2/5 and 0 for 4...0 voxels.
    private func comparison() throws -> EvaluationComparison {
        let first = try run(
            [4, 4, 4, 3, 0, 4], names: ["a", "b", "c", "d", "e", "x"],
            of: ["r1", "r2", "r3", "r4", "r5", "r6"])
        let second = try run(
            [3, 2, 1, 3, 4], names: ["1", "2", "3", "4", "5"], of: ["r1", "r2", "r3", "r4", "r5"])
        return EvaluationComparison(of: first, against: second)
    }

    @Test func `cases are paired by their references, and a failure counts`() throws {
        let comparison = try comparison()
        #expect(comparison.unpairedReferences == ["r6"])
        let rows = comparison.comparisonTable.text.split(separator: "\n").map {
            $0.split(separator: "\t").map(String.init)
        }
        #expect(rows.count == 1 + 5 * 2)
        #expect(Array(rows[1][...5]) == ["dice", "1", "3", "Left-Thalamus", "5", "0"])
        // 1/7, 1/3, 3/5, 0 and -1.
        let mean = try #require(Double(rows[1][6]))
        #expect(abs(mean - (1.0 / 7 + 1.0 / 3 + 0.6 - 1) / 5) < 1e-15)
        // Ranks without the zero: 1, 2 and 3 above, 4 below. Of the 16 sums of signed ranks, those
        // at most 4 are {}, 1, 2, 3, 1+2, 4, 1+3: 2 * 7 / 16.
        #expect(rows[1][13] == "0.875")
        #expect(rows[1][14] == "0.875")
        #expect(rows[1][15] == "exact")
        #expect(Array(rows[2][...3]) == ["dice", "1", "n/a", "mean of structures"])
    }

    @Test func `the terminal shows the differences of Dice`() throws {
        let style = TerminalStyle(
            isInteractive: false, columns: 80, usesColor: false, usesUnicode: true)
        let lines = try comparison().rendered(for: style).split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[0] == "structure           difference     95 % interval  p (Holm)  pairs")
        #expect(lines[1].hasPrefix("Left-Thalamus           +0.015  "))
        #expect(lines[1].hasSuffix("     0.875      5"))
        #expect(lines[2].hasPrefix("mean of structures      +0.015  "))
    }
}
