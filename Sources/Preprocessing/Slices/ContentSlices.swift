package import Volumes

/// Cuts square pictures out of a conformed volume, about the middle of what it shows.
package struct ContentSlices: Sendable {
    /// Pixels along an edge of a picture.
    package let window: Int
    /// Neighbouring slices that a picture holds; odd.
    package let context: Int

    /// Makes a cutter.
    package init(window: Int, context: Int) {
        self.window = window
        self.context = context
    }

    /// The box of what a volume shows, all of it where that cannot be told.
    ///
    /// - Parameter volume: Intensities from 0 up.
    /// - Returns: The box.
    package static func content(of volume: Volume) -> VoxelBox {
        guard let least = volume.voxels.min(), let most = volume.voxels.max(), least < most else {
            return VoxelBox(all: volume.grid.size)
        }
        return Foreground(of: volume.voxels, minimum: least, maximum: most)
            .box(of: volume.voxels, size: volume.grid.size)
    }

    /// A picture of a volume whose axes are stored in another order or direction.
    ///
    /// - Parameters:
    ///   - volume: The volume.
    ///   - content: What it shows.
    ///   - permutation: From the volume's axes to those of the picture's volume.
    ///   - stackAxis: The axis of the picture's volume that slices are stacked along.
    ///   - fraction: The place of the middle slice, from 0 to 1 across the content.
    /// - Returns: `[context, window, window]`, 0 where the volume ends.
    package func picture(
        of volume: Volume, content: VoxelBox, permutation: AxisPermutation, stackAxis: Int,
        fraction: Double
    ) -> [Float] {
        let size = volume.grid.size
        let strides = [1, size.x, size.x * size.y]
        /// The steps in this volume along an axis of the picture's volume.
        func axis(_ target: Int) -> (extent: Int, stride: Int, start: Int, lower: Int, upper: Int) {
            let source = permutation.sourceAxis[target]
            let extent = size[source]
            let (lower, upper) = (content.lower[source], content.upper[source])
            guard permutation.isFlipped[target] else {
                return (extent, strides[source], 0, lower, upper)
            }
            return (
                extent, -strides[source], (extent - 1) * strides[source], extent - upper,
                extent - lower
            )
        }
        let stack = axis(stackAxis)
        let columns = axis(stackAxis == 0 ? 1 : 0)
        let rows = axis(stackAxis == 2 ? 1 : 2)
        let middle =
            stack.lower + Int(Double(stack.upper - stack.lower - 1) * fraction + 0.5)
        let left = (columns.lower + columns.upper - window) / 2
        let top = (rows.lower + rows.upper - window) / 2
        let columnRange = max(0, -left)..<max(max(0, -left), min(window, columns.extent - left))
        var picture = [Float](repeating: 0, count: context * window * window)
        volume.voxels.withUnsafeBufferPointer { voxels in
            for neighbour in 0..<context {
                let slice = max(0, min(stack.extent - 1, middle + neighbour - context / 2))
                let base = stack.start + columns.start + rows.start + slice * stack.stride
                for row in 0..<window where (0..<rows.extent).contains(row + top) {
                    let source = base + (row + top) * rows.stride
                    let target = (neighbour * window + row) * window
                    for column in columnRange {
                        picture[target + column] =
                            voxels[source + (column + left) * columns.stride]
                    }
                }
            }
        }
        return picture
    }
}
