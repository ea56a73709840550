import Datasets
import Foundation
import ModelBundles
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Writes the phantom model with a card that asks for the brain first, found by the phantom model.
func writeModelBehindMask(to folder: String) throws {
    let shipped = try ModelBundle.shipped(named: "phantom")
    var card = shipped.card
    card.brainExtraction = BrainExtraction(model: "phantom", dilationMillimeters: 4)
    let networks = try card.planes.map { ($0.plane, try shipped.makeNetwork(for: $0.plane)) }
    _ = try ModelBundle.write(card: card, networks: networks, to: folder)
}

/// Writes a head of the kind that the phantom model knows, as 16-bit integers.
@discardableResult
private func writePhantom(seed: UInt64, to path: String) throws -> LabelMap {
    let (scan, labels) = makePhantom(
        seed: seed, options: PhantomOptions(skullProbability: 1))
    try writeVolume(
        Volume(grid: scan.grid, voxels: scan.voxels.map { ($0 * 10).rounded() }), to: path,
        like: nil, storedAs: .int16)
    return labels
}

@Suite struct `sliceseg strip` {
    @Test func `writes the mask and the scan without skull, and leaves out what is done`() throws {
        try withTemporaryDirectory { folder in
            try makeFolder(folder + "/scans/later")
            let labels = try writePhantom(seed: 5101, to: folder + "/scans/a.nii.gz")
            try writePhantom(seed: 5102, to: folder + "/scans/later/b.nii.gz")
            let arguments = ["strip", folder + "/scans", folder + "/out", "--model", "phantom"]
            let result = try run("sliceseg", arguments)
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                files(below: folder + "/out")
                    == [
                        "a_desc-brain.nii.gz", "a_desc-brain_mask.json",
                        "a_desc-brain_mask.nii.gz", "failures.tsv",
                        "later/b_desc-brain.nii.gz", "later/b_desc-brain_mask.json",
                        "later/b_desc-brain_mask.nii.gz",
                    ])
            let scan = try readVolume(at: folder + "/scans/a.nii.gz")
            let (mask, header) = try readLabelMap(at: folder + "/out/a_desc-brain_mask.nii.gz")
            let brain = try readVolume(at: folder + "/out/a_desc-brain.nii.gz")
            #expect(header.grid == scan.header.grid && brain.header.grid == scan.header.grid)
            #expect(brain.header.storedType == .int16)
            #expect(Set(mask.labels) == [0, 1])
            for index in mask.labels.indices {
                let expected = mask.labels[index] == 1 ? scan.volume.voxels[index] : 0
                if brain.volume.voxels[index] != expected { Issue.record("voxel \(index)") }
            }
            let kept = zip(mask.labels, labels.labels).count { $0 == 1 && $1 > 0 }
            #expect(Double(kept) > 0.97 * Double(labels.labels.count { $0 > 0 }))
            let provenance = try object(folder + "/out/a_desc-brain_mask.json")
            #expect(provenance["Type"] as? String == "Brain")
            #expect(provenance["isAlreadyStripped"] as? Bool == false)
            let volume = try #require(provenance["volumeCubicMillimeters"] as? Double)
            let count = mask.labels.count { $0 == 1 }
            #expect(abs(volume - Double(count) * mask.grid.voxelVolumeCubicMillimeters) < 1)

            let again = try run("sliceseg", arguments)
            #expect(again.status == 0)
            #expect(again.errors.contains("0 stripped, 2 done before, 0 failed"))
            let wider = try run("sliceseg", arguments + ["--dilation", "6", "--quiet"])
            #expect(wider.status == 0 && wider.errors.isEmpty)
            let more = try readVolume(at: folder + "/out/a_desc-brain.nii.gz").volume.voxels
            #expect(more.count { $0 != 0 } > brain.volume.voxels.count { $0 != 0 })
        }
    }

    @Test func `a scan that fails is named, the others go on`() throws {
        try withTemporaryDirectory { folder in
            try makeFolder(folder + "/scans")
            try writePhantom(seed: 5103, to: folder + "/scans/good.nii.gz")
            try Data("no scan".utf8).write(to: URL(filePath: folder + "/scans/bad.nii"))
            let result = try run(
                "sliceseg", ["strip", folder + "/scans", folder + "/out", "--model", "phantom"])
            #expect(result.status == 1)
            let failures = try rows(of: folder + "/out/failures.tsv")
            #expect(failures.map(\.first) == ["bad"])
            let row = try #require(failures.first)
            #expect(row[1] == "read" && row[2] == "volume.notAVolume")
            #expect(row[3].contains("bad.nii") && row[4] != "n/a")
            #expect(
                FileManager.default.fileExists(
                    atPath: folder + "/out/good_desc-brain_mask.nii.gz"))
        }
    }

    @Test(arguments: [
        ["strip", "only-one"], ["strip", "a", "out", "--model", "no-such-model"],
        ["strip", "a", "out", "--dilation", "-1"], ["strip", "missing.nii.gz", "out"],
    ])
    func `a wrong command line is an error with status 2`(arguments: [String]) throws {
        let result = try run("sliceseg", arguments)
        #expect(result.status == 2)
        #expect(result.errorLines.count == 1)
        #expect(result.errors.hasPrefix("sliceseg: "))
    }
}

@Suite struct `segment-brain behind a mask` {
    @Test func `the mask, its model and its time stand beside the labels`() throws {
        try withTemporaryDirectory { folder in
            try writeModelBehindMask(to: folder + "/model")
            try writePhantom(seed: 5104, to: folder + "/a.nii.gz")
            let arguments = [
                folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model", "--profile",
            ]
            let result = try run("segment-brain", arguments)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("  brain "))
            let (mask, _) = try readLabelMap(at: folder + "/out/a_desc-brain_mask.nii.gz")
            #expect(Set(mask.labels) == [0, 1])
            let provenance = try object(folder + "/out/a_dseg.json")
            let brain = try #require(provenance["brain"] as? [String: Any])
            let model = try #require(brain["model"] as? [String: String])
            #expect(model["name"] == "phantom")
            #expect(
                model["identity"] == (try ModelBundle.shipped(named: "phantom")).identity)
            #expect((brain["mask"] as? [String: String])?["file"] == "a_desc-brain_mask.nii.gz")
            let probability = try #require(provenance["meanProbability"] as? [String: Double])
            #expect(!probability.isEmpty)
            #expect(probability.values.allSatisfy { (0.2...1).contains($0) })
            #expect(try run("segment-brain", arguments).errors.contains("1 done before"))
            // Without its mask the case is not done.
            try FileManager.default.removeItem(atPath: folder + "/out/a_desc-brain_mask.nii.gz")
            let again = try run("segment-brain", arguments)
            #expect(again.errors.contains("the brain mask is missing"))
            #expect(
                FileManager.default.fileExists(
                    atPath: folder + "/out/a_desc-brain_mask.nii.gz"))
        }
    }
}
