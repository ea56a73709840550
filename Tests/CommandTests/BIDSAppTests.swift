import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// `segment-brain BIDS_DIR OUTPUT participant|group`.
@Suite struct `segment-brain as a BIDS App` {
    /// A dataset of four participants, one of which cannot be read and one has two sessions.
    private func withDataset(_ body: (_ folder: String, _ model: [String]) throws -> Void) throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            for place in ["sub-01/anat", "sub-02/anat", "sub-03/ses-a/anat", "sub-03/ses-b/anat"] {
                try makeFolder(folder + "/bids/" + place)
            }
            let bids = folder + "/bids"
            try write(
                Array(#"{"Name": "Heads", "BIDSVersion": "1.10.0"}"#.utf8),
                to: bids + "/dataset_description.json")
            try writeHead(to: bids + "/sub-01/anat/sub-01_T1w.nii.gz")
            try write([1, 2, 3], to: bids + "/sub-02/anat/sub-02_T1w.nii.gz")
            try writeHead(to: bids + "/sub-03/ses-a/anat/sub-03_ses-a_T1w.nii.gz", seed: 2)
            try writeHead(to: bids + "/sub-03/ses-b/anat/sub-03_ses-b_T1w.nii.gz", seed: 3)
            try body(folder, ["--model", folder + "/model", "--precision", "fp32"])
        }
    }

    @Test func `participants beside each other and then the group are what one run gives`() throws {
        try withDataset { folder, model in
            let (bids, out) = (folder + "/bids", folder + "/out")
            let jobs = [["sub-01"], ["02"], ["03"]]
            let running = try jobs.map {
                try RunningCommand(
                    "segment-brain",
                    [bids, out, "participant", "--participant_label"] + $0
                        + ["--skip-bids-validation", "--n_cpus", "1", "--mem-mb", "2000"] + model)
            }
            let results = try running.map { try $0.wait() }
            #expect(results.map(\.status) == [0, 1, 0], "\(results.map(\.errors))")
            #expect(results[0].output == "sub-01: success, 1 scan\n")
            #expect(results[1].output.hasPrefix("sub-02: failure, 1 of 1 scan (volume."))
            #expect(results[2].output == "sub-03: success, 2 scans\n")
            #expect(!files(below: out).contains("volumes.tsv"))
            let group = try run("segment-brain", [bids, out, "group"] + model)
            #expect(group.status == 3, "\(group.errors)")
            #expect(
                group.output.hasPrefix("sub-01: success, 1 scan\nsub-03: success, 2 scans\nsub-02"))
            let whole = folder + "/whole"
            #expect(try run("segment-brain", [bids, whole] + model).status == 1)
            for name in ["volumes.tsv", "failures.tsv"] {
                #expect(
                    Set(try rows(of: out + "/" + name)) == Set(try rows(of: whole + "/" + name)))
            }
            for name in files(below: whole) where name.hasSuffix("_dseg.nii.gz") {
                #expect(
                    try Data(contentsOf: URL(filePath: out + "/" + name))
                        == Data(contentsOf: URL(filePath: whole + "/" + name)))
            }
            expectNothingHidden(in: out)
        }
    }

    @Test func `some done and some failed is a status of its own, and sessions can be chosen`()
        throws
    {
        try withDataset { folder, model in
            let (bids, out) = (folder + "/bids", folder + "/out")
            let both = try run(
                "segment-brain",
                [bids, out, "participant", "--participant-label", "01", "02"] + model)
            #expect(both.status == 3, "\(both.errors)")
            // In two ledgers now, and one failure all the same.
            let alone = try run(
                "segment-brain", [bids, out, "participant", "--participant-label", "02"] + model)
            #expect(alone.status == 1, "\(alone.errors)")
            let group = try run("segment-brain", [bids, out, "group"] + model)
            #expect(group.status == 3, "\(group.errors)")
            #expect(group.output.contains("sub-02: failure, 1 of 1 scan ("))
            try write(Array(#"{"t1w": {"session": "b"}}"#.utf8), to: folder + "/filter.json")
            let filtered = try run(
                "segment-brain",
                [
                    bids, folder + "/b", "participant", "--participant-label", "03",
                    "--bids-filter-file", folder + "/filter.json",
                ] + model)
            #expect(filtered.status == 0, "\(filtered.errors)")
            #expect(filtered.output == "sub-03: success, 1 scan\n")
            #expect(files(below: folder + "/b").contains { $0.hasPrefix("sub-03/ses-b/") })
            #expect(!files(below: folder + "/b").contains { $0.hasPrefix("sub-03/ses-a/") })
            let none = try run(
                "segment-brain",
                [bids, folder + "/n", "participant", "--session-label", "z"] + model)
            #expect(none.status == 2 && none.errors.contains("--session-label"))
            let empty = try run("segment-brain", [bids, folder + "/e", "group"] + model)
            #expect(empty.status == 2 && empty.errors.contains("run the level 'participant' first"))
        }
    }

    @Test func `sessions of one participant may be segmented beside each other`() throws {
        try withDataset { folder, model in
            let (bids, out) = (folder + "/bids", folder + "/out")
            let running = try ["a", "ses-b"].map {
                try RunningCommand(
                    "segment-brain",
                    [
                        bids, out, "participant", "--participant-label", "03", "--session-label",
                        $0,
                    ] + model)
            }
            let results = try running.map { try $0.wait() }
            #expect(results.map(\.status) == [0, 0], "\(results.map(\.errors))")
            #expect(
                results.map(\.output) == ["sub-03: success, 1 scan\n", "sub-03: success, 1 scan\n"])
            let ledgers = files(below: out).filter { $0.hasSuffix(".sqlite") }
            #expect(ledgers == ["ledger_sub-03_ses-a.sqlite", "ledger_sub-03_ses-b.sqlite"])
            let group = try run("segment-brain", [bids, out, "group"] + model)
            #expect(group.status == 0 && group.output == "sub-03: success, 2 scans\n")
            let status = try run("sliceseg", ["status", out, "--audit"])
            #expect(status.output.contains("audit: 2 = 2 done + 0 failed + 0 left"), "\(status)")
        }
    }

    @Test func `writes the files that fMRIPrep looks for, on the scan's grid`() throws {
        try withDataset { folder, model in
            let result = try run(
                "segment-brain",
                [
                    folder + "/bids", folder + "/out", "participant", "--participant-label", "01",
                    "--derivatives-for", "fmriprep",
                ] + model)
            #expect(result.status == 0, "\(result.errors)")
            let anatomy = folder + "/out/sub-01/anat/sub-01"
            let scan = try readVolumeHeader(at: folder + "/bids/sub-01/anat/sub-01_T1w.nii.gz")
            // Source: the patterns of smriprep's io_spec.json.
            for ending in [
                "_desc-preproc_T1w", "_desc-brain_mask", "_dseg", "_label-GM_probseg",
                "_label-WM_probseg", "_label-CSF_probseg",
            ] {
                let header = try readVolumeHeader(at: anatomy + ending + ".nii.gz")
                #expect(header.grid == scan.grid, "\(ending)")
            }
            #expect(
                !files(below: folder + "/out").contains { $0.hasSuffix("seg-tiny_probseg.nii.gz") })
            let (tissues, _) = try readLabelMap(at: anatomy + "_dseg.nii.gz")
            #expect(tissues.labels.allSatisfy { $0 <= 3 })
        }
    }

    private func expectNothingHidden(in folder: String) {
        let found = files(below: folder).filter {
            $0.contains(".tmp") || $0.contains(".lock") || $0.contains("-journal")
        }
        #expect(found.isEmpty)
    }
}

