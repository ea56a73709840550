import Foundation
import Reports
import SegmentationMetrics
import Testing

/// The statistics of scipy and statsmodels for made-up Dice values; see fixtures/generators/generate_network_table.py.
private struct Fixture: Decodable {
    struct Network: Decodable {
        var mean: Double
        var sd: Double
        var count: Int
        var interval: [Double]
        var structures: [Double?]
        var difference: Double?
        var pairs: Int?
        var statistic: Double?
        var p: Double?
        var holm: Double?
    }

    var dice: [[[Double?]]]
    var expected: [Network]

    static func read() throws -> Fixture {
        let url = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../fixtures/statistics/network_table.json")
        return try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: url))
    }
}

private func makeTable(
    _ dice: [[[Double?]]], title: String = "Table", checked: Bool = true
) -> NetworkTable {
    NetworkTable(
        title: title, summary: "Made up.", families: ["A", "B", "C"],
        recalibrations: ["none", "cSE", "scSE"], cases: ["1", "2", "3"],
        structures: (1...9).map { "S\($0)" },
        networks: (0..<3).map { row in
            (0..<3).map { column in
                let values = dice[row * 3 + column]
                return values.isEmpty
                    ? nil
                    : NetworkTable.Measured(
                        dice: values, parameters: 1_234_000 + 1000 * column, trainingSeconds: 60)
            }
        },
        published: [[0.7, 0.8, nil], [nil, nil, nil], [nil, nil, nil]], publishedSource: "a paper",
        arePublishedChecked: checked, deviations: ["It is made up."],
        provenance: [(name: "Data", value: "none")])
}

private func agree(_ a: Double?, _ b: Double?, within tolerance: Double = 1e-9) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) <= tolerance
}

struct NetworkTableTests {
    @Test func `means, differences and p-values are those of scipy and statsmodels`() throws {
        let fixture = try Fixture.read()
        let table = makeTable(fixture.dice)
        let comparisons = table.comparisons
        for (position, expected) in fixture.expected.enumerated() {
            let (row, column) = position.quotientAndRemainder(dividingBy: 3)
            let summary = try #require(table.summary(row: row, column: column))
            #expect(agree(summary.mean, expected.mean))
            #expect(agree(summary.standardDeviation, expected.sd))
            #expect(summary.count == expected.count)
            // Both draw at random: ends agree to a twentieth of the interval.
            let interval = try #require(summary.meanInterval)
            let width = expected.interval[1] - expected.interval[0]
            #expect(agree(interval.lower, expected.interval[0], within: width / 20))
            #expect(agree(interval.upper, expected.interval[1], within: width / 20))
            for structure in 0..<9 {
                #expect(
                    agree(
                        table.mean(ofStructure: structure, row: row, column: column),
                        expected.structures[structure]))
            }
            let comparison = comparisons[row][column]
            #expect((comparison == nil) == (column == 0))
            #expect(agree(comparison?.differences.mean, expected.difference))
            #expect(comparison?.test.pairCount == expected.pairs)
            #expect(agree(comparison?.test.statistic, expected.statistic))
            #expect(agree(comparison?.test.pValue, expected.p))
            #expect(agree(comparison?.adjustedPValue, expected.holm))
        }
        let rows = table.table.rows.map { $0.map(\.text) }
        #expect(rows.count == 9)
        #expect(
            rows[1][0...3]
                == ["A", "cSE", "finished", String(format: "%.4f", fixture.expected[1].mean)])
        #expect(rows[1][8] == "1235000")
        #expect(rows[1].last == "0.8000")
        #expect(rows[2].last == "n/a")
        #expect(table.structureTable.rows.count == 9)
    }

    @Test func `networks that are missing are marked, and the others are compared alone`() throws {
        var dice = try Fixture.read().dice
        dice[0] = []
        dice[4] = []
        let table = makeTable(dice)
        let comparisons = table.comparisons
        #expect(comparisons[0].allSatisfy { $0 == nil })
        #expect(comparisons[1].map { $0 != nil } == [false, false, true])
        #expect(comparisons[2].map { $0 != nil } == [false, true, true])
        // Holm's correction is over the three that are left.
        let three = [comparisons[1][2], comparisons[2][1], comparisons[2][2]].compactMap(\.self)
        let smallest = try #require(three.min { $0.test.pValue < $1.test.pValue })
        #expect(smallest.adjustedPValue == min(1, 3 * smallest.test.pValue))
        #expect(
            table.table.rows.map { $0[2].text } == [
                "missing", "finished", "finished", "finished", "missing", "finished", "finished",
                "finished", "finished",
            ])
        #expect(table.table.rows[0][3...16].allSatisfy { $0.text == "n/a" })
        // In the means, the intervals, the weights, and for each comparison that lacks a side.
        #expect(table.page.components(separatedBy: ">missing<").count - 1 == 3 * 2 + 3)
        #expect(table.page.contains("7<small> of 9</small>"))
    }

    @Test func `a page without any network says so`() {
        let page = makeTable([[[Double?]]](repeating: [], count: 9)).page
        #expect(page.contains("0<small> of 9</small>"))
        #expect(!page.contains(">nan") && !page.contains("NaN"))
    }

    @Test func `names are text, and the page asks nothing of the network`() throws {
        var table = makeTable(try Fixture.read().dice, title: "<script>alert(1)</script>")
        table.families[0] = "<b onload='x'>"
        table.structures[0] = "Left \"<i>\" & co"
        table.cases[0] = "<img src=x>"
        table.deviations = ["<style>"]
        let page = table.page
        for text in ["<script", "<b onload", "<i>", "<img", "<style>\n<", "http:", "https:"] {
            #expect(!page.contains(text), "\(text)")
        }
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
        #expect(page.contains("Left &quot;&lt;i&gt;&quot; &amp; co"))
    }

    @Test func `published figures that nobody looked up are marked so`() throws {
        let dice = try Fixture.read().dice
        #expect(makeTable(dice, checked: false).page.contains("published 0.800 (unchecked)"))
        #expect(!makeTable(dice).page.contains("unchecked"))
    }
}
