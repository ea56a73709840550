import Preprocessing
import Volumes

/// The voxel sizes of scans that are coarser than the model's space: along all axes alike, or along
/// one thick axis.
public struct CoarseResolution: Sendable, Hashable {
    /// The fraction of scans whose voxels are coarser along all axes; the rest have one thick axis.
    public var isotropicFraction: Double
    /// Coarsest spacing along all axes, in mm.
    public var largestIsotropicMillimeters: Double
    /// Coarsest spacing of one thick axis, in mm.
    public var largestThicknessMillimeters: Double

    /// Makes a range of voxel sizes.
    public init(
        isotropicFraction: Double, largestIsotropicMillimeters: Double,
        largestThicknessMillimeters: Double
    ) {
        self.isotropicFraction = isotropicFraction
        self.largestIsotropicMillimeters = largestIsotropicMillimeters
        self.largestThicknessMillimeters = largestThicknessMillimeters
    }

    /// Draws a voxel size.
    ///
    /// - Parameters:
    ///   - finest: The spacing of the model's cubic voxels, in mm, which no axis goes below.
    ///   - generator: Draws it.
    /// - Returns: The spacing along each axis, in mm.
    func spacing(
        finest: Double, using generator: inout SeededGenerator
    ) -> SIMD3<Double> {
        if generator.happens(isotropicFraction) {
            return SIMD3(
                repeating: Double(
                    generator.uniform(Float(finest), Float(largestIsotropicMillimeters))))
        }
        let axis = Int(generator.next() % 3)
        let inPlane = Double(generator.uniform(Float(finest), Float(max(finest, 1.5))))
        var spacing = SIMD3<Double>(repeating: inPlane)
        spacing[axis] = Double(
            generator.uniform(Float(finest), Float(largestThicknessMillimeters)))
        return spacing
    }
}

/// A volume as a scanner with coarser voxels would have it, brought back to its own voxels.
///
/// - Parameters:
///   - voxels: The volume.
///   - size: Its size.
///   - model: The spacing of its cubic voxels, in mm.
///   - spacing: The scanner's, in mm.
///   - change: What happens to the scanner's voxels, such as noise.
/// - Returns: The volume of the same size; as it was but for `change` where no axis is coarser by
///   2 % or more.
func coarselySampled(
    _ voxels: [Float], size: GridSize, model: Double, spacing: SIMD3<Double>,
    change: (inout [Float]) -> Void
) -> [Float] {
    var voxels = voxels
    guard (0..<3).contains(where: { spacing[$0] > model * 1.02 }) else {
        change(&voxels)
        return voxels
    }
    var counts = [0, 0, 0]
    var start = SIMD3<Double>.zero
    for axis in 0..<3 {
        let extent = Double(size[axis]) * model
        counts[axis] = max(2, Int((extent / spacing[axis]).rounded(.up)))
        start[axis] =
            (extent - Double(counts[axis]) * spacing[axis]) / 2 + (spacing[axis] - model) / 2
    }
    func grid(_ size: GridSize, _ spacing: SIMD3<Double>, from start: SIMD3<Double>) -> Grid {
        Grid(
            size: size,
            affine: Affine(
                columns: [
                    SIMD3(spacing.x, 0, 0), SIMD3(0, spacing.y, 0), SIMD3(0, 0, spacing.z),
                ], translation: start))
    }
    let fine = grid(size, SIMD3(repeating: model), from: .zero)
    let scanner = grid(GridSize(counts[0], counts[1], counts[2]), spacing, from: start)
    var coarse = resampled(Volume(grid: fine, voxels: voxels), to: scanner, outside: 0)
    change(&coarse.voxels)
    return resampled(coarse, to: fine, outside: 0).voxels
}
