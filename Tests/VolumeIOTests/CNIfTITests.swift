import CNIfTI
import Foundation
import TestSupport
import Testing

/// The C functions alone, where Swift's callers cannot reach.
struct CNIfTITests {
    @Test(arguments: [0, 1, 9] as [Int32])
    func `a full disk is told by write or finish, plain and compressed`(level: Int32) throws {
        var stream: OpaquePointer?
        var errorNumber: Int32 = 0
        try #require(cnifti_stream_create("/dev/full", level, &stream, &errorNumber) == CNIFTI_OK)
        let opened = try #require(stream)
        // Noise, which does not shrink, and more of it than any buffer holds.
        var state: UInt32 = 1
        let noise = (0..<2_000_000).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
        let written = cnifti_stream_write(opened, noise, noise.count, &errorNumber)
        #expect(written == CNIFTI_ERROR_SYSTEM)
        #expect(errorNumber == ENOSPC)
        cnifti_stream_close(opened)
    }

    @Test func `a few bytes on a full disk are told by finish`() throws {
        var stream: OpaquePointer?
        var errorNumber: Int32 = 0
        try #require(cnifti_stream_create("/dev/full", 1, &stream, &errorNumber) == CNIFTI_OK)
        let opened = try #require(stream)
        #expect(cnifti_stream_write(opened, [1, 2, 3], 3, &errorNumber) == CNIFTI_OK)
        #expect(cnifti_stream_finish(opened, &errorNumber) == CNIFTI_ERROR_SYSTEM)
        #expect(errorNumber == ENOSPC)
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
}
