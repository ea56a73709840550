import Foundation
import Preprocessing
import Testing
import Volumes

struct ResamplingTests {
    struct Fixture: Decodable {
        struct Case: Decodable {
            var name: String
            var source: [Double]
            var target: [Double]
            var size: [Int]
            var linear: [Float]
            var nearest: [UInt16]
        }
        var shape: [Int]
        var values: [Float]
        var labels: [UInt16]
        var cases: [Case]
    }

    struct Averaging: Decodable {
        var before: [Int]
        var after: [Int]
        var values: [Float]
        var expected: [Float]
    }

    @Test func `linear and nearest sampling agree with scipy`() throws {
        let fixture: Fixture = try preprocessingFixture("resampling.json")
        for example in fixture.cases {
            let source = Grid(
                size: GridSize(fixture.shape), affine: Affine(rowMajor: example.source))
            let target = Grid(
                size: GridSize(example.size), affine: Affine(rowMajor: example.target))
            let volume = resampled(
                Volume(grid: source, voxels: fixture.values), to: target, outside: -1000)
            #expect(volume.grid == target)
            // Values near 100 in single precision, expected ones rounded to four decimals.
            #expect(largestDifference(volume.voxels, example.linear) < 2e-3, "\(example.name)")
            let labels = resampled(
                LabelMap(grid: source, labels: fixture.labels), to: target)
            #expect(labels.labels == example.nearest, "\(example.name)")
        }
    }

    @Test func `cubic sampling agrees with scipy's splines`() throws {
        let fixture: Fixture = try preprocessingFixture("resampling.json")
        let expected: [[Float]] = try preprocessingFixture("cubic.json")
        #expect(expected.count == fixture.cases.count)
        for (example, values) in zip(fixture.cases, expected) {
            let source = Grid(
                size: GridSize(fixture.shape), affine: Affine(rowMajor: example.source))
            let target = Grid(
                size: GridSize(example.size), affine: Affine(rowMajor: example.target))
            let volume = resampled(
                Volume(grid: source, voxels: fixture.values), to: target, outside: -1000,
                interpolation: .cubic)
            // Values near 100 in single precision, and coefficients twice as large.
            #expect(largestDifference(volume.voxels, values) < 4e-3, "\(example.name)")
        }
    }

    @Test func `a smooth scan is truer by cubic than by linear interpolation`() throws {
        func wave(_ point: SIMD3<Double>) -> Float {
            Float(100 + 40 * (sin(point.x / 2) + sin(point.y / 2.5) + sin(point.z / 3)))
        }
        let grid = Grid(
            size: GridSize(20, 20, 20),
            affine: .oblique(
                degreesAboutX: 9, aboutZ: 14, spacing: SIMD3(1, 1, 1), translation: .zero))
        func sampled(_ grid: Grid) -> [Float] {
            (0..<grid.size.count).map { offset in
                let (i, rest) = (offset % grid.size.x, offset / grid.size.x)
                return wave(
                    grid.affine(
                        SIMD3(Double(i), Double(rest % grid.size.y), Double(rest / grid.size.y))))
            }
        }
        let scan = Volume(grid: grid, voxels: sampled(grid))
        let inside = Grid(
            size: GridSize(9, 9, 9),
            affine: Affine(spacing: SIMD3(0.9, 0.9, 0.9), translation: SIMD3(1, 8, 7)))
        let truth = sampled(inside)
        let errors = Interpolation.allCases.map { interpolation in
            largestDifference(
                resampled(scan, to: inside, outside: 0, interpolation: interpolation).voxels,
                truth)
        }
        // Lines err by h²/8 of the second derivative, cubics by the fourth power of h.
        #expect(errors[0] > 1 && errors[0] < 8)
        #expect(errors[1] < errors[0] / 10)
    }

