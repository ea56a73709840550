import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// The bytes of dim[1...3] of a volume with 1e9 voxels.
private let thousandCubed = [Int16](repeating: 1000, count: 3).flatMap { littleEndian($0) }

/// A damaged copy of a sound file, and what is said about it.
struct BadFile: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let name: String
    let code: VolumeIOError.Code
    let words: String
    let content: @Sendable () throws -> [UInt8]

    init(
        _ description: String, named name: String = "scan.nii", _ code: VolumeIOError.Code,
        _ words: String, _ content: @escaping @Sendable () throws -> [UInt8]
    ) {
        testDescription = description
        self.name = name
        self.code = code
        self.words = words
        self.content = content
    }

    /// Offsets are those of nifti1.h: dim 40, datatype 70, pixdim 76, vox_offset 108,
    /// qform_code 252, quatern_b 256, srow_x 280.
    static let all: [BadFile] = [
        BadFile("empty", .notAVolume, "is empty") { [] },
        BadFile("text", .notAVolume, "neither a NIfTI nor an MGH") { Array("hello there\n".utf8) },
        BadFile("random", .notAVolume, "neither") { (0..<4096).map { UInt8($0 * 7 & 255) } },
        BadFile("gzipped text", named: "scan.nii.gz", .notAVolume, "neither") {
            try gzipped(Array("hello there\n".utf8))
        },
        BadFile("Analyze", .notAVolume, "Analyze 7.5") {
            try patched("int16-little.nii", [(344, [0, 0, 0, 0])])
        },
        BadFile("NIfTI-2 with translated line ends", .notAVolume, "neither") {
            try patched("nifti2-little.nii", [(8, [10])])
        },
        BadFile("cut within the header", .truncated, "within its header (300 bytes)") {
            try Array(patched("int16-little.nii", []).prefix(300))
        },
        BadFile("cut within the NIfTI-2 header", .truncated, "within its header (500 bytes)") {
            try Array(patched("nifti2-little.nii", []).prefix(500))
        },
        BadFile("header alone", .truncated, "120 bytes and 0 are there") {
            try Array(patched("int16-little.nii", []).prefix(352))
        },
        BadFile("one byte short", .truncated, "5x4x3 voxels in 120 bytes and 119 are there") {
            try patched("int16-little.nii", []).dropLast()
        },
        BadFile("MGH one byte short", named: "scan.mgh", .truncated, "239 are there") {
            try patched("bare.mgh", []).dropLast()
        },
        BadFile("MGH header cut", named: "scan.mgh", .truncated, "within its header") {
            try Array(patched("bare.mgh", []).prefix(100))
        },
        BadFile("compressed content short", named: "scan.nii.gz", .truncated, "119 are there") {
            try gzipped(patched("int16-little.nii", []).dropLast())
        },
        BadFile("compressed file cut", named: "scan.nii.gz", .truncated, "ends ") {
            let whole = try gzipped(patched("int16-little.nii", []))
            return Array(whole.prefix(whole.count / 2))
        },
        BadFile("compressed file without its checksum", named: "scan.nii.gz", .truncated, "ends ") {
            try gzipped(patched("int16-little.nii", [])).dropLast(8)
        },
        BadFile("wrong checksum", named: "scan.nii.gz", .damaged, "corrupt compressed data") {
            var whole = try gzipped(patched("int16-little.nii", []))
            whole[whole.count - 8] ^= 255
            return whole
        },
        BadFile("corrupt deflate", named: "scan.nii.gz", .damaged, "corrupt compressed data") {
            var whole = try gzipped(patched("int16-little.nii", []))
            for index in 12..<24 { whole[index] = 255 }
            return whole
        },
        BadFile("4-D", .series, "a 4-D series of 3 volumes") {
            try patched(
                "int16-little.nii",
                [
                    (40, littleEndian(Int16(4))), (46, littleEndian(Int16(1))),
                    (48, littleEndian(Int16(3))),
                ])
        },
        BadFile("MGH series", named: "scan.mgz", .series, "a 4-D series of 2 volumes") {
            try patched("series.mgz", [])
        },
        BadFile("5-D", .series, "has 5 axes (5x4x3x1x3)") {
            try patched(
                "int16-little.nii",
                [
                    (40, littleEndian(Int16(5))), (48, littleEndian(Int16(1))),
                    (50, littleEndian(Int16(3))),
                ])
        },
        BadFile("CIFTI", .cifti, "is a CIFTI file") {
            try patched(
                "nifti2-little.nii",
                [
                    (16, littleEndian(Int64(6))), (24, littleEndian(Int64(1))),
                    (32, littleEndian(Int64(1))), (40, littleEndian(Int64(1))),
                    (48, littleEndian(Int64(1))), (56, littleEndian(Int64(5))),
                    (64, littleEndian(Int64(6))), (504, littleEndian(Int32(3001))),
                ])
        },
        BadFile("2-D", .twoDimensional, "a 2-D image of 5x4 voxels") {
            try patched("int16-little.nii", [(40, littleEndian(Int16(2)))])
        },
        BadFile("one slice", .twoDimensional, "a flat image of 5x4x1 voxels") {
            try patched("int16-little.nii", [(46, littleEndian(Int16(1)))])
        },
        BadFile("no axes", .invalidHeader, "counts 0 axes") {
            try patched("int16-little.nii", [(40, littleEndian(Int16(0)))])
        },
        BadFile("dimensions in the other byte order", .invalidHeader, "counts 768 axes") {
            let edits = [3, 5, 4, 3].enumerated().map { place, number in
                (40 + 2 * place, littleEndian(Int16(number).byteSwapped))
            }
            return try patched("int16-little.nii", edits)
        },
        BadFile("size of the header in the other byte order", .invalidHeader, "counts 768 axes") {
            try patched("int16-little.nii", [(0, [0, 0, 1, 92])])
        },
        BadFile("8 axes", .invalidHeader, "counts 8 axes") {
            try patched("int16-little.nii", [(40, littleEndian(Int16(8)))])
        },
        BadFile("negative size", .invalidHeader, "5x-4x3") {
            try patched("int16-little.nii", [(44, littleEndian(Int16(-4)))])
        },
        BadFile("empty fourth axis", .invalidHeader, "5x4x3x0") {
            try patched(
                "int16-little.nii",
                [(40, littleEndian(Int16(4))), (48, littleEndian(Int16(0)))])
        },
        BadFile("1e9 voxels", .truncated, "1000x1000x1000 voxels in 2000000000 bytes and 120 are") {
            try patched(
                "int16-little.nii",
                [
                    (
                        42,
                        thousandCubed
                    )
                ])
        },
        BadFile("1e9 voxels, compressed", named: "scan.nii.gz", .truncated, "too small for that") {
            try gzipped(
                patched(
                    "int16-little.nii",
                    [
                        (
                            42,
                            thousandCubed
                        )
                    ]))
        },
        BadFile("MGH with 1e9 voxels", named: "scan.mgh", .truncated, "too small") {
            let side: [UInt8] = [0, 0, 3, 232]
            return try gzipped(patched("bare.mgh", [(4, side + side + side)]))
        },
        BadFile("sizes beyond 64 bits", .invalidHeader, "more than any file holds") {
            try patched(
                "nifti2-little.nii",
                [(24, littleEndian(Int64(1) << 40)), (32, littleEndian(Int64(1) << 40))])
        },
        BadFile("voxels at the end of 64 bits", .invalidHeader, "puts its voxels at byte") {
            try patched("nifti2-little.nii", [(168, littleEndian(Int64.max - 10))])
        },
        BadFile("voxels within the header", .invalidHeader, "puts its voxels at byte 100") {
            try patched("int16-little.nii", [(108, littleEndian(Float(100)))])
        },
        BadFile("voxels at no number", .invalidHeader, "at byte nan") {
            try patched("int16-little.nii", [(108, littleEndian(Float.nan))])
        },
        BadFile("voxels behind the end", .truncated, "and 0 are there") {
            try patched("int16-little.nii", [(108, littleEndian(Float(1e6)))])
        },
        BadFile("complex", .unsupportedDatatype, "holds complex numbers") {
            try patched("int16-little.nii", [(70, littleEndian(Int16(32)))])
        },
        BadFile("RGB", .unsupportedDatatype, "holds colors (RGB)") {
            try patched("int16-little.nii", [(70, littleEndian(Int16(128)))])
        },
        BadFile("RGBA", .unsupportedDatatype, "holds colors (RGB)") {
            try patched("int16-little.nii", [(70, littleEndian(Int16(2304)))])
        },
        BadFile("bits", .unsupportedDatatype, "holds single bits") {
            try patched("int16-little.nii", [(70, littleEndian(Int16(1)))])
        },
        BadFile("128-bit floats", .unsupportedDatatype, "128-bit floats") {
            try patched("int16-little.nii", [(70, littleEndian(Int16(1536)))])
        },
        BadFile("unknown datatype", .invalidHeader, "the unknown datatype 77") {
            try patched("int16-little.nii", [(70, littleEndian(Int16(77)))])
        },
        BadFile("MGH datatype 2", named: "scan.mgh", .unsupportedDatatype, "the MGH datatype 2") {
            try patched("bare.mgh", [(20, [0, 0, 0, 2])])
        },
        BadFile("zero sform", .invalidGeometry, "sform that is zero") {
            try patched("int16-little.nii", [(280, [UInt8](repeating: 0, count: 48))])
        },
        BadFile("NaN in the sform", .invalidGeometry, "not finite (code 2)") {
            try patched("int16-little.nii", [(284, littleEndian(Float.nan))])
        },
        BadFile("flat sform", .invalidGeometry, "flat") {
            // The second row is the first one.
            let sound = try patched("int16-little.nii", [])
            return try patched("int16-little.nii", [(296, Array(sound[280..<296]))])
        },
        BadFile("sform that is sound only as a qform", .invalidGeometry, "sform") {
            try patched("both-forms.nii", [(280, [UInt8](repeating: 0, count: 48))])
        },
        BadFile("quaternion that is none", .invalidGeometry, "is no rotation") {
            try patched("qform.nii", [(256, littleEndian(Float(2)))])
        },
        BadFile("NaN quaternion", .invalidGeometry, "is no rotation") {
            try patched("qform.nii", [(256, littleEndian(Float.nan))])
        },
        BadFile("infinite qform offset", .invalidGeometry, "qform that is flat or not finite") {
            try patched("qform.nii", [(268, littleEndian(Float.infinity))])
        },
        BadFile("voxels without extent", .invalidGeometry, "0.8") {
            try patched("qform.nii", [(84, littleEndian(Float(0)))])
        },
        BadFile("voxels of negative extent", .invalidGeometry, "-1.0") {
            try patched("no-forms.nii", [(80, littleEndian(Float(-1)))])
        },
        BadFile("voxels so small that their volume is 0", .invalidGeometry, "voxels of 1e-300 x") {
            // NIfTI-2 has pixdim at 104 and the codes at 344, in double precision.
            try patched(
                "nifti2-little.nii",
                [
                    (112, (0..<3).flatMap { _ in littleEndian(1e-300.bitPattern) }),
                    (344, [UInt8](repeating: 0, count: 8)),
                ])
        },
        BadFile("MGH with zero spacing", named: "scan.mgh", .invalidGeometry, "direction cosines") {
            try patched("bare.mgh", [(30, [0, 0, 0, 0])])
        },
        BadFile("intercept that is no number", .invalidHeader, "scl_inter is nan") {
            try patched(
                "int16-little.nii", [(112, littleEndian(Float(2))), (116, littleEndian(Float.nan))])
        },
        BadFile("header of a pair in one file", .pairIncomplete, "under another name") {
            try patched("pair-little.hdr", [])
        },
        BadFile("header without image", named: "scan.hdr", .pairIncomplete, "scan.img' is missing")
        {
            try patched("pair-little.hdr", [])
        },
        BadFile("image without header", named: "scan.img", .pairIncomplete, "needs its header file")
        {
            try patched("pair-little.img", [])
        },
    ]
}

