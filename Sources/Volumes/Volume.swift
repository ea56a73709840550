/// A 3-D image of intensities: T1-weighted signal, Hounsfield units, or any scalar.
///
/// Voxels are stored with the first axis fastest, as NIfTI does.
public struct Volume: Sendable {
    /// The grid of the voxels.
    public let grid: Grid
    /// `grid.size.count` intensities, x fastest.
    public var voxels: [Float]

    /// Makes a volume of its voxels.
    ///
    /// - Precondition: `voxels.count == grid.size.count`.
    public init(grid: Grid, voxels: [Float]) {
        precondition(
            voxels.count == grid.size.count, "\(voxels.count) voxels for a grid of \(grid.size)")
        self.grid = grid
        self.voxels = voxels
    }

    /// The intensity at a voxel index.
    @inlinable
    public subscript(i: Int, j: Int, k: Int) -> Float {
        get { voxels[grid.size.offset(i, j, k)] }
        set { voxels[grid.size.offset(i, j, k)] = newValue }
    }
}

/// A 3-D map of structure labels; 0 is background.
///
/// Unlike a ``Volume`` it is never interpolated linearly.
public struct LabelMap: Sendable, Equatable {
    /// The grid of the voxels.
    public let grid: Grid
    /// `grid.size.count` labels, x fastest.
    public var labels: [UInt16]

    /// Makes a label map of its voxels.
    ///
    /// - Precondition: `labels.count == grid.size.count`.
    public init(grid: Grid, labels: [UInt16]) {
        precondition(
            labels.count == grid.size.count, "\(labels.count) labels for a grid of \(grid.size)")
        self.grid = grid
        self.labels = labels
    }

    /// The label at a voxel index.
    @inlinable
    public subscript(i: Int, j: Int, k: Int) -> UInt16 {
        get { labels[grid.size.offset(i, j, k)] }
        set { labels[grid.size.offset(i, j, k)] = newValue }
    }

    /// The number of voxels that carry each label; 65,536 counts.
    public func voxelCounts() -> [Int] {
        var counts = [Int](repeating: 0, count: Int(UInt16.max) + 1)
        // Neighbours mostly carry the same label: runs are counted, not voxels.
        labels.withUnsafeBufferPointer { labels in
            var start = 0
            while start < labels.count {
                let label = labels[start]
                var end = start &+ 1
                while end < labels.count && labels[end] == label { end &+= 1 }
                counts[Int(label)] += end &- start
                start = end
            }
        }
        return counts
    }
}
