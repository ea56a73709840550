internal import CNIfTI
internal import Files
public import Volumes

/// Writes the probabilities of several classes as a 4-D series, a volume for each class.
///
/// They are stored as `uint16` with the factor 1/65535 (`scl_slope`), so that what is read differs
/// from what was meant by 1/131070 at most. The file is there in full or not at all.
///
/// - Parameters:
///   - grid: Where the voxels lie.
///   - classCount: How many classes there are.
///   - path: Where to; `.nii` or `.nii.gz`.
///   - header: A scan on the same grid, as in ``writeLabelMap(_:to:like:table:)``.
///   - volumes: Gives the next volumes, one or more at a time, as parts of 65,535 in storage order;
///     it is called with the number of the class to go on with until all are written.
/// - Throws: `FileWriteError` where the file cannot be written, ``VolumeIOError`` where the format
///   is not NIfTI or cannot hold so many voxels, and what `volumes` throws.
/// - Precondition: the volumes have the grid's voxels, and the grid is the header's.
public func writeProbabilities(
    on grid: Grid, classCount: Int, to path: String, like header: VolumeHeader?,
    volumes: (_ firstClass: Int) throws -> [[UInt16]]
) throws {
    let format = try OutputFormat(path: path)
    guard !format.isMGH else {
        throw VolumeIOError(
            .unknownExtension, path, "does not name a format for probabilities",
            "end it with .nii.gz or .nii")
    }
    let content = FileContent(type: .uint16, intent: 0, table: nil, hasRuns: false)
    var start = try niftiStart(grid, content, path: path, like: header)
    setSeries(ofVolumes: classCount, slope: 1 / 65535, in: &start)
    try writeAtomically(to: path) { temporaryPath in
        var stream = try OutputStream(
            path: temporaryPath, compressionLevel: format.isCompressed ? 1 : 0, hasRuns: false,
            namedInErrors: path)
        try stream.write(start)
        var written = 0
        while written < classCount {
            let next = try volumes(written)
            precondition(
                !next.isEmpty && next.allSatisfy { $0.count == grid.size.count },
                "\(next.map(\.count)) voxels in volumes of \(grid.size)")
            for volume in next { try write(volume, to: stream) }
            written += next.count
        }
        precondition(written == classCount, "\(written) volumes for \(classCount) classes")
        try stream.finish()
    }
}

/// Writes numbers as they lie in memory, piece by piece.
private func write(_ volume: [UInt16], to stream: borrowing OutputStream) throws {
    let valuesAtOnce = 1 << 19
    for lower in stride(from: 0, to: volume.count, by: valuesAtOnce) {
        let part = volume[lower..<min(lower + valuesAtOnce, volume.count)]
        try stream.write(unsafe part.withUnsafeBytes { unsafe [UInt8]($0) })
    }
}

/// Makes a header in this machine's byte order that of a 4-D series of scaled numbers.
private func setSeries(ofVolumes count: Int, slope: Double, in header: inout [UInt8]) {
    // Offsets of dim, pixdim and scl_slope: nifti1.h and nifti2.h.
    if header[0] == UInt8(CNIFTI_HEADER_1_BYTES & 255) {
        put(Int16(4), at: 40, in: &header)
        put(Int16(count), at: 48, in: &header)
        put(Float(1), at: 92, in: &header)
        put(Float(slope), at: 112, in: &header)
    } else {
        put(Int64(4), at: 16, in: &header)
        put(Int64(count), at: 48, in: &header)
        put(Double(1), at: 136, in: &header)
        put(slope, at: 176, in: &header)
    }
}

private func put<Value: BitwiseCopyable>(_ value: Value, at offset: Int, in bytes: inout [UInt8]) {
    unsafe withUnsafeBytes(of: value) { source in
        for index in source.indices { bytes[offset + index] = unsafe source[index] }
    }
}
