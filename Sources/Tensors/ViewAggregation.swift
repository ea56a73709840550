internal import CPlan

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

/// The places of voxels' sums, where only some voxels of a volume have sums.
package struct SumPlaces: Sendable {
    /// Each voxel's place; -1 for one without sums, which is background.
    package let ofVoxels: [Int32]
    /// The number of places.
    package let count: Int
    /// A Boolean value indicating whether places are those of the whole volume.
    package let isDense: Bool

    /// Gives a place to each voxel of a mask.
    ///
    /// - Parameters:
    ///   - mask: 1 for each voxel that has sums and 0 for the others, in storage order.
    ///   - isDense: A Boolean value indicating whether there is room for the others, too: places are those of
    ///     the whole volume.
    package init(of mask: [UInt8], isDense: Bool = false) {
        var next: Int32 = 0
        ofVoxels = mask.map { value in
            defer { if isDense || value != 0 { next += 1 } }
            return value == 0 ? -1 : next
        }
        count = Int(next)
        self.isDense = isDense
    }

    /// The labels with background where there are no sums.
    package func limiting(_ labels: [UInt8]) -> [UInt8] {
        zip(labels, ofVoxels).map { $1 < 0 ? 0 : $0 }
    }
}

extension Tensor {
    /// Adds the scores of slices, whose logits `[N, outputs, height, width]` these are, to a volume.
    ///
    /// Each pixel's softmax times `weight` is added to its voxel's sums. One pass, on all threads;
    /// the result does not depend on how many there are. On the CPU.
    ///
    /// - Parameters:
    ///   - sums: A volume `[.., classes]` in half precision that is added to, or `nil`.
    ///   - places: The places of the voxels' sums, where not all voxels have some; the likeliest output of
    ///     one without is 0.
    ///   - likeliest: Where the voxels' likeliest outputs are written, of equals the first; a whole
    ///     volume, or empty where nobody asks.
    ///   - voxelCount: The volume's voxels.
    ///   - strides: Where the slices are in it.
    ///   - firstSlice: The first of the slices.
    ///   - outputOfClass: For each class the output that stands for it.
    ///   - weight: The factor.
    /// - Throws: `TensorError` where slices leave the volume or an output does not exist.
    package func addViewScores(
        to sums: Tensor?, places: SumPlaces? = nil, likeliest: inout [UInt8], voxelCount: Int,
        strides: SliceStrides, firstSlice: Int, outputOfClass: [Int], weight: Double
    ) throws(TensorError) {
        precondition(likeliest.isEmpty || likeliest.count == voxelCount, "scores of a volume")
        let plans = try LoadedLibraries.plans()
        let logits = try channelsLast()
        let shape = logits.shape
        let sumCount = sums.map { $0.count / max(1, outputOfClass.count) } ?? voxelCount
        precondition(places?.ofVoxels.count ?? voxelCount == voxelCount, "a place for each voxel")
        guard sums?.elementType ?? .float16 == .float16,
            sumCount == (sums == nil ? voxelCount : places?.count ?? voxelCount)
        else {
            throw TensorError(
                code: .invalidCall, operation: "view aggregation",
                message: "sums of shape \(sums?.shape ?? []) for \(voxelCount) voxels")
        }
        var strides = CPlanSliceStrides(
            slice: Int64(strides.slice), row: Int64(strides.row), column: Int64(strides.column))
        let outputs = outputOfClass.map { Int32($0) }
        let isAsked = !likeliest.isEmpty
        var status = CPLAN_OK
        func add(to sums: UnsafeMutablePointer<UInt16>?) throws(TensorError) {
            try unsafe logits.withDenseBytes { numbers in
                unsafe likeliest.withUnsafeMutableBufferPointer { likeliest in
                    guard let numbers = unsafe numbers.bindMemory(to: Float.self).baseAddress else {
                        return
                    }
                    unsafe status = plans.table.pointee.accumulate_views(
                        numbers, Int64(shape[0]), Int64(shape[1]), Int64(shape[2]),
                        Int64(shape[3]), sums, places?.ofVoxels, &strides, Int64(firstSlice),
                        outputs, Int32(outputs.count), weight,
                        isAsked ? likeliest.baseAddress : nil, Int64(voxelCount))
                }
            }
        }
        guard let sums else {
            try add(to: nil)
            try plans.check(status, "view aggregation")
            return
        }
        var failure: TensorError?
        try unsafe sums.withDenseBytes { bytes in
            do throws(TensorError) {
                try unsafe add(to: bytes.bindMemory(to: UInt16.self).baseAddress)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        try plans.check(status, "view aggregation")
    }

    /// Logits `[N, outputs, height, width]` as single-precision numbers `[N, height, width, outputs]`, one
    /// after another.
    private func channelsLast() throws(TensorError) -> Tensor {
        guard shape.count == 4, device == .cpu else {
            throw TensorError(
                code: .invalidCall, operation: "view aggregation",
                message: "logits of shape \(shape) on \(device), not [N, K, H, W] on the processor")
        }
        return try permuted([0, 2, 3, 1]).converted(to: .float32).contiguous()
    }

    /// The class with the highest score at each voxel, the first of equals, where these are a volume's
    /// sums `[.., classes]` in half precision on the CPU.
    package func likeliestClasses() throws(TensorError) -> [UInt8] {
        let plans = try LoadedLibraries.plans()
        let classCount = shape.last ?? 1
        let voxelCount = count / max(1, classCount)
        var classes = [UInt8](repeating: 0, count: voxelCount)
        var status = CPLAN_OK
        let dense = try contiguous()
        try unsafe dense.withDenseBytes { bytes in
            unsafe classes.withUnsafeMutableBufferPointer { classes in
                guard let start = classes.baseAddress,
                    let sums = unsafe bytes.bindMemory(to: UInt16.self).baseAddress
                else { return }
                unsafe status = plans.table.pointee.argmax_views(
                    sums, Int32(classCount), start, Int64(voxelCount))
            }
        }
        try plans.check(status, "view aggregation")
        return classes
    }

    /// Makes a volume's sums `[z, y, x, classes]` in half precision the mean of themselves and of those of
    /// its mirror image.
    ///
    /// - Parameters:
    ///   - mirrored: The sums of the volume that is mirrored along a dimension.
    ///   - dimension: That dimension.
    ///   - mirroredClass: For each class the one of its mirror image.
    /// - Throws: `TensorError` where there is no such class.
    package func averageInPlace(
        withMirrored mirrored: Tensor, dimension: Int, mirroredClass: [Int]
    ) throws(TensorError) {
        precondition(
            shape == mirrored.shape && shape.count == 4 && shape[3] == mirroredClass.count
                && elementType == .float16 && mirrored.elementType == .float16,
            "sums of shape \(shape) and \(mirrored.shape)")
        let plans = try LoadedLibraries.plans()
        let size = shape.prefix(3).map(Int64.init)
        let classes = mirroredClass.map { Int32($0) }
        let other = try mirrored.bytes()
        var status = CPLAN_OK
        try unsafe withDenseBytes { bytes in
            unsafe other.withUnsafeBytes { other in
                guard let sums = unsafe bytes.bindMemory(to: UInt16.self).baseAddress,
                    let given = unsafe other.bindMemory(to: UInt16.self).baseAddress
                else { return }
                unsafe status = plans.table.pointee.average_mirrored(
                    sums, given, size, Int32(dimension), classes, Int32(classes.count))
            }
        }
        try plans.check(status, "view aggregation")
    }
}
