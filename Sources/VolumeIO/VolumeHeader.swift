public import Volumes

/// The file formats of volumes.
public enum VolumeFormat: String, Sendable, Hashable, Codable, CaseIterable {
    /// NIfTI-1, in one file or as a `.hdr`/`.img` pair.
    case nifti1
    /// NIfTI-2, in one file or as a `.hdr`/`.img` pair.
    case nifti2
    /// FreeSurfer's MGH, also compressed as `.mgz`.
    case mgh
}

/// Where a volume's affine comes from.
public enum AffineSource: String, Sendable, Hashable, Codable, CaseIterable {
    /// The sform of a NIfTI header: its code is greater than 0.
    case sform
    /// The qform of a NIfTI header: the sform's code is 0 and the qform's is greater.
    case qform
    /// The direction cosines of an MGH header.
    case directionCosines
    /// The header gives no orientation, so that left and right are an assumption.
    ///
    /// NIfTI: the first axis goes to the left and the center is the origin, as in nibabel.
    /// MGH: `LIA` with 1 mm voxels and the center at the origin, as in FreeSurfer.
    case assumed
}

/// What a volume's file says before its voxels.
public struct VolumeHeader: Sendable {
    /// The file format.
    public let format: VolumeFormat
    /// The type of the numbers in the file.
    public let storedType: StoredType
    /// How many voxels there are and where they lie, in millimetres whatever the header's unit.
    public let grid: Grid
    /// How many volumes the file holds: 1, or more where it is a 4-D series.
    public let volumeCount: Int
    /// Which of the header's geometries ``grid`` is taken from.
    public let affineSource: AffineSource
    /// NIfTI's sform code; 0 for MGH.
    public let sformCode: Int
    /// NIfTI's qform code; 0 for MGH.
    public let qformCode: Int
    /// The factor of stored numbers; 1 where the header asks for no scaling.
    public let slope: Double
    /// What is added after the factor; 0 where the header asks for no scaling.
    public let intercept: Double
    /// The header as it stands in the file, in the file's byte order: 348 bytes of NIfTI-1, 540 of
    /// NIfTI-2, 284 of MGH.
    public let bytes: [UInt8]
    /// All that a NIfTI header says of the voxels' places, used or not; `nil` for MGH.
    public internal(set) var niftiGeometry: NIfTIGeometry?

    /// Whether a NIfTI header says that the numbers are labels: the intent 1002, as
    /// ``writeLabelMap(_:to:like:table:)`` and other programs set it.
    public internal(set) var isLabelMap = false

    /// Whether the file's byte order is not this machine's.
    let isSwapped: Bool
    /// The file that holds the voxels.
    let dataPath: String
    /// Which of the file's volumes is meant, counted from 0.
    let volumeNumber: Int
    /// Bytes before that volume's first voxel.
    let dataOffset: Int
}

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
    /// How many bytes of the stream were read.
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

/// The number of the volume to read, where the file has it.
///
/// - Parameters:
///   - number: The volume that is asked for; `nil` for the only one.
///   - count: How many the file holds.
///   - path: The file.
/// - Returns: The number.
/// - Throws: ``VolumeIOError`` where the file lacks it, or holds several and none is asked for.
func checkedVolumeNumber(
    _ number: Int?, of count: Int, path: String
) throws(VolumeIOError) -> Int {
    guard let number else {
        guard count == 1 else {
            throw VolumeIOError(
                .series, path, "is a 4-D series of \(count) volumes",
                "name one with --volume N, counted from 0, or extract it, for example with fslroi or "
                    + "mri_convert --frame")
        }
        return 0
    }
    guard (0..<count).contains(number) else {
        throw VolumeIOError(
            .noSuchVolume, path,
            "has no volume \(number): it holds \(count == 1 ? "one" : "\(count) volumes")",
            "name one from 0 to \(count - 1)")
    }
    return number
}

/// Compares what the header promises with the most that the file can hold.
func checkSize(
    of stream: borrowing InputStream, header: VolumeHeader, path: String
) throws(VolumeIOError) {
    let remaining = header.volumeCount - header.volumeNumber
    let (end, overflow) = header.dataOffset.addingReportingOverflow(
        header.volumeByteCount * remaining)
    guard overflow || end > stream.largestContentSize else { return }
    let start = header.dataOffset - header.volumeByteCount * header.volumeNumber
    throw truncationError(
        header, path: path,
        available: stream.isCompressed ? nil : max(0, stream.fileSize - start))
}

/// The error of a file that is shorter than its header promises.
///
/// - Parameters:
///   - header: The header.
///   - path: The file.
///   - available: The bytes of voxels that are there, of all volumes; `nil` where nobody knows.
/// - Returns: The error.
func truncationError(
    _ header: VolumeHeader, path: String, available: Int?
) -> VolumeIOError {
    let promised = header.volumeByteCount * header.volumeCount
    let volumes = header.volumeCount == 1 ? "" : "\(header.volumeCount) volumes of "
    let found = available.map { "\($0) are there" } ?? "the file is too small for that"
    return VolumeIOError(
        .truncated, path,
        "ends before its last voxel: its header promises \(volumes)\(header.grid.size) voxels in "
            + "\(promised) bytes and " + found,
        "fetch or convert it again")
}

extension VolumeHeader {
    /// Bytes of one volume.
    var volumeByteCount: Int { grid.size.count * storedType.byteCount }
}

/// How many voxels of a type there are, where that many bytes can be counted at all.
///
/// - Parameters:
///   - dimensions: The three sizes.
///   - volumeCount: How many such volumes there are.
///   - type: Of the stored numbers.
///   - path: The file.
/// - Returns: The size of one volume.
/// - Throws: ``VolumeIOError`` where a size is not positive, the image is flat, or nothing can hold
///   it.
func checkedSize(
    _ dimensions: [Int64], volumeCount: Int64, type: StoredType, path: String
) throws(VolumeIOError) -> GridSize {
    let written = dimensions.map(String.init).joined(separator: "x")
    guard dimensions.allSatisfy({ $0 > 0 }) else {
        throw VolumeIOError(
            .invalidHeader, path, "has a header that gives its size as \(written)",
            "fetch or convert it again")
    }
    var bytes = Int64(type.byteCount)
    for dimension in dimensions + [volumeCount] {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: dimension)
        // The limit leaves room to add to a position in the file.
        guard !overflow, product < 1 << 60 else {
            throw VolumeIOError(
                .invalidHeader, path,
                "has a header that claims \(written) voxels, more than any file holds",
                "fetch or convert it again")
        }
        bytes = product
    }
    guard dimensions.allSatisfy({ $0 > 1 }) else {
        throw VolumeIOError(
            .twoDimensional, path, "holds a flat image of \(written) voxels",
            "give a 3-D volume with two or more voxels along each axis")
    }
    return GridSize(Int(dimensions[0]), Int(dimensions[1]), Int(dimensions[2]))
}

/// Whether an affine can map voxels to the world and back: all finite, and not flat.
func isUsable(_ affine: Affine) -> Bool {
    guard affine.isInvertible else { return false }
    let spacing = affine.spacing
    let product = spacing.x * spacing.y * spacing.z
    // A hundred thousandth part of a right-angled voxel's volume is no volume.
    return product.isFinite && abs(affine.determinant) > 1e-5 * product
}
