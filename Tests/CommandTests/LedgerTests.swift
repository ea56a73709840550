import Files
import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// A folder with a tiny model and some heads, `a.nii`, `b.nii` and so on.
private func withScans(
    _ names: [String], _ body: (_ folder: String, _ arguments: [String]) throws -> Void
) throws {
    try withTemporaryDirectory { folder in
        try writeTinyModel(to: folder + "/model")
        try makeFolder(folder + "/scans")
        for (number, name) in names.enumerated() {
            try writeHead(to: folder + "/scans/\(name).nii", seed: UInt64(number + 1))
        }
        try body(
            folder, [folder + "/scans", folder + "/out", "--model", folder + "/model"])
    }
}

/// The bytes of every result that does not tell the time, by name.
private func results(in folder: String) throws -> [String: Data] {
    var found: [String: Data] = [:]
    for name in files(below: folder)
    where !name.hasSuffix("_dseg.json") && !name.hasPrefix("ledger") && name != "run.json"
        && !name.hasPrefix("report")
    {
        found[name] = try Data(contentsOf: URL(filePath: folder + "/" + name))
    }
    return found
}

private func counts(in folder: String) throws -> [String: Int]? {
    try object(folder + "/run.json")["counts"] as? [String: Int]
}

private func status(_ folder: String, _ options: String...) throws -> [String: Any] {
    let result = try run("sliceseg", ["status", folder, "--json"] + options)
    let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    return try #require(value as? [String: Any], "\(result.errors)")
}

