import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// `segment-brain` on scans that are as they should be.
@Suite struct `segment-brain` {
    @Test func `writes labels, tables, picture and provenance for each scan and for the run`()
        throws
    {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans/second visit")
            try writeHead(to: folder + "/scans/a.nii.gz", orientation: "LIA")
            try writeHead(to: folder + "/scans/second visit/a.nii", seed: 2)
            let result = try run(
                "segment-brain",
                [folder + "/scans", folder + "/out", "--model", folder + "/model"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.isEmpty)
            let perScan = [
                ".stats", "_dseg.json", "_dseg.nii.gz", "_dseg.tsv", "_qc.png", "_volumes.tsv",
            ]
            #expect(
                files(below: folder + "/out")
                    == (perScan.map { "a" + $0 } + perScan.map { "second visit/a" + $0 } + [
                        "dataset_description.json", "failures.tsv", "ledger.sqlite", "qc.tsv",
                        "report-files/case-0001.js", "report-files/case-0002.js", "report.html",
                        "run.json", "volumes.tsv",
                    ]).sorted())

            let scan = try readVolumeHeader(at: folder + "/scans/a.nii.gz")
            let (labels, header) = try readLabelMap(at: folder + "/out/a_dseg.nii.gz")
            #expect(header.grid == scan.grid)
            #expect(header.grid.orientation.description == "LIA")
            let volumes = try rows(of: folder + "/out/a_volumes.tsv")
            let counts = labels.voxelCounts()
            for row in volumes {
                let index = try #require(Int(row[0]))
                #expect(Int(row[2]) == (index < counts.count ? counts[index] : 0))
            }
            let all = try rows(of: folder + "/out/volumes.tsv")
            #expect(all.map(\.first) == ["a", "second visit/a"])
            #expect(all.first.map { Array($0.dropFirst().dropLast(2)) } == volumes.map { $0[3] })
            #expect(try rows(of: folder + "/out/failures.tsv").isEmpty)
            let quality = try rows(of: folder + "/out/qc.tsv")
            #expect(Set(quality.map { $0[0] }) == ["a", "second visit/a"])
            let scores = quality.compactMap { Double($0[1]) }
            #expect(scores.count == 2 && scores == scores.sorted(by: >))
            for row in quality {
                let missing = try rows(of: folder + "/out/\(row[0])_volumes.tsv").count {
                    $0[2] == "0"
                }
                #expect(Int(row[4]) == missing)
            }
            // FreeSurfer's reader: rows without '#', the fifth column is the name.
            let statistics = try String(contentsOfFile: folder + "/out/a.stats", encoding: .utf8)
                .split(separator: "\n").filter { !$0.contains("#") }
                .map { $0.split(separator: " ") }
            #expect(Set(statistics.map { $0[4] }) == Set(volumes.map { Substring($0[1]) }))
            for row in volumes {
                let same = statistics.first { $0[1] == row[0] }
                #expect(same.map { String($0[2]) } == row[2])
                #expect(same.map { Double($0[3]) } == Double(row[3]))
            }

            let provenance = try object(folder + "/out/a_dseg.json")
            let recorded = try #require(provenance["scan"] as? [String: String])
            #expect(recorded["path"] == folder + "/scans/a.nii.gz")
            #expect(recorded["sha256"]?.count == 64)
            let record = try object(folder + "/out/run.json")
            #expect(
                record["counts"] as? [String: Int]
                    == ["scans": 2, "done": 2, "skipped": 0, "failed": 0])
        }
    }

    @Test func `leaves out what is done, by content and not by name`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeTinyModel(to: folder + "/other", seed: 2)
            try makeFolder(folder + "/scans")
            try writeHead(to: folder + "/scans/a.nii.gz")
            try writeHead(to: folder + "/scans/b.nii.gz", seed: 2)
            func outcome(_ options: String...) throws -> [String] {
                let result = try run(
                    "segment-brain", [folder + "/scans", folder + "/out", "--json"] + options)
                #expect(result.status == 0, "\(result.errors)")
                return try result.output.split(separator: "\n").map { line in
                    let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
                    return try #require((value as? [String: Any])?["status"] as? String)
                }
            }
            let model = folder + "/model"
            #expect(try outcome("--model", model) == ["done", "done"])
            let volumes = try rows(of: folder + "/out/volumes.tsv")
            let quality = try rows(of: folder + "/out/qc.tsv")
            #expect(try outcome("--model", model) == ["skipped", "skipped"])
            // The table of the run is the same where its rows come from earlier results.
            #expect(try rows(of: folder + "/out/volumes.tsv") == volumes)
            #expect(try rows(of: folder + "/out/qc.tsv") == quality)

            try writeHead(to: folder + "/scans/b.nii.gz", seed: 3)
            #expect(try outcome("--model", model) == ["skipped", "done"])
            try write([0], to: folder + "/out/a_dseg.nii.gz")
            #expect(try outcome("--model", model) == ["done", "skipped"])
            try FileManager.default.removeItem(atPath: folder + "/out/a_qc.png")
            #expect(try outcome("--model", model) == ["done", "skipped"])
            #expect(
                try outcome("--model", model, "--planes", "axial", "--precision", "fp32")
                    == ["done", "done"])
            #expect(try outcome("--model", folder + "/other") == ["done", "done"])
            #expect(try outcome("--model", folder + "/other", "--overwrite") == ["done", "done"])
        }
    }

    @Test func `says why a scan is done again`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/a.nii.gz")
            let arguments = [folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model"]
            #expect(try run("segment-brain", arguments).status == 0)
            try writeHead(to: folder + "/a.nii.gz", seed: 2)
            let result = try run("segment-brain", arguments)
            #expect(result.errors.contains("a: segmented again, as the scan has changed"))
            let third = try run("segment-brain", arguments)
            #expect(third.errors.contains("a: skipped, done before"))
        }
    }

    @Test func `gives the same labels for any number of threads and slices at once`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/a.nii.gz")
            var maps: [LabelMap] = []
            for options in [[], ["--threads", "1", "--batch-size", "7"]] {
                let result = try run(
                    "segment-brain",
                    [
                        folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model",
                        "--precision", "fp32", "--overwrite", "--quiet",
                    ] + options)
                #expect(result.status == 0)
                #expect(result.errors.isEmpty)
                maps.append(try readLabelMap(at: folder + "/out/a_dseg.nii.gz").0)
            }
            #expect(maps[0] == maps[1])
        }
    }

    @Test func `measures its labels against references`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/references")
            try writeHead(to: folder + "/a.nii.gz", labels: folder + "/references/a_dseg.nii.gz")
            try writeHead(to: folder + "/b.nii.gz", seed: 2)
            // A reference of a scan that is not in the run says nothing about it.
            try writeHead(to: folder + "/c.nii.gz", labels: folder + "/references/c_dseg.nii.gz")
            let result = try run(
                "segment-brain",
                [
                    folder + "/a.nii.gz", folder + "/b.nii.gz", folder + "/out", "--model",
                    folder + "/model", "--reference", folder + "/references",
                ])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.contains("Dice"))
            #expect(result.errors.contains("out/b_dseg.nii.gz' has no reference"))
            let cases = Set(try rows(of: folder + "/out/metrics.tsv").map { $0[0] })
            #expect(cases == ["a"])
            let path = folder + "/out/summary.json"
            let summary = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
            #expect(summary.contains("\"foreground_mean\""))
            let page = folder + "/out/report.html"
            let text = String(decoding: try Data(contentsOf: URL(filePath: page)), as: UTF8.self)
            #expect(text.contains("Segmentations by tiny"))
            #expect(files(below: folder + "/out/report-files") == ["case-0001.js"])

            // References on another grid are failures that count.
            try write(NIfTIFile().bytes, to: folder + "/references/a_dseg.nii")
            try FileManager.default.removeItem(atPath: folder + "/references/a_dseg.nii.gz")
            let mismatch = try run(
                "segment-brain",
                [
                    folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model",
                    "--reference", folder + "/references", "--quiet",
                ])
            #expect(mismatch.status == 1)
            #expect(mismatch.errorLines.count == 1)
            #expect(mismatch.errors.contains("40x48x40 voxels"))
            #expect(mismatch.errors.contains("8x9x10"))
            #expect(try rows(of: folder + "/out/failures.tsv").map(\.first) == ["a"])
        }
    }

    @Test func `a scan that fails counts as if nothing had been found in it`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/references")
            try writeHead(to: folder + "/a.nii.gz", labels: folder + "/references/a_dseg.nii.gz")
            try write([1, 2, 3], to: folder + "/a.nii.gz")
            let result = try run(
                "segment-brain",
                [
                    folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model",
                    "--reference", folder + "/references", "--quiet",
                ])
            #expect(result.status == 1)
            #expect(result.errorLines.count == 1, "\(result.errors)")
            let dice = try rows(of: folder + "/out/metrics.tsv").filter { $0[3] == "dice" }
            #expect(!dice.isEmpty && dice.allSatisfy { $0[0] == "a" })
            #expect(dice.contains { $0[4] == "0.0" })
            #expect(dice.allSatisfy { $0[4] == "0.0" || $0[4] == "n/a" })
        }
    }

    @Test func `takes shipped models from the folder that the environment names`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/models/tiny")
            try writeHead(to: folder + "/a.nii.gz")
            let command = try RunningCommand(
                "segment-brain", [folder + "/a.nii.gz", folder + "/out", "--model", "tiny"],
                environment: ["SLICESEG_MODELS": folder + "/models"])
            #expect(try command.wait().status == 0)
            let listing = try RunningCommand(
                "sliceseg", ["models"], environment: ["SLICESEG_MODELS": folder + "/models"])
            let text = try listing.wait().output
            #expect(text.contains("tiny\n  Random weights for tests.\n"))
            #expect(text.contains("weights     MIT"))
        }
    }

    @Test func `stops between two files at Ctrl-C and goes on when it runs again`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            try writeHead(to: folder + "/scans/000.nii")
            for number in 1..<60 {
                try FileManager.default.copyItem(
                    atPath: folder + "/scans/000.nii", toPath: folder + "/scans/\(100 + number).nii"
                )
            }
            let out = folder + "/out"
            let arguments = [folder + "/scans", out, "--model", folder + "/model"]
            let running = try RunningCommand("segment-brain", arguments)
            while running.process.isRunning,
                !FileManager.default.fileExists(atPath: out + "/000_dseg.json")
            {
                usleep(5_000)
            }
            running.process.interrupt()
            let result = try running.wait()
            #expect(result.status == 130)
            let message = try #require(result.errorLines.last)
            #expect(message.contains("of 60 scans are done in '\(out)'; run the same command"))
            expectNothingUnfinished(in: out)
            let written = files(below: out).filter { !$0.hasPrefix("ledger") }
            let done = written.count { $0.hasSuffix("_dseg.json") }
            #expect(done >= 1)
            #expect(done < 60)
            // The dataset's description is written first.
            #expect(written.count == 6 * done + 1)

            let again = try run("segment-brain", arguments)
            #expect(again.status == 0)
            let counts = try object(out + "/run.json")["counts"] as? [String: Int]
            #expect(counts == ["scans": 60, "done": 60 - done, "skipped": done, "failed": 0])
        }
    }
}