struct BadInputTests {
    @Test(arguments: BadFile.all)
    func `is refused in one sentence`(file: BadFile) throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/" + file.name
            try write(file.content(), to: path)
            let error = try #require(throws: VolumeIOError.self) { try readVolume(at: path) }
            #expect(error.code == file.code)
            expectSentence(error, names: path, contains: file.words)
            #expect(throws: VolumeIOError.self) { try readLabelMap(at: path) }
        }
    }

    @Test func `what is no readable file is told apart`() throws {
        try withTemporaryDirectory { folder in
            let missing = folder + "/none.nii.gz"
            let error = try #require(throws: VolumeIOError.self) { try readVolume(at: missing) }
            #expect(error.code == .fileMissing)
            #expect(error.description == "'\(missing)' does not exist; check the path.")

            let directory = try #require(throws: VolumeIOError.self) { try readVolume(at: folder) }
            #expect(directory.code == .unreadable)
            expectSentence(directory, names: folder, contains: "is not a file")

            let pipe = folder + "/pipe.nii"
            try #require(mkfifo(pipe, 0o600) == 0)
            let noFile = try #require(throws: VolumeIOError.self) { try readVolume(at: pipe) }
            #expect(noFile.code == .unreadable)
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may read everything"))
    func `a file without permission is named`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/scan.nii"
            try write(patched("int16-little.nii", []), to: path)
            chmod(path, 0)
            let error = try #require(throws: VolumeIOError.self) { try readVolume(at: path) }
            #expect(error.code == .unreadable)
            expectSentence(error, names: path, contains: "without permission")
        }
    }

    @Test func `a short image file of a pair is named`() throws {
        try withTemporaryDirectory { folder in
            try write(patched("pair-little.hdr", []), to: folder + "/a.hdr")
            try write(patched("pair-little.img", []).dropLast(), to: folder + "/a.img")
            let error = try #require(throws: VolumeIOError.self) {
                try readVolume(at: folder + "/a.hdr")
            }
            #expect(error.code == .truncated)
            expectSentence(error, names: folder + "/a.img", contains: "119 are there")
        }
    }

    @Test(arguments: [
        ("int16-little.nii", "the first at voxel (1, 0, 0)"),
        ("float32-little.nii", "at voxel (0, 0, 0)"),
        ("nan.nii.gz", "at voxel (0, 0, 0)"), ("scaled.nii", "at voxel (0, 0, 0)"),
    ])
    func `a value that is no label is named with its voxel`(name: String, words: String) throws {
        let path = fixturePath("volumes/" + name)
        let error = try #require(throws: VolumeIOError.self) { try readLabelMap(at: path) }
        #expect(error.code == .notALabel)
        expectSentence(error, names: path, contains: words)
    }

    /// Bytes changed at random must never stop the program, whatever is read.
    @Test(arguments: [
        "int16-little.nii", "nifti2-little.nii", "nan.nii.gz", "int16.mgz", "bare.mgh",
    ])
    func `random damage is read or refused, never fatal`(name: String) throws {
        let sound = try fileBytes(fixturePath("volumes/" + name))
        var state: UInt64 = 20260
        func random(below bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        try withTemporaryDirectory { folder in
            let path = folder + "/" + name
            for _ in 0..<400 {
                var content = sound
                for _ in 0..<1 + random(below: 4) {
                    content[random(below: min(content.count, 360))] = UInt8(random(below: 256))
                }
                if random(below: 4) == 0 { content.removeLast(random(below: content.count)) }
                try write(content, to: path)
                do {
                    let loaded = try readVolume(at: path)
                    #expect(loaded.volume.grid.affine.isInvertible)
                } catch let error as VolumeIOError {
                    expectSentence(error, names: path, contains: "")
                }
            }
        }
    }
}

/// Expects one sentence that names the file, says what is wrong and what to do.
func expectSentence(
    _ error: VolumeIOError, names path: String, contains words: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let text = error.description
    #expect(text.hasPrefix("'\(path)' "), sourceLocation: sourceLocation)
    #expect(words.isEmpty || text.contains(words), sourceLocation: sourceLocation)
    #expect(text.contains("; ") && text.hasSuffix("."), sourceLocation: sourceLocation)
    #expect(!text.contains("\n"), sourceLocation: sourceLocation)
}