/// What is known to be done, and how it is told.
@Suite struct `The ledger` {
    @Test func `a corrected label map is kept, measured anew, and moved aside only on request`()
        throws
    {
        try withScans(["a", "b"]) { folder, arguments in
            let out = folder + "/out"
            #expect(try run("segment-brain", arguments).status == 0)
            let path = out + "/a_dseg.nii.gz"
            let (map, header) = try readLabelMap(at: path)
            let corrected = LabelMap(
                grid: map.grid, labels: map.labels.enumerated().map { $0.offset < 5000 ? 2 : 0 })
            try writeLabelMap(corrected, to: path, like: header)
            let bytes = try Data(contentsOf: URL(filePath: path))
            for _ in 0..<2 {
                let result = try run("segment-brain", arguments)
                #expect(result.status == 0)
                #expect(result.errors.contains("a: skipped, its label map was changed and is kept"))
                #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
                #expect(
                    try counts(in: out)
                        == ["scans": 2, "done": 0, "skipped": 1, "failed": 0, "edited": 1])
                let volumes = try rows(of: out + "/a_volumes.tsv")
                #expect(volumes.first { $0[0] == "2" }?[2] == "5000")
                #expect(volumes.filter { $0[2] != "0" }.count == 1)
                let row = try #require(try rows(of: out + "/volumes.tsv").first { $0[0] == "a" })
                #expect(Array(row.dropFirst().dropLast(2)) == volumes.map { $0[3] })
            }
            // Another model is no reason to lose it either.
            try writeTinyModel(to: folder + "/other", seed: 2)
            _ = try run("segment-brain", arguments.dropLast() + [folder + "/other"])
            #expect(try Data(contentsOf: URL(filePath: path)) == bytes)

            #expect(try run("segment-brain", arguments + ["--overwrite"]).status == 0)
            #expect(
                try Data(contentsOf: URL(filePath: out + "/a_dseg.edited-1.nii.gz")) == bytes)
            #expect(try readLabelMap(at: path).0 == map)
            // What was moved aside is neither a scan nor a prediction.
            let measured = try run(
                "sliceseg",
                ["evaluate", "--prediction", out, "--reference", out, "--output", folder + "/s"])
            #expect(measured.status == 0, "\(measured.errors)")
            #expect(
                Set(try rows(of: folder + "/s/metrics.tsv").map { $0[0] }) == ["a", "b"])
        }
    }

    @Test func `a table that somebody has corrected is not taken over`() throws {
        try withScans(["a"]) { folder, arguments in
            let out = folder + "/out"
            #expect(try run("segment-brain", arguments).status == 0)
            let before = try results(in: out)
            var text = try String(contentsOfFile: out + "/a_volumes.tsv", encoding: .utf8)
            text = text.replacing(".000\t", with: ".500\t")
            try #require(
                try Data(text.utf8) != Data(contentsOf: URL(filePath: out + "/a_volumes.tsv")))
            try write(Array(text.utf8), to: out + "/a_volumes.tsv")
            let result = try run("segment-brain", arguments)
            #expect(result.errors.contains("as 'a_volumes.tsv' was changed"))
            var after = try results(in: out)
            #expect(after.removeValue(forKey: "a_volumes.edited-1.tsv") == Data(text.utf8))
            #expect(after == before)
        }
    }

    @Test func `results of an older version are taken over by their records`() throws {
        try withScans(["a", "b"]) { folder, arguments in
            let out = folder + "/out"
            #expect(try run("segment-brain", arguments).status == 0)
            let before = try results(in: out)
            try FileManager.default.removeItem(atPath: out + "/ledger.sqlite")
            #expect(try run("segment-brain", arguments).status == 0)
            #expect(
                try counts(in: out) == ["scans": 2, "done": 0, "skipped": 2, "failed": 0])
            #expect(try results(in: out) == before)
            #expect(try status(out, "--audit")["problems"] as? [String] == [])
        }
    }

    @Test func `a redo that fails leaves the whole result before it`() throws {
        try withScans(["a"]) { folder, arguments in
            let out = folder + "/out"
            #expect(try run("segment-brain", arguments).status == 0)
            let before = try results(in: out).filter { $0.key.hasPrefix("a") }
            let sidecar = try Data(contentsOf: URL(filePath: out + "/a_dseg.json"))
            let failed = try run(
                "segment-brain", arguments + ["--planes", "axial", "--quiet"], fileSizeLimit: 64)
            #expect(failed.status == 1, "\(failed.errors)")
            #expect(failed.errors.contains("cannot write"))
            #expect(try results(in: out).filter { $0.key.hasPrefix("a") } == before)
            #expect(try Data(contentsOf: URL(filePath: out + "/a_dseg.json")) == sidecar)
            expectNothingUnfinished(in: out)
        }
    }

    @Test func `a second process is refused with the name of the first`() throws {
        try withScans((0..<9).map { "s\($0)" }) { folder, arguments in
            let out = folder + "/out"
            let first = try RunningCommand("segment-brain", arguments)
            // The lock's file is made first and then names its holder.
            while first.process.isRunning,
                FileManager.default.contents(atPath: out + "/ledger.lock")?.isEmpty ?? true
            {
                usleep(2_000)
            }
            kill(first.process.processIdentifier, SIGSTOP)
            let second = try run("segment-brain", arguments + ["--planes", "axial"])
            let shard = try run("segment-brain", arguments + ["--shard", "1/2"])
            kill(first.process.processIdentifier, SIGCONT)
            for result in [second, shard] {
                #expect(result.status == 1)
                #expect(
                    result.errors.contains("process \(first.process.processIdentifier) on"),
                    "\(result.errors)")
                #expect(result.errors.contains("segment-brain"))
            }
            #expect(try first.wait().status == 0)
            #expect(files(below: out).count { $0.hasSuffix("_dseg.json") } == 9)
            #expect(!files(below: out).contains("ledger.lock"))
        }
    }

    @Test func `killed at any moment, a run goes on to the same results`() throws {
        try withScans(["a", "b", "c"]) { folder, arguments in
            let whole = folder + "/whole"
            let options = ["--threads", "1", "--precision", "fp32", "--quiet"]
            let clock = ContinuousClock.now
            #expect(
                try run("segment-brain", [arguments[0], whole] + arguments.dropFirst(2) + options)
                    .status == 0)
            let seconds = (ContinuousClock.now - clock) / .seconds(1)
            let expected = try results(in: whole)
            var generator = SystemRandomNumberGenerator()
            var killed = 0
            let rounds =
                ProcessInfo.processInfo.environment["SLICESEG_KILLS"].flatMap { Int($0) } ?? 6
            for _ in 0..<rounds {
                let out = folder + "/out"
                try? FileManager.default.removeItem(atPath: out)
                let running = try RunningCommand("segment-brain", arguments + options)
                usleep(UInt32(Double.random(in: 0...seconds, using: &generator) * 1_000_000))
                if running.process.isRunning { killed += 1 }
                kill(running.process.processIdentifier, SIGKILL)
                _ = try running.wait()
                // The state of a run that was killed can be looked at before it goes on.
                if files(below: out).contains("ledger.sqlite") {
                    let state = try status(out, "--audit")
                    #expect(state["problems"] as? [String] == [])
                    // Run and scans are announced in one step; before it the ledger is a file alone.
                    let isAnnounced = state["scans"] as? Int != 0
                    #expect(state["scans"] as? Int == (isAnnounced ? 3 : 0))
                    #expect(isAnnounced || state["done"] as? Int == 0)
                    #expect((state["failed"] as? Int) == 0)
                }
                let again = try run("segment-brain", arguments + options)
                #expect(again.status == 0, "\(again.errors)")
                #expect(try results(in: out) == expected)
                expectNothingUnfinished(in: out)
                #expect(try status(out, "--audit")["problems"] as? [String] == [])
            }
            #expect(killed > 0)
        }
    }

    @Test func `only what failed is tried again on request`() throws {
        try withScans(["a", "b"]) { folder, arguments in
            let out = folder + "/out"
            try write([1, 2, 3], to: folder + "/scans/bad.nii")
            #expect(try run("segment-brain", arguments + ["--quiet"]).status == 1)
            let failure = try #require(try rows(of: out + "/failures.tsv").first)
            #expect(failure[0] == "bad" && failure[1] == "read")
            #expect(failure[2] == "volume.notAVolume" || failure[2] == "volume.truncated")
            #expect(failure[4] != "n/a")
            try writeHead(to: folder + "/scans/new.nii", seed: 9)
            try writeHead(to: folder + "/scans/bad.nii", seed: 8)
            let retried = try run("segment-brain", arguments + ["--retry-failed"])
            #expect(retried.status == 0, "\(retried.errors)")
            #expect(try counts(in: out) == ["scans": 3, "done": 1, "skipped": 2, "failed": 0])
            #expect(!files(below: out).contains("new_dseg.nii.gz"))
        }
    }

    @Test func `status counts what is done, failed and left, and an audit finds what has changed`()
        throws
    {
        try withScans(["a", "b"]) { folder, arguments in
            let out = folder + "/out"
            try write([1, 2, 3], to: folder + "/scans/bad.nii")
            #expect(try run("segment-brain", arguments + ["--quiet"]).status == 1)
            let state = try status(out, "--audit")
            #expect(state["scans"] as? Int == 3)
            #expect(state["done"] as? Int == 2)
            #expect(state["failed"] as? Int == 1)
            #expect(state["left"] as? Int == 0)
            #expect(state["problems"] as? [String] == [])
            let errors = try #require(state["errors"] as? [[String: Any]])
            #expect(errors.map { $0["scans"] as? [String] } == [["bad"]])
            try write([5], to: out + "/b_qc.png")
            try FileManager.default.removeItem(atPath: out + "/a.stats")
            let audited = try run("sliceseg", ["status", out, "--audit"])
            #expect(audited.status == 1)
            #expect(audited.output.contains("'b_qc.png' has changed"))
            #expect(audited.output.contains("'a.stats' is missing"))
            let nothing = try run("sliceseg", ["status", folder])
            #expect(nothing.status == 2)
            #expect(nothing.errors.contains("holds no ledger"))
        }
    }
}

