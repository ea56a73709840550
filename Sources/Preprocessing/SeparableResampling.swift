/// The source voxels along one axis that contribute to each result voxel, with their weights.
///
/// The kernel is a triangle, two source voxels wide, as in linear interpolation; where the result
/// is coarser than the source, it is as wide as two result voxels, so that fine detail is
/// averaged and not aliased. At the edges the taps that fall outside are left out and the others
/// are scaled to a sum of 1, which repeats the edge voxel.
package struct AxisTaps {
    /// The number of source voxels per result voxel.
    package let tapCount: Int
    /// The first source voxel of each result voxel.
    package let starts: [Int]
    /// `tapCount` weights for each result voxel.
    package let weights: [Float]
    /// The result voxels whose centres lie inside the source's field of view.
    package let inside: Range<Int>
    /// A Boolean value indicating whether the result is the source itself.
    package let isIdentity: Bool
    /// A Boolean value indicating whether the taps weigh the coefficients of a cubic B-spline
    /// instead of voxels.
    package let needsSplineCoefficients: Bool

    /// Tabulates one axis.
    ///
    /// - Parameters:
    ///   - sourceCount: Source voxels along the axis.
    ///   - resultCount: Result voxels along the axis.
    ///   - offset: The position of result voxel 0, in source voxels.
    ///   - step: The distance of result voxels, in source voxels; positive.
    ///   - interpolation: Between source voxels, where the result is no coarser than they are.
    package init(
        sourceCount: Int, resultCount: Int, offset: Double, step: Double,
        interpolation: Interpolation = .linear
    ) {
        if interpolation == .cubic, step <= 1 + 1e-6, sourceCount > 1 {
            self.init(
                cubicFrom: sourceCount, resultCount: resultCount, offset: offset, step: step)
        } else {
            self.init(
                averagedFrom: sourceCount, resultCount: resultCount, offset: offset, step: step)
        }
    }

    private init(averagedFrom sourceCount: Int, resultCount: Int, offset: Double, step: Double) {
        needsSplineCoefficients = false
        let radius = max(1, step)
        let most = Int(min(Double(sourceCount), (2 * radius).rounded(.up)))
        var starts: [Int] = []
        var weights: [Float] = []
        starts.reserveCapacity(resultCount)
        weights.reserveCapacity(resultCount * most)
        var first = resultCount
        var end = 0
        var isIdentity = sourceCount == resultCount
        var taps = [Double](repeating: 0, count: most)
        for index in 0..<resultCount {
            let center = snapped(offset + Double(index) * step)
            if center != Double(index) { isIdentity = false }
            if isInsideFieldOfView(center, count: sourceCount) {
                first = min(first, index)
                end = index + 1
            }
            let lower = (center - radius).rounded(.down) + 1
            let start = Int(min(max(lower, 0), Double(sourceCount - most)))
            var sum = 0.0
            for tap in 0..<most {
                taps[tap] = max(0, 1 - abs(Double(start + tap) - center) / radius)
                sum += taps[tap]
            }
            starts.append(start)
            for tap in taps { weights.append(sum > 0 ? Float(tap / sum) : 0) }
        }
        tapCount = most
        self.starts = starts
        self.weights = weights
        inside = first < end ? first..<end : 0..<0
        self.isIdentity = isIdentity
    }

    private init(cubicFrom sourceCount: Int, resultCount: Int, offset: Double, step: Double) {
        let most = min(4, sourceCount)
        var starts: [Int] = []
        var weights: [Float] = []
        var (first, end) = (resultCount, 0)
        var isIdentity = sourceCount == resultCount
        for index in 0..<resultCount {
            let center = snapped(offset + Double(index) * step)
            if center != Double(index) { isIdentity = false }
            if isInsideFieldOfView(center, count: sourceCount) {
                first = min(first, index)
                end = index + 1
            }
            let spline = SplineTaps(at: center, count: sourceCount)
            let start = max(0, min(spline.lower - 1, sourceCount - most))
            var taps = [Float](repeating: 0, count: most)
            for tap in 0..<4 {
                taps[mirrored(spline.lower - 1 + tap, count: sourceCount) - start] +=
                    spline.weights[tap]
            }
            starts.append(start)
            weights += taps
        }
        tapCount = most
        self.starts = starts
        self.weights = weights
        inside = first < end ? first..<end : 0..<0
        self.isIdentity = isIdentity
        needsSplineCoefficients = true
    }
}

/// Applies the taps of one axis to an array seen as `outer` blocks of `sourceCount` rows of
/// `inner` values.
package func resampledAlongAxis(
    _ values: [Float], outer: Int, sourceCount: Int, inner: Int, taps: AxisTaps
) -> [Float] {
    let resultCount = taps.starts.count
    return [Float](unsafeUninitializedCapacity: outer * resultCount * inner) { result, count in
        count = outer * resultCount * inner
        values.withUnsafeBufferPointer { source in
            taps.weights.withUnsafeBufferPointer { weights in
                taps.starts.withUnsafeBufferPointer { starts in
                    guard let input = source.baseAddress, let output = result.baseAddress else {
                        return
                    }
                    if inner == 1 {
                        weighRows(
                            input, outer: outer, sourceCount: sourceCount, starts: starts,
                            weights: weights, tapCount: taps.tapCount, into: output)
                    } else {
                        weighBlocks(
                            input, outer: outer, sourceCount: sourceCount, inner: inner,
                            starts: starts, weights: weights, tapCount: taps.tapCount,
                            into: output)
                    }
                }
            }
        }
    }
}

/// The fastest axis: each result voxel gathers its taps from its row.
private func weighRows(
    _ input: UnsafePointer<Float>, outer: Int, sourceCount: Int,
    starts: UnsafeBufferPointer<Int>, weights: UnsafeBufferPointer<Float>, tapCount: Int,
    into output: UnsafeMutablePointer<Float>
) {
    for block in 0..<outer {
        let row = input + block * sourceCount
        let line = output + block * starts.count
        for index in 0..<starts.count {
            let first = row + starts[index]
            let weightOffset = index * tapCount
            var sum: Float = 0
            for tap in 0..<tapCount { sum += weights[weightOffset + tap] * first[tap] }
            line[index] = sum
        }
    }
}

/// The slower axes: whole rows are weighed and added.
private func weighBlocks(
    _ input: UnsafePointer<Float>, outer: Int, sourceCount: Int, inner: Int,
    starts: UnsafeBufferPointer<Int>, weights: UnsafeBufferPointer<Float>, tapCount: Int,
    into output: UnsafeMutablePointer<Float>
) {
    // Rows are cut into pieces that stay in the first cache while their taps are added.
    let piece = 2048
    for block in 0..<outer {
        for index in 0..<starts.count {
            let first = input + (block * sourceCount + starts[index]) * inner
            let line = output + (block * starts.count + index) * inner
            var from = 0
            while from < inner {
                let to = min(from + piece, inner)
                var isEmpty = true
                for tap in 0..<tapCount {
                    let weight = weights[index * tapCount + tap]
                    if weight == 0 { continue }
                    let row = first + tap * inner
                    if isEmpty {
                        for i in from..<to { line[i] = weight * row[i] }
                        isEmpty = false
                    } else {
                        for i in from..<to { line[i] += weight * row[i] }
                    }
                }
                if isEmpty {
                    for i in from..<to { line[i] = 0 }
                }
                from = to
            }
        }
    }
}
