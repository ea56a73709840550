/// The interpolation of intensities between voxels.
public enum Interpolation: String, Sendable, Hashable, Codable, CaseIterable {
    /// A straight line between neighbours.
    case linear
    /// A cubic B-spline through the voxels, as scipy's `order=3` with `mode="mirror"`: sharper than
    /// lines, with some overshoot at edges.
    ///
    /// Source: Unser, IEEE Signal Processing Magazine 16(6), 1999,
    /// <https://doi.org/10.1109/79.799930>.
    case cubic
}
