import Foundation
import ModelBundles
import TestSupport
import Testing
import VolumeIO
import Volumes

/// The models that come with the package, as a user runs them.
@Suite struct `Shipped models` {
    @Test func `phantom labels synthetic heads that it was not trained on`() throws {
        try withTemporaryDirectory { folder in
            let made = try run(
                "sliceseg",
                [
                    "phantom", "--output", folder + "/scans", "--references", folder + "/truth",
                    "--count", "3", "--seed", "9000",
                ])
            #expect(made.status == 0, "\(made.errors)")
            let result = try run(
                "segment-brain",
                [
                    folder + "/scans", folder + "/out", "--model", "phantom", "--reference",
                    folder + "/truth",
                ])
            #expect(result.status == 0, "\(result.errors)")
            // Its card says how well it does on held-out heads; a broken way through conforming,
            // planes and back would fall far below.
            #expect(try meanDice(in: folder + "/out") > 0.75)
        }
    }

    @Test func `phantom flags none of the heads that were held out of its training`() throws {
        try withTemporaryDirectory { folder in
            // The last 8 of the 208 heads of pipelines/phantom.yaml.
            let made = try run(
                "sliceseg",
                [
                    "phantom", "--output", folder + "/scans", "--references", folder + "/truth",
                    "--count", "8", "--seed", "201",
                ])
            #expect(made.status == 0, "\(made.errors)")
            let result = try run(
                "segment-brain", [folder + "/scans", folder + "/out", "--model", "phantom"])
            #expect(result.status == 0, "\(result.errors)")
            let verdicts = try rows(of: folder + "/out/qc.tsv").map { $0[2] }
            #expect(verdicts == [String](repeating: "ordinary", count: 8))
        }
    }

    @Test(
        .enabled(
            if: sharedDataPath("malc/train") != nil,
            "needs the challenge's scans in ../shared/data/malc/train"))
    func `brain-mri labels a held-out scan of the challenge as well as its card says`() throws {
        let data = try #require(sharedDataPath("malc/train"))
        #expect(
            try meanDice(
                of: data + "/1015_SS.nii.gz", against: data + "/1015_dseg.nii.gz",
                options: ["--model", "brain-mri"]) > 0.85)
    }

    @Test(
        .enabled(
            if: sharedDataPath("malc/train") != nil,
            "needs the challenge's scans in ../shared/data/malc/train"))
    func `the default model labels a stripped scan though it has seen no scan`() throws {
        let data = try #require(sharedDataPath("malc/train"))
        #expect(
            try meanDice(
                of: data + "/1036_SS.nii.gz", against: data + "/1036_dseg.nii.gz") > 0.76)
    }

    @Test(
        .enabled(
            if: sharedDataPath("nichart") != nil,
            "needs raw heads in ../shared/data/nichart"))
    func `the default model labels a raw head as another tool does`() throws {
        let data = try #require(sharedDataPath("nichart"))
        #expect(
            try meanDice(
                of: data + "/Subj05_T1.nii.gz", against: data + "/Subj05_dseg.nii.gz") > 0.79)
    }

    @Test func `a calibrated model labels heads in 8-bit integers as in single precision`() throws {
        try withTemporaryDirectory { folder in
            let made = try run(
                "sliceseg",
                ["phantom", "--output", folder + "/scans", "--count", "2", "--seed", "7"])
            #expect(made.status == 0, "\(made.errors)")
            let model = folder + "/model"
            let calibrated = try run(
                "sliceseg", ["calibrate", "phantom", folder + "/scans", "--output", model])
            #expect(calibrated.status == 0, "\(calibrated.errors)")
            let (before, after) = (
                try ModelBundle.shipped(named: "phantom"), try ModelBundle.load(at: model)
            )
            #expect(after.card.planes.map(\.sha256) == before.card.planes.map(\.sha256))
            #expect(after.card.planes.allSatisfy { $0.inputRanges?.count == 17 })
            #expect(after.card.planes.map(\.inputRanges) != before.card.planes.map(\.inputRanges))

            var labels: [[LabelMap]] = []
            for precision in ["fp32", "int8"] {
                let out = folder + "/" + precision
                let result = try run(
                    "segment-brain",
                    [folder + "/scans", out, "--model", model, "--precision", precision])
                #expect(result.status == 0, "\(result.errors)")
                let files = files(below: out).filter { $0.hasSuffix("_dseg.nii.gz") }.sorted()
                labels.append(try files.map { try readLabelMap(at: out + "/" + $0).0 })
                let record = try object(
                    out + "/" + files[0].replacing("_dseg.nii.gz", with: "_dseg.json"))
                let computation = record["computation"] as? [String: Any]
                #expect(computation?["precision"] as? String == precision)
            }
            #expect(labels[0].count == 2)
            for (single, integers) in zip(labels[0], labels[1]) {
                let equal = zip(single.labels, integers.labels).count { $0 == $1 }
                #expect(Double(equal) / Double(single.labels.count) > 0.995)
                #expect(equal < single.labels.count, "int8 seems not to be in use")
            }
        }
    }

    private func meanDice(
        of scan: String, against reference: String, options: [String] = []
    ) throws -> Double {
        try withTemporaryDirectory { folder in
            let result = try run(
                "segment-brain", [scan, folder + "/out", "--reference", reference] + options)
            #expect(result.status == 0, "\(result.errors)")
            return try meanDice(in: folder + "/out")
        }
    }

    /// The mean Dice coefficient in `metrics.tsv` over structures and cases.
    private func meanDice(in folder: String) throws -> Double {
        // Structures that the references leave in the background.
        let unreferenced = ["-Inf-Lat-Vent", "CSF", "-Accumbens-area"]
        let values = try rows(of: folder + "/metrics.tsv")
            .filter { row in row[3] == "dice" && !unreferenced.contains { row[2].hasSuffix($0) } }
            .map { try #require(Double($0[4]), "\($0)") }
        try #require(!values.isEmpty)
        return values.reduce(0, +) / Double(values.count)
    }
}
