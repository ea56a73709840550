public import Volumes

/// A brain in space: the probability of brain on some grid, which other grids interpolate.
///
/// A voxel is brain where the probability is a half or more.
public struct BrainMask: Sendable {
    /// The probabilities, 0...1; beyond their grid there is no brain.
    public let probability: Volume

    /// Makes a mask of probabilities.
    ///
    /// - Parameter probability: Finite numbers, 0...1.
    public init(probability: Volume) {
        self.probability = probability
    }

    /// Makes a mask of a label map: all that has a label, gaps between closed and holes filled.
    ///
    /// - Parameters:
    ///   - labels: The structures of a brain.
    ///   - closingMillimeters: Gaps of up to twice this width are closed.
    public init(of labels: LabelMap, closingMillimeters: Double = 2) {
        let size = labels.grid.size
        let mask = VoxelMask(size: size, values: labels.labels.map { $0 > 0 ? 1 : 0 })
        var probability = Volume(
            grid: labels.grid, voxels: [Float](repeating: 0, count: size.count))
        if let bounds = mask.boundingBox {
            // Closing works in a box around it, which is all that it can change.
            let spacing = labels.grid.spacing
            let reach = (0..<3).map { Int((closingMillimeters / spacing[$0]).rounded(.up)) }
            let box = bounds.expanded(by: reach.max() ?? 0, within: size)
            let closed = mask.cropped(to: box)
                .closed(byMillimeters: closingMillimeters, spacing: spacing).holesClosed()
            for z in 0..<box.size.z {
                for y in 0..<box.size.y {
                    let from = box.size.offset(0, y, z)
                    let to = size.offset(box.lower.x, box.lower.y + y, box.lower.z + z)
                    for x in 0..<box.size.x {
                        probability.voxels[to + x] = Float(closed.values[from + x])
                    }
                }
            }
        }
        self.init(probability: probability)
    }

    /// The volume of the brain.
    public var volumeCubicMillimeters: Double {
        Double(probability.voxels.count { $0 >= 0.5 })
            * probability.grid.voxelVolumeCubicMillimeters
    }

    /// The mask on another grid, by interpolating the probability.
    ///
    /// - Parameter grid: Any grid with an invertible affine.
    /// - Returns: 1 where there is brain and 0 elsewhere.
    public func labels(on grid: Grid) -> LabelMap {
        LabelMap(grid: grid, labels: marks(on: grid))
    }

    /// The mask of ``labels(on:)``, one byte per voxel.
    package func mask(on grid: Grid) -> VoxelMask {
        VoxelMask(size: grid.size, values: marks(on: grid))
    }

    private func marks<Mark: FixedWidthInteger>(on grid: Grid) -> [Mark] {
        var values: [Mark] = []
        values.reserveCapacity(grid.size.count)
        // Slab by slab: a scan's grid may be far larger than that of the probability.
        let thickness = max(1, (1 << 21) / max(1, grid.size.x * grid.size.y))
        for start in stride(from: 0, to: grid.size.z, by: thickness) {
            let slab = grid.cropped(
                to: VoxelBox(
                    lower: SIMD3(0, 0, start),
                    upper: SIMD3(grid.size.x, grid.size.y, min(start + thickness, grid.size.z))))
            for value in resampled(probability, to: slab, outside: 0).voxels {
                values.append(value >= 0.5 ? 1 : 0)
            }
        }
        return values
    }

    /// The smallest box of another grid that holds the brain, or `nil` where that holds none.
    package func box(on grid: Grid) -> VoxelBox? {
        let own = VoxelMask(
            size: probability.grid.size, values: probability.voxels.map { $0 >= 0.5 ? 1 : 0 })
        guard let bounds = own.boundingBox else { return nil }
        // Interpolated, the brain reaches less than a voxel beyond its outermost voxels' centres.
        guard
            let region = VoxelBox(
                of: bounds, margin: 1, map: grid.affine.inverse * probability.grid.affine,
                within: grid.size)
        else { return nil }
        guard let found = mask(on: grid.cropped(to: region)).boundingBox else { return nil }
        return VoxelBox(lower: region.lower &+ found.lower, upper: region.lower &+ found.upper)
    }
}

/// The part of a scan that a network sees: a brain and what lies near it.
public struct BrainRegion: Sendable {
    /// The brain.
    public var mask: BrainMask
    /// Voxels farther from the mask are nothing to the network.
    public var dilationMillimeters: Double

    /// Makes a region.
    ///
    /// - Precondition: the distance is not negative.
    public init(mask: BrainMask, dilationMillimeters: Double) {
        precondition(dilationMillimeters >= 0, "a dilation of \(dilationMillimeters) mm")
        self.mask = mask
        self.dilationMillimeters = dilationMillimeters
    }
}

extension VoxelBox {
    /// The smallest box of one grid around a box of another, or `nil` where they do not meet.
    ///
    /// - Parameters:
    ///   - box: The box; it ends at its outermost voxels' centres and the margin beyond.
    ///   - margin: In voxels of the box's own grid.
    ///   - map: From voxel indices of the box's grid to those of the other.
    ///   - size: The other grid's voxels.
    init?(of box: VoxelBox, margin: Double, map: Affine, within size: GridSize) {
        var least = SIMD3<Double>(repeating: .infinity)
        var most = SIMD3<Double>(repeating: -.infinity)
        for corner in 0..<8 {
            var position = SIMD3<Double>.zero
            for axis in 0..<3 {
                position[axis] =
                    corner >> axis & 1 == 0
                    ? Double(box.lower[axis]) - margin : Double(box.upper[axis] - 1) + margin
            }
            let point = map(position)
            least = pointwiseMin(least, point)
            most = pointwiseMax(most, point)
        }
        var lower = SIMD3<Int>.zero
        var upper = SIMD3<Int>.zero
        for axis in 0..<3 {
            let last = Double(size[axis] - 1)
            guard least[axis] <= last, most[axis] >= 0 else { return nil }
            lower[axis] = Int(max(0, snapped(least[axis]).rounded(.down)))
            upper[axis] = Int(min(last, snapped(most[axis]).rounded(.up))) + 1
        }
        self.init(lower: lower, upper: upper)
    }
}
