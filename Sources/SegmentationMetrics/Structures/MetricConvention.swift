/// Whose definitions the measurements follow.
///
/// Published tools disagree by more than 100 mm on the same pair of masks, so a number means
/// something only with the name of its convention. All conventions count voxels alike and measure
/// exact Euclidean distances with the grid's spacing; everything outside the image is background.
/// They differ in what a surface is made of, how its distances are summed up, and what an empty
/// structure counts:
///
/// | | ``surfaceDistance`` | ``monai`` | ``nnunet`` |
/// |---|---|---|---|
/// | Surface | marching-cubes elements at voxel corners, weighted by area | border voxels, each counting 1 | border voxels, each counting 1 |
/// | Hausdorff | larger of both directions | larger of both directions | larger of both directions |
/// | HD95 | larger of both directions' 95th percentiles by area, without interpolation | larger of both directions' 95th percentiles, interpolated | 95th percentile of both directions pooled, interpolated |
/// | Mean | over both surfaces together, by area | over both surfaces together | over both surfaces together |
/// | Root mean square | over both surfaces together, by area | over both surfaces together | over both surfaces together |
/// | Surface Dice | share of area within the tolerance | share of border voxels | share of border voxels |
/// | Both empty | undefined | undefined | undefined |
/// | Reference empty | Dice and Jaccard 0 | Dice and Jaccard undefined | Dice and Jaccard 0 |
/// | Prediction empty | Dice and Jaccard 0 | Dice and Jaccard 0 | Dice and Jaccard 0 |
/// | Distances, one empty | the image diagonal | undefined | undefined |
/// | Surface Dice, one empty | 0 | 0 | 0 |
///
/// A border voxel belongs to the structure and has at least one of its six neighbours outside.
///
/// > Important: Where a distance is undefined because the prediction misses the structure, a mean
/// > over cases improves as the model finds less. Only ``surfaceDistance`` counts such a case.
///
/// Source: Podobnik and Vrtovec, arXiv:2410.02630, compare eleven tools.
public enum MetricConvention: String, Sendable, Hashable, Codable, CaseIterable {
    /// As DeepMind's `surface-distance` 0.1 (PyPI `Surface-Distance-Based-Measures`).
    ///
    /// The tool gives the mean for each direction alone
    /// (``StructureMeasurement/meanDistanceToReferenceMillimeters`` and its counterpart) and infinity
    /// where one structure is empty; the pooled mean, the root mean square and the image diagonal
    /// in the place of infinity are ours.
    ///
    /// Source: Nikolov et al., J Med Internet Res 23(7), 2021, arXiv:1809.04430.
    case surfaceDistance = "surface-distance"

    /// As MONAI 1.6: `compute_dice`, `compute_iou`, `compute_hausdorff_distance`,
    /// `compute_average_surface_distance(symmetric=True)` and `compute_surface_dice`, each with its
    /// default options.
    ///
    /// MONAI rounds distances, the tolerance and a percentile's rank to single precision; the
    /// last two are done here as well, because they decide which voxels count.
    case monai

    /// Overlap as nnU-Net 2.8; distances as nnU-Net 1.7, which took them from MedPy (0.5 here; older
    /// versions took the mean of the two directions' means). nnU-Net 2 measures no distances.
    ///
    /// Neither has a surface Dice; it is MONAI's.
    case nnunet

    /// A Boolean value indicating whether a surface is made of area-weighted elements rather than
    /// of border voxels.
    var usesSurfaceElements: Bool { self == .surfaceDistance }
}

/// Options of measuring label maps.
public struct MetricOptions: Sendable, Hashable, Codable {
    /// Whose definitions are followed.
    public var convention: MetricConvention
    /// The tolerance of the surface Dice, in millimetres.
    public var toleranceMillimeters: Double

    /// Makes options.
    ///
    /// - Parameters:
    ///   - convention: Whose definitions are followed.
    ///   - toleranceMillimeters: For the surface Dice; 1 mm is a voxel of a common brain scan.
    /// - Precondition: the tolerance is finite and not negative.
    public init(
        convention: MetricConvention = .surfaceDistance, toleranceMillimeters: Double = 1
    ) {
        precondition(
            toleranceMillimeters.isFinite && toleranceMillimeters >= 0,
            "a tolerance of \(toleranceMillimeters) mm")
        self.convention = convention
        self.toleranceMillimeters = toleranceMillimeters
    }
}
