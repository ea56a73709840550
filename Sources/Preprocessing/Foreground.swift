package import Volumes

/// The foreground of a scan (head or body), by intensity alone.
///
/// The *background level* is known, or else 0, or the 1st percentile where that is negative (CT). The
/// *bright level* is the 99th percentile of the voxels above it, which a hot
/// voxel does not move. The foreground is what lies above the background by more than an eighth
/// of the way to the bright level: above the noise of air, below nearly all tissue.
///
/// Every level is an intensity of the scan and an eighth is a power of two, so a scan multiplied
/// by a number has the same foreground.
package struct Foreground: Sendable, Hashable {
    /// The intensity of air, or of what a skull-stripping program left.
    package let backgroundLevel: Float
    /// Voxels above it are foreground.
    package let threshold: Float

    /// Finds the levels.
    ///
    /// - Parameters:
    ///   - voxels: Finite intensities, not all equal.
    ///   - minimum: The smallest of them.
    ///   - maximum: The largest of them.
    package init(of voxels: [Float], minimum: Float, maximum: Float) {
        self.init(
            of: voxels,
            backgroundLevel: Self.backgroundLevel(of: voxels, minimum: minimum, maximum: maximum))
    }

    /// Finds the threshold above a known background.
    ///
    /// - Parameters:
    ///   - voxels: Finite intensities, at least one above the background.
    ///   - background: The intensity of air.
    init(of voxels: [Float], backgroundLevel background: Float) {
        let above = IntensityHistogram(of: voxels, above: background)
        let rank = Int((Double(above.count - 1) * 0.99).rounded(.down))
        let bright = above.values(atRanks: [rank], in: voxels)[0]
        backgroundLevel = background
        threshold = background + (bright - background) / 8
    }

    /// The background level alone.
    ///
    /// - Parameters:
    ///   - voxels: Finite intensities, not all equal.
    ///   - minimum: The smallest of them.
    ///   - maximum: The largest of them.
    /// - Returns: An intensity below the largest.
    package static func backgroundLevel(
        of voxels: [Float], minimum: Float, maximum: Float
    ) -> Float {
        precondition(minimum < maximum, "no contrast: all intensities are \(minimum)")
        guard minimum < 0 else { return 0 }
        let histogram = IntensityHistogram(of: voxels)
        let rank = (histogram.count - 1) / 100
        let level = min(0, histogram.values(atRanks: [rank], in: voxels)[0])
        // Nearly all voxels may share the largest value.
        return level < maximum ? level : minimum
    }

    /// The smallest box that holds the foreground.
    ///
    /// Lone bright voxels do not count: the box holds all runs of three foreground voxels along
    /// the first axis. Where there is no such run it holds every foreground voxel.
    ///
    /// - Returns: A box with at least one voxel.
    package func box(of voxels: [Float], size: GridSize) -> VoxelBox {
        boundingBox(of: voxels, size: size, runLength: 3)
            ?? boundingBox(of: voxels, size: size, runLength: 1) ?? VoxelBox(all: size)
    }

    private func boundingBox(
        of voxels: [Float], size: GridSize, runLength: Int
    ) -> VoxelBox? {
        var lower = SIMD3(size.x, size.y, size.z)
        var upper = SIMD3(0, 0, 0)
        voxels.withUnsafeBufferPointer { voxels in
            for z in 0..<size.z {
                for y in 0..<size.y {
                    let row = size.offset(0, y, z)
                    guard
                        let first = firstRun(
                            in: voxels, from: row, step: 1, count: size.x, length: runLength)
                    else { continue }
                    let last =
                        size.x - 1
                        - (firstRun(
                            in: voxels, from: row + size.x - 1, step: -1, count: size.x,
                            length: runLength) ?? 0)
                    lower = SIMD3(min(lower.x, first), min(lower.y, y), min(lower.z, z))
                    upper = SIMD3(max(upper.x, last + 1), max(upper.y, y + 1), z + 1)
                }
            }
        }
        return lower.x < upper.x ? VoxelBox(lower: lower, upper: upper) : nil
    }

    /// The distance along a row, in one direction, to the first run of foreground voxels.
    private func firstRun(
        in voxels: UnsafeBufferPointer<Float>, from start: Int, step: Int, count: Int,
        length: Int
    ) -> Int? {
        var run = 0
        for index in 0..<count {
            run = voxels[start + index * step] > threshold ? run + 1 : 0
            if run == length { return index - length + 1 }
        }
        return nil
    }
}
