import Files
import Foundation
import ModelBundles
import TestSupport
import Testing

/// A file that cannot be segmented, and what is said about it.
struct BadScan: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    /// A part of the sentence.
    var says: String

    var testDescription: String { name }

    init(_ name: String, _ bytes: [UInt8], says: String) {
        self.name = name
        self.bytes = bytes
        self.says = says
    }

    init(_ name: String, says: String, _ change: (inout NIfTIFile) -> Void) {
        var file = NIfTIFile()
        change(&file)
        self.init(name, file.bytes, says: says)
    }

    static let all: [BadScan] = [
        BadScan("empty.nii", [], says: "is empty"),
        BadScan("text.nii", Array("Not an image, but long enough for a header.".utf8), says: "is"),
        BadScan("noise.nii.gz", [UInt8](repeating: 7, count: 4000), says: "is"),
        BadScan("truncated.nii", NIfTIFile().bytes.dropLast(9) + [], says: "last voxel"),
        BadScan("series.nii", says: "volumes") { file in
            file.dimensions = [4, 8, 9, 10, 2, 1, 1, 1]
            file.voxels += file.voxels
        },
        BadScan("rgb.nii", says: "color") { file in
            file.datatype = 128
            file.bitsPerVoxel = 24
            file.voxels = [UInt8](repeating: 9, count: 720 * 3)
        },
        BadScan("complex.nii", says: "complex") { file in
            file.datatype = 32
            file.bitsPerVoxel = 64
            file.voxels = [UInt8](repeating: 9, count: 720 * 8)
        },
        BadScan("zero-affine.nii", says: "sform") { file in
            file.rows = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
        },
        BadScan("nan-affine.nii", says: "sform") { file in file.rows[1][1] = .nan },
        BadScan("flat.nii", says: "2-D") { file in
            file.dimensions = [2, 8, 9, 1, 1, 1, 1, 1]
            file.voxels = Array(file.voxels.prefix(144))
        },
        BadScan("huge.nii", says: "last voxel") { file in
            file.dimensions = [3, 1000, 1000, 1000, 1, 1, 1, 1]
        },
        BadScan("zeros.nii", says: "every voxel of the scan is 0") { file in
            file.voxels = [UInt8](repeating: 0, count: 1440)
        },
        BadScan(
            "nans.nii", NIfTIFile.floats([Float](repeating: .nan, count: 720)).bytes,
            says: "no voxel of the scan is a finite number"),
    ]
}

