internal import CNIfTI
import Foundation

/// Sole owner of a file that is open for reading, plain or gzip.
@safe struct InputStream: ~Copyable {
    /// The file, as errors name it.
    let path: String
    private let stream: OpaquePointer

    init(path: String) throws(VolumeIOError) {
        var opened: OpaquePointer?
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_stream_open(path, &opened, &errorNumber)
        guard status == CNIFTI_OK, let stream = unsafe opened else {
            throw readError(status, errorNumber, path)
        }
        self.path = path
        unsafe self.stream = stream
    }

    deinit { unsafe cnifti_stream_close(stream) }

    /// Bytes on disk.
    var fileSize: Int { Int(unsafe cnifti_stream_file_size(stream)) }

    /// A Boolean value indicating whether the file is gzip.
    var isCompressed: Bool { unsafe cnifti_stream_is_compressed(stream) }

    /// The most bytes that can come out of the file: deflate makes at most 1032 out of one.
    var largestContentSize: Int {
        isCompressed ? fileSize.multipliedReportingOverflow(by: 1032).partialValue : fileSize
    }

    /// Reads up to `count` bytes; fewer come only where the file ends.
    func read(upTo count: Int) throws(VolumeIOError) -> [UInt8] {
        var status = CNIFTI_OK
        var errorNumber: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            unsafe status = cnifti_stream_read(stream, base, count, &initialized, &errorNumber)
        }
        guard status == CNIFTI_OK || status == CNIFTI_ERROR_TRUNCATED else {
            throw readError(status, errorNumber, path)
        }
        return bytes
    }

    /// Passes over bytes.
    ///
    /// - Returns: How many were there.
    func skip(_ count: Int) throws(VolumeIOError) -> Int {
        var skipped: Int64 = 0
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_stream_skip(stream, Int64(count), &skipped, &errorNumber)
        guard status == CNIFTI_OK || status == CNIFTI_ERROR_TRUNCATED else {
            throw readError(status, errorNumber, path)
        }
        return Int(skipped)
    }

    /// Reads up to `count` bytes into memory that grows with what comes.
    func readBlock(upTo count: Int) throws(VolumeIOError) -> ByteBlock {
        var bytes: UnsafeMutablePointer<UInt8>?
        var got = 0
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_stream_read_block(stream, count, &bytes, &got, &errorNumber)
        let block = unsafe ByteBlock(taking: bytes, count: got)
        guard status == CNIFTI_OK || status == CNIFTI_ERROR_TRUNCATED else {
            throw readError(status, errorNumber, path)
        }
        return block
    }

    /// Inflates the whole file in one go, wherever the stream stands, and checks its checksum.
    ///
    /// - Parameter smallest: The bytes that the content must have.
    /// - Returns: The content; `nil` where the file is not one sound gzip member of about that
    ///   content. Reading on then tells what it holds.
    func inflatedContent(ofAtLeast smallest: Int) -> ByteBlock? {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        guard unsafe cnifti_stream_inflate_all(stream, smallest, &bytes, &count) else { return nil }
        return unsafe ByteBlock(taking: bytes, count: count)
    }

    /// Checks gzip's checksum where the file ends.
    func checkEnd() throws(VolumeIOError) {
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_stream_check_end(stream, &errorNumber)
        guard status == CNIFTI_OK else { throw readError(status, errorNumber, path) }
    }
}

/// Sole owner of bytes that were read.
@safe struct ByteBlock: ~Copyable {
    /// The number of bytes.
    let count: Int
    private let bytes: UnsafeMutablePointer<UInt8>?

    init(taking bytes: UnsafeMutablePointer<UInt8>?, count: Int) {
        unsafe self.bytes = bytes
        self.count = unsafe bytes == nil ? 0 : count
    }

    deinit { unsafe cnifti_block_free(bytes) }

    /// Lends the bytes from an offset on.
    func withBytes<Result>(
        from offset: Int, _ body: (UnsafePointer<UInt8>) -> Result
    ) -> Result? {
        guard let bytes = unsafe bytes, offset < count else { return nil }
        return unsafe body(UnsafePointer(bytes + offset))
    }
}

private func readError(
    _ status: CNIfTIStatus, _ errorNumber: Int32, _ path: String
) -> VolumeIOError {
    switch status {
    case CNIFTI_ERROR_SYSTEM where errorNumber == ENOENT || errorNumber == ENOTDIR:
        VolumeIOError(.fileMissing, path, "does not exist", "check the path")
    case CNIFTI_ERROR_SYSTEM where errorNumber == EACCES || errorNumber == EPERM:
        VolumeIOError(
            .unreadable, path, "cannot be opened without permission",
            "change its permissions or ask its owner")
    case CNIFTI_ERROR_SYSTEM:
        VolumeIOError(
            .unreadable, path,
            "cannot be read (\(unsafe String(cString: strerror(errorNumber))))",
            "check the disk and run again")
    case CNIFTI_ERROR_NOT_A_FILE:
        VolumeIOError(.unreadable, path, "is not a file", "give the path of a volume file")
    case CNIFTI_ERROR_MEMORY:
        VolumeIOError(
            .memory, path, "does not fit into memory",
            "close other programs or use a larger machine")
    case CNIFTI_ERROR_TRUNCATED:
        VolumeIOError(
            .truncated, path, "ends within its compressed data", "fetch or convert it again")
    default:
        VolumeIOError(.damaged, path, "holds corrupt compressed data", "fetch or convert it again")
    }
}
