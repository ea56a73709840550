package import Volumes

/// The reordering and flipping of storage axes that turns one orientation into another.
package struct AxisPermutation: Sendable, Hashable {
    /// For each axis of the result, the axis of the source that it runs along.
    package let sourceAxis: [Int]
    /// For each axis of the result, whether it runs against the source's axis.
    package let isFlipped: [Bool]

    package init(from source: Orientation, to target: Orientation) {
        let sourceAxis = target.axes.map { source.storageAxis(ofWorldAxis: $0.worldAxis) }
        self.sourceAxis = sourceAxis
        isFlipped = (0..<3).map {
            source.axes[sourceAxis[$0]].isPositive != target.axes[$0].isPositive
        }
    }

    /// The reordering that lays a grid's voxels where another grid has its own.
    ///
    /// - Returns: `nil` where the two grids show different places.
    package init?(from source: Grid, onto target: Grid) {
        // One step along each axis of the source, in steps along those of the target.
        let inverse = target.affine.inverse
        let steps = (0..<3).map { inverse.linear(source.affine.column($0)) }
        let axes = (0..<3).map { axis in
            (0..<3).max { abs(steps[$0][axis]) < abs(steps[$1][axis]) } ?? axis
        }
        guard Set(axes).count == 3 else { return nil }
        self.init(sourceAxis: axes, isFlipped: (0..<3).map { steps[axes[$0]][$0] < 0 })
        guard applied(to: source).coincides(with: target) else { return nil }
    }

    private init(sourceAxis: [Int], isFlipped: [Bool]) {
        self.sourceAxis = sourceAxis
        self.isFlipped = isFlipped
    }

    /// The permutation that undoes this one.
    package var inverse: AxisPermutation {
        let axes = (0..<3).map { source in sourceAxis.firstIndex(of: source) ?? source }
        return AxisPermutation(sourceAxis: axes, isFlipped: axes.map { isFlipped[$0] })
    }

    /// The grid with its axes permuted: the same voxel centres in another storage order.
    package func applied(to grid: Grid) -> Grid {
        var columns: [SIMD3<Double>] = []
        var first = SIMD3<Double>.zero
        for axis in 0..<3 {
            let source = sourceAxis[axis]
            let column = grid.affine.column(source)
            columns.append(isFlipped[axis] ? -column : column)
            if isFlipped[axis] { first[source] = Double(grid.size[source] - 1) }
        }
        return Grid(
            size: GridSize(
                grid.size[sourceAxis[0]], grid.size[sourceAxis[1]], grid.size[sourceAxis[2]]),
            affine: Affine(columns: columns, translation: grid.affine(first)))
    }

    package func applied(to volume: Volume) -> Volume {
        Volume(
            grid: applied(to: volume.grid),
            voxels: applied(to: volume.voxels, of: volume.grid.size))
    }

    package func applied(to map: LabelMap) -> LabelMap {
        LabelMap(
            grid: applied(to: map.grid), labels: applied(to: map.labels, of: map.grid.size))
    }

    package func applied<Value: BitwiseCopyable>(
        to values: [Value], of size: GridSize
    ) -> [Value] {
        if sourceAxis == [0, 1, 2], !isFlipped.contains(true) { return values }
        return slices(0..<size[sourceAxis[2]], along: 2, of: values, size: size)
    }

    /// Some slices, along an axis of the result, of permuted values.
    func slices<Value: BitwiseCopyable>(
        _ wanted: Range<Int>, along sliced: Int, of values: [Value], size: GridSize
    ) -> [Value] {
        let sourceStrides = [1, size.x, size.x * size.y]
        var start = 0
        var strides = [0, 0, 0]
        var counts = [0, 0, 0]
        for axis in 0..<3 {
            let source = sourceAxis[axis]
            counts[axis] = size[source]
            strides[axis] = isFlipped[axis] ? -sourceStrides[source] : sourceStrides[source]
            if isFlipped[axis] { start += (size[source] - 1) * sourceStrides[source] }
        }
        start += wanted.lowerBound * strides[sliced]
        counts[sliced] = wanted.count
        let total = counts[0] * counts[1] * counts[2]
        return [Value](unsafeUninitializedCapacity: total) { result, count in
            values.withUnsafeBufferPointer { source in
                copyStrided(
                    from: source, start: start, strides: strides, counts: counts, into: result)
            }
            count = total
        }
    }
}

extension LabelMap {
    /// The map with its voxels in the order of another grid, which takes the place of its own.
    ///
    /// - Parameter target: A grid that shows the same places, whatever the order and direction of
    ///   its axes.
    /// - Returns: `nil` where the two grids show different places.
    package func reordered(onto target: Grid) -> LabelMap? {
        guard grid != target else { return self }
        guard let permutation = AxisPermutation(from: grid, onto: target) else { return nil }
        return LabelMap(grid: target, labels: permutation.applied(to: labels, of: grid.size))
    }
}

/// Fills `result`, x fastest, with the source's values at `start + x*s0 + y*s1 + z*s2`.
///
/// Where the source's fast axis is not the result's, both are walked in small square tiles, so
/// that each cache line is read and written while it is still at hand.
private func copyStrided<Value: BitwiseCopyable>(
    from source: UnsafeBufferPointer<Value>, start: Int, strides: [Int], counts: [Int],
    into result: UnsafeMutableBufferPointer<Value>
) {
    guard let input = source.baseAddress, let output = result.baseAddress else { return }
    let (width, height, depth) = (counts[0], counts[1], counts[2])
    let (strideX, strideY, strideZ) = (strides[0], strides[1], strides[2])
    if abs(strideX) == 1 {
        for z in 0..<depth {
            for y in 0..<height {
                let row = input + (start + y * strideY + z * strideZ)
                let line = output + width * (y + height * z)
                if strideX == 1 {
                    line.update(from: row, count: width)
                } else {
                    for x in 0..<width { line[x] = row[-x] }
                }
            }
        }
        return
    }
    let fastIsY = abs(strideY) == 1
    let (fastCount, otherCount) = fastIsY ? (height, depth) : (depth, height)
    let (fastStride, otherStride) = fastIsY ? (strideY, strideZ) : (strideZ, strideY)
    let (fastStep, otherStep) = fastIsY ? (width, width * height) : (width * height, width)
    // Eight lines stay within the ways of one cache set even where strides are powers of two.
    let tile = 8
    for other in 0..<otherCount {
        let inputPlane = input + (start + other * otherStride)
        let outputPlane = output + other * otherStep
        var x = 0
        while x < width {
            let endX = min(x + tile, width)
            var fast = 0
            while fast < fastCount {
                let endFast = min(fast + tile, fastCount)
                for f in fast..<endFast {
                    let row = inputPlane + f * fastStride
                    let line = outputPlane + f * fastStep
                    for column in x..<endX { line[column] = row[column * strideX] }
                }
                fast = endFast
            }
            x = endX
        }
    }
}
