import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg info`.
struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints size, spacing, affine, orientation, datatype and range of volumes.",
        discussion: """
            For a 4-D series, intensities are those of the first volume. For NIfTI files, sform and \
            qform are printed with their codes, pixdim, unit and any contradictions between them; \
            for label maps, the label names in the header.

            EXAMPLE
              sliceseg info t1.nii.gz --json
            """)

    @Argument(help: "Volumes.")
    var files: [String]
    @Flag(help: "Write one JSON object per volume.")
    var json = false

    func run() throws {
        var status = ExitStatus.success
        for file in files {
            let text: String
            do {
                let information = try VolumeInformation(path: file)
                text = json ? try information.json + "\n" : information.text
            } catch {
                printError("sliceseg: \(userMessage(for: error, about: file))")
                status = .failure
                continue
            }
            try printChecked(text)
        }
        if status != .success { throw ExitCode(status.rawValue) }
    }
}

/// `sliceseg verify`.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks whether two volumes are on the same grid.",
        discussion: """
            Prints their distance in mm and degrees, and the differences in size, spacing, \
            orientation and origin. Exit status: 0 if the grids are the same (corners within a \
            tenth of a voxel), 1 if not.

            EXAMPLE
              sliceseg verify t1.nii.gz t1_dseg.nii.gz
            """)

    @Argument(help: "The first volume.")
    var first: String
    @Argument(help: "The second volume.")
    var second: String
    @Flag(help: "Write one JSON object.")
    var json = false

    func run() throws {
        let comparison = try GridComparison(first, second)
        try printChecked((json ? try comparison.json : comparison.sentence) + "\n")
        if !comparison.isSameGrid { throw ExitCode(ExitStatus.failure.rawValue) }
    }
}
