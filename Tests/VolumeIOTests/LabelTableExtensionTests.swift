import TestSupport
import Testing
import VolumeIO
import Volumes

/// A table with what XML has to be told apart from.
private func awkwardTable() throws -> LabelTable {
    try #require(
        LabelTable([
            Structure(
                index: 17, name: "Left-Hippocampus",
                color: LabelColor(red: 220, green: 216, blue: 20)),
            Structure(
                index: 65535, name: "Kern <a> & \"b\" ]]> Ä 海馬",
                color: LabelColor(red: 0, green: 1, blue: 255)),
            Structure(
                index: 2, name: "x", color: LabelColor(red: 127, green: 128, blue: 254)),
        ]))
}

struct LabelTableExtensionTests {
    @Test(arguments: [
        "int16-little.nii", "int16-big.nii", "nifti2-big.nii", "nifti2.nii.gz", "pair-little.hdr",
        "extension.nii.gz", "uint8.mgz",
    ])
    func `names and colors come back, whatever the scan`(scan: String) throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/" + scan))
        let table = try awkwardTable()
        let map = LabelMap(
            grid: header.grid, labels: (0..<60).map { [0, 17, 2, 65535][$0 % 4] })
        try withTemporaryDirectory { folder in
            for name in ["a.nii", "a.nii.gz"] {
                let path = folder + "/" + name
                try writeLabelMap(map, to: path, like: header, table: table)
                #expect(try embeddedLabelTable(at: path) == table)
                let (copy, copyHeader) = try readLabelMap(at: path)
                #expect(copy.labels == map.labels)
                #expect(copyHeader.storedType == .uint16)
                // The same labels make the same file.
                try writeLabelMap(map, to: folder + "/again-" + name, like: header, table: table)
                #expect(try fileBytes(path) == fileBytes(folder + "/again-" + name))
            }
        }
    }

    /// The standard: four bytes of which the first is not 0, then size, code and data; the size and
    /// so the voxels' offset is a multiple of 16.
    @Test(arguments: [("int16-little.nii", 348), ("nifti2-little.nii", 540)])
    func `the extension is as the standard has it`(scan: String, headerSize: Int) throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/" + scan))
        let map = LabelMap(grid: header.grid, labels: [UInt16](repeating: 17, count: 60))
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try writeLabelMap(map, to: path, like: header, table: awkwardTable())
            let bytes = try fileBytes(path)
            #expect(Array(bytes[headerSize..<headerSize + 4]) == [1, 0, 0, 0])
            let size = bytes.count - headerSize - 4 - 60
            #expect(size > 0 && size % 16 == 0)
            let start = headerSize + 4
            #expect(Array(bytes[start..<start + 8]) == littleEndian(Int32(size)) + [30, 0, 0, 0])
            let offset = headerSize + 4 + size
            let field =
                headerSize == 348
                ? Array(bytes[108..<112]) == littleEndian(Float(offset))
                : Array(bytes[168..<176]) == littleEndian(Int64(offset))
            #expect(field)
            #expect(bytes[offset...].allSatisfy { $0 == 17 })
            // With the table the geometry is what it is without.
            try writeLabelMap(map, to: folder + "/b.nii", like: header)
            let plain = try fileBytes(folder + "/b.nii")
            let differing = (0..<headerSize).filter { plain[$0] != bytes[$0] }
            #expect(differing.allSatisfy { headerSize == 348 ? 108..<112 ~= $0 : 168..<176 ~= $0 })
        }
    }

    @Test(arguments: ["names-code-0.nii.gz", "names-big.nii", "names-pair.hdr"])
    func `the tables of other programs are read`(name: String) throws {
        let table = try #require(try embeddedLabelTable(at: fixturePath("volumes/" + name)))
        #expect(
            table.structures == [
                Structure(
                    index: 1, name: "spleen", color: LabelColor(red: 255, green: 0, blue: 128)),
                Structure(
                    index: 300, name: "vertebra L1 & disc",
                    color: LabelColor(red: 51, green: 255, blue: 128)),
                Structure(
                    index: 7, name: "label-7", color: LabelColor(red: 85, green: 170, blue: 255)),
            ])
        let loaded = try readVolume(at: fixturePath("volumes/" + name))
        #expect(loaded.volume.grid.size == GridSize(5, 4, 3))
    }

    @Test(arguments: ["int16-little.nii", "extension.nii.gz", "uint8.mgz", "pair-big.hdr"])
    func `there is none in other files`(name: String) throws {
        #expect(try embeddedLabelTable(at: fixturePath("volumes/" + name)) == nil)
    }

    /// Foundation's XML parser ends the program at the first of these.
    @Test(arguments: [
        ("Blue", [0xf0, 0x6c]), ("<![CDATA", [0xff]), ("Label-", [0xc0]), ("Key", [0]),
    ])
    func `an extension that is no XML is passed over`(place: String, bytes: [UInt8]) throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/int16-little.nii"))
        let map = LabelMap(grid: header.grid, labels: [UInt16](repeating: 17, count: 60))
        let table = try #require(
            LabelTable([
                Structure(
                    index: 17, name: "Label-17", color: LabelColor(red: 1, green: 2, blue: 3))
            ]))
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try writeLabelMap(map, to: path, like: header, table: table)
            var content = try fileBytes(path)
            let found = try #require(content.firstRange(of: Array(place.utf8)))
            content.replaceSubrange(found.lowerBound..<found.lowerBound + bytes.count, with: bytes)
            try write(content, to: path)
            #expect(try embeddedLabelTable(at: path) == nil)
            #expect(try readLabelMap(at: path).0 == map)
        }
    }

    @Test func `an extension that lies about its size is passed over`() throws {
        let header = try readVolumeHeader(at: fixturePath("volumes/int16-little.nii"))
        let map = LabelMap(grid: header.grid, labels: [UInt16](repeating: 17, count: 60))
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try writeLabelMap(map, to: path, like: header, table: awkwardTable())
            let sound = try fileBytes(path)
            for size in [0, -16, 8, 9, 1 << 20, Int32.max, Int32.min] as [Int32] {
                var content = sound
                content.replaceSubrange(352..<356, with: littleEndian(size))
                try write(content, to: path)
                #expect(try embeddedLabelTable(at: path) == nil)
                #expect(try readLabelMap(at: path).0 == map)
            }
        }
    }
}
