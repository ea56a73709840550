package import Volumes

/// Vectors on a coarse lattice, between which they are interpolated.
///
/// Lattice point (i, j, k) lies at voxel (i, j, k) · `spacing`.
package struct VectorLattice: Sendable {
    /// Points along each axis.
    package let counts: GridSize
    /// Voxels between points.
    package let spacing: Float
    /// A vector for each point, x fastest.
    package var vectors: [SIMD3<Float>]

    /// A lattice of zeros that covers a volume.
    package init(covering size: GridSize, spacing: Int) {
        counts = GridSize(
            (size.x - 1) / spacing + 2, (size.y - 1) / spacing + 2, (size.z - 1) / spacing + 2)
        self.spacing = Float(spacing)
        vectors = [SIMD3<Float>](repeating: .zero, count: counts.count)
    }

    package var count: Int { counts.count }

    func offset(_ i: Int, _ j: Int, _ k: Int) -> Int {
        counts.offset(min(i, counts.x - 1), min(j, counts.y - 1), min(k, counts.z - 1))
    }

    /// The vector at a position in voxels; the border's beyond it.
    func callAsFunction(_ position: SIMD3<Float>) -> SIMD3<Float> {
        let scaled = position / spacing
        let limit = SIMD3<Float>(Float(counts.x - 1), Float(counts.y - 1), Float(counts.z - 1))
        let inside = scaled.clamped(lowerBound: .zero, upperBound: limit)
        let base = inside.rounded(.down)
        let t = inside - base
        let (i, j, k) = (Int(base.x), Int(base.y), Int(base.z))
        let (i1, j1, k1) = (
            min(i + 1, counts.x - 1), min(j + 1, counts.y - 1), min(k + 1, counts.z - 1)
        )
        return vectors.withUnsafeBufferPointer { v in
            let c00 = v[counts.offset(i, j, k)] * (1 - t.x) + v[counts.offset(i1, j, k)] * t.x
            let c10 = v[counts.offset(i, j1, k)] * (1 - t.x) + v[counts.offset(i1, j1, k)] * t.x
            let c01 = v[counts.offset(i, j, k1)] * (1 - t.x) + v[counts.offset(i1, j, k1)] * t.x
            let c11 = v[counts.offset(i, j1, k1)] * (1 - t.x) + v[counts.offset(i1, j1, k1)] * t.x
            let near = c00 * (1 - t.y) + c10 * t.y
            let far = c01 * (1 - t.y) + c11 * t.y
            return near * (1 - t.z) + far * t.z
        }
    }

    /// Integrates the lattice as a stationary velocity field over unit time.
    ///
    /// The result is a diffeomorphism's displacement: scaling and squaring, six halvings. Source:
    /// Arsigny et al., MICCAI 2006, <https://doi.org/10.1007/11866565_113>.
    package mutating func integrate() {
        let halvings = 6
        for index in vectors.indices { vectors[index] /= Float(1 << halvings) }
        for _ in 0..<halvings {
            let current = self
            for k in 0..<counts.z {
                for j in 0..<counts.y {
                    for i in 0..<counts.x {
                        let index = counts.offset(i, j, k)
                        let position = SIMD3<Float>(Float(i), Float(j), Float(k)) * spacing
                        let step = current.vectors[index]
                        vectors[index] = step + current(position + step)
                    }
                }
            }
        }
    }

    /// Blurs values on the lattice with weights 1/4, 1/2, 1/4 along each axis.
    package func smooth(_ values: inout [Float]) {
        for (axis, stride) in [1, counts.x, counts.x * counts.y].enumerated() {
            let source = values
            let extent = counts[axis]
            for index in values.indices {
                let place = index / stride % extent
                let before = source[place > 0 ? index - stride : index]
                let after = source[place + 1 < extent ? index + stride : index]
                values[index] = source[index] / 2 + (before + after) / 4
            }
        }
    }

    /// Sets the vectors to the downhill gradient of values on the lattice, the steepest of length 1.
    mutating func setDownhillGradient(of values: [Float]) {
        var steepest: Float = 0
        for index in values.indices {
            var gradient = SIMD3<Float>.zero
            for (axis, stride) in [1, counts.x, counts.x * counts.y].enumerated() {
                let place = index / stride % counts[axis]
                let before = values[place > 0 ? index - stride : index]
                let after = values[place + 1 < counts[axis] ? index + stride : index]
                gradient[axis] = before - after
            }
            vectors[index] = gradient
            steepest = max(steepest, (gradient * gradient).sum())
        }
        guard steepest > 0 else { return }
        let scale = 1 / steepest.squareRoot()
        for index in vectors.indices { vectors[index] *= scale }
    }
}
