import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Files of other projects, beside the repository where they are at hand.
struct SharedDataTests {
    @Test(.enabled(if: sharedDataPath("heads") != nil, "../shared/data/heads is absent"))
    func `labels of whole heads survive writing`() throws {
        for name in ["quicknat_sample.mgz", "chris_t1.nii.gz"] {
            let path = try #require(sharedDataPath("heads/" + name))
            let scan = try readVolume(at: path)
            let map = LabelMap(
                grid: scan.volume.grid, labels: scan.volume.voxels.map { UInt16($0) })
            try withTemporaryDirectory { folder in
                for output in ["a.nii.gz", "a.mgz"] {
                    try writeLabelMap(map, to: folder + "/" + output, like: scan.header)
                    let (copy, _) = try readLabelMap(at: folder + "/" + output)
                    #expect(copy.labels == map.labels)
                    #expect(copy.grid.affine.largestDifference(from: map.grid.affine) < 5e-6)
                }
            }
        }
    }
}
