import Datasets
import Foundation
import ModelBundles
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Writes a synthetic head; with a wrong header it claims to be stored right, anterior, superior.
private func writePhantom(to path: String, orientation: String, isMislabelled: Bool) throws {
    let stored = try #require(Orientation(orientation))
    var scan = makePhantom(
        seed: 4, options: PhantomOptions(orientation: stored, skullProbability: 1)
    ).scan
    if isMislabelled {
        let affine = Affine(
            columns: [SIMD3(2, 0, 0), SIMD3(0, 2, 0), SIMD3(0, 0, 2)], translation: .zero)
        scan = Volume(grid: Grid(size: scan.grid.size, affine: affine), voxels: scan.voxels)
    }
    try writeVolume(scan, to: path, like: nil, storedAs: .float32)
}

@Suite struct `sliceseg check` {
    @Test func `tells kind and orientation, and warns of a wrong header and of an unreadable file`()
        throws
    {
        try withTemporaryDirectory { folder in
            try writePhantom(to: folder + "/good.nii.gz", orientation: "LIA", isMislabelled: false)
            let good = try run("sliceseg", ["check", folder + "/good.nii.gz"])
            #expect(good.status == 0, "\(good.errors)")
            #expect(good.output.hasPrefix("good: "))
            #expect(good.output.contains("as in the header"))

            try writePhantom(to: folder + "/turned.nii.gz", orientation: "PSR", isMislabelled: true)
            try write([1, 2, 3], to: folder + "/broken.nii.gz")
            let all = try run(
                "sliceseg", ["check", folder, "--json", "--table", folder + "/checks.tsv"])
            #expect(all.status == 1)
            #expect(all.errors.contains("broken: failed: "))
            let rows = try all.output.split(separator: "\n").map {
                try #require(
                    try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(rows.count == 3)
            #expect((rows[0]["failure"] as? String)?.contains("broken.nii.gz") == true)
            #expect(rows[1]["warnings"] as? [String] == [])
            let warning = try #require((rows[2]["warnings"] as? [String])?.first)
            #expect(warning.contains("axes go RAS") && warning.contains("PSR"))
            let table = try String(contentsOfFile: folder + "/checks.tsv", encoding: .utf8)
            #expect(table.split(separator: "\n").count == 4)
            #expect(table.contains("broken.nii.gz"))
            #expect(table.contains(warning))
        }
    }

    @Test func `a model that labels voxels, and a segmentation by one that does not, are refused`()
        throws
    {
        try withTemporaryDirectory { folder in
            try writePhantom(to: folder + "/a.nii.gz", orientation: "RAS", isMislabelled: false)
            let check = try run("sliceseg", ["check", folder + "/a.nii.gz", "--model", "phantom"])
            #expect(check.status == 2 && check.errors.contains("classifies no scans"))
            let segment = try run(
                "segment-brain",
                [folder + "/a.nii.gz", folder + "/out", "--model", "scan-check"])
            #expect(segment.status == 2 && segment.errors.contains("sliceseg check"))
            let calibrate = try run(
                "sliceseg",
                ["calibrate", "scan-check", folder + "/a.nii.gz", "--output", folder + "/out"])
            #expect(calibrate.status == 2 && calibrate.errors.contains("sliceseg check"))
            #expect(!FileManager.default.fileExists(atPath: folder + "/out"))
        }
    }

    /// The phantom's model behind a brain mask is, as those of real heads, for scans of heads.
    @Test func `a segmentation warns by the same check, unless it is left out`() throws {
        try withTemporaryDirectory { folder in
            try writeModelBehindMask(to: folder + "/model")
            try writePhantom(to: folder + "/a.nii.gz", orientation: "PSR", isMislabelled: true)
            let scan = [folder + "/a.nii.gz"]
            let model = ["--model", folder + "/model"]
            let warned = try run("segment-brain", scan + [folder + "/out"] + model)
            #expect((warned.output + warned.errors).contains("axes go RAS"), "\(warned.errors)")
            let silent = try run(
                "segment-brain", scan + [folder + "/silent"] + model + ["--no-check"])
            #expect(!(silent.output + silent.errors).contains("axes go"))
            for place in ["out", "silent"] {
                let table = try String(
                    contentsOfFile: "\(folder)/\(place)/qc.tsv", encoding: .utf8)
                #expect(table.contains("axes go RAS") == (place == "out"))
            }
            // The next run finds the scan done, and still tells it.
            let again = try run("segment-brain", scan + [folder + "/out"] + model)
            #expect((again.output + again.errors).contains("axes go RAS"))
        }
    }

    @Test func `where the model that checks is missing, a segmentation says so and goes on`() throws
    {
        try withTemporaryDirectory { folder in
            try writeModelBehindMask(to: folder + "/model")
            try makeFolder(folder + "/models")
            try FileManager.default.copyItem(
                atPath: ModelBundle.shipped(named: "phantom").directory,
                toPath: folder + "/models/phantom")
            try writePhantom(to: folder + "/a.nii.gz", orientation: "PSR", isMislabelled: true)
            let result = try RunningCommand(
                "segment-brain",
                [folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model"],
                environment: ["SLICESEG_MODELS": folder + "/models"]
            ).wait()
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                (result.output + result.errors).contains(
                    "scans are not checked, as the model 'scan-check' is not among the models"))
        }
    }

    @Test(
        .enabled(
            if: sharedDataPath("nichart/Subj02_T1.nii.gz") != nil,
            "needs ../shared/data/nichart/Subj02_T1.nii.gz"))
    func `a segmentation warns of a header that the picture contradicts`() throws {
        try withTemporaryDirectory { folder in
            let path = try #require(sharedDataPath("nichart/Subj02_T1.nii.gz"))
            let read = try readVolume(at: path).volume
            // The header says that its second axis goes up, its third to the back.
            let spacing = read.grid.spacing
            let affine = Affine(
                columns: [
                    SIMD3(-spacing.x, 0, 0), SIMD3(0, 0, spacing.y), SIMD3(0, -spacing.z, 0),
                ], translation: .zero)
            let turned = Volume(
                grid: Grid(size: read.grid.size, affine: affine), voxels: read.voxels)
            try writeVolume(turned, to: folder + "/a.nii.gz", like: nil, storedAs: .float32)
            let warned = try run("segment-brain", [folder + "/a.nii.gz", folder + "/out"])
            let text = warned.output + warned.errors
            #expect(text.contains("the header says that the axes go LSP"), "\(text)")
            let quality = try String(contentsOfFile: folder + "/out/qc.tsv", encoding: .utf8)
            #expect(quality.contains("the header says that the axes go LSP"))
            let silent = try run(
                "segment-brain", [folder + "/a.nii.gz", folder + "/silent", "--no-check"])
            #expect(!(silent.output + silent.errors).contains("the header says"))
        }
    }
}