/// Parts of a run in processes of their own.
@Suite struct `Shards` {
    @Test func `shards joined are a whole run`() throws {
        try withScans((0..<7).map { "s\($0)" }) { folder, arguments in
            try write([1], to: folder + "/scans/bad.nii")
            let whole = folder + "/whole"
            let options = ["--precision", "fp32", "--quiet"]
            _ = try run("segment-brain", [arguments[0], whole] + arguments.dropFirst(2) + options)
            let out = folder + "/out"
            for shard in ["2/3", "1/3"] {
                _ = try run("segment-brain", arguments + options + ["--shard", shard])
            }
            let early = try run("sliceseg", ["merge", out])
            #expect(early.status == 1)
            #expect(early.errors.contains("lacks the shards 3/3"), "\(early.errors)")
            let state = try status(out)
            #expect(state["scans"] as? Int == 8)
            #expect(state["missingShards"] as? [String] == ["3/3"])
            let other = try run("segment-brain", arguments + ["--shard", "1/2"])
            #expect(other.status == 2)
            let unsharded = try run("segment-brain", arguments)
            #expect(unsharded.status == 2)
            #expect(unsharded.errors.contains("that are not joined"))
            _ = try run("segment-brain", arguments + options + ["--shard", "3/3"])
            let merged = try run("sliceseg", ["merge", out])
            #expect(merged.status == 1, "a scan has failed")
            #expect(merged.errors.contains("8 scans: 7 segmented, 0 done before, 1 failed"))
            #expect(try results(in: out) == (try results(in: whole)))
            #expect(
                files(below: out).filter { $0.hasPrefix("ledger") } == ["ledger.sqlite"])
            #expect(try status(out, "--audit")["problems"] as? [String] == [])
            // A whole run goes on from there.
            _ = try run("segment-brain", arguments + options)
            #expect(try counts(in: out) == ["scans": 8, "done": 0, "skipped": 7, "failed": 1])
        }
    }

    @Test func `a ledger from before files were announced is read and gone on with`() throws {
        try withScans(["a", "b"]) { folder, arguments in
            let out = folder + "/out"
            #expect(try run("segment-brain", arguments).status == 0)
            let statement = """
                import sqlite3, sys
                ledger = sqlite3.connect(sys.argv[1])
                ledger.execute("ALTER TABLE scan DROP COLUMN committed_record")
                ledger.execute("UPDATE scan SET state = 'committing', settled = NULL WHERE name = 'b'")
                ledger.commit()
                """
            let edited = try Checkers.run(
                ["/usr/bin/python3", "-c", statement, out + "/ledger.sqlite"])
            #expect(edited.status == 0, "\(edited.output)")
            let status = try run("sliceseg", ["status", out])
            #expect(status.status == 0, "\(status.errors)")
            let again = try run("segment-brain", arguments)
            #expect(again.status == 0, "\(again.errors)")
            #expect(try counts(in: out) == ["scans": 2, "done": 1, "skipped": 1, "failed": 0])
        }
    }

    @Test func `shards run side by side`() throws {
        try withScans((0..<6).map { "s\($0)" }) { folder, arguments in
            let running = try (1...2).map {
                try RunningCommand("segment-brain", arguments + ["--shard", "\($0)/2", "--quiet"])
            }
            for command in running { #expect(try command.wait().status == 0) }
            let merged = try run("sliceseg", ["merge", folder + "/out"])
            #expect(merged.status == 0, "\(merged.errors)")
            #expect(try counts(in: folder + "/out")?["done"] == 6)
        }
    }
}

