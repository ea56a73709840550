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

/// The source of a volume's affine.
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

/// The header of a volume file.
public struct VolumeHeader: Sendable {
    /// The file format.
    public let format: VolumeFormat
    /// The type of the numbers in the file.
    public let storedType: StoredType
    /// The grid of the voxels, in millimetres whatever the header's unit.
    public let grid: Grid
    /// The number of volumes in the file: 1, or more for a 4-D series.
    public let volumeCount: Int
    /// The source of ``grid`` among the header's geometries.
    public let affineSource: AffineSource
    /// NIfTI's sform code; 0 for MGH.
    public let sformCode: Int
    /// NIfTI's qform code; 0 for MGH.
    public let qformCode: Int
    /// The factor of stored numbers; 1 where the header asks for no scaling.
    public let slope: Double
    /// The intercept added after the slope; 0 where the header asks for no scaling.
    public let intercept: Double
    /// The header as it stands in the file, in the file's byte order: 348 bytes of NIfTI-1, 540 of
    /// NIfTI-2, 284 of MGH.
    public let bytes: [UInt8]
    /// All that a NIfTI header says of the voxels' places, used or not; `nil` for MGH.
    public internal(set) var niftiGeometry: NIfTIGeometry?

    /// A Boolean value indicating whether a NIfTI header says that the numbers are labels: the
    /// intent 1002, as ``writeLabelMap(_:to:like:table:)`` and other programs set it.
    public internal(set) var isLabelMap = false

    /// A Boolean value indicating whether the file's byte order is not this machine's.
    let isSwapped: Bool
    /// The file that holds the voxels.
    let dataPath: String
    /// The index of the volume in the file, from 0.
    let volumeNumber: Int
    /// Bytes before that volume's first voxel.
    let dataOffset: Int
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

/// The number of voxels of a type, or an error where their bytes cannot be counted.
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

/// Returns whether an affine can map voxels to the world and back: all finite, and not flat.
func isUsable(_ affine: Affine) -> Bool {
    guard affine.isInvertible else { return false }
    let spacing = affine.spacing
    let product = spacing.x * spacing.y * spacing.z
    // A hundred thousandth part of a right-angled voxel's volume is no volume.
    return product.isFinite && abs(affine.determinant) > 1e-5 * product
}
