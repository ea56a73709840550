/// Why a scan cannot be conformed.
///
/// The description does not name the scan, which has no name here; callers put its path before it.
public enum PreprocessingError: Error, Hashable, CustomStringConvertible {
    /// All finite voxels have one value, so there is nothing to segment.
    case noContrast(value: Float)
    /// No voxel is a finite number.
    case noFiniteVoxel
    /// The mask holds no brain inside the scan's field of view.
    case noBrain
    /// The affine cannot be inverted or is not finite.
    case unusableAffine
    /// The scan would fill more voxels in the model's spacing than ``largestConformedVoxelCount``.
    case conformedGridTooLarge(extentMillimeters: SIMD3<Double>, size: SIMD3<Double>)

    /// The scan's voxels are smaller than a thousandth of the model's along some axis.
    case voxelsTooSmall(edgesMillimeters: SIMD3<Double>)

    /// The sentence for the user.
    public var description: String {
        switch self {
        case .noContrast(let value):
            return "every voxel of the scan is \(value), so it shows nothing; "
                + "check that the file holds an image."
        case .noFiniteVoxel:
            return "no voxel of the scan is a finite number; export the scan again."
        case .noBrain:
            return "no brain was found in the scan; check that it shows a head, and in its picture "
                + "that the affine turns it the right way."
        case .unusableAffine:
            return "the scan's affine does not place its voxels in space; "
                + "repair its sform or qform."
        case .conformedGridTooLarge(let extent, let size):
            let voxels = (0..<3).map { Self.rounded(size[$0]) }.joined(separator: "x")
            let millimeters = (0..<3).map { Self.rounded(extent[$0]) }.joined(separator: "x")
            return "the scan covers \(millimeters) mm and would take \(voxels) voxels in the "
                + "model's spacing, more than 512x512x512; check its voxel size, or crop it."
        case .voxelsTooSmall(let edges):
            let millimeters = (0..<3).map { String(edges[$0]) }.joined(separator: "x")
            return "the scan's voxels are \(millimeters) mm by its header, as no scan's are; "
                + "correct its affine or its unit (xyzt_units)."
        }
    }

    private static func rounded(_ value: Double) -> String {
        value < 1e15 ? String(Int(value.rounded())) : String(value)
    }
}

/// The most voxels that a conformed scan may have: 512 x 512 x 512.
public let largestConformedVoxelCount = 512 * 512 * 512
