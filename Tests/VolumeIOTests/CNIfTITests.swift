import CNIfTI
import Foundation
import TestSupport
import Testing

/// The C functions alone, where Swift's callers cannot reach.
struct CNIfTITests {
    @Test(arguments: [0, 1, 9] as [Int32], [false, true])
    func `a full disk is told by write or finish, plain and compressed`(
        level: Int32, hasRuns: Bool
    ) throws {
        var writer: OpaquePointer?
        var errorNumber: Int32 = 0
        try #require(
            cnifti_writer_create("/dev/full", level, hasRuns, &writer, &errorNumber) == CNIFTI_OK)
        let opened = try #require(writer)
        // Noise, which does not shrink, and more of it than any buffer holds.
        let noise = pseudorandomBytes(2_000_000)
        let written = cnifti_writer_write(opened, noise, noise.count, &errorNumber)
        #expect(written == CNIFTI_ERROR_SYSTEM)
        #expect(errorNumber == ENOSPC)
        cnifti_writer_close(opened)
    }

    @Test func `a few bytes on a full disk are told by finish`() throws {
        var writer: OpaquePointer?
        var errorNumber: Int32 = 0
        try #require(
            cnifti_writer_create("/dev/full", 1, false, &writer, &errorNumber) == CNIFTI_OK)
        let opened = try #require(writer)
        #expect(cnifti_writer_write(opened, [1, 2, 3], 3, &errorNumber) == CNIFTI_OK)
        #expect(cnifti_writer_finish(opened, &errorNumber) == CNIFTI_ERROR_SYSTEM)
        #expect(errorNumber == ENOSPC)
    }

    /// Runs of zeros are written in ready-made pieces of 4 and 64 KiB, so lengths lie around those.
    @Test(arguments: [false, true])
    func `zlib reads back what was written, whatever its runs of zeros`(hasRuns: Bool) throws {
        let kibibyte = 1024
        let lengths = [
            0, 1, 4 * kibibyte - 1, 4 * kibibyte, 4 * kibibyte + 1, 64 * kibibyte,
            70 * kibibyte + 7, 300 * kibibyte,
        ]
        for (seed, noiseLength) in lengths.enumerated() {
            for zeroLength in lengths {
                let noise = pseudorandomBytes(noiseLength, seed: UInt32(seed))
                let zeros = [UInt8](repeating: 0, count: zeroLength)
                for parts in [[noise, zeros, noise], [zeros, noise, zeros], [zeros, zeros]] {
                    try expectRoundTrip(parts, hasRuns: hasRuns)
                }
            }
        }
    }

    @Test func `one sound member is inflated in one go, and nothing else`() throws {
        let content = pseudorandomBytes(5000)
        let member = try gzipped(content)
        #expect(try inflated(member, smallest: 5000) == content)
        #expect(try inflated(member, smallest: 100) == content)
        #expect(try inflated(member, smallest: 5001) == nil)
        #expect(try inflated(content, smallest: 100) == nil)
        #expect(try inflated(member + member, smallest: 5001) == nil)
        #expect(try inflated(member + [0, 0, 0, 0], smallest: 0) == nil)
        #expect(try inflated(member.dropLast(), smallest: 0) == nil)
        #expect(try inflated([0x1f, 0x8b], smallest: 0) == nil)
        var wrong = member
        wrong[wrong.count - 8] ^= 1
        #expect(try inflated(wrong, smallest: 5000) == nil)
        // A size that only a bomb would have.
        wrong = member
        wrong.replaceSubrange(wrong.count - 4..<wrong.count, with: [255, 255, 255, 255])
        #expect(try inflated(wrong, smallest: 5000) == nil)
    }

    @Test func `a block grows with what comes and counts it`() throws {
        var stream: OpaquePointer?
        var errorNumber: Int32 = 0
        let path = fixturePath("volumes/int16-little.nii")
        try #require(cnifti_stream_open(path, &stream, &errorNumber) == CNIFTI_OK)
        let opened = try #require(stream)
        defer { cnifti_stream_close(opened) }
        #expect(cnifti_stream_file_size(opened) == 472)
        #expect(!cnifti_stream_is_compressed(opened))
        var block: UnsafeMutablePointer<UInt8>?
        var count = 0
        // A terabyte is asked for; 472 bytes come.
        let status = cnifti_stream_read_block(opened, 1 << 40, &block, &count, &errorNumber)
        #expect(status == CNIFTI_ERROR_TRUNCATED)
        #expect(count == 472)
        cnifti_block_free(block)
    }

    @Test func `a header that is too short is not looked at`() {
        var header = CNIfTIHeader()
        #expect(cnifti_header_parse([1, 2], 2, &header) == CNIFTI_ERROR_TRUNCATED)
        #expect(cnifti_header_parse([92, 1, 0, 0, 0], 5, &header) == CNIFTI_ERROR_TRUNCATED)
        #expect(cnifti_header_parse([0, 0, 0, 0, 0], 5, &header) == CNIFTI_ERROR_NOT_NIFTI)
    }

    @Test func `datatypes that are not scalar have no size`() {
        for code in [0, 1, 32, 128, 1536, 1792, 2048, 2304, -1, 77] as [Int32] {
            #expect(cnifti_datatype_size(code) == 0)
        }
    }

    /// What a file inflates to in one go, or `nil` where it does not.
    private func inflated(_ bytes: [UInt8], smallest: Int) throws -> [UInt8]? {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.gz"
            try write(bytes, to: path)
            var stream: OpaquePointer?
            var errorNumber: Int32 = 0
            try #require(cnifti_stream_open(path, &stream, &errorNumber) == CNIFTI_OK)
            let opened = try #require(stream)
            defer { cnifti_stream_close(opened) }
            var block: UnsafeMutablePointer<UInt8>?
            var count = 0
            let isDone = cnifti_stream_inflate_all(opened, smallest, &block, &count)
            defer { cnifti_block_free(block) }
            #expect(isDone == (block != nil))
            return isDone ? Array(UnsafeBufferPointer(start: block, count: count)) : nil
        }
    }

    private func expectRoundTrip(_ parts: [[UInt8]], hasRuns: Bool) throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.gz"
            var writer: OpaquePointer?
            var errorNumber: Int32 = 0
            try #require(
                cnifti_writer_create(path, 1, hasRuns, &writer, &errorNumber) == CNIFTI_OK)
            let opened = try #require(writer)
            for part in parts {
                try #require(
                    cnifti_writer_write(opened, part, part.count, &errorNumber) == CNIFTI_OK)
            }
            try #require(cnifti_writer_finish(opened, &errorNumber) == CNIFTI_OK)

            let content = Array(parts.joined())
            var stream: OpaquePointer?
            try #require(cnifti_stream_open(path, &stream, &errorNumber) == CNIFTI_OK)
            let reader = try #require(stream)
            defer { cnifti_stream_close(reader) }
            var copy = [UInt8](repeating: 1, count: content.count + 1)
            var count = 0
            _ = cnifti_stream_read(reader, &copy, copy.count, &count, &errorNumber)
            #expect(copy.dropLast() == content[...])
            #expect(count == content.count)
            #expect(cnifti_stream_check_end(reader, &errorNumber) == CNIFTI_OK)
        }
    }
}

/// Bytes that hardly shrink.
private func pseudorandomBytes(_ count: Int, seed: UInt32 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return UInt8(state >> 24)
    }
}
