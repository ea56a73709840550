import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Cases grouped by a column of a table of participants.
@Suite struct `Groups of participants` {
    /// Evaluates four cases of which the first two are found, and reads what was told.
    private func evaluated(
        _ table: String, by group: String?,
        names: [String] = ["sub-01_T1w", "02_SS", "sub-010", "x"]
    ) throws -> (report: EvaluationReport, statistics: [[String]]) {
        try withTemporaryDirectory { folder in
            for name in ["p", "r"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
            }
            let grid = Grid(size: GridSize(4, 2, 2), affine: .identity)
            for (number, name) in names.enumerated() {
                let reference = LabelMap(grid: grid, labels: (0..<16).map { $0 < 4 ? 3 : 0 })
                let found = LabelMap(
                    grid: grid, labels: (0..<16).map { $0 < (number < 2 ? 4 : 0) ? 3 : 0 })
                try writeLabelMap(found, to: folder + "/p/\(name)_dseg.nii", like: nil)
                try writeLabelMap(reference, to: folder + "/r/\(name)_dseg.nii", like: nil)
            }
            let path = folder + "/participants.tsv"
            try Data(table.utf8).write(to: URL(filePath: path))
            var request = EvaluationRequest(
                prediction: folder + "/p", reference: folder + "/r", output: folder + "/out")
            request.participants = path
            request.group = group
            request.writesPage = false
            let report = try evaluate(request)
            let statistics = try String(
                contentsOfFile: folder + "/out/statistics.tsv", encoding: .utf8)
            return (
                report,
                statistics.split(separator: "\n").map { line in
                    line.split(separator: "\t").map(String.init)
                }.filter { $0[1] == "dice" && $0[3] == "3" }
            )
        }
    }

    @Test func `a case belongs to the participant with the longest name that begins it`() throws {
        let (report, statistics) = try evaluated(
            "participant_id\tsex\nsub-01\tF\nsub-02\tM\nsub-010\tM\nsub-77\tF\n", by: "sex")
        // Group, n, mean: sub-01 alone; 02 found and 010 not; x is unknown.
        #expect(
            statistics.map { [$0[0], $0[5], $0[7]] } == [
                ["all", "4", "0.5"], ["F", "1", "1.0"], ["M", "2", "0.5"], ["n/a", "1", "0.0"],
            ])
        #expect(report.groups.contains("F, n = 1"))
        let note = try #require(report.notes.first { $0.contains("without a row") })
        #expect(note.hasPrefix("1 case without a row in '") && note.hasSuffix("in no group: x"))
    }

    @Test func `numbers are cut where it is said, and what is unknown is named`() throws {
        let (report, statistics) = try evaluated(
            "id\tage\r\n01\t39.5\r\n02\t40\r\n010\tn/a\r\nx\t61\r\n", by: "age:40,60")
        #expect(
            statistics.map { [$0[0], $0[5]] } == [
                ["all", "4"], ["below 40", "1"], ["40 to below 60", "1"], ["60 and above", "1"],
                ["n/a", "1"],
            ])
        #expect(report.notes.contains { $0.hasPrefix("1 case without 'age' in") })
    }

    @Test func `what is no age is missing, and an age without an end is a class of its own`() throws
    {
        let (report, statistics) = try evaluated(
            "id\tage\n01\tNaN\n02\t41\n010\t89+\nx\tinf\n", by: "age:40,60")
        #expect(
            statistics.map { [$0[0], $0[5]] } == [
                ["all", "4"], ["40 to below 60", "1"], ["89+", "1"], ["n/a", "2"],
            ])
        #expect(report.notes.contains { $0.hasPrefix("2 cases without 'age' in") })
    }

    @Test func `a wrong column is found before anything is measured`() throws {
        try withTemporaryDirectory { folder in
            for name in ["p", "r"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
                // Reading it would be another error.
                try Data("no image".utf8).write(to: URL(filePath: folder + "/\(name)/a_dseg.nii"))
            }
            let table = folder + "/participants.tsv"
            try Data("participant_id\tsex\na\tF\n".utf8).write(to: URL(filePath: table))
            var request = EvaluationRequest(
                prediction: folder + "/p", reference: folder + "/r", output: folder + "/out")
            request.participants = table
            request.group = "age"
            #expect(throws: UsageError.self) { try evaluate(request) }
            #expect(!FileManager.default.fileExists(atPath: folder + "/out"))
        }
    }

    @Test func `many numbers are cut at their quartiles, few are categories in order`() throws {
        let names = (1...12).map { "s\($0)" }
        let rows = names.enumerated().map { "\($1)\t\(20 + $0)\t\(8 + $0 % 3)" }
        let table = "participant_id\tage\tsite\n" + rows.joined(separator: "\n") + "\n"
        // numpy.percentile of 20...31: 22.75, 25.5 and 28.25.
        let ages = try evaluated(table, by: "age", names: names)
        #expect(
            ages.statistics.map { [$0[0], $0[5]] } == [
                ["all", "12"], ["below 22.75", "3"], ["22.75 to below 25.5", "3"],
                ["25.5 to below 28.25", "3"], ["28.25 and above", "3"],
            ])
        #expect(ages.report.notes.contains { $0.contains("cut at its quartiles") })
        let sites = try evaluated(table, by: "site", names: names)
        #expect(sites.statistics.map { $0[0] } == ["all", "8", "9", "10"])
    }

    @Test(
        arguments: [
            ("participant_id\tsex\nsub-01\tF\n", nil, "with --group"),
            ("participant_id\tsex\nsub-01\tF\n", "age", "no column 'age'; choose from"),
            ("participant_id\tsex\nsub-01\tF\n", "sex:1,2", "'F' in"),
            ("participant_id\tage\nsub-01\t3\n", "age:5,2", "ascending numbers"),
            ("participant_id\tage\nsub-01\t3\n", "age:", "ascending numbers"),
            ("participant_id\tsex\nsub-01\n", "sex", "row 1 of"),
            ("participant_id\tsex\nsub-01\tF\n01\tM\n", "sex", "two rows for '01'"),
            ("participant_id sex\nsub-01 F\n", "sex", "separate columns by tabs"),
            ("participant_id\tsex\nsub-99\tF\n", "sex", "check that participants are named"),
        ] as [(String, String?, String)])
    func `a table that makes no groups is refused`(
        table: String, group: String?, says: String
    ) throws {
        let error = #expect(throws: UsageError.self) { try evaluated(table, by: group) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }
}
