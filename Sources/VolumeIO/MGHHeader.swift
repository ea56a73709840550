import Volumes

/// Bytes before the first voxel of an MGH file.
let mghHeaderSize = 284

/// The bytes of the geometry in an MGH header: flag, spacing, cosines and center.
private let mghGeometry = 28..<90

/// Reads an MGH header: big-endian, 284 bytes.
///
/// Source: <https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat>.
///
/// - Parameters:
///   - start: The first bytes of the file.
///   - stream: The file that they come from.
///   - number: Which of its volumes is meant; `nil` for the only one.
/// - Returns: The header.
/// - Throws: ``VolumeIOError`` where it is not MGH or cannot be used.
func mghHeader(
    _ start: [UInt8], stream: borrowing InputStream, volume number: Int?
) throws(VolumeIOError) -> VolumeHeader {
    let path = stream.path
    // MGH has no magic; its version, 1, is little to go by without the name.
    let isNamedMGH = ["mgz", "mgh", "mgh.gz"].contains(volumeExtension(ofPath: path))
    guard isNamedMGH, start.count >= 4, bigEndianInt32(start, at: 0) == 1 else {
        throw VolumeIOError(
            .notAVolume, path, "is neither a NIfTI nor an MGH file",
            "give a .nii, .nii.gz or .mgz volume")
    }
    guard start.count >= mghHeaderSize else {
        throw VolumeIOError(
            .truncated, path, "ends within its header (\(start.count) bytes)",
            "fetch or convert it again")
    }
    // Some programs write 0 frames for one.
    let frames = max(1, bigEndianInt32(start, at: 16))
    let volumeNumber = try checkedVolumeNumber(number, of: Int(frames), path: path)
    let code = bigEndianInt32(start, at: 20)
    guard let type = StoredType(mghCode: code) else {
        throw VolumeIOError(
            .unsupportedDatatype, path, "has the MGH datatype \(code), which is not a plain number",
            "convert it with mri_convert")
    }
    let size = try checkedSize(
        [4, 8, 12].map { Int64(bigEndianInt32(start, at: $0)) }, volumeCount: Int64(frames),
        type: type, path: path)
    let hasGeometry = bigEndianInt16(start, at: 28) != 0
    let affine = hasGeometry ? mghAffine(start, size: size) : assumedAffine(size: size)
    guard isUsable(affine) else {
        throw VolumeIOError(
            .invalidGeometry, path, "has direction cosines that are zero, flat or not finite",
            "set its orientation with mri_convert")
    }
    let header = VolumeHeader(
        format: .mgh, storedType: type, grid: Grid(size: size, affine: affine),
        volumeCount: Int(frames), affineSource: hasGeometry ? .directionCosines : .assumed,
        sformCode: 0, qformCode: 0,
        slope: 1, intercept: 0, bytes: Array(start.prefix(mghHeaderSize)), isSwapped: true,
        dataPath: path, volumeNumber: volumeNumber,
        dataOffset: mghHeaderSize + volumeNumber * size.count * type.byteCount)
    try checkSize(of: stream, header: header, path: path)
    return header
}

/// The affine of the header's spacing, cosines and center.
///
/// The columns are products in single precision, as in nibabel; the rest is double precision.
private func mghAffine(_ bytes: [UInt8], size: GridSize) -> Affine {
    func vector(at offset: Int) -> SIMD3<Float> {
        let numbers = (0..<3).map { bigEndianFloat(bytes, at: offset + 4 * $0) }
        return SIMD3(numbers[0], numbers[1], numbers[2])
    }
    let spacing = vector(at: 30)
    let columns = (0..<3).map { axis in
        SIMD3<Double>(vector(at: 42 + 12 * axis) * spacing[axis])
    }
    return centered(columns, at: SIMD3<Double>(vector(at: 78)), size: size)
}

/// The affine that FreeSurfer assumes without a valid geometry: coronal slices of 1 mm voxels,
/// `LIA`.
///
/// nibabel 5.4 assumes `LSP`.
private func assumedAffine(size: GridSize) -> Affine {
    centered(
        [SIMD3(-1, 0, 0), SIMD3(0, 0, -1), SIMD3(0, 1, 0)], at: .zero, size: size)
}

/// The affine of three columns that puts the voxel at half the size onto a world position.
private func centered(
    _ columns: [SIMD3<Double>], at center: SIMD3<Double>, size: GridSize
) -> Affine {
    let middle = SIMD3(Double(size.x), Double(size.y), Double(size.z)) / 2
    let reach =
        columns[0] * middle.x + columns[1] * middle.y + columns[2] * middle.z
    return Affine(columns: columns, translation: center - reach)
}

/// Makes the header of an MGH file.
///
/// - Parameters:
///   - grid: Size and affine.
///   - type: A type that MGH has.
///   - geometry: A header whose geometry is taken over bit for bit.
/// - Returns: 284 bytes, or `nil` where MGH does not have the type.
func makeMGHHeader(
    grid: Grid, type: StoredType, geometryOf geometry: VolumeHeader?
) -> [UInt8]? {
    guard let code = type.mghCode else { return nil }
    var bytes = [UInt8](repeating: 0, count: mghHeaderSize)
    func store(_ value: UInt32, at offset: Int) {
        for index in 0..<4 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32(index)))
        }
    }
    let integers = [
        1, Int32(clamping: grid.size.x), Int32(clamping: grid.size.y),
        Int32(clamping: grid.size.z), 1, code,
    ]
    for (index, value) in integers.enumerated() {
        store(UInt32(bitPattern: value), at: 4 * index)
    }
    if let geometry, geometry.format == .mgh {
        bytes.replaceSubrange(mghGeometry, with: geometry.bytes[mghGeometry])
        return bytes
    }
    bytes[29] = 1  // the geometry is valid
    let spacing = grid.spacing
    var numbers = [spacing.x, spacing.y, spacing.z]
    for axis in 0..<3 {
        let cosines = grid.affine.column(axis) / spacing[axis]
        numbers += [cosines.x, cosines.y, cosines.z]
    }
    let center = grid.affine(
        SIMD3(Double(grid.size.x), Double(grid.size.y), Double(grid.size.z)) / 2)
    numbers += [center.x, center.y, center.z]
    for (index, value) in numbers.enumerated() {
        store(Float(value).bitPattern, at: 30 + 4 * index)
    }
    return bytes
}

private func bigEndianInt32(_ bytes: [UInt8], at offset: Int) -> Int32 {
    Int32(bitPattern: bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
}

private func bigEndianInt16(_ bytes: [UInt8], at offset: Int) -> Int16 {
    Int16(bitPattern: bytes[offset..<offset + 2].reduce(0) { $0 << 8 | UInt16($1) })
}

private func bigEndianFloat(_ bytes: [UInt8], at offset: Int) -> Float {
    Float(bitPattern: UInt32(bitPattern: bigEndianInt32(bytes, at: offset)))
}
