internal import CNIfTI
internal import Files

/// Sole owner of a file that is open for writing, plain or gzip.
@safe struct OutputStream: ~Copyable {
    private let namedPath: String
    private var writer: OpaquePointer?

    /// Makes or empties a file.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - level: gzip's level 1 to 9, or 0 for a plain file.
    ///   - hasRuns: Whether the content is made of runs of equal bytes, as labels are.
    ///   - namedPath: The name that errors give.
    /// - Throws: `FileWriteError`.
    init(
        path: String, compressionLevel level: Int32, hasRuns: Bool, namedInErrors namedPath: String
    ) throws(FileWriteError) {
        var opened: OpaquePointer?
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_writer_create(path, level, hasRuns, &opened, &errorNumber)
        guard status == CNIFTI_OK else {
            throw FileWriteError(path: namedPath, errorNumber: errorNumber)
        }
        self.namedPath = namedPath
        unsafe self.writer = opened
    }

    deinit { unsafe cnifti_writer_close(writer) }

    /// Writes bytes.
    func write(_ bytes: [UInt8]) throws(FileWriteError) {
        guard let writer = unsafe writer else { return }
        var errorNumber: Int32 = 0
        let status = unsafe cnifti_writer_write(writer, bytes, bytes.count, &errorNumber)
        guard status == CNIFTI_OK else {
            throw FileWriteError(path: namedPath, errorNumber: errorNumber)
        }
    }

    /// Flushes what was written and closes the file.
    mutating func finish() throws(FileWriteError) {
        guard let writer = unsafe writer else { return }
        unsafe self.writer = nil
        var errorNumber: Int32 = 0
        guard unsafe cnifti_writer_finish(writer, &errorNumber) == CNIFTI_OK else {
            throw FileWriteError(path: namedPath, errorNumber: errorNumber)
        }
    }
}
