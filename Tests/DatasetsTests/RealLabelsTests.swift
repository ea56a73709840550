import Datasets
import Foundation
import Testing
import VolumeIO
import Volumes

/// Real scans beside the project, where they are at hand.
private let challengeFolder = projectRoot + "/../shared/data/malc/train"

struct RealLabelsTests {
    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: challengeFolder),
            "needs the challenge's scans in ../shared/data/malc/train"),
        arguments: ["1000", "1017"])
    func `the challenge's labels become the 27 structures voxel by voxel`(name: String) throws {
        let (source, _) = try readLabelMap(at: "\(challengeFolder)/\(name)_glm.nii.gz")
        let (expected, _) = try readLabelMap(at: "\(challengeFolder)/\(name)_dseg.nii.gz")
        let mapped = try malcMapping().apply(to: source)
        let differences = zip(mapped.labels, expected.labels).count { $0 != $1 }
        #expect(differences == 0)
        #expect(Set(mapped.labels).count == 28)
    }
}
