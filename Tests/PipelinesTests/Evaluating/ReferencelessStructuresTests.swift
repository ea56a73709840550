import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

/// References often know fewer structures than a model: those in none of them say nothing about it.
@Suite struct `Structures that no reference holds` {
    private let grid = Grid(size: GridSize(4, 4, 4), affine: .identity)

    /// A map with runs of voxels of one label each.
    private func map(_ runs: [(label: UInt16, voxels: Range<Int>)]) -> LabelMap {
        var labels = [UInt16](repeating: 0, count: 64)
        for run in runs { for voxel in run.voxels { labels[voxel] = run.label } }
        return LabelMap(grid: grid, labels: labels)
    }

    /// Evaluates two cases: 3 agrees by half, then fully; 26 and 58 are in predictions only; 10 is
    /// in one reference only.
    private func evaluated(_ body: (EvaluationReport, String) throws -> Void) throws {
        try withTemporaryDirectory { folder in
            for name in ["p", "r"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
            }
            let predictions = [
                "a": map([(3, 0..<8), (26, 20..<24), (10, 40..<44)]),
                "b": map([(3, 0..<8), (26, 20..<24), (58, 30..<33), (10, 40..<44)]),
            ]
            let references = [
                "a": map([(3, 4..<12), (10, 40..<44)]), "b": map([(3, 0..<8)]),
            ]
            for (name, map) in predictions {
                try writeLabelMap(map, to: folder + "/p/\(name)_dseg.nii", like: nil)
            }
            for (name, map) in references {
                try writeLabelMap(map, to: folder + "/r/\(name)_dseg.nii", like: nil)
            }
            try Data(
                "index\tname\n3\tCortex\n10\tThalamus\n26\tLeft-Accumbens\n58\tRight-Accumbens\n"
                    .utf8
            ).write(to: URL(filePath: folder + "/labels.tsv"))
            var request = EvaluationRequest(
                prediction: folder + "/p", reference: folder + "/r", output: folder + "/out")
            request.labels = folder + "/labels.tsv"
            try body(try evaluate(request), folder + "/out")
        }
    }

    private let note =
        "2 structures are in no reference and not in the mean: Left-Accumbens, Right-Accumbens"

    @Test func `are in no mean, and one note names them on terminal, page and in the summary`()
        throws
    {
        try evaluated { report, folder in
            // Case a: (0.5 + 1) / 2; case b: (1 + 0) / 2, as one reference does hold 10.
            let data = try Data(contentsOf: URL(filePath: folder + "/summary.json"))
            let summary = try #require(
                try JSONSerialization.jsonObject(with: data) as? [String: Any])
            let means = try #require(summary["mean_of_cases"] as? [String: [String: Any]])
            #expect(means["dice"]?["mean"] as? Double == 0.625)
            #expect(summary["structures_in_no_reference"] as? [Int] == [26, 58])
            #expect(
                (summary["notes"] as? [String])?.filter { $0.contains("26") || $0 == note } == [
                    note
                ])
            #expect(report.notes.count { $0 == note } == 1)
            #expect(report.table.contains("mean over 2 cases   0.625"))
            #expect(report.table.contains("its structures, 2 in all."))
            let page = try String(contentsOfFile: folder + "/report.html", encoding: .utf8)
            #expect(page.contains("<li>\(note)</li>"))
            #expect(page.contains("<p class=\"figure\">0.625</p>"))
            #expect(page.contains(", 2 structures"))
            #expect(!page.contains("Left-Accumbens is not in the reference"))
            // What one reference holds is a mistake of the other case.
            #expect(page.contains("Thalamus is not in the reference"))
        }
    }

    @Test func `keep their figures in tables of cases and have no statistics`() throws {
        try evaluated { _, folder in
            func rows(_ name: String, _ separator: Character) throws -> [[String]] {
                try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
                    .split(separator: "\n").map {
                        $0.split(separator: separator, omittingEmptySubsequences: false)
                            .map(String.init)
                    }
            }
            let wide = try rows("metrics_wide.csv", ",").filter { $0[1] == "26" }
            #expect(wide.map { $0[3] } == ["spurious", "spurious"])
            #expect(wide.map { $0[4] } == ["0.0", "0.0"])
            let metrics = try rows("metrics.tsv", "\t")
            let means = metrics.filter { $0[3] == "mean_foreground_dice" }.map { $0[4] }
            #expect(means == ["0.75", "0.5"])
            let statistics = try rows("statistics.tsv", "\t").filter { $0[1] == "dice" }
            let accumbens = try #require(statistics.first { $0[3] == "26" })
            #expect(Array(accumbens[5...7]) == ["0", "2", "n/a"])
            #expect(statistics.last?[7] == "0.625")
            // No diagonal of a structure that no reference holds is a penalty of the mean.
            let distances = try rows("statistics.tsv", "\t").filter { $0[1] == "hausdorff95" }
            #expect(distances.last?.last == "1")
        }
    }
}