/// Inputs of which a part is wrong.
@Suite struct `Lists and folders` {
    @Test func `each bad line of a list is a failed case with its number, and the others go on`()
        throws
    {
        try withScans(["a", "b"]) { folder, arguments in
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/annexed.nii",
                withDestinationPath: ".git/annex/objects/x/y/MD5E-s1--0.nii")
            try write(
                Array("scans/a.nii\n# note\ngone.nii\nannexed.nii\nscans/b.nii\n".utf8),
                to: folder + "/list.txt")
            let result = try run(
                "segment-brain", [folder + "/list.txt"] + arguments.dropFirst() + ["--quiet"])
            #expect(result.status == 1)
            let failures = try rows(of: folder + "/out/failures.tsv")
            #expect(failures.map { $0[0] } == ["gone (line 3)", "annexed (line 4)"])
            #expect(failures[0][3].hasPrefix("Line 3 of the list '\(folder)/list.txt': "))
            #expect(
                failures[1][3].hasPrefix("Line 4 of the list ")
                    && failures[1][4].contains("datalad get"))
            #expect(failures.map { $0[2] } == ["usage.input", "usage.input"])
            #expect(
                try counts(in: folder + "/out")
                    == ["scans": 4, "done": 2, "skipped": 0, "failed": 2])
        }
    }

    @Test func `output in the input's own folder finds the same scans each time`() throws {
        try withScans(["a"]) { folder, arguments in
            for count in [["done": 1, "skipped": 0], ["done": 0, "skipped": 1]] {
                let result = try run(
                    "segment-brain",
                    [
                        folder + "/scans", folder + "/scans", "--model", folder + "/model",
                        "--space",
                        "conformed", "--quiet",
                    ])
                #expect(result.status == 0, "\(result.errors)")
                let found = try counts(in: folder + "/scans")
                #expect(found?["scans"] == 1 && found?["done"] == count["done"])
            }
        }
    }
}

/// Ends of a command that are not its own.
@Suite struct `Endings` {
    @Test(arguments: [(SIGHUP, 129), (SIGTERM, 143), (SIGINT, 130)] as [(Int32, Int32)])
    func `a signal leaves whole scans, and the exit status tells which it was`(
        number: Int32, status: Int32
    ) throws {
        try withScans((0..<30).map { "s\($0 + 10)" }) { folder, arguments in
            let out = folder + "/out"
            let running = try RunningCommand("segment-brain", arguments)
            while running.process.isRunning,
                !FileManager.default.fileExists(atPath: out + "/s10_dseg.json")
            {
                usleep(2_000)
            }
            kill(running.process.processIdentifier, number)
            #expect(try running.wait().status == status)
            expectNothingUnfinished(in: out)
            #expect(!files(below: out).contains("ledger.lock"))
        }
    }

    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")),
        arguments: [["models"], ["--help"], ["describe", "phantom"], ["run", "--schema"]])
    func `output that cannot be written is a failure`(arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appending(path: "sliceseg")
        process.arguments = arguments
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: "/dev/full"))
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
    }
}
