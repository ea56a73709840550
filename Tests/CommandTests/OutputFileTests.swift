import Foundation
import TestSupport
import Testing

/// The page that describes output files.
@Suite struct `Output files` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The columns that the page lists for a file, in order.
    private static func described(_ file: String) throws -> [String] {
        let page = try String(
            contentsOf: root.appending(
                path: "Sources/Pipelines/Pipelines.docc/Output-files.md"), encoding: .utf8)
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "### \(file)"), "no section for \(file)")
        let section = lines[(start + 1)...].prefix { !$0.hasPrefix("#") }
        return section.filter { $0.hasPrefix("| `") }.map { row in
            String(row.dropFirst(3).prefix { $0 != "`" })
        }
    }

    private static func header(of path: String) throws -> [String] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let separator: Character = path.hasSuffix(".csv") ? "," : "\t"
        let line = try #require(text.split(whereSeparator: \.isNewline).first)
        return line.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }

    @Test func `the page lists the columns of each table that the commands write`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try FileManager.default.createDirectory(
                atPath: folder + "/scans", withIntermediateDirectories: true)
            for name in ["a", "b"] {
                try writeHead(to: folder + "/scans/\(name).nii.gz", orientation: "PIR")
            }
            try Data("no scan".utf8).write(to: URL(filePath: folder + "/scans/c.nii"))
            let segmented = try run(
                "segment-brain",
                [folder + "/scans", folder + "/out", "--model", folder + "/model"])
            #expect(segmented.status == 1, "\(segmented.errors)")
            let evaluated = try run(
                "sliceseg",
                [
                    "evaluate", "--prediction", folder + "/out", "--reference", folder + "/out",
                    "--against", folder + "/out", "--output", folder + "/scores", "--no-report",
                ])
            #expect(evaluated.status == 0, "\(evaluated.errors)")
            let tables = [
                ("NAME_dseg.tsv", "out/a_dseg.tsv"), ("NAME_volumes.tsv", "out/a_volumes.tsv"),
                ("qc.tsv", "out/qc.tsv"), ("failures.tsv", "out/failures.tsv"),
                ("metrics.tsv", "scores/metrics.tsv"),
                ("metrics_wide.csv", "scores/metrics_wide.csv"),
                ("statistics.tsv", "scores/statistics.tsv"),
                ("comparison.tsv", "scores/comparison.tsv"),
            ]
            for (file, path) in tables {
                let columns = try Self.header(of: folder + "/" + path)
                #expect(try Self.described(file) == columns, "\(file)")
            }
            // Between the first column and the last two are the structures.
            let volumes = try Self.header(of: folder + "/out/volumes.tsv")
            #expect(try Self.described("volumes.tsv") == [volumes[0]] + volumes.suffix(2))
            let described = Set(tables.map(\.0) + ["volumes.tsv"])
            for place in ["out", "scores"] {
                let names = try FileManager.default.contentsOfDirectory(
                    atPath: folder + "/" + place)
                for name in names where name.hasSuffix(".tsv") || name.hasSuffix(".csv") {
                    let general = name.replacing(/^[ab]_/, with: "NAME_")
                    #expect(described.contains(general), "\(name) is not described")
                }
            }
        }
    }

    @Test(arguments: [
        ("accuracy.tsv", "phantom/accuracy.tsv"), ("log.tsv", "phantom/axial-log.tsv"),
        ("accuracy.tsv of a classifier", "scan-check/accuracy.tsv"),
        ("checks.tsv", "scan-check/heads.tsv"),
    ])
    func `the page lists the columns of kept tables`(file: String, result: String) throws {
        let path = Self.root.appending(path: "pipelines/results/\(result)").path()
        #expect(try Self.described(file) == Self.header(of: path))
    }
}
