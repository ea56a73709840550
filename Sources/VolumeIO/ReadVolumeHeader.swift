/// Reads what a volume's file says before its voxels, and checks that it can be true.
///
/// The format is recognised by content. Everything is checked as in ``readVolume(at:volume:)`` except
/// the voxels themselves; a plain file's size is compared with what the header promises.
///
/// - Parameters:
///   - path: A `.nii`, `.nii.gz`, `.mgz` or `.mgh` file, or either one of a `.hdr`/`.img` pair,
///     which may be compressed.
///   - number: Which volume of a series is meant, as in ``readVolume(at:volume:)``.
/// - Returns: The header.
/// - Throws: ``VolumeIOError``.
public func readVolumeHeader(
    at path: String, volume number: Int? = nil
) throws(VolumeIOError) -> VolumeHeader {
    try openVolume(at: path, volume: number).header
}

/// A volume's header and the file that holds its voxels, open behind what was read of it.
struct OpenVolume: ~Copyable {
    let header: VolumeHeader
    let stream: InputStream
    /// The number of bytes of the stream that were read.
    let position: Int
}

/// Opens a volume's files and reads the header.
func openVolume(at path: String, volume number: Int?) throws(VolumeIOError) -> OpenVolume {
    let pair = try pairPaths(of: path)
    let stream = try InputStream(path: pair?.header ?? path)
    // Voxels may follow right behind a header, so no more is read than it has.
    var start = try stream.read(upTo: mghHeaderSize)
    start += try stream.read(upTo: max(0, niftiHeaderSize(start) - start.count))
    guard !start.isEmpty else {
        throw VolumeIOError(.notAVolume, stream.path, "is empty", "fetch or convert it again")
    }
    guard
        let header = try niftiHeader(
            start, stream: stream, userPath: path, volume: number)
    else {
        let header = try mghHeader(start, stream: stream, volume: number)
        return OpenVolume(header: header, stream: stream, position: start.count)
    }
    guard header.dataPath != stream.path else {
        return OpenVolume(header: header, stream: stream, position: start.count)
    }
    let image = try InputStream(path: header.dataPath)
    try checkSize(of: image, header: header, path: header.dataPath)
    return OpenVolume(header: header, stream: image, position: 0)
}
