import Foundation
import Preprocessing
import Testing
import Volumes

/// A head that every grid can show: a brain in the middle, a dark gap and a bright scalp around.
private struct Head {
    var center = SIMD3(3.0, -4, 5)
    var radii = SIMD3(30.0, 38, 27)

    /// The brain's level set: below 1 inside.
    func level(_ point: SIMD3<Double>) -> Double { ((point - center) / radii).length }

    /// The probability of brain, falling from 1 to 0 over 4 mm around its border.
    func probability(_ point: SIMD3<Double>) -> Float {
        Float(min(max(0.5 - (level(point) - 1) * radii.min() / 4, 0), 1))
    }

    func intensity(_ point: SIMD3<Double>) -> Float {
        let level = level(point)
        // Brain of 200 to 600 by place, scalp of 2000, air of 0.
        if level <= 1 { return Float(400 + 200 * (point.y - center.y) / radii.y) }
        return (1.2...1.4).contains(level) ? 2000 : 0
    }

    func volume(on grid: Grid, _ value: (SIMD3<Double>) -> Float) -> Volume {
        var voxels: [Float] = []
        voxels.reserveCapacity(grid.size.count)
        for k in 0..<grid.size.z {
            for j in 0..<grid.size.y {
                for i in 0..<grid.size.x {
                    voxels.append(value(grid.affine(SIMD3(Double(i), Double(j), Double(k)))))
                }
            }
        }
        return Volume(grid: grid, voxels: voxels)
    }

    /// A grid of the world's axes over the whole head.
    static func grid(_ spacing: Double) -> Grid {
        let count = Int(120 / spacing)
        return Grid(
            size: GridSize(count, count, count),
            affine: Affine(
                spacing: SIMD3(repeating: spacing), translation: SIMD3(-57, -64, -55)))
    }

    var mask: BrainMask { BrainMask(probability: volume(on: Self.grid(2), probability)) }
}

struct BrainMaskTests {
    @Test(arguments: [0.8, 1, 3])
    func `a mask of 2 mm gives an ellipsoid on finer, coarser and oblique grids`(spacing: Double) {
        let head = Head()
        let volume = 4 / 3 * Double.pi * head.radii.x * head.radii.y * head.radii.z
        #expect(abs(head.mask.volumeCubicMillimeters / volume - 1) < 0.01)
        let straight = Head.grid(spacing)
        let turned = Affine.oblique(
            degreesAboutX: 20, aboutZ: -35, spacing: SIMD3(repeating: spacing),
            translation: .zero)
        let middle = SIMD3<Double>(repeating: Double(straight.size.x - 1) / 2)
        var translation = head.center
        translation -= turned(middle)
        let oblique = Grid(
            size: straight.size,
            affine: Affine(columns: (0..<3).map(turned.column), translation: translation))
        for grid in [straight, oblique] {
            let found = head.mask.labels(on: grid).labels
            let expected = head.volume(on: grid) { head.level($0) <= 1 ? 1 : 0 }.voxels
            var (both, sum) = (0, 0)
            for index in found.indices {
                both += found[index] == 1 && expected[index] == 1 ? 1 : 0
                sum += Int(found[index]) + Int(expected[index])
            }
            #expect(2 * Double(both) / Double(sum) > 0.985)
        }
    }

