import Foundation
import Testing
import TestSupport

/// Scans that are written while the next ones are computed.
@Suite struct `Writing beside computing` {
    @Test func `each scan of a run gets the files that it gets alone, in the order of the scans`()
        throws
    {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            let names = ["a", "b", "c", "e"]
            for (number, name) in names.enumerated() {
                try writeHead(to: folder + "/scans/\(name).nii", seed: UInt64(number + 1))
            }
            let options = ["--model", folder + "/model", "--space", "conformed"]
            let together = try run(
                "segment-brain", [folder + "/scans", folder + "/together", "--json"] + options)
            #expect(together.status == 0, "\(together.errors)")
            let order = try together.output.split(separator: "\n").map { line in
                let record = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return (record as? [String: Any])?["name"] as? String
            }
            #expect(order == names)
            var seen: Set<Data> = []
            for name in names {
                let alone = folder + "/alone-\(name)"
                let result = try run(
                    "segment-brain", [folder + "/scans/\(name).nii", alone] + options)
                #expect(result.status == 0, "\(result.errors)")
                let written = files(below: alone).filter { $0.hasPrefix(name) }
                #expect(written.count == 8)
                // The provenance has the times.
                for file in written where file != name + "_dseg.json" {
                    let (left, right) = (
                        try Data(contentsOf: URL(filePath: alone + "/" + file)),
                        try Data(contentsOf: URL(filePath: folder + "/together/" + file))
                    )
                    #expect(left == right, "\(file)")
                    if file == name + "_dseg.nii.gz" { seen.insert(left) }
                }
            }
            #expect(seen.count == names.count, "the scans of this test should have other labels")
        }
    }

    @Test(arguments: [[], ["--probabilities"]])
    func `a scan that cannot be written fails alone and leaves no file`(options: [String]) throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            for (number, name) in ["a", "b", "c"].enumerated() {
                try writeHead(to: folder + "/scans/\(name).nii", seed: UInt64(number + 1))
            }
            let out = folder + "/out"
            // No file can take the place of a folder that holds something.
            try makeFolder(out + "/b_qc.png/kept")
            let arguments = [folder + "/scans", out, "--model", folder + "/model"] + options
            let result = try run("segment-brain", arguments)
            #expect(result.status == 1)
            let scans = try #require(try object(out + "/run.json")["scans"] as? [[String: Any]])
            #expect(scans.map { $0["status"] as? String } == ["done", "failed", "done"])
            let failures = try rows(of: out + "/failures.tsv")
            #expect(failures.map(\.first) == ["b"])
            #expect(failures.first?[3].contains("'\(out)/b_qc.png'") == true)
            #expect(files(below: out).allSatisfy { !$0.hasPrefix("b_") })
            expectNothingUnfinished(in: out)

            try FileManager.default.removeItem(atPath: out + "/b_qc.png")
            #expect(try run("segment-brain", arguments).status == 0)
            let counts = try object(out + "/run.json")["counts"] as? [String: Int]
            #expect(counts == ["scans": 3, "done": 1, "skipped": 2, "failed": 0])
        }
    }

    @Test func `a scan that cannot be computed does not undo the one that is being written`() throws
    {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            try writeHead(to: folder + "/scans/a.nii")
            // Nothing but one value: no signal to conform.
            try write(
                NIfTIFile.floats([Float](repeating: 1, count: 720)).bytes,
                to: folder + "/scans/b.nii")
            try writeHead(to: folder + "/scans/c.nii", seed: 2)
            let out = folder + "/out"
            let result = try run(
                "segment-brain", [folder + "/scans", out, "--model", folder + "/model"])
            #expect(result.status == 1)
            let scans = try #require(try object(out + "/run.json")["scans"] as? [[String: Any]])
            #expect(scans.map { $0["status"] as? String } == ["done", "failed", "done"])
            #expect(files(below: out).filter { $0.hasPrefix("a") }.count == 6)
        }
    }

    @Test func `SIGTERM leaves whole scans and nothing else`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            try writeHead(to: folder + "/scans/000.nii")
            for number in 101..<160 {
                try FileManager.default.copyItem(
                    atPath: folder + "/scans/000.nii", toPath: folder + "/scans/\(number).nii")
            }
            let out = folder + "/out"
            let running = try RunningCommand(
                "segment-brain", [folder + "/scans", out, "--model", folder + "/model"])
            while running.process.isRunning,
                !FileManager.default.fileExists(atPath: out + "/101_dseg.tsv")
            {
                usleep(1_000)
            }
            running.process.terminate()
            let result = try running.wait()
            #expect(result.status == 143)
            expectNothingUnfinished(in: out)
            let written = files(below: out).filter { !$0.hasPrefix("ledger") }
            let done = written.count { $0.hasSuffix("_dseg.json") }
            #expect(done >= 1 && done < 60)
            #expect(written.count == 6 * done + 1)
        }
    }

    @Test func `a profile adds up, and tells what the run gained`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            for name in ["a", "b"] { try writeHead(to: folder + "/scans/\(name).nii") }
            let result = try run(
                "segment-brain",
                [folder + "/scans", folder + "/out", "--model", folder + "/model", "--profile"])
            #expect(result.status == 0, "\(result.errors)")
            let scans = try #require(
                try object(folder + "/out/run.json")["scans"] as? [[String: Any]])
            for scan in scans {
                let stages = try #require(scan["stages"] as? [[String: Any]])
                #expect(
                    stages.map { $0["stage"] as? String } == [
                        "read", "conform", "coronal", "axial", "aggregate", "restore", "write",
                    ])
                let sum = stages.compactMap { $0["seconds"] as? Double }.reduce(0, +)
                let seconds = try #require(scan["seconds"] as? Double)
                // Both are rounded to a hundredth.
                #expect(abs(sum - seconds) < 0.011)
            }
            let lines = result.errorLines.filter { $0.contains("stages of all scans") }
            #expect(lines.count == 1)
        }
    }
}
