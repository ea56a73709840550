import Foundation
import Preprocessing
import Testing
import Volumes

/// Expected values from `fixtures/generators/generate_preprocessing.py`.
func preprocessingFixture<Value: Decodable>(
    _ name: String, as type: Value.Type = Value.self
) throws -> Value {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../fixtures/preprocessing/\(name)")
    return try JSONDecoder().decode(type, from: Data(contentsOf: url))
}

extension GridSize {
    init(_ shape: [Int]) { self.init(shape[0], shape[1], shape[2]) }
}

/// The same volume in another storage order, one voxel after the other.
func stored(_ volume: Volume, as orientation: Orientation) -> Volume {
    let source = volume.grid
    let axes = orientation.axes.map { source.orientation.storageAxis(ofWorldAxis: $0.worldAxis) }
    let flips = (0..<3).map {
        source.orientation.axes[axes[$0]].isPositive != orientation.axes[$0].isPositive
    }
    let size = GridSize(source.size[axes[0]], source.size[axes[1]], source.size[axes[2]])
    func sourceIndex(_ index: [Int]) -> SIMD3<Int> {
        var result = SIMD3<Int>.zero
        for axis in 0..<3 {
            result[axes[axis]] = flips[axis] ? size[axis] - 1 - index[axis] : index[axis]
        }
        return result
    }
    func world(_ index: [Int]) -> SIMD3<Double> {
        source.affine(SIMD3<Double>(sourceIndex(index)))
    }
    let origin = world([0, 0, 0])
    let affine = Affine(
        columns: [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map { world($0) - origin },
        translation: origin)
    var voxels: [Float] = []
    voxels.reserveCapacity(size.count)
    for k in 0..<size.z {
        for j in 0..<size.y {
            for i in 0..<size.x {
                let at = sourceIndex([i, j, k])
                voxels.append(volume[at.x, at.y, at.z])
            }
        }
    }
    return Volume(grid: Grid(size: size, affine: affine), voxels: voxels)
}

func stored(_ labels: LabelMap, as orientation: Orientation) -> LabelMap {
    let volume = stored(
        Volume(grid: labels.grid, voxels: labels.labels.map(Float.init)), as: orientation)
    return LabelMap(grid: volume.grid, labels: volume.voxels.map { UInt16($0) })
}

/// A small head without any symmetry: nested ellipsoids, air around them, and their labels.
func smallHead(on grid: Grid, noise: Float = 0) -> (scan: Volume, labels: LabelMap) {
    let size = grid.size
    let last = SIMD3(Double(size.x - 1), Double(size.y - 1), Double(size.z - 1))
    let center = grid.affine(last / 2)
    let extent = (grid.affine.linear(last)).length / 2
    var voxels: [Float] = []
    var labels: [UInt16] = []
    var state: UInt32 = 12345
    for k in 0..<size.z {
        for j in 0..<size.y {
            for i in 0..<size.x {
                let p = (grid.affine(SIMD3(Double(i), Double(j), Double(k))) - center) / extent
                state = state &* 1_664_525 &+ 1_013_904_223
                let random = Float(state >> 8) / Float(1 << 24)
                var value = noise * random
                var label: UInt16 = 0
                if (p / SIMD3(0.42, 0.5, 0.35)).length < 1 {
                    label = p.x < 0.02 ? 3 : 42
                    value += 300 + 100 * Float(p.y) + 40 * random
                    let inner = (p - SIMD3(0.12, 0.05, -0.04)) / SIMD3(0.15, 0.2, 0.12)
                    if inner.length < 1 {
                        label = 17
                        value += 250
                    }
                }
                voxels.append(value.rounded())
                labels.append(label)
            }
        }
    }
    return (Volume(grid: grid, voxels: voxels), LabelMap(grid: grid, labels: labels))
}

extension Affine {
    /// Rotated columns: first about x, then about z.
    static func oblique(
        degreesAboutX x: Double, aboutZ z: Double, spacing: SIMD3<Double>,
        translation: SIMD3<Double>
    ) -> Affine {
        let (a, b) = (x * .pi / 180, z * .pi / 180)
        let columns = [
            SIMD3(cos(b), sin(b), 0),
            SIMD3(-cos(a) * sin(b), cos(a) * cos(b), sin(a)),
            SIMD3(sin(a) * sin(b), -sin(a) * cos(b), cos(a)),
        ]
        return Affine(
            columns: (0..<3).map { columns[$0] * spacing[$0] }, translation: translation)
    }
}

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count, "\(a.count) and \(b.count) values")
    return zip(a, b).map { abs($0 - $1) }.max() ?? 0
}

func specification(
    _ orientation: String = "LIA", spacing: SIMD3<Double> = SIMD3(1, 1, 1),
    intensity: IntensityRule = .robustPercentile(lower: 0.5, upper: 99.5), margin: Int = 2
) throws -> ConformSpecification {
    ConformSpecification(
        orientation: try #require(Orientation(orientation)), spacingMillimeters: spacing,
        intensity: intensity, marginVoxels: margin)
}