    @Test func `the box is that of the voxels in the mask`() {
        let head = Head()
        for spacing in [0.9, 2, 3.1] {
            let grid = Head.grid(spacing)
            let box = head.mask.box(on: grid)
            #expect(box == head.mask.mask(on: grid).boundingBox)
        }
        // A grid beside the head.
        let elsewhere = Grid(
            size: GridSize(10, 10, 10),
            affine: Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(200, 0, 0)))
        #expect(head.mask.box(on: elsewhere) == nil)
    }

    @Test func `the mask of a label map closes its gaps and holes`() {
        let head = Head()
        let grid = Head.grid(1)
        // Two halves with a gap of 2 mm, and a hole in one.
        let labels = LabelMap(
            grid: grid,
            labels: head.volume(on: grid) { point in
                let isHole = (point - head.center - SIMD3(12, 0, 0)).length < 6
                if head.level(point) > 1 || abs(point.x - head.center.x) < 1 || isHole { return 0 }
                return point.x < head.center.x ? 3 : 42
            }.voxels.map { UInt16($0) })
        let found = BrainMask(of: labels).labels(on: grid).labels
        let whole = head.volume(on: grid) { head.level($0) <= 1 ? 1 : 0 }.voxels
        #expect(zip(found, whole).count { Float($0) != $1 } < whole.count { $0 == 1 } / 200)
        #expect(found[grid.size.offset(60, 60, 60)] == 1)
    }

    @Test(arguments: [1.0, 1.5])
    func `only the brain and a margin is seen, by percentiles of the brain alone`(
        spacing: Double
    ) throws {
        let head = Head()
        let scan = head.volume(on: Head.grid(1), head.intensity)
        var model = try specification(
            "LIA", spacing: SIMD3(repeating: spacing),
            intensity: .percentile(lower: 0.5, upper: 99.5), margin: 4)
        model.interpolation = .linear
        let conformed = try conform(
            scan, to: model, within: BrainRegion(mask: head.mask, dilationMillimeters: 3))
        let grid = conformed.volume.grid
        let brain = try #require(head.mask.box(on: conformed.conformedGrid))
        #expect(conformed.box == brain.expanded(by: 4, within: conformed.conformedGrid.size))
        // Inside, intensities of a linear ramp are known; of an ellipsoid along it, the part below
        // t is (3/4) (t - t^3/3 + 2/3).
        func quantile(_ part: Double) -> Double {
            var (low, high) = (-1.0, 1.0)
            for _ in 0..<60 {
                let t = (low + high) / 2
                if 0.75 * (t - t * t * t / 3 + 2.0 / 3) < part { low = t } else { high = t }
            }
            return 400 + 200 * low
        }
        let (lower, upper) = (quantile(0.005), quantile(0.995))
        var largest = 0.0
        for k in 0..<grid.size.z {
            for j in 0..<grid.size.y {
                for i in 0..<grid.size.x {
                    let point = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                    let distance = (head.level(point) - 1) * head.radii.min()
                    let value = Double(conformed.volume[i, j, k])
                    if distance > 3 * head.radii.max() / head.radii.min() + spacing {
                        #expect(value == 0)
                    }
                    if distance < -3 {
                        let expected = min(
                            max((Double(head.intensity(point)) - lower) / (upper - lower), 0), 1)
                        largest = max(largest, abs(value - expected))
                    }
                }
            }
        }
        #expect(largest < 0.02)
    }

    @Test(
        arguments: [
            IntensityRule.robustPercentile(lower: 0.5, upper: 99.5), .zScoreInForeground,
            .percentile(lower: 0.5, upper: 99.5), .minMax,
        ])
    func `a head within its mask is the brain that was stripped by the same mask`(
        rule: IntensityRule
    ) throws {
        let head = Head()
        let grid = Head.grid(1)
        let scan = head.volume(on: grid, head.intensity)
        let region = BrainRegion(mask: head.mask, dilationMillimeters: 0)
        let inside = head.mask.labels(on: grid).labels
        var stripped = scan
        for index in inside.indices where inside[index] == 0 { stripped.voxels[index] = 0 }
        let model = try specification("LIA", intensity: rule, margin: 3)
        let whole = try conform(scan, to: model, within: region)
        let brain = try conform(stripped, to: model, within: region)
        #expect(whole.box == brain.box)
        #expect(largestDifference(whole.volume.voxels, brain.volume.voxels) < 2e-3)
    }

    @Test func `labels go back to the scan's own grid from the brain's box`() throws {
        let head = Head()
        for spacing in [1, 1.3] {
            let grid = Head.grid(spacing)
            let scan = head.volume(on: grid, head.intensity)
            let conformed = try conform(
                scan, to: specification("LIA", intensity: .percentile(lower: 1, upper: 99)),
                within: BrainRegion(mask: head.mask, dilationMillimeters: 2))
            let truth = LabelMap(
                grid: grid,
                labels: head.volume(on: grid) { head.level($0) <= 0.9 ? 7 : 0 }.voxels.map {
                    UInt16($0)
                })
            let back = conformed.labelsOnScanGrid(conformLabels(truth, like: conformed))
            let wrong = zip(back.labels, truth.labels).count { $0 != $1 }
            #expect(wrong <= (spacing == 1 ? 0 : truth.labels.count { $0 > 0 } / 20))
        }
    }

    @Test func `a scan that the mask does not meet is refused`() throws {
        var head = Head()
        let scan = head.volume(on: Head.grid(2), head.intensity)
        head.center = SIMD3(400, 0, 0)
        let model = try specification()
        #expect(throws: PreprocessingError.noBrain) {
            try conform(
                scan, to: model, within: BrainRegion(mask: head.mask, dilationMillimeters: 0))
        }
    }
}
