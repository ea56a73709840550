import CNIfTI
import Foundation
import TestSupport

/// The content of a file.
func fileBytes(_ path: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: URL(filePath: path)))
}

/// Writes a file.
func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
}

/// A copy of a sound fixture with other numbers, little-endian, at some offsets.
func patched(_ name: String, _ edits: [(offset: Int, bytes: [UInt8])]) throws -> [UInt8] {
    var content = try fileBytes(fixturePath("volumes/" + name))
    for edit in edits {
        content.replaceSubrange(edit.offset..<edit.offset + edit.bytes.count, with: edit.bytes)
    }
    return content
}

/// The bytes of a number, lowest first.
func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) }
}

/// The bytes of a float, lowest first.
func littleEndian(_ number: Float) -> [UInt8] { littleEndian(number.bitPattern) }

/// Compresses bytes as the writer does.
func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
    try withTemporaryDirectory { folder in
        var writer: OpaquePointer?
        var errorNumber: Int32 = 0
        let path = folder + "/a.gz"
        guard cnifti_writer_create(path, 6, false, &writer, &errorNumber) == CNIFTI_OK, let writer,
            cnifti_writer_write(writer, bytes, bytes.count, &errorNumber) == CNIFTI_OK,
            cnifti_writer_finish(writer, &errorNumber) == CNIFTI_OK
        else { throw CocoaError(.fileWriteUnknown) }
        return try fileBytes(path)
    }
}

/// The content of a gzip file, or `nil` where it is damaged or large.
func inflated(_ bytes: [UInt8]) -> [UInt8]? {
    try? withTemporaryDirectory { folder in
        var stream: OpaquePointer?
        var errorNumber: Int32 = 0
        let path = folder + "/a.gz"
        try write(bytes, to: path)
        guard cnifti_stream_open(path, &stream, &errorNumber) == CNIFTI_OK, let stream else {
            throw CocoaError(.fileReadUnknown)
        }
        defer { cnifti_stream_close(stream) }
        var content = [UInt8](repeating: 0, count: 1 << 20)
        var count = 0
        let status = cnifti_stream_read(stream, &content, content.count, &count, &errorNumber)
        guard status == CNIFTI_ERROR_TRUNCATED else { throw CocoaError(.fileReadUnknown) }
        return Array(content.prefix(count))
    }
}
