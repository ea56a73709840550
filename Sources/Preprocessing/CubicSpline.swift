import Volumes

/// The four coefficients of a cubic B-spline around a place, and their weights.
struct SplineTaps {
    /// The voxel at or below the place; the taps begin one before it.
    var lower: Int
    var weights: SIMD4<Float>

    /// Places beyond the centres of the first and the last voxel count as these.
    init(at coordinate: Double, count: Int) {
        let inside = min(max(coordinate, 0), Double(count - 1))
        lower = min(Int(inside), max(0, count - 2))
        let t = inside - Double(lower)
        let s = 1 - t
        weights = SIMD4<Float>(
            SIMD4(
                s * s * s / 6, (4 - 6 * t * t + 3 * t * t * t) / 6,
                (4 - 6 * s * s + 3 * s * s * s) / 6, t * t * t / 6))
    }
}

/// An index reflected at the centres of the first and the last voxel.
func mirrored(_ index: Int, count: Int) -> Int {
    if count == 1 { return 0 }
    let period = 2 * (count - 1)
    let place = ((index % period) + period) % period
    return place < count ? place : period - place
}

/// Turns voxels into the coefficients of the cubic B-spline through them, along one axis of an array
/// seen as `outer` blocks of `count` rows of `inner` values.
///
/// The array goes on mirrored at the centres of its first and last voxel. Source: Unser, IEEE Signal
/// Processing Magazine 16(6), 1999, box 2: a causal and an anticausal recursion.
func turnIntoSplineCoefficients(_ values: inout [Float], outer: Int, count: Int, inner: Int) {
    guard count > 1 else { return }
    let pole = Float(3).squareRoot() - 2
    // Beyond that many terms the powers of the pole are below half a unit in the last place.
    let horizon = min(count, 16)
    values.withUnsafeMutableBufferPointer { values in
        guard let base = values.baseAddress else { return }
        // Columns in pieces that stay in the first cache from one row to the next.
        let piece = 512
        for block in 0..<outer {
            let start = base + block * count * inner
            for from in stride(from: 0, to: inner, by: piece) {
                filter(
                    start + from, width: min(piece, inner - from), count: count, stride: inner,
                    pole: pole, horizon: horizon)
            }
        }
    }
}

private func filter(
    _ column: UnsafeMutablePointer<Float>, width: Int, count: Int, stride: Int, pole: Float,
    horizon: Int
) {
    let gain = (1 - pole) * (1 - 1 / pole)
    var first = [Float](repeating: 0, count: width)
    if horizon < count {
        var power: Float = 1
        for row in 0..<horizon {
            for index in 0..<width { first[index] += power * column[row * stride + index] }
            power *= pole
        }
    } else {
        // The whole mirrored period in closed form.
        var power = pole
        var whole: Float = 1
        for _ in 0..<count - 1 { whole *= pole }
        var reflected = whole * whole / pole
        let last = (count - 1) * stride
        for index in 0..<width { first[index] = column[index] + whole * column[last + index] }
        for row in 1..<max(1, count - 1) {
            for index in 0..<width {
                first[index] += (power + reflected) * column[row * stride + index]
            }
            power *= pole
            reflected /= pole
        }
        let scale = 1 / (1 - whole * whole)
        for index in 0..<width { first[index] *= scale }
    }
    for index in 0..<width { column[index] = first[index] * gain }
    for row in 1..<count {
        let (line, before) = (column + row * stride, column + (row - 1) * stride)
        for index in 0..<width { line[index] = line[index] * gain + pole * before[index] }
    }
    let end = pole / (pole * pole - 1)
    let (last, beforeLast) = (column + (count - 1) * stride, column + (count - 2) * stride)
    for index in 0..<width { last[index] = end * (last[index] + pole * beforeLast[index]) }
    for row in (0..<count - 1).reversed() {
        let (line, after) = (column + row * stride, column + (row + 1) * stride)
        for index in 0..<width { line[index] = pole * (after[index] - line[index]) }
    }
}

/// Interpolates a volume by its cubic B-spline on a grid that lies obliquely to it.
func resampledTricubically(
    _ source: Volume, to grid: Grid, map: Affine, outside: Float
) -> Volume {
    let sourceSize = source.grid.size
    var coefficients = source.voxels
    for axis in 0..<3 {
        turnIntoSplineCoefficients(
            &coefficients,
            outer: ((axis + 1)..<3).reduce(1) { $0 * sourceSize[$1] }, count: sourceSize[axis],
            inner: (0..<axis).reduce(1) { $0 * sourceSize[$1] })
    }
    let size = grid.size
    let voxels = [Float](unsafeUninitializedCapacity: size.count) { result, count in
        coefficients.withUnsafeBufferPointer { coefficients in
            var position = 0
            for k in 0..<size.z {
                for j in 0..<size.y {
                    for i in 0..<size.x {
                        let at = map(SIMD3(Double(i), Double(j), Double(k)))
                        let isInside = (0..<3).allSatisfy {
                            isInsideFieldOfView(at[$0], count: sourceSize[$0])
                        }
                        result[position] =
                            isInside ? splineValue(coefficients, sourceSize, at: at) : outside
                        position += 1
                    }
                }
            }
        }
        count = size.count
    }
    return Volume(grid: grid, voxels: voxels)
}

private func splineValue(
    _ coefficients: UnsafeBufferPointer<Float>, _ size: GridSize, at place: SIMD3<Double>
) -> Float {
    let x = SplineTaps(at: snapped(place.x), count: size.x)
    let y = SplineTaps(at: snapped(place.y), count: size.y)
    let z = SplineTaps(at: snapped(place.z), count: size.z)
    let columns = SIMD4(
        mirrored(x.lower - 1, count: size.x), mirrored(x.lower, count: size.x),
        mirrored(x.lower + 1, count: size.x), mirrored(x.lower + 2, count: size.x))
    var sum: Float = 0
    for c in 0..<4 {
        let plane = mirrored(z.lower - 1 + c, count: size.z) * size.y
        for b in 0..<4 {
            let row = (plane + mirrored(y.lower - 1 + b, count: size.y)) * size.x
            let values = SIMD4(
                coefficients[row + columns[0]], coefficients[row + columns[1]],
                coefficients[row + columns[2]], coefficients[row + columns[3]])
            sum += z.weights[c] * y.weights[b] * (values * x.weights).sum()
        }
    }
    return sum
}
