internal import CNIfTI
public import Volumes

/// A volume as it was read, with its file's header.
public struct LoadedVolume: Sendable {
    /// The intensities, scaled as the header says.
    public let volume: Volume
    /// The header of the file.
    public let header: VolumeHeader
    /// The number of NaN voxels; they are NaN in ``volume`` too.
    public let nanVoxelCount: Int
    /// The number of voxels that are infinite in single precision; they are so in ``volume`` too.
    public let infiniteVoxelCount: Int
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
    var infiniteVoxelCount = 0
    let voxels = unsafe [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        guard let values = buffer.baseAddress else { return }
        unsafe cnifti_prefer_large_pages(values, count * MemoryLayout<Float>.stride)
        _ = unsafe stored.block.withBytes(from: stored.offset) { bytes in
            unsafe cnifti_decode_floats(
                bytes, count, header.storedType.niftiCode, header.isSwapped, header.slope,
                header.intercept, values, &nanVoxelCount, &infiniteVoxelCount)
        }
        initialized = count
    }
    return LoadedVolume(
        volume: Volume(grid: header.grid, voxels: voxels), header: header,
        nanVoxelCount: nanVoxelCount, infiniteVoxelCount: infiniteVoxelCount)
}

/// A map of labels as it was read, with its file's header.
public struct LoadedLabelMap: Sendable {
    /// The labels on their own grid.
    public let map: LabelMap
    /// The header of the file.
    public let header: VolumeHeader
    /// The number of voxels rounded to a label, such as 3.0000004.
    public let roundedVoxelCount: Int

    /// Reads a map of labels.
    ///
    /// A value that lies within 1/1000 of an integer counts as that integer: resampling or scaling
    /// in floating point leaves such values.
    ///
    /// - Parameter path: A file as in ``readVolume(at:volume:)``.
    /// - Throws: ``VolumeIOError``; with the code ``VolumeIOError/Code/notALabel`` where a value,
    ///   once scaled and rounded, is not an integer in `0...65535`.
    public init(readingFrom path: String) throws(VolumeIOError) {
        let stored = try readStoredVoxels(at: path, volume: nil)
        let header = stored.header
        let size = header.grid.size
        var census = CNIfTILabelCensus()
        var status = CNIFTI_OK
        let labels = unsafe [UInt16](
            unsafeUninitializedCapacity: size.count
        ) { buffer, initialized in
            guard let values = buffer.baseAddress else { return }
            unsafe cnifti_prefer_large_pages(values, size.count * MemoryLayout<UInt16>.stride)
            status =
                unsafe stored.block.withBytes(from: stored.offset) { bytes in
                    unsafe cnifti_decode_labels(
                        bytes, size.count, header.storedType.niftiCode, header.isSwapped,
                        header.slope, header.intercept, values, &census)
                } ?? CNIFTI_ERROR_MEMORY
            initialized = status == CNIFTI_OK ? size.count : 0
        }
        guard status == CNIFTI_OK else { throw notLabels(census, size: size, path: path) }
        map = LabelMap(grid: header.grid, labels: labels)
        self.header = header
        roundedVoxelCount = census.rounded_count
    }
}

/// Reads a map of labels.
///
/// - Parameter path: A file as in ``readVolume(at:volume:)``.
/// - Returns: The labels on their own grid, and the file's header.
/// - Throws: ``VolumeIOError``, as ``LoadedLabelMap/init(readingFrom:)`` does.
public func readLabelMap(at path: String) throws(VolumeIOError) -> (LabelMap, VolumeHeader) {
    let loaded = try LoadedLabelMap(readingFrom: path)
    return (loaded.map, loaded.header)
}

/// The error of a map with values that are no labels.
private func notLabels(
    _ census: CNIfTILabelCensus, size: GridSize, path: String
) -> VolumeIOError {
    let place = voxelIndex(census.first_bad_index, in: size)
    let count = census.bad_count
    let problem: String
    if count == 1 {
        problem = "holds \(census.first_bad_value) at voxel \(place), which is not a label"
    } else {
        let numberCount = count - census.nan_count
        var values: [String] = []
        if numberCount > 0 {
            values.append(
                census.smallest_bad_value == census.largest_bad_value
                    ? "\(census.smallest_bad_value)"
                    : "from \(census.smallest_bad_value) to \(census.largest_bad_value)")
        }
        if census.nan_count > 0 {
            values.append(numberCount > 0 ? "\(census.nan_count) of them nan" : "nan")
        }
        problem =
            "holds values that are not labels in \(count) of \(size.count) voxels ("
            + values.joined(separator: ", ") + "), the first at voxel \(place)"
    }
    return VolumeIOError(
        .notALabel, path, problem, "give a map of whole numbers from 0 to 65535")
}

/// A voxel's index, from its position in storage, as people write it.
func voxelIndex(_ offset: Int, in size: GridSize) -> String {
    "(\(offset % size.x), \(offset / size.x % size.y), \(offset / size.x / size.y))"
}

/// A volume's header and its voxels as they stand in the file.
private struct StoredVoxels: ~Copyable {
    let header: VolumeHeader
    let block: ByteBlock
    /// The offset of the voxels in the block.
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
