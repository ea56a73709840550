import Volumes

/// A smooth random field on a grid of voxels: a cubic B-spline over a coarse lattice of random
/// control values.
///
/// It is evaluated row by row, four products a voxel. Only sums, products and divisions take part,
/// so the same seed gives the same bits on any machine.
struct SplineField {
    private let controls: [Float]
    private let controlCounts: SIMD3<Int>
    private let spacing: SIMD3<Float>
    private let width: Int
    private let firstControl: [Int]
    private let weights: [SIMD4<Float>]

    /// Draws a field.
    ///
    /// - Parameters:
    ///   - size: The grid of voxels that it covers.
    ///   - controlSpacing: Voxels between control points on each axis.
    ///   - amplitude: Control values lie in `-amplitude...amplitude`; the field never leaves that
    ///     range, and its standard deviation is about a fifth of it in 3-D and a quarter in 2-D.
    ///   - generator: Where the control values come from.
    init(
        size: GridSize, controlSpacing: SIMD3<Float>, amplitude: Float,
        using generator: inout SeededGenerator
    ) {
        var counts = SIMD3<Int>(repeating: 0)
        for axis in 0..<3 {
            precondition(controlSpacing[axis] > 0, "control points \(controlSpacing) voxels apart")
            counts[axis] = Int(Float(size[axis] - 1) / controlSpacing[axis]) + 4
        }
        controlCounts = counts
        spacing = controlSpacing
        width = size.x
        controls = (0..<counts.x * counts.y * counts.z).map { _ in
            generator.uniform(-amplitude, amplitude)
        }
        var first: [Int] = []
        var weights: [SIMD4<Float>] = []
        for x in 0..<size.x {
            let (start, weight) = Self.taps(Float(x) / controlSpacing.x)
            first.append(start)
            weights.append(weight)
        }
        firstControl = first
        self.weights = weights
    }

    /// The first of the four control points around a position, and their cubic B-spline weights.
    private static func taps(_ position: Float) -> (Int, SIMD4<Float>) {
        let start = Int(position)
        let t = position - Float(start)
        let s = 1 - t
        return (
            start,
            SIMD4(
                s * s * s / 6, (3 * t * t * t - 6 * t * t + 4) / 6,
                (3 * s * s * s - 6 * s * s + 4) / 6, t * t * t / 6)
        )
    }

    /// Writes the values of one row of voxels.
    func copyRow(_ j: Int, _ k: Int, into row: UnsafeMutableBufferPointer<Float>) {
        let (firstY, weightY) = Self.taps(Float(j) / spacing.y)
        let (firstZ, weightZ) = Self.taps(Float(k) / spacing.z)
        let columns = controlCounts.x
        var line = [Float](repeating: 0, count: columns)
        for c in 0..<4 {
            for b in 0..<4 {
                let weight = weightY[b] * weightZ[c]
                if weight == 0 { continue }
                let start = ((firstZ + c) * controlCounts.y + firstY + b) * columns
                for a in 0..<columns { line[a] += weight * controls[start + a] }
            }
        }
        for x in 0..<width {
            let first = firstControl[x]
            let weight = weights[x]
            row[x] =
                weight.x * line[first] + weight.y * line[first + 1] + weight.z * line[first + 2]
                + weight.w * line[first + 3]
        }
    }

    /// All values, x fastest.
    func values(height: Int, depth: Int) -> [Float] {
        var values = [Float](repeating: 0, count: width * height * depth)
        values.withUnsafeMutableBufferPointer { buffer in
            for k in 0..<depth {
                for j in 0..<height {
                    let start = (k * height + j) * width
                    copyRow(
                        j, k,
                        into: UnsafeMutableBufferPointer(rebasing: buffer[start..<start + width]))
                }
            }
        }
        return values
    }
}
