public import Volumes

extension AxisPermutation {
    /// The permutation that lays the axes of one grid along those of another, as nearly as may be.
    fileprivate init(from source: Grid, to target: Grid) {
        self.init(from: source.orientation, to: target.orientation)
    }
}

/// Interpolates a volume on another grid.
///
/// Along axes on which the target is coarser than the volume, detail that it cannot hold is averaged
/// instead, with a triangle two target voxels wide, so that thin slices and noise do not alias; why
/// a point sample is wrong there: Cardoso et al., MICCAI 2015,
/// <https://doi.org/10.1007/978-3-319-24571-3_81>. Target voxels whose centres lie in the outer half
/// of the edge voxels repeat them.
///
/// - Parameters:
///   - volume: The volume; a voxel that is not a finite number spoils the results around it.
///   - grid: Where values are wanted.
///   - outside: The value of target voxels outside the volume's field of view.
///   - interpolation: How values between voxels are worked out.
/// - Returns: The volume on `grid`.
/// - Precondition: both affines are invertible.
public func resampled(
    _ volume: Volume, to grid: Grid, outside: Float, interpolation: Interpolation = .linear
) -> Volume {
    if volume.grid == grid { return volume }
    return resampled(
        volume, to: grid, outside: outside, interpolation: interpolation, preparing: { _ in })
}

/// As ``resampled(_:to:outside:interpolation:)``, of prepared voxels: `prepare` changes each by itself,
/// whatever part of the volume it is handed.
///
/// Voxels are prepared a few slices at a time if both grids have parallel axes, so that no second volume of
/// the source's size is needed.
func resampled(
    _ volume: Volume, to grid: Grid, outside: Float, interpolation: Interpolation,
    preparing prepare: (inout [Float]) -> Void
) -> Volume {
    if volume.grid == grid {
        var result = volume
        prepare(&result.voxels)
        return result
    }
    let permutation = AxisPermutation(from: volume.grid, to: grid)
    let sourceGrid = permutation.applied(to: volume.grid)
    var map = sourceGrid.affine.inverse * grid.affine
    if isSeparable(map, size: grid.size) {
        return resampledSeparably(
            sourceGrid.size, to: grid, map: map, outside: outside, interpolation: interpolation
        ) { slices, axis in
            var values = permutation.slices(
                slices, along: axis, of: volume.voxels, size: volume.grid.size)
            prepare(&values)
            return values
        }
    }
    var source = permutation.applied(to: volume)
    prepare(&source.voxels)
    let coarser = gridForOblique(source.grid, target: grid)
    if coarser != source.grid {
        let toCoarser = source.grid.affine.inverse * coarser.affine
        source = resampledSeparably(
            source.grid.size, to: coarser, map: toCoarser, outside: outside,
            interpolation: .linear
        ) { slices, axis in
            AxisPermutation(from: source.grid, to: source.grid)
                .slices(slices, along: axis, of: source.voxels, size: source.grid.size)
        }
        map = source.grid.affine.inverse * grid.affine
    }
    if interpolation == .cubic {
        return resampledTricubically(source, to: grid, map: map, outside: outside)
    }
    return resampledTrilinearly(source, to: grid, map: map, outside: outside)
}

/// Carries labels to another grid: each target voxel takes the label of the nearest voxel.
///
/// Target voxels outside the map's field of view become background. A target voxel midway between
/// two labels takes the one at the lower index along the target's axis.
///
/// - Parameters:
///   - labels: The labels.
///   - grid: Where labels are wanted.
/// - Returns: The labels on `grid`.
/// - Precondition: both affines are invertible.
public func resampled(_ labels: LabelMap, to grid: Grid) -> LabelMap {
    if labels.grid == grid { return labels }
    return LabelMap(
        grid: grid, labels: nearest(labels.labels, on: labels.grid, to: grid, outside: 0))
}

