import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// What nibabel reads in one file of `fixtures/volumes`.
struct ExpectedVolume: Decodable, Sendable, CustomTestStringConvertible {
    let file: String
    let format: VolumeFormat
    let storedType: StoredType
    let source: AffineSource
    let sformCode: Int
    let qformCode: Int
    let affine: [Double]
    let axes: String
    let voxels: [Float?]

    var testDescription: String { file }

    private struct Document: Decodable { let volumes: [ExpectedVolume] }

    static func all() throws -> [ExpectedVolume] {
        try decodeFixture("volumes/expected.json", as: Document.self).volumes
    }
}

struct ReadVolumeTests {
    @Test(arguments: try ExpectedVolume.all())
    func `values and affine equal nibabel's`(expected: ExpectedVolume) throws {
        let loaded = try readVolume(at: fixturePath("volumes/" + expected.file))
        #expect(loaded.header.format == expected.format)
        #expect(loaded.header.storedType == expected.storedType)
        #expect(loaded.header.affineSource == expected.source)
        #expect(loaded.header.sformCode == expected.sformCode)
        #expect(loaded.header.qformCode == expected.qformCode)
        #expect(loaded.volume.grid == loaded.header.grid)
        #expect(loaded.volume.grid.size == GridSize(5, 4, 3))
        // Both compute in the same precision from the same numbers.
        for (index, element) in expected.affine.enumerated() {
            let ours = loaded.volume.grid.affine[index / 4, index % 4]
            #expect(abs(ours - element) <= 1e-6 * abs(element) + 1e-12)
        }
        #expect(loaded.volume.grid.orientation.description == expected.axes)
        try #require(loaded.volume.voxels.count == expected.voxels.count)
        for (voxel, value) in zip(loaded.volume.voxels, expected.voxels) {
            guard let value else {
                #expect(voxel.isNaN)
                continue
            }
            // One rounding to single precision more or less.
            #expect(voxel == value || abs(voxel - value) <= value.ulp)
        }
        #expect(loaded.nanVoxelCount == expected.voxels.count { $0 == nil })
    }

    @Test(arguments: try ExpectedVolume.all())
    func `the header alone says the same`(expected: ExpectedVolume) throws {
        let path = fixturePath("volumes/" + expected.file)
        let header = try readVolumeHeader(at: path)
        let loaded = try readVolume(at: path).header
        #expect(header.grid == loaded.grid)
        #expect(header.bytes == loaded.bytes)
        #expect(header.storedType == expected.storedType)
    }

    @Test(arguments: ["pair-little", "pair-big", "pair-nifti2"])
    func `a pair is read from either of its files, compressed or not`(name: String) throws {
        let header = fixturePath("volumes/\(name).hdr")
        let expected = try readVolume(at: header)
        for ending in ["img"] {
            let loaded = try readVolume(at: fixturePath("volumes/\(name).\(ending)"))
            #expect(loaded.volume.voxels == expected.volume.voxels)
        }
        try withTemporaryDirectory { folder in
            try write(gzipped(fileBytes(header)), to: folder + "/a.hdr.gz")
            try write(fileBytes(fixturePath("volumes/\(name).img")), to: folder + "/a.img")
            #expect(
                try readVolume(at: folder + "/a.hdr.gz").volume.voxels == expected.volume.voxels)
            #expect(try readVolume(at: folder + "/a.img").volume.voxels == expected.volume.voxels)
            let image = try fileBytes(fixturePath("volumes/\(name).img"))
            try write(gzipped(fileBytes(header)), to: folder + "/b.hdr.gz")
            try write(gzipped(image), to: folder + "/b.img.gz")
            for file in ["b.hdr.gz", "b.img.gz"] {
                let loaded = try readVolume(at: folder + "/" + file)
                #expect(loaded.volume.voxels == expected.volume.voxels)
            }
        }
    }

    /// nibabel reads the first three too; of what a name says, content has the last word.
    @Test func `gzip's liberties and wrong names do no harm`() throws {
        let plain = try fileBytes(fixturePath("volumes/int16-little.nii"))
        let expected = try readVolume(at: fixturePath("volumes/int16-little.nii")).volume.voxels
        let packed = try gzipped(plain)
        let files: [(name: String, content: [UInt8])] = [
            ("zeros-behind.nii.gz", packed + [UInt8](repeating: 0, count: 1000)),
            ("text-behind.nii.gz", packed + Array("and more\n".utf8)),
            ("members.nii.gz", try gzipped(Array(plain[..<352])) + gzipped(Array(plain[352...]))),
            ("empty-member.nii.gz", try packed + gzipped([])),
            ("longer-inside.nii.gz", try gzipped(plain + [UInt8](repeating: 7, count: 5000))),
            ("plain.nii.gz", plain), ("packed.nii", packed),
        ]
        try withTemporaryDirectory { folder in
            for file in files {
                let path = folder + "/" + file.name
                try write(file.content, to: path)
                #expect(try readVolume(at: path).volume.voxels == expected, "\(file.name)")
                #expect(try readVolumeHeader(at: path).grid.size == GridSize(5, 4, 3))
            }
        }
    }

    @Test func `labels are read from any integer type and from whole floats`() throws {
        for name in ["uint8-little.nii", "uint16-big.nii", "uint16.mgz"] {
            let expected = try readVolume(at: fixturePath("volumes/" + name))
            let (map, header) = try readLabelMap(at: fixturePath("volumes/" + name))
            #expect(map.labels.map(Float.init) == expected.volume.voxels)
            #expect(map.grid == header.grid)
        }
    }

    @Test func `names are those of volume files`() {
        #expect(volumeName(ofPath: "a/b.nii.gz") == "b")
        #expect(volumeName(ofPath: "b.c.NII") == "b.c")
        #expect(volumeName(ofPath: "/x/001.mgz") == "001")
        #expect(volumeName(ofPath: "x.img") == "x")
        #expect(volumeName(ofPath: "x.hdr.gz") == "x")
        #expect(volumeName(ofPath: "x.gz") == nil)
        #expect(volumeName(ofPath: ".nii.gz") == nil)
        #expect(volumeName(ofPath: "folder.nii/readme.txt") == nil)
        #expect(volumeName(ofPath: "nii") == nil)
        #expect(volumeFileExtensions.allSatisfy { volumeName(ofPath: "a.\($0)") == "a" })
    }
}
