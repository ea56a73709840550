import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Files of other projects, beside the repository where they are at hand.
struct SharedDataTests {
    @Test(
        .enabled(if: sharedDataPath("conformance") != nil, "../shared/data/conformance is absent"),
        arguments: [
            ("nifti-rs/minimal.nii", "64x64x10", "LAS"),
            ("nifti-rs/minimal.img.gz", "64x64x10", "LAS"),
            ("nifti-rs/minimal2.hdr", "64x64x10", "LAS"),
            ("nifti-rs/avg152T1_LR_nifti.nii.gz", "91x109x91", "LAS"),
            ("NIFTI-Reader-JS/avg152T1_LR_nifti2.nii.gz", "91x109x91", "LAS"),
            ("NIFTI-Reader-JS/air2.hdr.gz", "79x67x64", "AIR"),
            ("NIFTI-Reader-JS/with_extension.nii.gz", "161x191x151", "LPI"),
            ("NIFTI-Reader-JS/little.nii.gz", "64x64x21", "LAS"),
            ("nibabel/someones_epi.nii.gz", "53x61x33", "RAS"),
        ])
    func `odd files are read`(name: String, size: String, axes: String) throws {
        let path = try #require(sharedDataPath("conformance/" + name))
        let grid = try readVolume(at: path).volume.grid
        #expect(grid.size.description == size)
        #expect(grid.orientation.description == axes)
    }

    @Test(
        .enabled(if: sharedDataPath("conformance") != nil, "../shared/data/conformance is absent"),
        arguments: [
            ("nifti-rs/rgb/3D.nii", VolumeIOError.Code.unsupportedDatatype),
            ("nifti-rs/complex/complex32.nii", .unsupportedDatatype),
            ("nifti-rs/minimal_extended_hdr.nii", .twoDimensional),
            ("nifti-rs/avg152T1_LR_nifti.hdr.gz", .pairIncomplete),
            ("nibabel/nifti1.hdr", .pairIncomplete), ("nibabel/nifti2.hdr", .pairIncomplete),
            ("nibabel/analyze.hdr", .notAVolume), ("nibabel/test.mgz", .series),
            ("nibabel/functional.nii", .series), ("nibabel/row_major.dconn.nii", .cifti),
            ("NIFTI-Reader-JS/5D_small.nii", .series),
            ("NIFTI-Reader-JS/not-nifti.nii", .notAVolume),
        ])
    func `what is no scan is refused`(name: String, code: VolumeIOError.Code) throws {
        let path = try #require(sharedDataPath("conformance/" + name))
        let error = try #require(throws: VolumeIOError.self) { try readVolume(at: path) }
        #expect(error.code == code)
    }

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
