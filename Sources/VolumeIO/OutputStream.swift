internal import AtomicFiles
internal import CNIfTI

/// Sole owner of a file that is open for writing, plain or gzip.
@safe struct OutputStream: ~Copyable {
    private let namedPath: String
    private var stream: OpaquePointer?

    /// Makes or empties a file.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - level: gzip's level 1 to 9, or 0 for a plain file.
    ///   - namedPath: The name that errors give.
    /// - Throws: `FileWriteError`.
    init(
        path: String, compressionLevel level: Int32, namedInErrors namedPath: String
    ) throws(FileWriteError) {
        var opened: OpaquePointer?
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_stream_create(path, level, &opened, &errorNumber)
        guard status == CNIFTI_OK else {
            throw FileWriteError(path: namedPath, errorNumber: errorNumber)
        }
        self.namedPath = namedPath
        unsafe self.stream = opened
    }

    deinit { unsafe cnifti_stream_close(stream) }

    /// Writes bytes.
    func write(_ bytes: [UInt8]) throws(FileWriteError) {
        guard let stream = unsafe stream else { return }
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_stream_write(stream, bytes, bytes.count, &errorNumber)
        guard status == CNIFTI_OK else {
            throw FileWriteError(path: namedPath, errorNumber: errorNumber)
        }
    }

    /// Flushes what was written and closes the file.
    mutating func finish() throws(FileWriteError) {
        guard let stream = unsafe stream else { return }
        unsafe self.stream = nil
        var errorNumber: Int32 = 0
        guard unsafe cnifti_stream_finish(stream, &errorNumber) == CNIFTI_OK else {
            throw FileWriteError(path: namedPath, errorNumber: errorNumber)
        }
    }
}
