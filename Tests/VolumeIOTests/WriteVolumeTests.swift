import Files
import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Labels of every kind on a scan's grid: 0, small ones, and the largest.
private func someLabels(on grid: Grid, largest: UInt16) -> LabelMap {
    var labels = (0..<grid.size.count).map { UInt16($0 % 7) }
    labels[grid.size.count - 1] = largest
    return LabelMap(grid: grid, labels: labels)
}

struct WriteVolumeTests {
    /// Where NIfTI-1 and NIfTI-2 keep the geometry: the first three of dim, pixdim, both codes,
    /// quaternion and offsets, srows, units.
    static let geometry: [VolumeFormat: [Range<Int>]] = [
        .nifti1: [42..<48, 76..<108, 123..<124, 252..<328],
        .nifti2: [24..<48, 104..<168, 344..<496, 500..<504],
    ]

    @Test(arguments: try ExpectedVolume.all().filter { $0.format != .mgh })
    func `labels lie on the scan's grid, bit for bit`(scan: ExpectedVolume) throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/" + scan.file))
        let map = someLabels(on: header.grid, largest: 255)
        try withTemporaryDirectory { folder in
            let path = folder + "/labels.nii"
            try writeLabelMap(map, to: path, like: header)
            #expect(try directoryListing(folder) == ["labels.nii"])
            let (copy, copyHeader) = try readLabelMap(at: path)
            #expect(copy == map)
            #expect(copyHeader.format == header.format)
            #expect(copyHeader.storedType == .uint8)
            #expect(copyHeader.affineSource == header.affineSource)
            #expect(copyHeader.sformCode == header.sformCode)
            #expect(copyHeader.qformCode == header.qformCode)
            #expect((copyHeader.slope, copyHeader.intercept) == (1, 0))
            guard !scan.file.contains("big") else { return }
            let ranges = try #require(Self.geometry[header.format])
            for range in ranges { #expect(copyHeader.bytes[range] == header.bytes[range]) }
        }
    }

    @Test func `labels of a big-endian scan have the geometry of its little-endian twin`() throws {
        try withTemporaryDirectory { folder in
            for kind in ["int16", "nifti2"] {
                var copies: [[UInt8]] = []
                for order in ["little", "big"] {
                    let header = try readVolumeHeader(
                        at: fixturePath("volumes/\(kind)-\(order).nii"))
                    let path = folder + "/\(kind)-\(order).nii"
                    try writeLabelMap(
                        someLabels(on: header.grid, largest: 9), to: path, like: header)
                    copies.append(try fileBytes(path))
                }
                #expect(copies[0] == copies[1])
            }
        }
    }

