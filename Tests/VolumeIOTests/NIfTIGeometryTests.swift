import CNIfTI
import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// A NIfTI-1 file of 2x2x2 voxels whose two forms, pixdim and unit are set one by one.
private struct GeometryFile {
    var sform: [Float]?
    var sformCode: Int16 = 1
    /// Quaternion b, c, d and the offsets.
    var qform: [Float]?
    var qformCode: Int16 = 1
    /// qfac and the three edges.
    var pixdim: [Float] = [1, 1, 1, 1]
    var unit: UInt8 = 2
    var size: Int16 = 2

    var bytes: [UInt8] {
        var header = [UInt8](repeating: 0, count: 352)
        func put(_ bytes: [UInt8], at offset: Int) {
            header.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        put(littleEndian(Int32(348)), at: 0)
        for (axis, value) in [3, size, size, size, 1, 1, 1, 1].enumerated() {
            put(littleEndian(Int16(value)), at: 40 + 2 * axis)
        }
        put(littleEndian(Int16(2)), at: 70)
        put(littleEndian(Int16(8)), at: 72)
        for (index, value) in pixdim.enumerated() { put(littleEndian(value), at: 76 + 4 * index) }
        put(littleEndian(Float(352)), at: 108)
        put([unit], at: 123)
        if let qform {
            put(littleEndian(qformCode), at: 252)
            for (index, value) in qform.enumerated() {
                put(littleEndian(value), at: 256 + 4 * index)
            }
        }
        if let sform {
            put(littleEndian(sformCode), at: 254)
            for (index, value) in sform.enumerated() {
                put(littleEndian(value), at: 280 + 4 * index)
            }
        }
        put(Array("n+1".utf8) + [0], at: 344)
        let count = Int(size) * Int(size) * Int(size)
        return header + [UInt8](repeating: 1, count: count)
    }

    func header() throws -> VolumeHeader {
        try withTemporaryDirectory { folder in
            try write(bytes, to: folder + "/a.nii")
            return try readVolumeHeader(at: folder + "/a.nii")
        }
    }

    func contradictions() throws -> [HeaderContradiction] {
        try header().niftiGeometry?.contradictions ?? []
    }
}

/// An sform along the axes.
private func diagonal(_ edges: [Float], at origin: [Float] = [0, 0, 0]) -> [Float] {
    [edges[0], 0, 0, origin[0], 0, edges[1], 0, origin[1], 0, 0, edges[2], origin[2]]
}

struct NIfTIGeometryTests {
    @Test func `a sound header contradicts itself nowhere`() throws {
        let file = GeometryFile(sform: diagonal([1, 1, 1]), qform: [0, 0, 0, 0, 0, 0])
        let geometry = try #require(try file.header().niftiGeometry)
        #expect(geometry.contradictions == [])
        #expect(geometry.sform == geometry.qform)
        #expect(geometry.pixdimMillimeters == SIMD3(1, 1, 1))
        #expect(try GeometryFile(sform: diagonal([1, 1, 1])).contradictions() == [])
        #expect(try GeometryFile(qform: [0, 0, 0, 0, 0, 0]).contradictions() == [])
    }

    @Test func `voxels of two sizes are told with what volumes become`() throws {
        let found = try GeometryFile(sform: diagonal([0.9, 0.9, 0.9])).contradictions()
        try #require(found.count == 1)
        // 0.9³ = 0.729
        #expect(
            found[0].description
                == "its sform makes voxels of 0.9 x 0.9 x 0.9 mm and its pixdim of 1 x 1 x 1 mm; "
                + "the sform counts, so volumes are 0.729 times those by pixdim")
    }

    @Test func `a sform of another scale lies apart from the qform too`() throws {
        // 101 voxels of 0.9 instead of 1 mm: the far corner moves by 10 mm along each axis.
        let file = GeometryFile(
            sform: diagonal([0.9, 0.9, 0.9]), qform: [0, 0, 0, 0, 0, 0], size: 101)
        let found = try file.contradictions()
        try #require(found.count == 2)
        guard case .place(let distance) = found[1] else {
            Issue.record("\(found[1])")
            return
        }
        #expect(abs(distance - 10 * 3.0.squareRoot()) < 1e-4)
        #expect(found[1].description.contains("lie up to 17.32 mm apart"))
    }

    @Test func `mirrored forms are told to exchange left and right`() throws {
        let found = try GeometryFile(
            sform: diagonal([-1, 1, 1]), qform: [0, 0, 0, 0, 0, 0]
        ).contradictions()
        try #require(found.count == 1)
        #expect(found[0].description.contains("the axes LAS and its qform RAS"))
        #expect(found[0].description.contains("left and right exchanged"))
    }

    @Test func `a half turn exchanges left and right, a half turn about that axis does not`() throws
    {
        // Quaternions (0, 0, 1) and (1, 0, 0): half turns about z and x.
        let aboutZ = try GeometryFile(
            sform: diagonal([1, 1, 1]), qform: [0, 0, 1, 0, 0, 0]
        ).contradictions()
        #expect(aboutZ.map { $0.description.contains("left and right exchanged") } == [true])
        let aboutX = try GeometryFile(
            sform: diagonal([1, 1, 1]), qform: [1, 0, 0, 0, 0, 0]
        ).contradictions()
        #expect(aboutX.map { $0.description.contains("left and right exchanged") } == [false])
    }