/// The limits of a run and the forms of its messages.
@Suite struct `Memory and logs of a run` {
    @Test func `a scan that cannot fit fails by name, and the others are done`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            try writeHead(to: folder + "/scans/small.nii.gz")
            // 11 million voxels of two bytes: with as many numbers of four bytes more than 50 MB.
            var large = [UInt8](repeating: 0, count: 352 + 2 * 224 * 224 * 224)
            func put<Value>(_ value: Value, at offset: Int) {
                withUnsafeBytes(of: value) {
                    large.replaceSubrange(offset..<offset + $0.count, with: $0)
                }
            }
            put(Int32(348), at: 0)
            for (index, size) in ([3, 224, 224, 224, 1, 1, 1, 1] as [Int16]).enumerated() {
                put(size, at: 40 + 2 * index)
            }
            put(Int16(4), at: 70)
            put(Int16(16), at: 72)
            for index in 0..<4 { put(Float(1), at: 76 + 4 * index) }
            put(Float(352), at: 108)
            large.replaceSubrange(344..<348, with: Array("n+1\0".utf8))
            try write(large, to: folder + "/scans/large.nii")
            let result = try run(
                "segment-brain",
                [
                    folder + "/scans", folder + "/out", "--model", folder + "/model",
                    "--max-memory", "50M",
                ])
            #expect(result.status == 1, "\(result.errors)")
            let failures = try rows(of: folder + "/out/failures.tsv")
            #expect(failures.map { $0[0] } == ["large"])
            #expect(failures.first?[2] == "memory.limit")
            #expect(files(below: folder + "/out").contains("small_dseg.nii.gz"))
            let wrong = try run(
                "segment-brain", [folder + "/scans", folder + "/out", "--max-memory", "lots"])
            #expect(wrong.status == 2 && wrong.errors.contains("such as 1.5G"))
        }
    }

    @Test func `each line of a JSON log is an object with time, level, event and counts`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            for name in ["a", "b", "c"] { try writeHead(to: folder + "/scans/\(name).nii.gz") }
            try write([1, 2, 3], to: folder + "/scans/bad.nii")
            let result = try run(
                "segment-brain",
                [
                    folder + "/scans", folder + "/out", "--model", folder + "/model",
                    "--log-format", "json",
                ])
            #expect(result.status == 1)
            let events = try result.errorLines.map { line in
                try JSONDecoder().decode(LogLine.self, from: Data(line.utf8))
            }
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            for event in events {
                let time = try Date(event.time, strategy: format)
                #expect(abs(time.timeIntervalSinceNow) < 600, "\(event.time)")
            }
            let done = events.filter { $0.event == "done" }
            #expect(done.map(\.scan) == ["a", "b", "c"])
            #expect(done.last?.finished == 4 && done.last?.total == 4)
            let failed = events.filter { $0.event == "failed" }
            #expect(failed.map(\.scan) == ["bad"])
            #expect(failed.first?.level == "error")
        }
    }

    @Test func `a quiet JSON log has failures alone, and a wrong command line is a line of it`()
        throws
    {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            try writeHead(to: folder + "/scans/a.nii.gz")
            try write([1, 2, 3], to: folder + "/scans/bad.nii")
            func lines(_ options: [String], status: Int32) throws -> [LogLine] {
                let result = try run(
                    "segment-brain",
                    [
                        folder + "/scans", folder + "/out", "--model", folder + "/model",
                        "--log-format", "json",
                    ] + options)
                #expect(result.status == status, "\(result.errors)")
                return try result.errorLines.map {
                    try JSONDecoder().decode(LogLine.self, from: Data($0.utf8))
                }
            }
            let events = try lines(["--quiet"], status: 1).filter { $0.event != nil }
            #expect(events.map(\.event) == ["failed"] && events.map(\.scan) == ["bad"])
            let wrong = try lines(["--max-memory", "lots"], status: 2)
            #expect(wrong.map(\.level) == ["error"])
            #expect(wrong.first?.message.contains("--max-memory must be such as 1.5G") == true)
        }
    }
}

/// A line of the log; the first four stand in every one.
private struct LogLine: Decodable {
    var time: String
    var level: String
    var message: String
    var process: Int
    var event: String?
    var scan: String?
    var finished: Int?
    var total: Int?
}