    @Test(arguments: [
        ("labels.nii", 255, StoredType.uint8), ("labels.nii.gz", 256, .uint16),
        ("labels.nii.gz", 65535, .uint16), ("labels.mgz", 255, .uint8),
        ("labels.mgh", 32767, .int16),
        ("labels.mgz", 32768, .int32), ("labels.mgh.gz", 65535, .int32),
    ])
    func `the smallest type holds the largest label`(
        name: String, largest: UInt16, type: StoredType
    ) throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/int16-little.nii"))
        let map = someLabels(on: header.grid, largest: largest)
        try withTemporaryDirectory { folder in
            try writeLabelMap(map, to: folder + "/" + name, like: header)
            let (copy, copyHeader) = try readLabelMap(at: folder + "/" + name)
            #expect(copy.labels == map.labels)
            #expect(copyHeader.storedType == type)
            let start = try fileBytes(folder + "/" + name).prefix(2)
            #expect((start == [0x1f, 0x8b]) == (name.hasSuffix("z")))
        }
    }

    @Test func `a label file says that it holds labels and nothing about the scan's display`()
        throws
    {
        let header = try readVolumeHeader(at: fixturePath("volumes/scaled.nii"))
        try withTemporaryDirectory { folder in
            let path = folder + "/labels.nii"
            try writeLabelMap(someLabels(on: header.grid, largest: 9), to: path, like: header)
            let bytes = try fileBytes(path)
            #expect(bytes.count == 352 + 60)
            #expect(Array(bytes[68..<70]) == littleEndian(Int16(1002)))
            #expect(Array(bytes[70..<74]) == littleEndian(Int16(2)) + littleEndian(Int16(8)))
            #expect(Array(bytes[108..<120]) == [352, 1, 0].flatMap { littleEndian(Float($0)) })
            #expect(bytes[124..<140].allSatisfy { $0 == 0 })
            #expect(Array(bytes[344..<352]) == Array("n+1".utf8) + [0, 0, 0, 0, 0])
        }
    }

    /// Between the formats a float's rounding of the offsets remains: about 1e-5 mm at 100 mm.
    @Test(arguments: [
        ("int16.mgz", "out.nii.gz"), ("sheared.mgh", "out.nii"), ("no-cosines.mgh", "out.nii.gz"),
        ("int16-little.nii", "out.mgz"), ("qform.nii", "out.mgh"), ("nifti2-little.nii", "out.mgz"),
        ("int16.mgz", "out.mgz"), ("sheared.mgh", "out.mgz"),
    ])
    func `the affine survives a change of format`(source: String, name: String) throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/" + source))
        let map = someLabels(on: header.grid, largest: 300)
        try withTemporaryDirectory { folder in
            try writeLabelMap(map, to: folder + "/" + name, like: header)
            let (copy, copyHeader) = try readLabelMap(at: folder + "/" + name)
            #expect(copy.labels == map.labels)
            let difference = copy.grid.affine.largestDifference(from: header.grid.affine)
            #expect(difference < 5e-6)
            // From MGH to MGH nothing is rounded.
            if header.format == .mgh, copyHeader.format == .mgh, header.affineSource != .assumed {
                #expect(copy.grid == header.grid)
                #expect(copyHeader.bytes[28..<90] == header.bytes[28..<90])
            }
        }
    }

    @Test(arguments: Orientation.allCases)
    func `a map without a scan keeps its affine, in NIfTI and MGH`(
        orientation: Orientation
    ) throws {
        let columns = orientation.axes.enumerated().map { axis, direction in
            var column = SIMD3<Double>.zero
            column[direction.worldAxis] = (direction.isPositive ? 1 : -1) * (0.5 + Double(axis))
            return column
        }
        let grid = Grid(
            size: GridSize(3, 4, 5),
            affine: Affine(columns: columns, translation: SIMD3(-12.5, 3.25, 100)))
        let map = someLabels(on: grid, largest: 9)
        try withTemporaryDirectory { folder in
            for name in ["a.nii.gz", "a.mgz"] {
                try writeLabelMap(map, to: folder + "/" + name, like: nil)
                let (copy, header) = try readLabelMap(at: folder + "/" + name)
                #expect(copy == map)
                // Both forms say the same, so that programs that prefer the qform agree.
                if header.format == .nifti1 {
                    #expect((header.sformCode, header.qformCode) == (1, 1))
                    var bytes = try fileBytes(folder + "/" + name)
                    try #require(bytes.starts(with: [0x1f, 0x8b]))
                    bytes = header.bytes
                    bytes.replaceSubrange(254..<256, with: [0, 0])  // no sform
                    bytes += [0, 0, 0, 0] + [UInt8](repeating: 0, count: 60)
                    try write(bytes, to: folder + "/qform.nii")
                    let qform = try readVolumeHeader(at: folder + "/qform.nii")
                    #expect(qform.affineSource == .qform)
                    #expect(qform.grid.affine.largestDifference(from: grid.affine) < 1e-5)
                }
            }
        }
    }

    @Test func `a sheared map has no qform`() throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/sheared.mgh"))
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try writeLabelMap(someLabels(on: header.grid, largest: 3), to: path, like: nil)
            let copy = try readVolumeHeader(at: path)
            #expect((copy.sformCode, copy.qformCode) == (1, 0))
        }
    }

    @Test(arguments: StoredType.allCases)
    func `intensities survive in every type`(type: StoredType) throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/int16-little.nii"))
        let voxels = (0..<60).map(Float.init)
        let volume = Volume(grid: header.grid, voxels: voxels)
        try withTemporaryDirectory { folder in
            try writeVolume(volume, to: folder + "/a.nii.gz", like: header, storedAs: type)
            let copy = try readVolume(at: folder + "/a.nii.gz")
            #expect(copy.volume.voxels == voxels)
            #expect(copy.header.storedType == type)
            #expect(copy.volume.grid == header.grid)
        }
    }

    @Test func `what a type cannot hold is refused, and no file stays`() throws {
        let grid = Grid(size: GridSize(2, 2, 2), affine: .identity)
        let cases: [(Float, StoredType)] = [
            (256, .uint8), (-1, .uint8), (.nan, .int16), (40000, .int16), (.infinity, .int32),
            (0x1p31, .int32), (0x1p63, .int64), (-1, .uint64), (0x1p64, .uint64),
        ]
        for (value, type) in cases {
            var volume = Volume(grid: grid, voxels: [Float](repeating: 1, count: 8))
            volume[1, 0, 1] = value
            try withTemporaryDirectory { folder in
                let path = folder + "/a.nii"
                let error = try #require(throws: VolumeIOError.self) {
                    try writeVolume(volume, to: path, like: nil, storedAs: type)
                }
                #expect(error.code == .notRepresentable)
                expectSentence(error, names: path, contains: "voxel (1, 0, 1) as \(type.rawValue)")
                #expect(try directoryListing(folder) == [])
            }
        }
    }

    @Test func `rounding goes to the nearest integer`() throws {
        let grid = Grid(size: GridSize(2, 2, 2), affine: .identity)
        let volume = Volume(grid: grid, voxels: [0.4, 0.6, 1.5, 2.5, -0.4, 254.6, 255.4, 7])
        try withTemporaryDirectory { folder in
            try writeVolume(volume, to: folder + "/a.nii", like: nil, storedAs: .uint8)
            let copy = try readVolume(at: folder + "/a.nii").volume
            #expect(copy.voxels == [0, 1, 2, 2, 0, 255, 255, 7])
        }
    }

    @Test func `a name without a format is refused`() throws {
        let grid = Grid(size: GridSize(2, 2, 2), affine: .identity)
        let map = LabelMap(grid: grid, labels: [UInt16](repeating: 1, count: 8))
        for name in ["out", "out.hdr", "out.img.gz", "out.png", "out.gz"] {
            let error = try #require(throws: VolumeIOError.self) {
                try writeLabelMap(map, to: name, like: nil)
            }
            #expect(error.code == .unknownExtension)
        }
    }

    @Test func `a folder that is not there is named`() throws {
        let grid = Grid(size: GridSize(2, 2, 2), affine: .identity)
        let map = LabelMap(grid: grid, labels: [UInt16](repeating: 1, count: 8))
        try withTemporaryDirectory { folder in
            let path = folder + "/none/out.nii.gz"
            #expect(throws: FileWriteError(path: path, errorNumber: ENOENT)) {
                try writeLabelMap(map, to: path, like: nil)
            }
        }
    }

    @Test func `a map on another grid than the scan's stops the program`() async {
        await #expect(processExitsWith: .failure) {
            let header = try readVolumeHeader(at: fixturePath("volumes/int16-little.nii"))
            let grid = Grid(size: GridSize(2, 2, 2), affine: .identity)
            let map = LabelMap(grid: grid, labels: [UInt16](repeating: 1, count: 8))
            try writeLabelMap(map, to: "/nowhere/a.nii", like: header)
        }
    }
}
