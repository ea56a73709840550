public import Volumes

/// The storage layout of one plane's slices in a volume.
///
/// Of the two storage axes in a slice, the faster one is its width and the slower its height;
/// slices are counted along the third, in storage order.
public struct SliceLayout: Sendable, Hashable {
    /// The storage axis that the slices are stacked along.
    public let stackAxis: Int
    /// The storage axis that runs down a slice.
    public let heightAxis: Int
    /// The storage axis that runs across a slice.
    public let widthAxis: Int
    /// The number of slices.
    public let sliceCount: Int
    /// Voxels down a slice.
    public let height: Int
    /// Voxels across a slice.
    public let width: Int
    /// The distance in storage from a voxel to its neighbour in the next slice.
    public let sliceStride: Int
    /// The distance in storage from a voxel to the one below it in the slice.
    public let rowStride: Int
    /// The distance in storage from a voxel to the next one across the slice.
    public let columnStride: Int

    /// Works out the layout.
    ///
    /// - Parameters:
    ///   - plane: How the volume is cut.
    ///   - orientation: Where its storage axes go.
    ///   - size: Its voxels along each storage axis.
    public init(plane: Plane, orientation: Orientation, size: GridSize) {
        let stack = orientation.storageAxis(ofWorldAxis: plane.worldAxis)
        let strides = [1, size.x, size.x * size.y]
        stackAxis = stack
        widthAxis = stack == 0 ? 1 : 0
        heightAxis = stack == 2 ? 1 : 2
        sliceCount = size[stack]
        height = size[heightAxis]
        width = size[widthAxis]
        sliceStride = strides[stack]
        rowStride = strides[heightAxis]
        columnStride = strides[widthAxis]
    }

    /// Voxels in one slice.
    public var voxelsPerSlice: Int { height * width }

    /// Voxels in the volume.
    public var voxelCount: Int { sliceCount * height * width }

    /// Copies a slice and its neighbours.
    ///
    /// - Parameters:
    ///   - index: The middle slice.
    ///   - context: How many slices are copied; odd. Beyond the first and the last slice these
    ///     are repeated.
    ///   - voxels: The volume.
    ///   - target: Where the slices go: `[context, height, width]`.
    /// - Precondition: the index lies in `0..<sliceCount`, the context is odd, and both buffers
    ///   have the right size.
    public func copySlice(
        _ index: Int, context: Int, from voxels: UnsafeBufferPointer<Float>,
        into target: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(context > 0 && context % 2 == 1, "\(context) slices have no middle one")
        precondition(index >= 0 && index < sliceCount, "slice \(index) of \(sliceCount)")
        precondition(
            target.count == context * voxelsPerSlice,
            "\(target.count) values for \(context) slices of \(height)x\(width)")
        for channel in 0..<context {
            let neighbor = min(max(index + channel - context / 2, 0), sliceCount - 1)
            let start = channel * voxelsPerSlice
            copy(
                neighbor, from: voxels,
                into: UnsafeMutableBufferPointer(
                    rebasing: target[start..<start + voxelsPerSlice]))
        }
    }

    /// Copies a slice and its neighbours, as the other function of this name does.
    public func copySlice(
        _ index: Int, context: Int, from voxels: [Float],
        into target: UnsafeMutableBufferPointer<Float>
    ) {
        voxels.withUnsafeBufferPointer {
            copySlice(index, context: context, from: $0, into: target)
        }
    }

    /// Copies the classes of one slice.
    ///
    /// - Parameters:
    ///   - index: The slice.
    ///   - classes: The class of each voxel of the volume.
    ///   - target: Where they go: `[height, width]`.
    /// - Precondition: the index lies in `0..<sliceCount` and both buffers have the right size.
    public func copyLabels(
        _ index: Int, from classes: [UInt8], into target: UnsafeMutableBufferPointer<UInt8>
    ) {
        precondition(index >= 0 && index < sliceCount, "slice \(index) of \(sliceCount)")
        classes.withUnsafeBufferPointer { copy(index, from: $0, into: target) }
    }

    private func copy<Value: BitwiseCopyable>(
        _ index: Int, from source: UnsafeBufferPointer<Value>,
        into target: UnsafeMutableBufferPointer<Value>
    ) {
        precondition(
            source.count == voxelCount, "\(source.count) voxels in \(sliceCount) slices")
        precondition(
            target.count == voxelsPerSlice, "\(target.count) values for \(height)x\(width)")
        guard let input = source.baseAddress, let output = target.baseAddress else { return }
        for row in 0..<height {
            let from = input + (index * sliceStride + row * rowStride)
            let to = output + row * width
            if columnStride == 1 {
                to.update(from: from, count: width)
            } else {
                for column in 0..<width { to[column] = from[column * columnStride] }
            }
        }
    }
}
