/// The number of voxels along x, y and z, in storage order (x varies fastest).
public struct GridSize: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Voxels along the first, fastest axis.
    public var x: Int
    /// Voxels along the second axis.
    public var y: Int
    /// Voxels along the third, slowest axis.
    public var z: Int

    /// Makes a size.
    public init(_ x: Int, _ y: Int, _ z: Int) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// The number of voxels.
    public var count: Int { x * y * z }

    /// The voxels along one axis.
    public subscript(axis: Int) -> Int {
        get { axis == 0 ? x : axis == 1 ? y : z }
        set {
            switch axis {
            case 0: x = newValue
            case 1: y = newValue
            default: z = newValue
            }
        }
    }

    /// The position in storage of the voxel at an index.
    @inlinable
    public func offset(_ i: Int, _ j: Int, _ k: Int) -> Int { i + x * (j + y * k) }

    /// The size as people write it: `160x200x165`.
    public var description: String { "\(x)x\(y)x\(z)" }
}

/// The position of a volume's voxels in world space.
public struct Grid: Sendable, Hashable, Codable {
    /// Voxels along each storage axis.
    public var size: GridSize
    /// Voxel index to RAS+ millimetres.
    public var affine: Affine

    /// Makes a grid.
    public init(size: GridSize, affine: Affine) {
        self.size = size
        self.affine = affine
    }

    /// Voxel edge lengths in millimetres.
    public var spacing: SIMD3<Double> { affine.spacing }

    /// The volume of one voxel in mm³ (also right for sheared grids).
    public var voxelVolumeCubicMillimeters: Double { abs(affine.determinant) }

    /// The anatomical directions that are nearest to the storage axes.
    public var orientation: Orientation { Orientation(of: affine) }

    /// The grid of a box of voxels cut out of this one.
    ///
    /// - Precondition: the box lies inside the grid.
    public func cropped(to box: VoxelBox) -> Grid {
        precondition(box.fits(in: size), "box \(box) is not inside \(size)")
        let corner = SIMD3(
            Double(box.lower[0]), Double(box.lower[1]), Double(box.lower[2]))
        return Grid(
            size: box.size,
            affine: Affine(
                columns: (0..<3).map(affine.column), translation: affine(corner)))
    }

    /// The distance between two grids: the largest distance in millimetres between the world
    /// positions of corresponding corner voxels, or `nil` if the sizes differ.
    public func largestCornerDistanceMillimeters(from other: Grid) -> Double? {
        guard size == other.size else { return nil }
        var largest = 0.0
        for corner in 0..<8 {
            let index = SIMD3(
                corner & 1 == 0 ? 0 : Double(size.x - 1),
                corner & 2 == 0 ? 0 : Double(size.y - 1),
                corner & 4 == 0 ? 0 : Double(size.z - 1))
            largest = max(largest, (affine(index) - other.affine(index)).length)
        }
        return largest
    }
}

extension Grid {
    /// The part of a voxel's shortest edge by which the corners of two grids may lie apart that
    /// count as one.
    ///
    /// Headers in single precision move the corners of a head by a hundredth of a voxel; a shift
    /// that labels would show is larger than a tenth.
    public static let toleranceInVoxels = 0.1

    /// The largest corner distance at which this grid and another count as the same: a tenth of the
    /// shortest voxel edge of either.
    public func toleranceMillimeters(with other: Grid) -> Double {
        Self.toleranceInVoxels * min(spacing.min(), other.spacing.min())
    }

    /// Returns whether two grids count as one: sizes agree, and no corner lies as far apart as
    /// ``toleranceMillimeters(with:)``.
    public func coincides(with other: Grid) -> Bool {
        guard let distance = largestCornerDistanceMillimeters(from: other) else { return false }
        return distance < toleranceMillimeters(with: other)
    }
}

/// A box of voxels: `lower` is inside, `upper` is one past the last voxel on each axis.
public struct VoxelBox: Sendable, Hashable, Codable, CustomStringConvertible {
    /// First voxel on each axis.
    public var lower: SIMD3<Int>
    /// One past the last voxel on each axis.
    public var upper: SIMD3<Int>

    /// Makes a box.
    public init(lower: SIMD3<Int>, upper: SIMD3<Int>) {
        self.lower = lower
        self.upper = upper
    }

    /// The box that holds a whole grid.
    public init(all size: GridSize) {
        self.init(lower: .zero, upper: SIMD3(size.x, size.y, size.z))
    }

    /// Voxels along each axis.
    public var size: GridSize {
        GridSize(upper.x - lower.x, upper.y - lower.y, upper.z - lower.z)
    }

    /// Returns whether the box is not empty and lies inside a grid of a size.
    public func fits(in size: GridSize) -> Bool {
        (0..<3).allSatisfy { lower[$0] >= 0 && lower[$0] < upper[$0] && upper[$0] <= size[$0] }
    }

    /// The box grown by a margin on every side, kept inside a grid of a size.
    public func expanded(by margin: Int, within size: GridSize) -> VoxelBox {
        var box = self
        for axis in 0..<3 {
            box.lower[axis] = max(0, lower[axis] - margin)
            box.upper[axis] = min(size[axis], upper[axis] + margin)
        }
        return box
    }

    /// The box as half-open ranges per axis.
    public var description: String {
        (0..<3).map { "\(lower[$0])..<\(upper[$0])" }.joined(separator: " ")
    }
}