/// The values of the nearest voxels, as ``resampled(_:to:)`` takes labels, and `outside` beyond the field of
/// view of `source`.
func nearest<Value: BitwiseCopyable>(
    _ values: [Value], on source: Grid, to grid: Grid, outside: Value
) -> [Value] {
    if source == grid { return values }
    let permutation = AxisPermutation(from: source, to: grid)
    let permutedGrid = permutation.applied(to: source)
    let permuted = permutation.applied(to: values, of: source.size)
    let map = permutedGrid.affine.inverse * grid.affine
    return isSeparable(map, size: grid.size)
        ? nearestSeparably(
            permuted, of: permutedGrid.size, to: grid.size, map: map, outside: outside)
        : nearestObliquely(
            permuted, of: permutedGrid.size, to: grid.size, map: map, outside: outside)
}

// MARK: - Grids whose axes are parallel

/// Returns whether each source axis depends on its own target axis alone, to a hundredth of a voxel
/// over the whole grid.
private func isSeparable(_ map: Affine, size: GridSize) -> Bool {
    (0..<3).allSatisfy { row in
        var drift = 0.0
        for column in 0..<3 where column != row {
            drift += abs(map[row, column]) * Double(size[column])
        }
        return drift < 0.01 && map[row, row] > 0
    }
}

/// Resamples a source that is handed over by `slices`, some slices along one of its axes at a time.
private func resampledSeparably(
    _ sourceSize: GridSize, to grid: Grid, map: Affine, outside: Float,
    interpolation: Interpolation, slices: (Range<Int>, _ axis: Int) -> [Float]
) -> Volume {
    let taps = (0..<3).map { axis in
        AxisTaps(
            sourceCount: sourceSize[axis], resultCount: grid.size[axis],
            offset: map[axis, 3], step: map[axis, axis], interpolation: interpolation)
    }
    // The axis that shrinks most goes first, so that the others have less to do.
    let shrinkage = (0..<3).map { Double(grid.size[$0]) / Double(sourceSize[$0]) }
    let order = (0..<3).sorted { (shrinkage[$0], $0) < (shrinkage[$1], $1) }
    // Along the last of them nothing is mixed until the others are done.
    let last = order[2]
    let inner = (0..<last).reduce(1) { $0 * grid.size[$1] }
    let outer = ((last + 1)..<3).reduce(1) { $0 * grid.size[$1] }
    var voxels = [Float](repeating: 0, count: inner * sourceSize[last] * outer)
    let slicesAtOnce = 32
    for first in stride(from: 0, to: sourceSize[last], by: slicesAtOnce) {
        let range = first..<min(first + slicesAtOnce, sourceSize[last])
        var size = sourceSize
        size[last] = range.count
        var part = slices(range, last)
        resample(&part, &size, along: order.dropLast(), taps: taps)
        let run = inner * range.count
        for block in 0..<outer {
            let start = (block * sourceSize[last] + first) * inner
            voxels.replaceSubrange(start..<start + run, with: part[block * run..<(block + 1) * run])
        }
    }
    var size = grid.size
    size[last] = sourceSize[last]
    resample(&voxels, &size, along: order.suffix(1), taps: taps)
    fillOutside(&voxels, size: grid.size, inside: taps.map(\.inside), with: outside)
    return Volume(grid: grid, voxels: voxels)
}

/// Resamples values along some of their axes, one after the other.
private func resample(
    _ values: inout [Float], _ size: inout GridSize, along axes: ArraySlice<Int>, taps: [AxisTaps]
) {
    for axis in axes where !taps[axis].isIdentity {
        let inner = (0..<axis).reduce(1) { $0 * size[$1] }
        let outer = ((axis + 1)..<3).reduce(1) { $0 * size[$1] }
        if taps[axis].needsSplineCoefficients {
            turnIntoSplineCoefficients(
                &values, outer: outer, count: size[axis], inner: inner)
        }
        values = resampledAlongAxis(
            values, outer: outer, sourceCount: size[axis], inner: inner, taps: taps[axis])
        size[axis] = taps[axis].starts.count
    }
}