    @Test func `noise is averaged where the model is coarser`() throws {
        // White noise: the variance of a weighted mean is the sum of the squared weights, which is
        // about 2/3 of the ratio of the spacings for a triangle, on each of the three axes.
        let grid = Grid(size: GridSize(90, 90, 90), affine: Affine(spacing: SIMD3(0.3, 0.3, 0.3)))
        var state: UInt32 = 7
        let voxels = (0..<grid.size.count).map { _ -> Float in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(state >> 8) / Float(1 << 24) - 0.5
        }
        let result = resampled(
            Volume(grid: grid, voxels: voxels),
            to: Grid(
                size: GridSize(20, 20, 20),
                affine: Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(3, 3, 3))), outside: 0)
        let variance = result.voxels.map { Double($0) * Double($0) }.reduce(0, +) / 8000
        let expected = pow(2.0 / 3 * 0.3, 3) / 12
        #expect(abs(variance / expected - 1) < 0.15)
    }

    @Test func `reduction averages as torch's antialiased interpolation does`() throws {
        let cases: [Averaging] = try preprocessingFixture("averaging.json")
        for example in cases {
            let (before, after) = (example.before, example.after)
            let source = Grid(size: GridSize(before[0], before[1], 1), affine: .identity)
            let ratio = (0..<2).map { Double(before[$0]) / Double(after[$0]) }
            let target = Grid(
                size: GridSize(after[0], after[1], 1),
                affine: Affine(
                    spacing: SIMD3(ratio[0], ratio[1], 1),
                    translation: SIMD3(ratio[0] / 2 - 0.5, ratio[1] / 2 - 0.5, 0)))
            let volume = resampled(
                Volume(grid: source, voxels: example.values), to: target, outside: 0)
            #expect(largestDifference(volume.voxels, example.expected) < 1e-5, "\(before)")
        }
    }

    @Test(arguments: [
        Affine(spacing: SIMD3(0.4, 0.4, 6), translation: SIMD3(-20, -17, 5)),
        Affine(spacing: SIMD3(-2.5, 1.7, -1.1), translation: SIMD3(30, -17, 5)),
        Affine.oblique(
            degreesAboutX: 15, aboutZ: 25, spacing: SIMD3(1, 1.2, 0.9), translation: .zero),
        Affine.oblique(
            degreesAboutX: -10, aboutZ: 7, spacing: SIMD3(0.4, 0.45, 5), translation: .zero),
    ])
    func `a linear ramp keeps its place in the world`(affine: Affine) throws {
        let size = GridSize(
            Int(40 / affine.spacing.x), Int(36 / affine.spacing.y), Int(44 / affine.spacing.z))
        let grid = Grid(size: size, affine: affine)
        func ramp(_ point: SIMD3<Double>) -> Double { point.dot(SIMD3(2, -3, 5)) + 40 }
        var voxels: [Float] = []
        for k in 0..<size.z {
            for j in 0..<size.y {
                for i in 0..<size.x {
                    voxels.append(
                        Float(ramp(affine(SIMD3(Double(i), Double(j), Double(k))))))
                }
            }
        }
        let conformed = try conform(
            Volume(grid: grid, voxels: voxels),
            to: specification(
                intensity: .window(lower: -1e4, upper: 1e4), margin: 1000))
        let result = conformed.conformedGrid
        #expect(conformed.volume.grid == result)
        let toScan = affine.inverse
        var checked = 0
        for k in 0..<result.size.z {
            for j in 0..<result.size.y {
                for i in 0..<result.size.x {
                    let world = result.affine(SIMD3(Double(i), Double(j), Double(k)))
                    let voxel = toScan(world)
                    // Kernels at the rim are cut off, so only the inside is exact.
                    let isInside = (0..<3).allSatisfy {
                        let rim = max(1, 3 / grid.spacing[$0])
                        return voxel[$0] >= rim && voxel[$0] <= Double(size[$0] - 1) - rim
                    }
                    guard isInside else { continue }
                    checked += 1
                    let value = Double(conformed.volume[i, j, k]) * 2e4 - 1e4
                    // The ramp climbs 6.2 per mm; a sampled triangle's centre is off by 0.01 mm.
                    if abs(value - ramp(world)) > 0.1 {
                        Issue.record("\(value), not \(ramp(world)) at \(world)")
                        return
                    }
                }
            }
        }
        #expect(checked > 2000)
    }

    @Test func `stripes finer than the model's voxels turn grey and do not alias`() throws {
        for affine in [
            Affine(spacing: SIMD3(0.4, 1, 1)),
            .oblique(
                degreesAboutX: 5, aboutZ: 4, spacing: SIMD3(0.4, 1, 1), translation: .zero),
        ] {
            let grid = Grid(size: GridSize(60, 24, 24), affine: affine)
            let voxels = (0..<grid.size.count).map { Float($0 % 60 % 2) * 200 }
            let conformed = try conform(
                Volume(grid: grid, voxels: voxels),
                to: specification(
                    "RAS", intensity: .window(lower: 0, upper: 200), margin: 1000))
            let middle = SIMD3(
                conformed.box.size.x / 2, conformed.box.size.y / 2, conformed.box.size.z / 2)
            for x in middle.x - 4...middle.x + 4 {
                #expect(abs(conformed.volume[x, middle.y, middle.z] - 0.5) < 0.1)
            }
        }
    }

    @Test func `labels of a coarse scan survive a finer model and the way back`() throws {
        let grid = Grid(
            size: GridSize(17, 20, 9),
            affine: Affine(spacing: SIMD3(2.1, 1.7, 4.3), translation: SIMD3(5, -30, 2)))
        let (scan, labels) = smallHead(on: grid)
        let conformed = try conform(scan, to: specification())
        let conformedLabels = conformLabels(labels, like: conformed)
        #expect(conformed.labelsOnScanGrid(conformedLabels) == labels)
    }

    /// A ramp stays a ramp, wherever a run of slices that are read together begins, along any axis.
    @Test(arguments: [70, 64, 5, 1], 0..<3)
    func `a ramp through many slices stays one`(sliceCount: Int, axis: Int) {
        // 6, 8 and many voxels along three axes, of which the second is halved.
        var counts = SIMD3(repeating: 0)
        for (place, count) in [6, 8, sliceCount].enumerated() {
            counts[(axis + 1 + place) % 3] = count
        }
        let (first, halved, long) = ((axis + 1) % 3, (axis + 2) % 3, axis)
        let source = Grid(size: GridSize(counts.x, counts.y, counts.z), affine: .identity)
        let slopes = SIMD3<Double>(1, 10, 100)
        let ramp = (0..<source.size.count).map { (offset: Int) -> Float in
            let (x, y) = (offset % counts.x, offset / counts.x % counts.y)
            let z = offset / counts.x / counts.y
            return Float(x + 10 * y + 100 * z)
        }
        // The first axis is turned about, too.
        var columns: [SIMD3<Double>] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        var translation = SIMD3<Double>.zero
        columns[first] = -columns[first]
        translation[first] = Double(counts[first] - 1)
        columns[halved] *= 2
        translation[halved] = 0.5
        counts[halved] /= 2
        let target = Grid(
            size: GridSize(counts.x, counts.y, counts.z),
            affine: Affine(columns: columns, translation: translation))
        let result = resampled(
            Volume(grid: source, voxels: ramp), to: target, outside: -1)
        for offset in result.voxels.indices {
            let index = SIMD3(
                offset % counts.x, offset / counts.x % counts.y, offset / counts.x / counts.y)
            // Rows at the ends average over an edge.
            guard index[halved] == 1 || index[halved] == 2 else { continue }
            let place = target.affine(SIMD3<Double>(index))
            let expected = Float((place * slopes).sum())
            #expect(abs(result.voxels[offset] - expected) < 1e-2, "\(index) of \(long)")
        }
    }

    @Test func `a grid resampled on itself is unchanged`() {
        let grid = Grid(size: GridSize(5, 6, 7), affine: Affine(spacing: SIMD3(1, 2, 3)))
        let (scan, labels) = smallHead(on: grid)
        #expect(resampled(scan, to: grid, outside: -1).voxels == scan.voxels)
        #expect(resampled(labels, to: grid) == labels)
    }
}