    @Test(arguments: [(0.49, 0), (0.51, 1)] as [(Float, Int)])
    func `places half a voxel apart count, less does not`(shift: Float, count: Int) throws {
        let file = GeometryFile(
            sform: diagonal([1, 1, 1], at: [0, shift, 0]), qform: [0, 0, 0, 0, 0, 0])
        #expect(try file.contradictions().count == count)
    }

    @Test func `a template's space and the scanner's are two places by right`() throws {
        var file = GeometryFile(
            sform: diagonal([1, 1, 1], at: [30, 0, 0]), qform: [0, 0, 0, 0, 0, 0])
        #expect(try file.contradictions().count == 1)
        file.sformCode = 4
        #expect(try file.contradictions() == [])
        file.qformCode = 4
        #expect(try file.contradictions().count == 1)
    }

    /// Spatial codes 1 to 3 in the lowest three bits, a temporal one above them.
    @Test(
        arguments: [(1, 1000, .meter), (2, 1, .millimeter), (3, 0.001, .micron), (0, 1, .unknown)]
            as [(UInt8, Double, SpatialUnit)])
    func `lengths become millimetres`(code: UInt8, factor: Double, unit: SpatialUnit) throws {
        let edge = Float(1 / factor)
        let sform = GeometryFile(
            sform: diagonal([edge, edge, edge], at: [10 * edge, 0, 0]),
            pixdim: [1, edge, edge, edge], unit: code | 8)
        let qform = GeometryFile(
            qform: [0, 0, 0, 10 * edge, 0, 0], pixdim: [1, edge, edge, edge], unit: code | 8)
        for file in [sform, qform] {
            let header = try file.header()
            let expected = Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(10, 0, 0))
            #expect(header.grid.affine.largestDifference(from: expected) < 1e-5)
            #expect(header.niftiGeometry?.unit == unit)
            #expect(header.niftiGeometry?.contradictions == [])
        }
        // Nothing gives an orientation, but the unit counts.
        let bare = GeometryFile(pixdim: [1, edge, edge, edge], unit: code)
        #expect(abs(try bare.header().grid.spacing.x - 1) < 1e-6)
    }

    @Test func `outputs keep the bytes of a scan's unit and read back in its place`() throws {
        let file = GeometryFile(
            sform: diagonal([900, 900, 900], at: [5000, 0, 0]), pixdim: [1, 900, 900, 900], unit: 3)
        try withTemporaryDirectory { folder in
            try write(file.bytes, to: folder + "/a.nii")
            let header = try readVolumeHeader(at: folder + "/a.nii")
            let map = LabelMap(grid: header.grid, labels: [UInt16](repeating: 2, count: 8))
            try writeLabelMap(map, to: folder + "/b.nii", like: header)
            try writeLabelMap(map, to: folder + "/b.mgz", like: header)
            let (copy, copied) = try readLabelMap(at: folder + "/b.nii")
            #expect(copied.bytes[123] == 3)
            #expect(copied.bytes[280..<328] == header.bytes[280..<328])
            #expect(copy == map)
            let (other, _) = try readLabelMap(at: folder + "/b.mgz")
            #expect(abs(other.grid.spacing.x - 0.9) < 1e-6)
            #expect(abs(other.grid.affine[0, 3] - 5) < 1e-5)
        }
    }

    @Test func `a unit that makes voxels of a metre is told`() throws {
        let found = try GeometryFile(sform: diagonal([1, 1, 1]), unit: 1).contradictions()
        #expect(
            found.map(\.description) == [
                "its unit is meter, which makes voxels of 1000 x 1000 x 1000 mm; correct "
                    + "xyzt_units if they are not so"
            ])
    }
}

struct UnusualValueTests {
    /// A file of 2x2x2 numbers in single precision.
    private func write(_ values: [Float], to path: String) throws {
        var bytes = GeometryFile(sform: diagonal([1, 1, 1])).bytes
        bytes.replaceSubrange(70..<74, with: littleEndian(Int16(16)) + littleEndian(Int16(32)))
        bytes.replaceSubrange(352..., with: values.flatMap { littleEndian($0) })
        try VolumeIOTests.write(bytes, to: path)
    }

    @Test func `infinite voxels are counted apart from those that are no number`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try write(
                [.infinity, 1, .nan, -.infinity, 2, .greatestFiniteMagnitude, 0, 3], to: path)
            let loaded = try readVolume(at: path)
            #expect(loaded.infiniteVoxelCount == 2)
            #expect(loaded.nanVoxelCount == 1)
        }
    }

    @Test func `labels that are off by rounding are rounded and counted`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try write([3.0000004, 2.9995, 0, -0.0009, 5, 65535.0, 7.0009, 1], to: path)
            let loaded = try LoadedLabelMap(readingFrom: path)
            #expect(loaded.map.labels == [3, 3, 0, 0, 5, 65535, 7, 1])
            #expect(loaded.roundedVoxelCount == 4)
        }
    }

    @Test func `values that are no labels are told by their range`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try write([3, 0.5, -7, 1, .nan, 70000, 1.002, 0], to: path)
            let error = try #require(throws: VolumeIOError.self) { try readLabelMap(at: path) }
            #expect(error.code == .notALabel)
            #expect(
                error.problem
                    == "holds values that are not labels in 5 of 8 voxels (from -7.0 to 70000.0, 1 "
                    + "of them nan), the first at voxel (1, 0, 0)")
        }
    }
}
