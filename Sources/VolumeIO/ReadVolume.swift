internal import CNIfTI
public import Volumes

/// A volume as it was read, with its file's header.
public struct LoadedVolume: Sendable {
    /// The intensities, scaled as the header says.
    public let volume: Volume
    /// What the file says before its voxels.
    public let header: VolumeHeader
    /// How many voxels are not a number; they are NaN in ``volume`` too.
    public let nanVoxelCount: Int
}

/// Reads a volume.
///
/// NIfTI-1, NIfTI-2 and MGH are recognised by content, gzip too, in either byte order. Stored
/// numbers become `slope * number + intercept`, computed in double precision and rounded to
/// single. Of a 4-D series one volume is read; further axes may have one voxel only.
///
/// - Parameters:
///   - path: A `.nii`, `.nii.gz`, `.mgz` or `.mgh` file, or either one of a `.hdr`/`.img` pair,
///     which may be compressed.
///   - number: Which volume of a series to read, counted from 0 as in nibabel and FSL; where it is
///     `nil`, the file must hold a single one.
/// - Returns: The volume on its own grid.
/// - Throws: ``VolumeIOError``: also where a single byte is missing at the end.
public func readVolume(
    at path: String, volume number: Int? = nil
) throws(VolumeIOError) -> LoadedVolume {
    let stored = try readStoredVoxels(at: path, volume: number)
    let header = stored.header
    let count = header.grid.size.count
    var nanVoxelCount = 0
    let voxels = unsafe [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        guard let values = buffer.baseAddress else { return }
        unsafe cnifti_prefer_large_pages(values, count * MemoryLayout<Float>.stride)
        _ = unsafe stored.block.withBytes(from: stored.offset) { bytes in
            unsafe cnifti_decode_floats(
                bytes, count, header.storedType.niftiCode, header.isSwapped, header.slope,
                header.intercept, values, &nanVoxelCount)
        }
        initialized = count
    }
    return LoadedVolume(
        volume: Volume(grid: header.grid, voxels: voxels), header: header,
        nanVoxelCount: nanVoxelCount)
}

/// Reads a map of labels.
///
/// - Parameter path: A file as in ``readVolume(at:volume:)``.
/// - Returns: The labels on their own grid, and the file's header.
/// - Throws: ``VolumeIOError``; with the code ``VolumeIOError/Code/notALabel`` where a value, once
///   scaled, is not an integer in `0...65535`.
public func readLabelMap(at path: String) throws(VolumeIOError) -> (LabelMap, VolumeHeader) {
    let stored = try readStoredVoxels(at: path, volume: nil)
    let header = stored.header
    let size = header.grid.size
    var badIndex = 0
    var badValue = 0.0
    var status = CNIFTI_OK
    let labels = unsafe [UInt16](unsafeUninitializedCapacity: size.count) { buffer, initialized in
        guard let values = buffer.baseAddress else { return }
        unsafe cnifti_prefer_large_pages(values, size.count * MemoryLayout<UInt16>.stride)
        status =
            unsafe stored.block.withBytes(from: stored.offset) { bytes in
                unsafe cnifti_decode_labels(
                    bytes, size.count, header.storedType.niftiCode, header.isSwapped, header.slope,
                    header.intercept, values, &badIndex, &badValue)
            } ?? CNIFTI_ERROR_MEMORY
        initialized = status == CNIFTI_OK ? size.count : 0
    }
    guard status == CNIFTI_OK else {
        throw VolumeIOError(
            .notALabel, path,
            "holds \(badValue) at voxel \(voxelIndex(badIndex, in: size)), which is not a label",
            "give a map of whole numbers from 0 to 65535")
    }
    return (LabelMap(grid: header.grid, labels: labels), header)
}

/// A voxel's index, from its position in storage, as people write it.
func voxelIndex(_ offset: Int, in size: GridSize) -> String {
    "(\(offset % size.x), \(offset / size.x % size.y), \(offset / size.x / size.y))"
}

/// A volume's header and its voxels as they stand in the file.
private struct StoredVoxels: ~Copyable {
    let header: VolumeHeader
    let block: ByteBlock
    /// Where in the block the voxels begin.
    let offset: Int
}

/// Reads a volume's header and voxels, and counts the bytes.
private func readStoredVoxels(
    at path: String, volume number: Int?
) throws(VolumeIOError) -> StoredVoxels {
    let file = try openVolume(at: path, volume: number)
    let header = file.header
    let count = header.grid.size.count * header.storedType.byteCount
    if let content = file.stream.inflatedContent(ofAtLeast: header.dataOffset + count) {
        return StoredVoxels(header: header, block: content, offset: header.dataOffset)
    }
    let gap = header.dataOffset - file.position
    guard try file.stream.skip(gap) == gap else {
        throw truncationError(header, path: file.stream.path, available: 0)
    }
    let block = try file.stream.readBlock(upTo: count)
    guard block.count == count else {
        throw truncationError(header, path: file.stream.path, available: block.count)
    }
    try file.stream.checkEnd()
    return StoredVoxels(header: header, block: block, offset: 0)
}
