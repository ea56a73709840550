import Foundation
import Reports
import SegmentationMetrics
import TestSupport
import Testing
import Volumes

/// Pages in a real browser: they load without an error, sort, filter, and show cases slice by slice.
@Suite struct `Reports in a browser` {
    private let grid = Grid(
        size: GridSize(40, 32, 24), affine: Affine(spacing: SIMD3(1, 1.5, 2)))

    private let names = [
        "<script>window.pwned = 1</script>", "\"><img src=x onerror=\"window.pwned = 1\">", "plain",
        "Übung 4 & <b>more</b>", "5", "6",
    ]

    private func table() throws -> LabelTable {
        try #require(
            LabelTable([
                Structure(
                    index: 17, name: "Left-<Hippocampus>",
                    color: LabelColor(red: 220, green: 216, blue: 20)),
                Structure(
                    index: 53, name: "Right-<Hippocampus>",
                    color: LabelColor(red: 0, green: 0, blue: 60)),
            ]))
    }

    /// Two boxes side by side, moved by some voxels.
    private func labels(movedBy shift: Int) -> LabelMap {
        var map = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: grid.size.count))
        for k in 4..<20 {
            for j in 6..<26 {
                for i in 2..<32 where i + shift < 40 { map[i + shift, j, k] = i < 17 ? 17 : 53 }
            }
        }
        return map
    }

    private var scan: Volume {
        let voxels = (0..<grid.size.count).map { offset -> Float in
            let (row, i) = offset.quotientAndRemainder(dividingBy: 40)
            return Float(3 * i + row)
        }
        return Volume(grid: grid, voxels: voxels)
    }

    private func evaluation(movedBy shifts: [Int]) throws -> Evaluation {
        let reference = labels(movedBy: 0)
        return Evaluation(
            cases: zip(names, shifts).map { name, shift in
                EvaluatedCase(
                    name: name, predictionFile: "p/\(name)", referenceFile: "r/\(name)",
                    structures: structureMeasurements(
                        of: labels(movedBy: shift), against: reference, labels: [17, 53]))
            }, table: try table(), options: MetricOptions())
    }

    @Test(
        .enabled(if: BrowserCheck.decision != .skip, Comment(rawValue: BrowserCheck.requirement)),
        .timeLimit(.minutes(3)))
    func `an evaluation and a run without references do what they promise`() throws {
        try withTemporaryDirectory { folder in
            for name in ["evaluation", "run"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
            }
            let shifts = [1, 5, 2, 3, 0, 4]
            var evaluation = try evaluation(movedBy: shifts)
            evaluation.groups = CaseGroups(
                name: "sex & <age>",
                categoryOfCase: [names[0]: "<F>", names[1]: "M", names[2]: "M", names[3]: "<F>"])
            var page = evaluation.report(
                title: "</title><script>window.pwned = 1</script>", summary: "<b>bold</b>",
                flags: [names[1]: ["<i>odd</i>"]])
            page.cases[2].failure = "It is <gone>."
            page.comparison = EvaluationComparison(
                of: evaluation, against: try self.evaluation(movedBy: [2, 4, 3, 5, 1, 6]))
            page.comparedRun = "</b><script>window.pwned = 1</script>"
            let shiftOfCase = Dictionary(uniqueKeysWithValues: zip(names, shifts))
            try page.write(to: folder + "/evaluation") { shown in
                try ReportPictures(
                    of: ReportVolumes(
                        scan: scan, prediction: labels(movedBy: shiftOfCase[shown.name] ?? 0),
                        reference: labels(movedBy: 0)))
            }

            let table = try table()
            let quality = qualityControl(
                of: zip(names, shifts).map {
                    QualityInput(name: $0, segmentation: labels(movedBy: $1 * 4), table: table)
                }, table: table)
            let run = Report(
                quality: quality, failures: [ScanFailure(scan: "gone", reason: "It <ended>.")],
                table: table, title: "Segmentations")
            try run.write(to: folder + "/run") { shown in
                try shiftOfCase[shown.name].flatMap {
                    try ReportPictures(
                        of: ReportVolumes(scan: scan, prediction: labels(movedBy: $0 * 4)))
                }
            }
            let result = try BrowserCheck.check([
                folder + "/evaluation/report.html", folder + "/run/report.html",
            ])
            #expect(result.holds, "\(result.text)")
            // The script has looked at both pages as reports, with their viewers.
            #expect(result.text.matches(of: /ok    closes by Escape/).count == 2)
            #expect(result.text.contains("ok    sorts by group"))
            #expect(result.text.contains("ok    shows another metric by comparison"))
            // The log tells that pages were opened, and how much was looked at.
            print(result.text.split(separator: "\n").last.map(String.init) ?? "")
        }
    }

    @Test(arguments: [
        (true, [:], BrowserCheck.Decision.run), (true, ["CI": "true"], .run),
        (false, [:], .skip), (false, ["CI": ""], .skip), (false, ["CI": "false"], .skip),
        (false, ["CI": "true"], .fail), (false, ["CI": "1"], .fail),
    ])
    func `a page test without a browser fails in continuous integration and is skipped elsewhere`(
        isPossible: Bool, environment: [String: String], decision: BrowserCheck.Decision
    ) {
        #expect(
            BrowserCheck.decision(isPossible: isPossible, environment: environment) == decision)
    }
}
