internal import CNIfTI
internal import Files
public import Volumes

/// Writes a map of labels as integers.
///
/// The smallest type is taken that holds the largest label: in NIfTI `uint8` or `uint16`, in MGH
/// `uint8`, `int16` or `int32`. NIfTI files carry the intent "label" (1002), no scaling, and the
/// label table in a header extension: Caret's XML under its code 30, which Connectome Workbench
/// reads and other programs pass over. The file is there in full or not at all.
///
/// - Parameters:
///   - map: The labels.
///   - path: Where to; `.nii`, `.nii.gz`, `.mgz` or `.mgh` decides on the format.
///   - header: The scan that the labels belong to. Where it has the same family of formats, its
///     geometry is taken over bit for bit; NIfTI-2 stays NIfTI-2. Else, or where it is `nil`, the
///     grid's affine is written in single precision.
///   - table: The structures' names and colors; MGH files cannot hold them.
/// - Throws: `FileWriteError` where the file cannot be written, ``VolumeIOError`` where the format
///   cannot hold the map.
/// - Precondition: the map lies on the header's grid.
public func writeLabelMap(
    _ map: LabelMap, to path: String, like header: VolumeHeader?, table: LabelTable? = nil
) throws {
    let largest = map.labels.max() ?? 0
    let format = try OutputFormat(path: path)
    let type: StoredType =
        largest <= UInt8.max
        ? .uint8
        : !format.isMGH ? .uint16 : largest <= UInt16(Int16.max) ? .int16 : .int32
    let content = FileContent(type: type, intent: 1002, table: table, hasRuns: true)
    try unsafe write(
        map.grid, content, format: format, to: path, like: header
    ) { range, bytes, badIndex in
        unsafe map.labels.withUnsafeBufferPointer { labels in
            guard let base = labels.baseAddress else { return CNIFTI_OK }
            return unsafe cnifti_encode_labels(
                base + range.lowerBound, range.count, type.niftiCode, format.isMGH, bytes,
                &badIndex)
        }
    }
}

/// Writes a volume of intensities.
///
/// Integers are rounded to the nearest and never scaled. The file is there in full or not at all.
///
/// - Parameters:
///   - volume: The intensities.
///   - path: Where to; `.nii`, `.nii.gz`, `.mgz` or `.mgh` decides on the format.
///   - header: A scan on the same grid, as in ``writeLabelMap(_:to:like:table:)``.
///   - type: The type of the numbers in the file.
/// - Throws: `FileWriteError` where the file cannot be written, ``VolumeIOError`` where the type or
///   format cannot hold a value.
/// - Precondition: the volume lies on the header's grid.
public func writeVolume(
    _ volume: Volume, to path: String, like header: VolumeHeader?, storedAs type: StoredType
) throws {
    let format = try OutputFormat(path: path)
    let content = FileContent(type: type, intent: 0, table: nil, hasRuns: false)
    try unsafe write(
        volume.grid, content, format: format, to: path, like: header
    ) { range, bytes, badIndex in
        unsafe volume.voxels.withUnsafeBufferPointer { voxels in
            guard let base = voxels.baseAddress else { return CNIFTI_OK }
            return unsafe cnifti_encode_floats(
                base + range.lowerBound, range.count, type.niftiCode, format.isMGH, bytes,
                &badIndex)
        }
    }
}

/// The format implied by a file's name.
struct OutputFormat {
    let isMGH: Bool
    let isCompressed: Bool

    init(path: String) throws(VolumeIOError) {
        switch volumeExtension(ofPath: path) {
        case "nii": (isMGH, isCompressed) = (false, false)
        case "nii.gz": (isMGH, isCompressed) = (false, true)
        case "mgh": (isMGH, isCompressed) = (true, false)
        case "mgz", "mgh.gz": (isMGH, isCompressed) = (true, true)
        default:
            throw VolumeIOError(
                .unknownExtension, path, "does not name a format that can be written",
                "end it with .nii.gz, .nii, .mgz or .mgh")
        }
    }
}

/// The description of a file's numbers.
struct FileContent {
    let type: StoredType
    /// NIfTI's code of what they mean.
    let intent: Int32
    let table: LabelTable?
    /// A Boolean value indicating whether equal numbers stand in long runs.
    let hasRuns: Bool
}

