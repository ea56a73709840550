import Foundation
import Volumes

/// The labels of a head on the grid of a synthetic volume.
struct SampledHead {
    /// For each voxel the position of its label in `GenerationLabel.all`.
    var positions: [UInt8]
    /// The distance to the brain's border in mm of the anatomy.
    var brainDistance: [Int8]

    /// Looks up the nearest voxel of an anatomy for each voxel of a volume.
    ///
    /// - Parameters:
    ///   - anatomy: Where the labels come from.
    ///   - size: The volume.
    ///   - coordinates: The place in the anatomy, in its voxels, of the lattice's points.
    init(_ anatomy: HeadAnatomy, size: GridSize, coordinates: VectorLattice) {
        var positions = [UInt8](repeating: 0, count: size.count)
        var distances = [Int8](repeating: 100, count: size.count)
        let counts = coordinates.counts
        let spacing = coordinates.spacing
        var line = [SIMD3<Float>](repeating: .zero, count: counts.x)
        let (width, height, depth) = (anatomy.size.x, anatomy.size.y, anatomy.size.z)
        line.withUnsafeMutableBufferPointer { line in
            positions.withUnsafeMutableBufferPointer { positions in
                distances.withUnsafeMutableBufferPointer { distances in
                    anatomy.positions.withUnsafeBufferPointer { source in
                        anatomy.brainDistance.withUnsafeBufferPointer { sourceDistance in
                            coordinates.vectors.withUnsafeBufferPointer { points in
                                for k in 0..<size.z {
                                    let z = Float(k) / spacing
                                    let k0 = Int(z)
                                    let tz = z - Float(k0)
                                    for j in 0..<size.y {
                                        let y = Float(j) / spacing
                                        let j0 = Int(y)
                                        let ty = y - Float(j0)
                                        for i in 0..<counts.x {
                                            let near =
                                                points[counts.offset(i, j0, k0)] * (1 - ty)
                                                + points[counts.offset(i, j0 + 1, k0)] * ty
                                            let far =
                                                points[counts.offset(i, j0, k0 + 1)] * (1 - ty)
                                                + points[counts.offset(i, j0 + 1, k0 + 1)] * ty
                                            line[i] = near * (1 - tz) + far * tz + 0.5
                                        }
                                        let start = size.offset(0, j, k)
                                        for i in 0..<size.x {
                                            let x = Float(i) / spacing
                                            let i0 = Int(x)
                                            let tx = x - Float(i0)
                                            let place = line[i0] * (1 - tx) + line[i0 + 1] * tx
                                            if place.x < 0 || place.y < 0 || place.z < 0 {
                                                continue
                                            }
                                            let (a, b, c) = (
                                                Int(place.x), Int(place.y), Int(place.z)
                                            )
                                            if a >= width || b >= height || c >= depth {
                                                continue
                                            }
                                            let from = a + width * (b + height * c)
                                            positions[start + i] = source[from]
                                            distances[start + i] = sourceDistance[from]
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        self.positions = positions
        brainDistance = distances
    }
}

/// A 3x3 matrix, by rows.
struct Matrix3 {
    var rows: (SIMD3<Float>, SIMD3<Float>, SIMD3<Float>)

    static func * (matrix: Matrix3, vector: SIMD3<Float>) -> SIMD3<Float> {
        SIMD3(
            (matrix.rows.0 * vector).sum(), (matrix.rows.1 * vector).sum(),
            (matrix.rows.2 * vector).sum())
    }

    static func * (left: Matrix3, right: Matrix3) -> Matrix3 {
        func row(_ row: SIMD3<Float>) -> SIMD3<Float> {
            right.rows.0 * row.x + right.rows.1 * row.y + right.rows.2 * row.z
        }
        return Matrix3(rows: (row(left.rows.0), row(left.rows.1), row(left.rows.2)))
    }

    /// Turns about the three axes, in radians.
    static func rotation(_ angles: SIMD3<Float>) -> Matrix3 {
        let (a, b, c) = (angles.x, angles.y, angles.z)
        let x = Matrix3(rows: ([1, 0, 0], [0, cos(a), -sin(a)], [0, sin(a), cos(a)]))
        let y = Matrix3(rows: ([cos(b), 0, sin(b)], [0, 1, 0], [-sin(b), 0, cos(b)]))
        let z = Matrix3(rows: ([cos(c), -sin(c), 0], [sin(c), cos(c), 0], [0, 0, 1]))
        return x * y * z
    }

    /// Shears of each axis along the two others.
    static func shear(_ shears: [Float]) -> Matrix3 {
        Matrix3(
            rows: (
                [1, shears[0], shears[1]], [shears[2], 1, shears[3]], [shears[4], shears[5], 1]
            ))
    }
}
