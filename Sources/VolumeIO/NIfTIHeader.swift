internal import CNIfTI
import Foundation
import Volumes

/// Bytes of the NIfTI header that a file's first four bytes announce; 0 for none.
func niftiHeaderSize(_ start: [UInt8]) -> Int {
    guard start.count >= 4 else { return 0 }
    let number = start[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return [CNIFTI_HEADER_1_BYTES, CNIFTI_HEADER_2_BYTES].first {
        $0 == number || $0 == number.byteSwapped
    } ?? 0
}

/// The header and image file of a pair, where a path names one of them.
///
/// The two may be compressed alike or differently.
func pairPaths(of path: String) throws(VolumeIOError) -> (header: String, image: String)? {
    guard let ending = volumeExtension(ofPath: path), ["hdr", "img"].contains(ending.prefix(3))
    else { return nil }
    let stem = String(path.dropLast(ending.count))
    // The spelling of the given name comes first: X.HDR goes with X.IMG.
    let isUppercase = path.dropFirst(stem.count).first?.isUppercase ?? false
    let other = ending.hasPrefix("hdr") ? "img" : "hdr"
    let isCompressed = ending.hasSuffix(".gz")
    let endings = isCompressed ? [other + ".gz", other] : [other, other + ".gz"]
    let candidates = endings.map { stem + (isUppercase ? $0.uppercased() : $0) }
    let found = candidates.first { FileManager.default.fileExists(atPath: $0) }
    if ending.hasPrefix("hdr") { return (path, found ?? candidates[0]) }
    guard let found else {
        throw VolumeIOError(
            .pairIncomplete, path, "needs its header file '\(candidates[0])'",
            "put it beside or give a .nii file")
    }
    return (found, path)
}

/// Reads a NIfTI header.
///
/// - Parameters:
///   - start: The first bytes of the file.
///   - stream: The file that they come from.
///   - userPath: The file that the user named.
///   - number: Which of its volumes is meant; `nil` for the only one.
/// - Returns: The header, or `nil` where the content is not NIfTI.
/// - Throws: ``VolumeIOError`` where it is NIfTI that cannot be used.
func niftiHeader(
    _ start: [UInt8], stream: borrowing InputStream, userPath: String, volume number: Int?
) throws(VolumeIOError) -> VolumeHeader? {
    let path = stream.path
    var fields = CNIfTIHeader()
    switch unsafe cnifti_header_parse(start, start.count, &fields) {
    case CNIFTI_OK: break
    case CNIFTI_ERROR_ANALYZE:
        throw VolumeIOError(
            .notAVolume, path, "is an Analyze 7.5 file, which does not tell left from right",
            "convert it to NIfTI with a program that knows its orientation")
    case CNIFTI_ERROR_TRUNCATED where start.count >= 4:
        throw VolumeIOError(
            .truncated, path, "ends within its header (\(start.count) bytes)",
            "fetch or convert it again")
    default: return nil
    }
    let unit = SpatialUnit(niftiCode: fields.xyzt_units)
    fields.scaleLengths(by: unit.millimeters)
    let headerSize = fields.version == 1 ? CNIFTI_HEADER_1_BYTES : CNIFTI_HEADER_2_BYTES

    let (dimensions, volumes, type) = try imageSizeAndType(fields, path: path)
    let volumeNumber = try checkedVolumeNumber(number, of: Int(volumes), path: path)
    let size = try checkedSize(dimensions, volumeCount: volumes, type: type, path: path)
    let skipped = volumeNumber * size.count * type.byteCount
    let scaling = try scaling(fields, path: path)
    let (affine, source) = try affine(fields, size: size, path: path)
    var header = VolumeHeader(
        format: fields.version == 1 ? .nifti1 : .nifti2, storedType: type,
        grid: Grid(size: size, affine: affine), volumeCount: Int(volumes), affineSource: source,
        sformCode: Int(fields.sform_code), qformCode: Int(fields.qform_code),
        slope: scaling.slope, intercept: scaling.intercept, bytes: Array(start.prefix(headerSize)),
        isSwapped: fields.is_swapped,
        dataPath: try dataPath(fields, headerPath: path, userPath: userPath),
        volumeNumber: volumeNumber,
        dataOffset: try dataOffset(fields, headerSize: headerSize, path: path) + skipped)
    header.isLabelMap = fields.intent_code == 1002
    header.niftiGeometry = NIfTIGeometry(
        unit: unit, pixdimMillimeters: fields.edgeLengths,
        sform: fields.sform_code > 0 ? Affine(rowMajor: fields.sformElements) : nil,
        qform: fields.qform_code > 0 ? qform(of: fields) : nil, size: size,
        sformCode: header.sformCode, qformCode: header.qformCode)
    if header.dataPath == path { try checkSize(of: stream, header: header, path: path) }
    return header
}

/// The sizes of the three axes, how many volumes there are, and the type, where these are 3-D
/// images of scalars.
private func imageSizeAndType(
    _ fields: CNIfTIHeader, path: String
) throws(VolumeIOError) -> ([Int64], volumes: Int64, StoredType) {
    let all = fields.dimensions
    guard (1...7).contains(all[0]) else {
        throw VolumeIOError(
            .invalidHeader, path, "has a header that counts \(all[0]) axes",
            "fetch or convert it again")
    }
    let used = Array(all[1...Int(all[0])])
    let written = used.map(String.init).joined(separator: "x")
    // Intents 3000 to 3099 are CIFTI's; its images start with four axes of 1.
    if (3000..<3100).contains(fields.intent_code) {
        throw VolumeIOError(
            .cifti, path, "is a CIFTI file (surfaces or connectivity), not a volume",
            "give the NIfTI volume")
    }
    guard used.allSatisfy({ $0 > 0 }) else {
        throw VolumeIOError(
            .invalidHeader, path, "has a header that gives its size as \(written)",
            "fetch or convert it again")
    }
    if used.dropFirst(4).contains(where: { $0 > 1 }) {
        throw VolumeIOError(
            .series, path, "has \(used.count) axes (\(written))",
            "extract one 3-D volume first")
    }
    guard let type = StoredType(niftiCode: fields.datatype) else {
        let name: String
        switch fields.datatype {
        case 1: name = "single bits"
        case 32, 1792, 2048: name = "complex numbers"
        case 128, 2304: name = "colors (RGB)"
        case 1536: name = "128-bit floats, which machines store differently"
        default:
            throw VolumeIOError(
                .invalidHeader, path, "has a header with the unknown datatype \(fields.datatype)",
                "fetch or convert it again")
        }
        throw VolumeIOError(
            .unsupportedDatatype, path, "holds \(name)",
            "give a volume with one plain number per voxel")
    }
    guard used.count >= 3 else {
        throw VolumeIOError(
            .twoDimensional, path, "holds a \(used.count)-D image of \(written) voxels",
            "give a 3-D volume")
    }
    return (Array(used.prefix(3)), volumes: used.count > 3 ? used[3] : 1, type)
}

/// The factor and what is added: none where the slope is 0 or not finite, as in nibabel.
private func scaling(
    _ fields: CNIfTIHeader, path: String
) throws(VolumeIOError) -> (slope: Double, intercept: Double) {
    guard fields.slope != 0, fields.slope.isFinite else { return (1, 0) }
    guard fields.intercept.isFinite else {
        throw VolumeIOError(
            .invalidHeader, path, "has a header whose scl_inter is \(fields.intercept)",
            "fetch or convert it again")
    }
    return (fields.slope, fields.intercept)
}

/// The most that the squares of a quaternion's b, c and d may add up to: a float's rounding makes
/// them longer than 1 by some 1e-7; far more is no rotation.
private let quaternionLimit = 1 + 1e-4

/// The sform where its code is positive, else the qform where its code is, else an assumption
/// from the voxels' edge lengths.
private func affine(
    _ fields: CNIfTIHeader, size: GridSize, path: String
) throws(VolumeIOError) -> (Affine, AffineSource) {
    let repair = "set its orientation with a tool such as fslorient, nibabel or 3D Slicer"
    if fields.sform_code > 0 {
        let affine = Affine(rowMajor: fields.sformElements)
        guard isUsable(affine) else {
            throw VolumeIOError(
                .invalidGeometry, path,
                "has an sform that is zero, flat or not finite (code \(fields.sform_code))",
                repair)
        }
        return (affine, .sform)
    }
    let edges = fields.edgeLengths
    let unusableEdges = VolumeIOError(
        .invalidGeometry, path,
        "has a header with voxels of \(edges.x) x \(edges.y) x \(edges.z) mm", repair)
    guard (0..<3).allSatisfy({ edges[$0].isFinite && edges[$0] > 0 }) else { throw unusableEdges }
    guard fields.qform_code > 0 else {
        // As in nibabel's get_base_affine.
        let steps = SIMD3(-edges.x, edges.y, edges.z)
        let last = SIMD3(Double(size.x - 1), Double(size.y - 1), Double(size.z - 1))
        let affine = Affine(spacing: steps, translation: -steps * last / 2)
        guard isUsable(affine) else { throw unusableEdges }
        return (affine, .assumed)
    }
    let (b, c, d) = fields.quaternion
    guard b * b + c * c + d * d <= quaternionLimit else {
        throw VolumeIOError(
            .invalidGeometry, path,
            "has a qform whose quaternion (\(b), \(c), \(d)) is no rotation", repair)
    }
    guard let affine = qform(of: fields) else {
        throw VolumeIOError(
            .invalidGeometry, path,
            "has a qform that is flat or not finite (code \(fields.qform_code))", repair)
    }
    return (affine, .qform)
}

/// The qform, or `nil` where it is flat, not finite or no rotation.
private func qform(of fields: CNIfTIHeader) -> Affine? {
    let (b, c, d) = fields.quaternion
    guard b * b + c * c + d * d <= quaternionLimit else { return nil }
    var elements = [Double](repeating: 0, count: 12)
    unsafe withUnsafePointer(to: fields) { pointer in
        unsafe cnifti_header_qform(pointer, &elements)
    }
    let affine = Affine(rowMajor: elements)
    return isUsable(affine) ? affine : nil
}

/// The file that holds the voxels.
private func dataPath(
    _ fields: CNIfTIHeader, headerPath: String, userPath: String
) throws(VolumeIOError) -> String {
    guard !fields.is_single_file else { return headerPath }
    guard let pair = try pairPaths(of: userPath) else {
        throw VolumeIOError(
            .pairIncomplete, headerPath, "is the header of a .hdr/.img pair under another name",
            "name the two files .hdr and .img")
    }
    guard FileManager.default.fileExists(atPath: pair.image) else {
        throw VolumeIOError(
            .pairIncomplete, headerPath, "is a header without voxels: '\(pair.image)' is missing",
            "put it beside or give a .nii file")
    }
    return pair.image
}

/// Bytes before the first voxel.
///
/// In one file, 0 means right behind the header and its four bytes about extensions.
private func dataOffset(
    _ fields: CNIfTIHeader, headerSize: Int, path: String
) throws(VolumeIOError) -> Int {
    let smallest = fields.is_single_file ? headerSize + 4 : 0
    let offset = fields.data_offset
    if offset == 0 { return smallest }
    guard offset >= Double(smallest), offset < 0x1p53, offset == offset.rounded() else {
        throw VolumeIOError(
            .invalidHeader, path, "has a header that puts its voxels at byte \(offset)",
            "fetch or convert it again")
    }
    return Int(offset)
}

extension CNIfTIHeader {
    fileprivate var dimensions: [Int64] {
        [dim.0, dim.1, dim.2, dim.3, dim.4, dim.5, dim.6, dim.7]
    }

    fileprivate var sformElements: [Double] {
        [
            srow.0, srow.1, srow.2, srow.3, srow.4, srow.5, srow.6, srow.7, srow.8, srow.9,
            srow.10, srow.11,
        ]
    }

    fileprivate var edgeLengths: SIMD3<Double> { SIMD3(pixdim.1, pixdim.2, pixdim.3) }

    /// Turns all lengths from the header's unit into millimetres.
    ///
    /// In single precision where the header is: a voxel of 0.001 m is one of 1 mm, and not of 1.00000005.
    fileprivate mutating func scaleLengths(by factor: Double) {
        guard factor != 1 else { return }
        let isSingle = version == 1
        func scaled(_ length: Double) -> Double {
            isSingle ? Double(Float(length * factor)) : length * factor
        }
        pixdim = (
            pixdim.0, scaled(pixdim.1), scaled(pixdim.2), scaled(pixdim.3), pixdim.4, pixdim.5,
            pixdim.6, pixdim.7
        )
        offset = (scaled(offset.0), scaled(offset.1), scaled(offset.2))
        let rows = sformElements.map(scaled)
        srow = (
            rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], rows[7], rows[8],
            rows[9], rows[10], rows[11]
        )
    }
}