/// Sets every voxel outside a box to one value.
private func fillOutside(
    _ voxels: inout [Float], size: GridSize, inside: [Range<Int>], with value: Float
) {
    if (0..<3).allSatisfy({ inside[$0] == 0..<size[$0] }) { return }
    for z in 0..<size.z {
        for y in 0..<size.y {
            let row = size.offset(0, y, z)
            let isInside = inside[1].contains(y) && inside[2].contains(z)
            let kept = isInside ? inside[0] : 0..<0
            for x in 0..<kept.lowerBound { voxels[row + x] = value }
            for x in kept.upperBound..<size.x { voxels[row + x] = value }
        }
    }
}

/// The nearest source voxel of each target voxel along one axis, or -1 outside.
private func nearestIndices(
    sourceCount: Int, resultCount: Int, offset: Double, step: Double
) -> [Int] {
    (0..<resultCount).map { index in
        nearestIndex(offset + Double(index) * step, count: sourceCount)
    }
}

/// The voxel nearest to a coordinate, or -1 outside; midway, to a millionth, the lower one.
@inline(__always)
private func nearestIndex(_ coordinate: Double, count: Int) -> Int {
    guard isInsideFieldOfView(coordinate, count: count) else { return -1 }
    let index = Int((coordinate + (0.5 - 1e-6)).rounded(.down))
    return min(max(index, 0), count - 1)
}

private func nearestSeparably<Value: BitwiseCopyable>(
    _ values: [Value], of sourceSize: GridSize, to size: GridSize, map: Affine, outside: Value
) -> [Value] {
    let indices = (0..<3).map { axis in
        nearestIndices(
            sourceCount: sourceSize[axis], resultCount: size[axis],
            offset: map[axis, 3], step: map[axis, axis])
    }
    let columns = indices[0]
    // The source columns are ascending, so those inside form one run.
    let first = columns.firstIndex { $0 >= 0 } ?? 0
    let end = (columns.lastIndex { $0 >= 0 } ?? -1) + 1
    var result = [Value](repeating: outside, count: size.count)
    values.withUnsafeBufferPointer { values in
        result.withUnsafeMutableBufferPointer { result in
            columns.withUnsafeBufferPointer { columns in
                for z in 0..<size.z where indices[2][z] >= 0 {
                    for y in 0..<size.y where indices[1][y] >= 0 {
                        let row = sourceSize.offset(0, indices[1][y], indices[2][z])
                        let line = size.offset(0, y, z)
                        for x in first..<max(first, end) {
                            result[line + x] = values[row + columns[x]]
                        }
                    }
                }
            }
        }
    }
    return result
}

// MARK: - Grids that lie obliquely to each other

/// The grid on which an oblique volume is averaged before it is interpolated: its own axes, with
/// the target's spacing where that is at least half as coarse again.
private func gridForOblique(_ source: Grid, target: Grid) -> Grid {
    var columns = (0..<3).map { source.affine.column($0) }
    var size = source.size
    var first = SIMD3<Double>.zero
    for axis in 0..<3 {
        let ratio = target.spacing[axis] / source.spacing[axis]
        guard ratio >= 1.5 else { continue }
        let extent = Double(source.size[axis])
        size[axis] = max(1, Int((extent / ratio - 1e-3).rounded(.up)))
        first[axis] = (extent - 1) / 2 - Double(size[axis] - 1) / 2 * ratio
        columns[axis] *= ratio
    }
    return Grid(
        size: size, affine: Affine(columns: columns, translation: source.affine(first)))
}

private func resampledTrilinearly(
    _ source: Volume, to grid: Grid, map: Affine, outside: Float
) -> Volume {
    let voxels = [Float](unsafeUninitializedCapacity: grid.size.count) { result, count in
        source.voxels.withUnsafeBufferPointer { voxels in
            interpolate(
                voxels, sourceSize: source.grid.size, size: grid.size, map: map,
                outside: outside, into: result)
        }
        count = grid.size.count
    }
    return Volume(grid: grid, voxels: voxels)
}

