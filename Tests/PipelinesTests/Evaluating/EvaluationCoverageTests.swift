import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Every case that was asked for is told of, and figures are those of the last comparison.
@Suite struct `Coverage of comparisons` {
    private let grid = Grid(size: GridSize(4, 4, 4), affine: .identity)

    private func map(_ label: UInt16, count: Int = 8, at shift: Double = 0) -> LabelMap {
        let affine = Affine(
            columns: [SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1)],
            translation: SIMD3(shift, 0, 0))
        return LabelMap(
            grid: Grid(size: grid.size, affine: affine),
            labels: (0..<64).map { $0 < count ? label : 0 })
    }

    private func folders(_ body: (String) throws -> Void) throws {
        try withTemporaryDirectory { folder in
            for name in ["p", "r"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
            }
            try body(folder)
        }
    }

    private func summary(of folder: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(filePath: folder + "/out/summary.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func `cases on another grid, with a broken reference and without one are all told of`()
        throws
    {
        try folders { folder in
            try writeLabelMap(map(3), to: folder + "/p/a_dseg.nii", like: nil)
            try writeLabelMap(map(3, count: 4), to: folder + "/r/a_dseg.nii", like: nil)
            try writeLabelMap(map(3), to: folder + "/p/b_dseg.nii", like: nil)
            try writeLabelMap(map(3, at: 9), to: folder + "/r/b_dseg.nii", like: nil)
            try writeLabelMap(map(3), to: folder + "/p/c_dseg.nii", like: nil)
            try Data("no image".utf8).write(to: URL(filePath: folder + "/r/c_dseg.nii"))
            try writeLabelMap(map(3), to: folder + "/p/d_dseg.nii", like: nil)
            let report = try evaluate(
                EvaluationRequest(
                    prediction: folder + "/p", reference: folder + "/r", output: folder + "/out"))
            #expect(report.status == .failure)
            let cases = try #require(try summary(of: folder)["cases"] as? [[String: String]])
            #expect(
                Dictionary(
                    uniqueKeysWithValues: cases.map { ($0["name"] ?? "", $0["state"] ?? "") })
                    == [
                        "a": "measured", "b": "other-grid", "c": "unreadable-reference",
                        "d": "no-reference",
                    ])
            let page = try String(contentsOfFile: folder + "/out/report.html", encoding: .utf8)
            for name in ["a", "b", "c", "d"] {
                #expect(
                    page.contains("scope=\"row\">\(name)") || page.contains(">\(name)</button>"))
            }
            #expect(page.contains("means over 1 of 4 cases"))
            #expect(report.table.contains("mean over 1 case "))
            #expect(report.notes.contains { $0.contains("has no reference") })
            #expect(page.contains("has no reference"))
        }
    }

    @Test func `a folder of a segmentation's results is refused and stays as it is`() throws {
        try folders { folder in
            try writeLabelMap(map(3), to: folder + "/p/a_dseg.nii", like: nil)
            try writeLabelMap(map(3), to: folder + "/r/a_dseg.nii", like: nil)
            let files = ["run.json": "{}", "report.html": "page", "failures.tsv": "scan\n"]
            for (name, text) in files {
                try Data(text.utf8).write(to: URL(filePath: folder + "/p/" + name))
            }
            let error = try #require(throws: UsageError.self) {
                try evaluate(
                    EvaluationRequest(
                        prediction: folder + "/p", reference: folder + "/r", output: folder + "/p"))
            }
            #expect("\(error)".contains("'\(folder)/p' holds the results of segment-brain"))
            #expect("\(error)".contains("--output, such as '\(folder)/p/evaluation'"))
            let left = try FileManager.default.contentsOfDirectory(atPath: folder + "/p")
            #expect(Set(left) == Set(files.keys).union(["a_dseg.nii"]))
            for (name, text) in files {
                #expect(try String(contentsOfFile: folder + "/p/" + name, encoding: .utf8) == text)
            }
        }
    }

    @Test func `no figure of an earlier comparison stays`() throws {
        try folders { folder in
            try writeLabelMap(map(3), to: folder + "/p/a_dseg.nii", like: nil)
            try writeLabelMap(map(3, count: 4), to: folder + "/r/a_dseg.nii", like: nil)
            var request = EvaluationRequest(
                prediction: folder + "/p", reference: folder + "/r", output: folder + "/out")
            request.against = folder + "/p"
            _ = try evaluate(request)
            for name in ["comparison.tsv", "report.html", "metrics.tsv"] {
                #expect(FileManager.default.fileExists(atPath: folder + "/out/" + name))
            }
            request.against = nil
            request.writesPage = false
            _ = try evaluate(request)
            for name in ["comparison.tsv", "report.html"] {
                #expect(!FileManager.default.fileExists(atPath: folder + "/out/" + name))
            }
            // Nothing can be measured: the grids lie apart.
            try writeLabelMap(map(3, at: 9), to: folder + "/r/a_dseg.nii", like: nil)
            let report = try evaluate(request)
            #expect(report.status == .failure && report.table.isEmpty)
            let counts = try #require(try summary(of: folder)["case_counts"] as? [String: Int])
            #expect(counts == ["requested": 1, "in_figures": 0, "other-grid": 1])
            let metrics = try String(contentsOfFile: folder + "/out/metrics.tsv", encoding: .utf8)
            #expect(metrics.split(separator: "\n").count == 1)
        }
    }

    @Test func `the same file on both sides gets a word`() throws {
        try folders { folder in
            try writeLabelMap(map(3), to: folder + "/p/a_dseg.nii", like: nil)
            try writeLabelMap(map(3), to: folder + "/r/a_dseg.nii", like: nil)
            let report = try evaluate(
                EvaluationRequest(
                    prediction: folder + "/p", reference: folder + "/r", output: folder + "/out"))
            #expect(
                report.notes == [
                    "prediction and reference are the same file, byte for byte, in 1 case: a"
                ])
            #expect(try summary(of: folder)["notes"] as? [String] == report.notes)
        }
    }

    @Test func `two numberings of the same structures are suspected`() throws {
        try folders { folder in
            var prediction = map(1)
            prediction.labels[60] = 2
            var reference = map(17)
            reference.labels[60] = 53
            try writeLabelMap(prediction, to: folder + "/p/a_dseg.nii", like: nil)
            try writeLabelMap(reference, to: folder + "/r/a_dseg.nii", like: nil)
            let report = try evaluate(
                EvaluationRequest(
                    prediction: folder + "/p", reference: folder + "/r", output: folder + "/out"))
            #expect(report.notes.contains { $0.contains("two numberings of the same structures") })
            // Two structures in one case, not four structures.
            #expect(
                report.notes.contains {
                    $0.hasPrefix(
                        "2 structures are in the reference but not in the prediction in 1 case")
                })
        }
    }
}
