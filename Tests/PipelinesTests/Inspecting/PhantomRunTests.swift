import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Synthetic heads as files.
@Suite struct `Writing phantoms` {
    @Test func `the same seed gives the same files, in several orientations`() throws {
        try withTemporaryDirectory { folder in
            var orientations: Set<String> = []
            for name in ["a", "b"] {
                let scans = try writePhantoms(
                    to: folder + "/" + name, references: nil, count: 3, seed: 5, overwrites: false)
                #expect(
                    scans.map { ($0 as NSString).lastPathComponent } == [
                        "phantom-001.nii.gz", "phantom-002.nii.gz", "phantom-003.nii.gz",
                    ])
                for scan in scans {
                    orientations.insert(
                        try readVolumeHeader(at: scan).grid.orientation.description)
                }
            }
            #expect(orientations.count > 1)
            for file in ["phantom-002.nii.gz", "references/phantom-003_dseg.nii.gz"] {
                let first = try Data(contentsOf: URL(filePath: folder + "/a/" + file))
                #expect(try Data(contentsOf: URL(filePath: folder + "/b/" + file)) == first)
            }
            let grids = try GridComparison(
                folder + "/a/phantom-001.nii.gz",
                folder + "/a/references/phantom-001_dseg.nii.gz")
            #expect(grids.isSameGrid)
        }
    }
}
