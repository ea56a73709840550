public import Volumes

/// The look of a phantom: which tissues are bright and which are dark.
public enum PhantomContrast: String, Sendable, Hashable, Codable, CaseIterable {
    /// White matter brighter than grey matter, fluid dark.
    case t1Weighted = "t1-weighted"
    /// Fluid bright, grey matter brighter than white matter.
    case t2Weighted = "t2-weighted"
    /// Proton density: grey matter a little brighter than white matter, fluid brighter still.
    case protonDensity = "proton-density"
    /// A brightness of its own for each tissue, drawn anew for each head.
    case random
}

/// The options of ``makePhantom(seed:options:)``.
public struct PhantomOptions: Sendable, Hashable, Codable {
    /// Voxels from left to right, from back to front and from below upward; at least 8 each.
    ///
    /// The head is about 150 x 180 x 150 mm and sits near the middle; what lies beyond the grid is
    /// cut off.
    public var size: GridSize
    /// Voxel edges in mm from left to right, from back to front and from below upward.
    public var spacingMillimeters: SIMD3<Double>
    /// The storage orientation: the same head, permuted and flipped.
    public var orientation: Orientation
    /// The contrasts to choose from, each as likely as the others; not empty.
    ///
    /// By default those of real sequences, without `random`, in which tissues may look alike.
    public var contrasts: [PhantomContrast]
    /// The probability that skull and scalp are kept; other heads are skull-stripped and exactly 0
    /// outside the brain.
    public var skullProbability: Double
    /// Standard deviation of the Rician noise, as a part of the brightest brain tissue.
    public var noise: ClosedRange<Double>
    /// Largest departure from 1 of the smooth factor (bias field) that the image is multiplied by.
    public var biasAmplitude: ClosedRange<Double>
    /// The largest displacement of the smooth random deformation, in mm.
    public var deformationMillimeters: Double
    /// Largest rotation about each axis, in degrees (below 90).
    public var rotationDegrees: Double

    /// Makes options; the defaults are heads of 2 mm voxels for a quick demonstration.
    public init(
        size: GridSize = GridSize(80, 96, 80), spacingMillimeters: SIMD3<Double> = SIMD3(2, 2, 2),
        orientation: Orientation = .ras,
        contrasts: [PhantomContrast] = [.t1Weighted, .t2Weighted, .protonDensity],
        skullProbability: Double = 0.5, noise: ClosedRange<Double> = 0.01...0.04,
        biasAmplitude: ClosedRange<Double> = 0...0.3, deformationMillimeters: Double = 14,
        rotationDegrees: Double = 8
    ) {
        self.size = size
        self.spacingMillimeters = spacingMillimeters
        self.orientation = orientation
        self.contrasts = contrasts
        self.skullProbability = skullProbability
        self.noise = noise
        self.biasAmplitude = biasAmplitude
        self.deformationMillimeters = deformationMillimeters
        self.rotationDegrees = rotationDegrees
    }
}