/// Turns the voxels in a range into stored bytes; on failure, tells which one of them it was.
private typealias Encoder = (
    _ range: Range<Int>, _ bytes: UnsafeMutablePointer<UInt8>, _ badIndex: inout Int
) -> CNIfTIStatus

private func write(
    _ grid: Grid, _ content: FileContent, format: OutputFormat, to path: String,
    like header: VolumeHeader?, encode: Encoder
) throws {
    if let header {
        precondition(
            grid.coincides(with: header.grid),
            "grids differ: \(grid.size) and \(header.grid.size), "
                + "\(grid.largestCornerDistanceMillimeters(from: header.grid) ?? .infinity) mm apart"
        )
    }
    let start =
        format.isMGH
        ? try mghStart(grid, type: content.type, path: path, like: header)
        : try niftiStart(grid, content, path: path, like: header)
    // gzip's level 1: labels shrink hundredfold at any level, and the others cost only time.
    let level: Int32 = format.isCompressed ? 1 : 0
    try writeAtomically(to: path) { temporaryPath in
        try unsafe write(
            start, size: grid.size, content, level: level,
            toFileAt: temporaryPath, namedInErrors: path, encode: encode)
    }
}

private func write(
    _ start: [UInt8], size: GridSize, _ content: FileContent, level: Int32,
    toFileAt filePath: String, namedInErrors path: String, encode: Encoder
) throws {
    var stream = try OutputStream(
        path: filePath, compressionLevel: level, hasRuns: content.hasRuns, namedInErrors: path)
    try stream.write(start)
    let voxelsAtOnce = 1 << 18
    for lower in stride(from: 0, to: size.count, by: voxelsAtOnce) {
        let range = lower..<min(lower + voxelsAtOnce, size.count)
        var status = CNIFTI_OK
        var badIndex = 0
        let byteCount = range.count * content.type.byteCount
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            status = unsafe encode(range, base, &badIndex)
            initialized = status == CNIFTI_OK ? byteCount : 0
        }
        guard status == CNIFTI_OK else {
            throw VolumeIOError(
                .notRepresentable, path,
                "cannot store the value at voxel \(voxelIndex(lower + badIndex, in: size)) as "
                    + content.type.rawValue,
                "choose a floating-point type")
        }
        try stream.write(bytes)
    }
    try stream.finish()
}

/// A NIfTI header and the extensions behind it.
func niftiStart(
    _ grid: Grid, _ content: FileContent, path: String, like header: VolumeHeader?
) throws(VolumeIOError) -> [UInt8] {
    var bytes: [UInt8]
    if let header, header.format != .mgh {
        bytes = header.bytes
    } else {
        let size = [Int64(grid.size.x), Int64(grid.size.y), Int64(grid.size.z)]
        guard size.allSatisfy({ $0 <= Int64(Int16.max) }) else {
            throw VolumeIOError(
                .notRepresentable, path, "cannot hold \(grid.size) voxels as NIfTI-1",
                "end it with .mgz")
        }
        let elements = (0..<12).map { grid.affine[$0 / 4, $0 % 4] }
        bytes = [UInt8](repeating: 0, count: CNIFTI_HEADER_1_BYTES)
        unsafe cnifti_header_make(size, elements, &bytes)
    }
    let extensions = niftiExtensions(of: content.table)
    let status = unsafe cnifti_header_adapt(
        &bytes, bytes.count, content.type.niftiCode, content.intent, Int32(extensions.count - 4))
    precondition(status == CNIFTI_OK, "a header that was read before is refused now: \(status)")
    return bytes + extensions
}

private func mghStart(
    _ grid: Grid, type: StoredType, path: String, like header: VolumeHeader?
) throws(VolumeIOError) -> [UInt8] {
    guard let bytes = makeMGHHeader(grid: grid, type: type, geometryOf: header) else {
        throw VolumeIOError(
            .notRepresentable, path, "cannot hold \(type.rawValue) numbers as MGH",
            "use uint8, int16, int32 or float32, or end it with .nii.gz")
    }
    return bytes
}
