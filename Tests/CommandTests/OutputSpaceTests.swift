import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// What `segment-brain` writes beside the labels, and which volume of a series it takes.
@Suite struct `segment-brain and grids` {
    @Test func `a series needs --volume, and each volume is a scan of its own`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            var file = NIfTIFile()
            file.dimensions = [4, 8, 9, 10, 2, 1, 1, 1]
            file.voxels += file.voxels.reversed()
            try write(file.bytes, to: folder + "/bold.nii")
            let arguments = [
                folder + "/bold.nii", folder + "/out", "--model", folder + "/model",
            ]
            let refused = try run("segment-brain", arguments)
            #expect(refused.status == 1)
            #expect(
                refused.errors.contains(
                    "'\(folder)/bold.nii' is a 4-D series of 2 volumes; name one with --volume N, "
                        + "counted from 0"), "\(refused.errors)")
            let first = try run("segment-brain", arguments + ["--volume", "0"])
            #expect(first.status == 0, "\(first.errors)")
            let again = try run("segment-brain", arguments + ["--volume", "0", "--json"])
            #expect(again.output.contains("skipped"))
            let second = try run("segment-brain", arguments + ["--volume", "1", "--json"])
            #expect(second.output.contains("\"done\""), "another volume is another scan")
            let provenance = try String(
                contentsOfFile: folder + "/out/bold_dseg.json", encoding: .utf8)
            #expect(provenance.contains("\"volume\" : 1"))
            let missing = try run("segment-brain", arguments + ["--volume", "2"])
            #expect(missing.status == 1 && missing.errors.contains("has no volume 2"))
            let wrong = try run("segment-brain", arguments + ["--volume=-1"])
            #expect(wrong.status == 2 && wrong.errors.contains("--volume counts from 0"))
        }
    }

    @Test func `the model's grid and the probabilities are written where they are asked for`()
        throws
    {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/a.nii.gz", orientation: "PIR")
            let arguments = [folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model"]
            let plain = try run("segment-brain", arguments + ["--probabilities"])
            #expect(plain.status == 0, "\(plain.errors)")
            let (labels, header) = try readLabelMap(at: folder + "/out/a_dseg.nii.gz")
            let path = folder + "/out/a_probseg.nii.gz"
            let count = try readVolumeHeader(at: path, volume: 0).volumeCount
            let volumes = try (0..<count).map { try readVolume(at: path, volume: $0) }
            #expect(volumes.allSatisfy { $0.header.grid == header.grid })
            for index in stride(from: 0, to: labels.labels.count, by: 53) {
                let values = volumes.map { $0.volume.voxels[index] }
                #expect(abs(values.reduce(0, +) - 1) < 1e-3)
                // The first volume is background.
                if labels.labels[index] == 0 {
                    #expect(values[0] >= (values.max() ?? 0) - 2e-3)
                }
            }
            let names = try String(
                contentsOfFile: folder + "/out/a_probseg.json", encoding: .utf8)
            #expect(names.contains("\"LabelMap\"") && names.contains("\"Background\""))

            // What is missing of what is asked for makes the scan be done again.
            let conformed = try run(
                "segment-brain",
                arguments + ["--probabilities", "--space", "conformed", "--json"])
            #expect(conformed.status == 0 && conformed.output.contains("\"done\""))
            let scan = try readVolumeHeader(at: folder + "/out/a_space-conformed_scan.nii.gz")
            let onModel = try readVolumeHeader(at: folder + "/out/a_space-conformed_dseg.nii.gz")
            let scores = try readVolumeHeader(
                at: folder + "/out/a_space-conformed_probseg.nii.gz", volume: count - 1)
            // In a folder of its own, too, both are there.
            let both = try run(
                "segment-brain",
                [
                    arguments[0], folder + "/both", "--probabilities", "--space", "conformed",
                    "--model", folder + "/model",
                ])
            #expect(both.status == 0)
            for name in ["a_probseg.nii.gz", "a_space-conformed_probseg.nii.gz"] {
                #expect(
                    try Data(contentsOf: URL(filePath: folder + "/both/" + name))
                        == Data(contentsOf: URL(filePath: folder + "/out/" + name)))
            }
            #expect(scan.grid == onModel.grid && scan.grid == scores.grid)
            #expect(scan.grid != header.grid)
            let wrong = try run("segment-brain", arguments + ["--space", "mni"])
            #expect(wrong.status == 2)
            #expect(wrong.errors.contains("--space must be native or conformed, not 'mni'"))
        }
    }

    @Test func `cubic interpolation is another option, so that the scan is done again`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/a.nii.gz")
            let arguments = [folder + "/a.nii.gz", folder + "/out", "--model", folder + "/model"]
            #expect(try run("segment-brain", arguments).status == 0)
            let cubic = try run(
                "segment-brain", arguments + ["--interpolation", "cubic", "--json"])
            #expect(cubic.output.contains("\"done\""))
            let provenance = try String(
                contentsOfFile: folder + "/out/a_dseg.json", encoding: .utf8)
            #expect(provenance.contains("\"interpolation\" : \"cubic\""))
            #expect(provenance.contains("\"restoration\""))
        }
    }
}