private func interpolate(
    _ voxels: UnsafeBufferPointer<Float>, sourceSize: GridSize, size: GridSize, map: Affine,
    outside: Float, into result: UnsafeMutableBufferPointer<Float>
) {
    let (stepX, stepY, stepZ) = (map[0, 0], map[1, 0], map[2, 0])
    let (lastX, lastY, lastZ) = (sourceSize.x - 1, sourceSize.y - 1, sourceSize.z - 1)
    let rowStride = sourceSize.x
    let sliceStride = sourceSize.x * sourceSize.y
    var position = 0
    for k in 0..<size.z {
        for j in 0..<size.y {
            let start = map(SIMD3(0, Double(j), Double(k)))
            let (startX, startY, startZ) = (start.x, start.y, start.z)
            for i in 0..<size.x {
                let x = startX + Double(i) * stepX
                let y = startY + Double(i) * stepY
                let z = startZ + Double(i) * stepZ
                guard isInsideFieldOfView(x, count: sourceSize.x),
                    isInsideFieldOfView(y, count: sourceSize.y),
                    isInsideFieldOfView(z, count: sourceSize.z)
                else {
                    result[position] = outside
                    position += 1
                    continue
                }
                let clampedX = min(max(x, 0), Double(lastX))
                let clampedY = min(max(y, 0), Double(lastY))
                let clampedZ = min(max(z, 0), Double(lastZ))
                let (x0, y0, z0) = (Int(clampedX), Int(clampedY), Int(clampedZ))
                let weightX = Float(clampedX - Double(x0))
                let weightY = Float(clampedY - Double(y0))
                let weightZ = Float(clampedZ - Double(z0))
                let toX = x0 < lastX ? 1 : 0
                let toY = y0 < lastY ? rowStride : 0
                let toZ = z0 < lastZ ? sliceStride : 0
                let corner = x0 + rowStride * y0 + sliceStride * z0
                let near = mix(
                    mix(voxels[corner], voxels[corner + toX], weightX),
                    mix(voxels[corner + toY], voxels[corner + toY + toX], weightX), weightY)
                let far = mix(
                    mix(voxels[corner + toZ], voxels[corner + toZ + toX], weightX),
                    mix(voxels[corner + toZ + toY], voxels[corner + toZ + toY + toX], weightX),
                    weightY)
                result[position] = mix(near, far, weightZ)
                position += 1
            }
        }
    }
}

@inline(__always)
private func mix(_ a: Float, _ b: Float, _ weight: Float) -> Float { a + (b - a) * weight }

private func nearestObliquely<Value: BitwiseCopyable>(
    _ values: [Value], of sourceSize: GridSize, to size: GridSize, map: Affine, outside: Value
) -> [Value] {
    let (stepX, stepY, stepZ) = (map[0, 0], map[1, 0], map[2, 0])
    var result = [Value](repeating: outside, count: size.count)
    values.withUnsafeBufferPointer { values in
        result.withUnsafeMutableBufferPointer { result in
            var position = 0
            for k in 0..<size.z {
                for j in 0..<size.y {
                    let start = map(SIMD3(0, Double(j), Double(k)))
                    let (startX, startY, startZ) = (start.x, start.y, start.z)
                    for i in 0..<size.x {
                        let x = nearestIndex(startX + Double(i) * stepX, count: sourceSize.x)
                        let y = nearestIndex(startY + Double(i) * stepY, count: sourceSize.y)
                        let z = nearestIndex(startZ + Double(i) * stepZ, count: sourceSize.z)
                        if x >= 0, y >= 0, z >= 0 {
                            result[position] = values[sourceSize.offset(x, y, z)]
                        }
                        position += 1
                    }
                }
            }
        }
    }
    return result
}