/// `segment-brain` on what cannot be done.
@Suite struct `Bad input` {
    @Test func `each bad scan gets one sentence and the others are done`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            for scan in BadScan.all { try write(scan.bytes, to: folder + "/scans/" + scan.name) }
            // The first and the last one of the folder.
            try writeHead(to: folder + "/scans/a.nii")
            try writeHead(to: folder + "/scans/zz.nii", seed: 2)
            let out = folder + "/out"
            let result = try run(
                "segment-brain", [folder + "/scans", out, "--model", folder + "/model", "--quiet"])
            #expect(result.status == 1)
            #expect(result.errorLines.count == BadScan.all.count)
            let failures = try rows(of: out + "/failures.tsv")
            for scan in BadScan.all {
                let name = String(scan.name.prefix { $0 != "." })
                let path = "'\(folder)/scans/\(scan.name)'"
                let reasons = failures.filter { $0.first == name }.map { "\($0[3]); \($0[4])." }
                let reason = try #require(reasons.first, "\(scan.name)")
                #expect(reasons.count == 1)
                #expect(reason.contains(path) && reason.contains(scan.says), "\(reason)")
                #expect(reason.contains(";") && reason.hasSuffix("."), "\(reason)")
                #expect(result.errorLines.contains("\(name): failed: \(reason)"))
            }
            #expect(failures.count == BadScan.all.count)
            #expect(
                files(below: out).filter { $0.hasSuffix("_dseg.json") }
                    == ["a_dseg.json", "zz_dseg.json"])
            // Those of the two scans, of the run, and the page with its pictures.
            #expect(files(below: out).count == 2 * 6 + 6 + 1 + 2)
            expectNothingUnfinished(in: out)
        }
    }

    @Test func `with JSON, failures are told on both outputs`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try write([], to: folder + "/a.nii")
            let result = try run(
                "segment-brain",
                [folder + "/a.nii", folder + "/out", "--model", folder + "/model", "--json"])
            #expect(result.status == 1)
            let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
            let record = try #require(value as? [String: Any])
            #expect(record["name"] as? String == "a")
            #expect(record["status"] as? String == "failed")
            let reason = try #require(record["reason"] as? String)
            #expect(result.errorLines == ["a: failed: \(reason)"])
        }
    }

    @Test func `voxels that are not a number are counted and warned of`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            var values = (0..<720).map { Float($0 % 97 + 1) }
            values[5] = .nan
            values[77] = .nan
            try write(NIfTIFile.floats(values).bytes, to: folder + "/a.nii")
            let result = try run(
                "segment-brain", [folder + "/a.nii", folder + "/out", "--model", folder + "/model"])
            #expect(result.status == 0)
            #expect(result.errors.contains("a: warning: 2 voxels are not a number"))
            let warnings = try object(folder + "/out/a_dseg.json")["warnings"] as? [String]
            #expect(warnings?.first?.hasPrefix("2 voxels") == true)
        }
    }

    @Test(
        arguments: [
            (["missing", "out"], "'missing' does not exist"),
            (["empty", "out"], "no scan was found in 'empty'"),
            (["dicom", "out"], "(apt install dcm2niix)"),
            (["dicom/1", "out"], "'dicom/1' is one image of a DICOM series; name the folder"),
            (["a.nii", "out", "--participant-label", "01"], "needs a BIDS dataset"),
            (["bids", "out", "--participant-label", "03"], "'03' in 'bids'; there are 01, x2"),
            (["bids", "out"], "holds no T1-weighted scan of any participant"),
            (["bids", "bids"], "the output folder 'bids' is the BIDS dataset itself"),
            (["a.nii"], "and then the output folder"),
            ([], "and then the output folder"),
            (["notes.md", "out"], "'notes.md' is not a scan"),
            (["a.nii", "notes.md"], "'notes.md' is a file, not a folder"),
            (["a.nii", "notes.md/out"], "a part of the path is a file"),
            (["list.txt", "out"], "line 2 of the list 'list.txt': 'gone.nii' does not exist"),
            (["a.nii", "b/a.nii", "out"], "'a.nii' and 'b/a.nii' would both be written"),
            (["a.nii", "out", "--model", "nothing"], "'nothing' is neither a shipped model"),
            (["a.nii", "out", "--model", "./nothing"], "'./nothing' cannot be read"),
            (["a.nii", "out", "--planes", "diagonal"], "'diagonal' is not a plane"),
            (["a.nii", "out", "--planes", "axial,axial"], "'axial' is named twice"),
            (
                ["a.nii", "out", "--model", "model", "--planes", "sagittal"],
                "has no sagittal network"
            ),
            (["a.nii", "out", "--device", "tpu"], "'tpu' is not a device"),
            (["a.nii", "out", "--precision", "fp8"], "'fp8' is not a precision"),
            (
                ["a.nii", "out", "--model", "model", "--precision", "int8"],
                "the coronal network of the model 'tiny' is not calibrated for int8"
            ),
            (["a.nii", "out", "--threads", "0"], "--threads must be 1 to 1024, not 0"),
            (["a.nii", "out", "--threads", "many"], "'many' is invalid for '--threads <n>'"),
            (["a.nii", "out", "--batch-size", "-1"], "--batch-size"),
            (["a.nii", "out", "--model", "model", "--reference", "none"], "'none' do not exist"),
            (["a.nii", "dataset", "--model", "model"], "'dataset' is another dataset"),
            (["a.nii", "out", "--shard", "3/2"], "--shard must be such as 2/8"),
            (["a.nii", "out", "--shard", "auto"], "--shard auto needs an array job"),
            (["a.nii", "out", "--colour"], "Unknown option '--colour'"),
            (["a.nii", "out", "--space", "world"], "--space must be native or conformed"),
            (["a.nii", "out", "--interpolation", "nearest"], "must be linear or cubic"),
        ])
    func `a wrong command line gets one sentence and status 2`(
        arguments: [String], says: String
    ) throws {
        try withTemporaryDirectory { folder in
            for name in ["empty", "dicom", "b", "dataset", "bids/sub-01/anat", "bids/sub-x2"] {
                try makeFolder(folder + "/" + name)
            }
            for name in ["dataset_description.json", "sub-01/anat/sub-01_T2w.nii"] {
                try write(Array("{}".utf8), to: folder + "/bids/" + name)
            }
            try write(
                [UInt8](repeating: 0, count: 128) + Array("DICM".utf8), to: folder + "/dicom/1")
            try write(NIfTIFile().bytes, to: folder + "/a.nii")
            try write(NIfTIFile().bytes, to: folder + "/b/a.nii")
            try write(Array("# cases\ngone.nii\n".utf8), to: folder + "/list.txt")
            try write(Array("notes".utf8), to: folder + "/notes.md")
            try write(
                Array(#"{"Name": "Somebody's study"}"#.utf8),
                to: folder + "/dataset/dataset_description.json")
            try writeTinyModel(to: folder + "/model")
            let model = arguments.contains("--model") ? [] : ["--model", "model"]
            let before = files(below: folder)
            // Without dcm2niix on the search path.
            let command = try RunningCommand(
                "segment-brain", arguments + model, environment: ["PATH": "/nowhere"],
                folder: folder)
            let result = try command.wait()
            #expect(result.status == 2)
            #expect(result.output.isEmpty)
            #expect(result.errorLines.count == 1, "\(result.errors)")
            #expect(result.errors.hasPrefix("segment-brain: "))
            #expect(result.errors.contains(says), "\(result.errors)")
            #expect(files(below: folder) == before)
        }
    }

    @Test func `labels of another origin are not replaced`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/a.nii.gz", labels: folder + "/a_dseg.nii.gz")
            let manual = try Data(contentsOf: URL(filePath: folder + "/a_dseg.nii.gz"))
            let arguments = [folder + "/a.nii.gz", folder, "--model", folder + "/model"]
            let result = try run("segment-brain", arguments)
            #expect(result.status == 1)
            #expect(result.errors.contains("a_dseg.nii.gz' is there already"))
            #expect(try Data(contentsOf: URL(filePath: folder + "/a_dseg.nii.gz")) == manual)
            #expect(try run("segment-brain", arguments + ["--overwrite"]).status == 0)
            #expect(try Data(contentsOf: URL(filePath: folder + "/a_dseg.nii.gz")) != manual)
        }
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may read and write everything"))
    func `a scan without permission fails, an output without it is refused`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/a.nii")
            try writeHead(to: folder + "/b.nii")
            chmod(folder + "/a.nii", 0)
            let scans = [folder + "/a.nii", folder + "/b.nii"]
            let result = try run(
                "segment-brain", scans + [folder + "/out", "--model", folder + "/model"])
            #expect(result.status == 1)
            #expect(try rows(of: folder + "/out/failures.tsv").map(\.first) == ["a"])
            try makeFolder(folder + "/locked")
            chmod(folder + "/locked", 0o555)
            let refused = try run(
                "segment-brain", scans + [folder + "/locked", "--model", folder + "/model"])
            #expect(refused.status == 2)
            #expect(refused.errors.contains("no permission"))
        }
    }

    // MARK: - Disks

    @Test func `a file that may not grow fails its scan and leaves nothing of it`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/a.nii.gz")
            let out = folder + "/out"
            let result = try run(
                "segment-brain", [folder + "/a.nii.gz", out, "--model", folder + "/model"],
                fileSizeLimit: 8)
            #expect(result.status == 1)
            let failures = try rows(of: out + "/failures.tsv")
            #expect(failures.count == 1)
            let reason = try #require(failures.first?[3])
            #expect(reason.hasPrefix("cannot write '\(out)/a_"))
            #expect(reason.contains("the file would be larger than allowed"))
            #expect(
                files(below: out) == [
                    "dataset_description.json", "failures.tsv", "qc.tsv", "run.json", "volumes.tsv",
                ])
        }
    }

    @Test(.enabled(if: canMount, "only the superuser may mount, and not in every container"))
    func `a full disk fails the scans that do not fit, and only them`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            for number in 1...4 {
                try writeHead(to: folder + "/scans/\(number).nii.gz", seed: UInt64(number))
            }
            let disk = folder + "/disk"
            try makeFolder(disk)
            try #require(try mountMemory(on: disk, size: "640k"))
            defer { _ = try? call("umount", [disk]) }
            let result = try run(
                "segment-brain", [folder + "/scans", disk, "--model", folder + "/model", "--quiet"])
            #expect(result.status == 1)
            #expect(result.errors.contains("the disk is full; free some space"))
            expectNothingUnfinished(in: disk)
            let written = files(below: disk)
            for name in (1...4).map(String.init) {
                let count = written.count { $0.hasPrefix(name + "_") }
                #expect(count == 0 || count == 5, "\(written)")
            }
        }
    }

    // MARK: - Models

    @Test func `a damaged model is refused with the file and what is wrong with it`() throws {
        try withTemporaryDirectory { folder in
            try writeHead(to: folder + "/a.nii")
            func errors(_ name: String, _ damage: (_ model: String) throws -> Void) throws -> String
            {
                let model = folder + "/" + name
                try writeTinyModel(to: model)
                try damage(model)
                let result = try run(
                    "segment-brain", [folder + "/a.nii", folder + "/out", "--model", model])
                #expect(result.status == 1)
                #expect(result.errorLines.count == 1, "\(result.errors)")
                expectNothingUnfinished(in: folder + "/out")
                return result.errors
            }
            let weights = "/weights-axial.safetensors"
            let missing = try errors("missing") {
                try FileManager.default.removeItem(atPath: $0 + weights)
            }
            #expect(missing.contains("/missing\(weights)'"))
            let corrupted = try errors("corrupted") { model in
                try edit(model + weights) { $0[$0.count - 3] ^= 64 }
            }
            #expect(corrupted.contains("/corrupted\(weights)'"))
            #expect(corrupted.contains("SHA-256"))
            let renamed = try errors("renamed") { model in
                try replaceWeights(of: model, "classifier.weight", with: "classifier.waight")
            }
            #expect(renamed.contains("/renamed\(weights)'"))
            #expect(renamed.contains("missing 'classifier.weight'"))
            #expect(renamed.contains("unexpected 'classifier.waight'"))
            let misshapen = try errors("misshapen") { model in
                try replace(
                    "\"channels\" : 4", with: "\"channels\" : 6", inFileAt: model + "/model.json")
            }
            #expect(misshapen.contains("has shape"))
            let empty = try errors("empty") {
                try FileManager.default.removeItem(atPath: $0 + "/model.json")
            }
            #expect(empty.contains("/empty/model.json'"))
        }
    }

    private func edit(_ path: String, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        change(&bytes)
        try write(bytes, to: path)
    }

    private func replace(_ text: String, with other: String, inFileAt path: String) throws {
        let content = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        let changed = content.replacing(text, with: other)
        try #require(changed != content, "no \(text) in \(content)")
        try write(Array(changed.utf8), to: path)
    }

    /// Renames a tensor of the axial network, and makes the card agree with the new file.
    private func replaceWeights(of model: String, _ name: String, with other: String) throws {
        let path = model + "/weights-axial.safetensors"
        let before = try Data(contentsOf: URL(filePath: path))
        var bytes = [UInt8](before)
        let range = try #require(
            bytes.indices.first { bytes[$0...].starts(with: name.utf8) })
        bytes.replaceSubrange(range..<range + name.utf8.count, with: other.utf8)
        try write(bytes, to: path)
        try replace(sha256(before), with: sha256(Data(bytes)), inFileAt: model + "/model.json")
    }
}

/// Whether this machine lets the tests mount a small disk in memory.
private let canMount: Bool = {
    let folder = NSTemporaryDirectory() + "sliceseg-mount-" + UUID().uuidString
    guard mkdir(folder, 0o700) == 0 else { return false }
    defer { rmdir(folder) }
    guard (try? mountMemory(on: folder, size: "64k")) == true else { return false }
    return (try? call("umount", [folder])) == 0
}()

private func mountMemory(on folder: String, size: String) throws -> Bool {
    try call("mount", ["-t", "tmpfs", "-o", "size=\(size)", "tmpfs", folder]) == 0
}

private func call(_ program: String, _ arguments: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}
