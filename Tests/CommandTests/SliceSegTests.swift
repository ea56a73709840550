import Foundation
import TestSupport
import Testing
import VolumeIO

/// The subcommands of `sliceseg`.
@Suite struct `sliceseg` {
    @Test func `phantom writes heads and labels that evaluate finds`() throws {
        try withTemporaryDirectory { folder in
            let arguments = [
                "phantom", "--output", folder + "/scans", "--references", folder + "/labels",
                "--count", "2", "--seed", "7",
            ]
            let result = try run("sliceseg", arguments)
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                files(below: folder) == [
                    "labels/phantom-001_dseg.nii.gz", "labels/phantom-002_dseg.nii.gz",
                    "scans/phantom-001.nii.gz", "scans/phantom-002.nii.gz",
                ])
            let again = try run("sliceseg", arguments)
            #expect(again.status == 2)
            #expect(again.errors.contains("phantom-001.nii.gz' is there already"))
            #expect(try run("sliceseg", arguments + ["--overwrite"]).status == 0)

            let evaluation = try run(
                "sliceseg",
                [
                    "evaluate", "--prediction", folder + "/labels", "--reference",
                    folder + "/labels", "--output", folder + "/scores",
                ])
            #expect(evaluation.status == 0, "\(evaluation.errors)")
            let dice = try rows(of: folder + "/scores/metrics.tsv").filter { $0[3] == "Dice" }
            #expect(!dice.isEmpty)
            #expect(dice.allSatisfy { $0[4] == "1.0" || $0[4] == "n/a" })
            let last = try #require(evaluation.output.split(separator: "\n").last)
            #expect(last.contains("mean of") && last.contains("1.000"))
        }
    }

    @Test func `evaluate lists what has no counterpart and counts it as a failure`() throws {
        try withTemporaryDirectory { folder in
            for name in ["p", "r"] { try makeFolder(folder + "/" + name) }
            let map = NIfTIFile()
            try write(map.bytes, to: folder + "/p/1015_SS_dseg.nii")
            try write(map.bytes, to: folder + "/p/extra_dseg.nii")
            try write(map.bytes, to: folder + "/r/1015_dseg.nii")
            try write(map.bytes, to: folder + "/r/1036_dseg.nii")
            var moved = map
            moved.rows[0][3] += 3
            try write(moved.bytes, to: folder + "/p/moved_dseg.nii")
            try write(map.bytes, to: folder + "/r/moved_dseg.nii")
            let result = try run(
                "sliceseg",
                [
                    "evaluate", "--prediction", folder + "/p", "--reference", folder + "/r",
                    "--output", folder + "/scores",
                ])
            #expect(result.status == 1)
            #expect(result.errors.contains("/p/extra_dseg.nii' has no reference"))
            #expect(result.errors.contains("no prediction for the reference '\(folder)/r/1036"))
            #expect(result.errors.contains("lie 3.00 mm apart"))
            #expect(
                try rows(of: folder + "/scores/failures.tsv").map(\.first) == ["1036", "moved"])
            #expect(Set(try rows(of: folder + "/scores/metrics.tsv").map(\.first)) == ["1015_SS"])
        }
    }

    @Test func `info tells a volume's grid and range, also as JSON`() throws {
        try withTemporaryDirectory { folder in
            try write(NIfTIFile().bytes, to: folder + "/a.nii")
            try write([1, 2, 3], to: folder + "/b.nii")
            let result = try run(
                "sliceseg", ["info", folder + "/b.nii", folder + "/a.nii", "--json"])
            #expect(result.status == 1)
            #expect(result.errorLines.count == 1)
            #expect(result.errors.contains("b.nii'"))
            let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
            let information = try #require(value as? [String: Any])
            #expect(information["size"] as? [Int] == [8, 9, 10])
            #expect(information["orientation"] as? String == "RAS")
            #expect(information["spacing"] as? [Double] == [2, 2, 2])
            #expect(information["datatype"] as? String == "int16")
            #expect(information["minimum"] as? Double == 1)
            #expect(information["maximum"] as? Double == 97)
            let text = try run("sliceseg", ["info", folder + "/a.nii"]).output
            #expect(text.contains("size         8 x 9 x 10 voxels"))
        }
    }

    @Test func `verify says whether two grids are one`() throws {
        try withTemporaryDirectory { folder in
            try write(NIfTIFile().bytes, to: folder + "/a.nii")
            var moved = NIfTIFile()
            moved.rows[2][3] += 0.5
            try write(moved.bytes, to: folder + "/b.nii")
            let same = try run("sliceseg", ["verify", folder + "/a.nii", folder + "/a.nii"])
            #expect(same.status == 0)
            #expect(same.output.contains("have the same grid: 8x9x10 voxels"))
            let other = try run("sliceseg", ["verify", folder + "/a.nii", folder + "/b.nii"])
            #expect(other.status == 1)
            #expect(other.output.contains("lie up to 0.500 mm apart"))
        }
    }

    @Test func `describe counts the paper's parameters`() throws {
        let network = ["describe", "--architecture", "uNet"]
        let plain = try run("sliceseg", network + ["--recalibration", "none"])
        #expect(plain.status == 0, "\(plain.errors)")
        let recalibrated = try run("sliceseg", network + ["--recalibration", "channelAndSpatial"])
        let lines = recalibrated.output.split(separator: "\n")
        #expect(lines.last?.contains("recalibration blocks") == true)
        #expect(lines.last?.hasSuffix("34056") == true)
        #expect(plain.output.split(separator: "\n").last?.hasSuffix(" 0") == true)

        let wrong = try run("sliceseg", ["describe", "--architecture", "vNet"])
        #expect(wrong.status == 2)
        #expect(wrong.errors.contains("choose from uNet, sdNet, denseNet"))
        #expect(try run("sliceseg", network + ["--kernel", "4"]).status == 2)
        #expect(try run("sliceseg", ["describe"]).status == 2)
    }

    @Test func `describe tells the layers of a model's networks`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            let result = try run("sliceseg", ["describe", folder + "/model"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.hasPrefix("tiny: Random weights for tests.\n"))
            #expect(result.output.contains("\ncoronal plane, weight 1.0\n"))
            #expect(result.output.contains("classifier.weight"))
        }
    }

    @Test func `train names what is wrong with its configuration`() throws {
        try withTemporaryDirectory { folder in
            let missing = try run(
                "sliceseg", ["train", folder + "/gone.yaml", "--output", folder + "/out"])
            #expect(missing.status == 1)
            #expect(missing.errorLines.count == 1)
            #expect(missing.errors.contains("gone.yaml' cannot be read"))
        }
    }

    @Test(
        arguments: [
            (["evaluate", "--prediction", "p"], "Missing expected argument"),
            (
                ["evaluate", "--prediction", "p", "--reference", "r", "--output", "o"],
                "'p' does not exist"
            ),
            (["phantom", "--output", "o", "--count", "0", "--seed", "1"], "1 to 100000, not 0"),
            (["phantom", "--output", "o", "--count", "1", "--seed", "-1"], "--seed"),
            (["dance"], "Unexpected argument 'dance'"),
            (["info"], "Missing expected argument"),
            (["verify", "a", "b", "c"], "Unexpected argument 'c'"),
            (["run", "job.yaml"], "'run'"),
        ])
    func `a wrong command line gets one sentence and status 2`(
        arguments: [String], says: String
    ) throws {
        try withTemporaryDirectory { folder in
            let result = try RunningCommand("sliceseg", arguments, folder: folder).wait()
            #expect(result.status == 2)
            #expect(result.errorLines.count == 1, "\(result.errors)")
            #expect(result.errors.contains(says), "\(result.errors)")
            #expect(files(below: folder).isEmpty)
        }
    }
}
