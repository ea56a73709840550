import Foundation
public import Volumes

/// Volumes of bodies that are no heads: blobs, limbs, bottles and noise, each with random parts.
///
/// A classifier learns from them what is no head. Source: the shapes of SynthMorph (Hoffmann et al.,
/// arXiv:2004.10282), label maps that follow from smooth noise alone.
public struct RandomShapes: Sendable {
    private let size: GridSize
    private let spacing: Double
    private let seed: UInt64

    /// Makes a source of volumes in RAS orientation.
    ///
    /// - Parameters:
    ///   - size: Voxels along each axis.
    ///   - spacingMillimeters: The edge of the cubic voxels.
    ///   - seed: The seed of all volumes.
    public init(size: GridSize, spacingMillimeters: Double, seed: UInt64) {
        self.size = size
        spacing = spacingMillimeters
        self.seed = seed
    }

    /// Draws a volume, with intensities from 0 to 1.
    ///
    /// - Parameter number: Which volume of the seed it is.
    /// - Returns: The volume.
    public func volume(_ number: Int) -> Volume {
        var generator = SeededGenerator(seed: seed, number: number)
        let bodies = drawnBodies(using: &generator)
        let background = generator.happens(0.7) ? 0.1 * generator.unit() : generator.unit()
        let parts = 1 + Int(generator.next() % 6)
        let means = (0..<parts).map { _ in generator.unit() }
        let deviation = 0.15 * generator.unit()
        let noise = 0.1 * generator.unit() * generator.unit()
        let fields = (0..<parts).map { _ in
            SplineField(
                size: size,
                controlSpacing: SIMD3(
                    repeating: max(2, generator.uniform(8, 70) / Float(spacing))),
                amplitude: 1, using: &generator)
        }
        let outline = SplineField(
            size: size, controlSpacing: SIMD3(repeating: 40 / Float(spacing)), amplitude: 1,
            using: &generator)
        var random = SeededGenerator(seed: generator.next())
        var voxels = [Float](repeating: 0, count: size.count)
        var rows = [[Float]](
            repeating: [Float](repeating: 0, count: size.x), count: parts + 1)
        for k in 0..<size.z {
            for j in 0..<size.y {
                for (row, field) in (fields + [outline]).enumerated() {
                    rows[row].withUnsafeMutableBufferPointer { field.copyRow(j, k, into: $0) }
                }
                for i in 0..<size.x {
                    let place = SIMD3(Float(i), Float(j), Float(k))
                    let depth = bodies.map { $0.depth(place) }.max() ?? 1
                    var value = background
                    if depth + 0.4 * rows[parts][i] > 0 {
                        var part = 0
                        for other in 1..<max(parts, 1) where rows[other][i] > rows[part][i] {
                            part = other
                        }
                        value = means[part] + deviation * random.gaussian()
                    }
                    voxels[size.offset(i, j, k)] = value + noise * random.gaussian()
                }
            }
        }
        let (least, most) = (voxels.min() ?? 0, voxels.max() ?? 1)
        for index in voxels.indices {
            voxels[index] = most > least ? (voxels[index] - least) / (most - least) : 0
        }
        return Volume(grid: Grid(size: size, edgeMillimeters: spacing), voxels: voxels)
    }

    /// A body: an ellipsoid, a cylinder or a box.
    private struct Body {
        var kind: Int
        var center: SIMD3<Float>
        var radii: SIMD3<Float>
        var axis: Int

        /// Above 0 inside.
        func depth(_ place: SIMD3<Float>) -> Float {
            let x = (place - center) / radii
            switch kind {
            case 0: return 1 - (x * x).sum()
            case 1:
                let along = abs(x[axis])
                let across = (x * x).sum() - x[axis] * x[axis]
                return min(1 - along, 1 - across)
            default: return 1 - max(abs(x.x), abs(x.y), abs(x.z))
            }
        }
    }

    /// One to three bodies; none for a volume that is filled.
    private func drawnBodies(using generator: inout SeededGenerator) -> [Body] {
        guard generator.happens(0.9) else { return [] }
        let extent = SIMD3(Float(size.x), Float(size.y), Float(size.z))
        return (0..<1 + Int(generator.next() % 3)).map { _ in
            Body(
                kind: Int(generator.next() % 3),
                center: extent
                    * SIMD3(
                        generator.uniform(0.3, 0.7), generator.uniform(0.3, 0.7),
                        generator.uniform(0.3, 0.7)),
                radii: extent
                    * SIMD3(
                        generator.uniform(0.08, 0.6), generator.uniform(0.08, 0.6),
                        generator.uniform(0.08, 0.6)),
                axis: Int(generator.next() % 3))
        }
    }
}
