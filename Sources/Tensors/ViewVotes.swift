internal import CTorch

/// The distances in a volume's storage from a voxel to its neighbours, in voxels.
package struct SliceStrides {
    /// To the same place of the next slice.
    package var slice: Int
    /// To the next row of the slice.
    package var row: Int
    /// To the next voxel of the row.
    package var column: Int

    /// Makes a set of distances.
    package init(slice: Int, row: Int, column: Int) {
        self.slice = slice
        self.row = row
        self.column = column
    }
}

extension Tensor {
    /// Gives the pixels of slices, whose logits `[N, outputs, height, width]` these are, a vote.
    ///
    /// Each pixel's softmax times `weight` is added to its voxel's sums. One pass, on all threads;
    /// the result does not depend on how many there are. On the CPU.
    ///
    /// - Parameters:
    ///   - sums: A volume `[.., classes]` in half precision that is added to, or `nil`.
    ///   - likeliest: Where the voxels' likeliest outputs are written, of equals the first; a whole
    ///     volume, or empty where nobody asks.
    ///   - voxelCount: The volume's voxels.
    ///   - strides: Where the slices are in it.
    ///   - firstSlice: The first of the slices.
    ///   - outputOfClass: For each class the output that stands for it.
    ///   - weight: The factor.
    /// - Throws: `TensorError` where slices leave the volume or an output does not exist.
    package func addVotes(
        to sums: Tensor?, likeliest: inout [UInt8], voxelCount: Int, strides: SliceStrides,
        firstSlice: Int, outputOfClass: [Int], weight: Double
    ) throws(TensorError) {
        precondition(likeliest.isEmpty || likeliest.count == voxelCount, "votes of a volume")
        let engine = try Engine.functions()
        var places = CTorchSliceStrides(
            slice: Int64(strides.slice), row: Int64(strides.row), column: Int64(strides.column))
        let outputs = outputOfClass.map { Int32($0) }
        let isAsked = !likeliest.isEmpty
        let status = unsafe likeliest.withUnsafeMutableBufferPointer { likeliest in
            unsafe engine.table.pointee.accumulate_views(
                handle, sums?.handle, &places, Int64(firstSlice), outputs, Int32(outputs.count),
                weight, isAsked ? likeliest.baseAddress : nil, Int64(voxelCount))
        }
        try engine.check(status, "votes")
    }

    /// The class with the most votes at each voxel, of equals the first, where these are a volume's
    /// sums `[.., classes]` in half precision on the CPU.
    package func elected() throws(TensorError) -> [UInt8] {
        let engine = try Engine.functions()
        let voxelCount = count / max(1, shape.last ?? 1)
        var classes = [UInt8](repeating: 0, count: voxelCount)
        let status = unsafe classes.withUnsafeMutableBufferPointer { classes -> CTorchStatus in
            guard let start = classes.baseAddress else { return CTORCH_OK }
            return unsafe engine.table.pointee.argmax_views(handle, start, Int64(voxelCount))
        }
        try engine.check(status, "votes")
        return classes
    }
}
