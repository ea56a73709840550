import Foundation
import Preprocessing
import Testing
import Volumes

/// Labels that come back to the scan's grid by their scores.
struct ClassScoresTests {
    /// A ball of class 1 in class 0: the share of it in each voxel, by the distance of the voxel's
    /// centre from the surface.
    private static func ballScores(
        on grid: Grid, center: SIMD3<Double>, radius: Double, classCount: Int
    ) -> (scores: [UInt16], classes: [UInt8]) {
        var scores: [UInt16] = []
        var classes: [UInt8] = []
        let width = grid.spacing.max()
        forEachVoxel(of: grid) { point in
            let distance = (point - center).length - radius
            let share = min(max(0.5 - distance / width, 0), 1)
            for member in 0..<classCount {
                let score = member == 0 ? 1 - share : member == 1 ? share : 0
                scores.append(Float16(score).bitPattern)
            }
            classes.append(share > 0.5 ? 1 : 0)
        }
        return (scores, classes)
    }

    private static func forEachVoxel(of grid: Grid, _ body: (SIMD3<Double>) -> Void) {
        for k in 0..<grid.size.z {
            for j in 0..<grid.size.y {
                for i in 0..<grid.size.x {
                    body(grid.affine(SIMD3(Double(i), Double(j), Double(k))))
                }
            }
        }
    }

    /// A conformed scan whose model has voxels of 2 mm, with a bright ball in it.
    private static func conformedBall(on grid: Grid, center: SIMD3<Double>) throws -> ConformedScan
    {
        var voxels: [Float] = []
        forEachVoxel(of: grid) { voxels.append(($0 - center).length < 14 ? 100 : 0) }
        return try conform(
            Volume(grid: grid, voxels: voxels),
            to: specification("LIA", spacing: SIMD3(2, 2, 2), margin: 3))
    }

    private static func dice(_ a: [Bool], _ b: [Bool]) -> Double {
        let both = zip(a, b).count { $0 && $1 }
        return 2 * Double(both) / Double(a.count { $0 } + b.count { $0 })
    }

    static let grids = [
        Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(-20.3, -19.1, -20.6)),
        Affine(spacing: SIMD3(-0.7, 0.9, 1.4), translation: SIMD3(18.3, -19.1, -22.6)),
        .oblique(
            degreesAboutX: 17, aboutZ: 24, spacing: SIMD3(1, 0.8, 1.2),
            translation: SIMD3(-8, -24, -26)),
    ]

    /// A grid of 42 x 42 x 44 mm.
    private static func grid(_ affine: Affine) -> Grid {
        let spacing = affine.spacing
        return Grid(
            size: GridSize(Int(42 / spacing.x), Int(42 / spacing.y), Int(44 / spacing.z)),
            affine: affine)
    }

    @Test(arguments: grids, [2, 5, 8, 28])
    func `a ball's border is truer by scores than by the nearest label`(
        affine: Affine, classCount: Int
    ) throws {
        let grid = Self.grid(affine)
        let center = SIMD3(0.37, -0.21, 0.55)
        let radius = 9.3
        let conformed = try Self.conformedBall(on: grid, center: center)
        #expect(!conformed.isExact)
        let box = conformed.conformedGrid.cropped(to: conformed.box)
        let (scores, classes) = Self.ballScores(
            on: box, center: center, radius: radius, classCount: classCount)
        let byScores = [1, 3].map { threads in
            scores.withUnsafeBufferPointer {
                conformed.classesOnScanGrid(
                    ClassScores(
                        scores: $0, classes: classes, classCount: classCount,
                        size: conformed.box.size, threadCount: threads))
            }
        }
        #expect(byScores[0] == byScores[1], "threads change nothing")
        let nearest = conformed.labelsOnScanGrid(
            LabelMap(grid: conformed.volume.grid, labels: classes.map(UInt16.init)))
        var truth: [Bool] = []
        Self.forEachVoxel(of: grid) { truth.append(($0 - center).length < radius) }
        let diceByScores = Self.dice(byScores[0].map { $0 == 1 }, truth)
        let diceByNearest = Self.dice(nearest.labels.map { $0 == 1 }, truth)
        #expect(diceByScores > 0.975, "\(diceByScores)")
        #expect(1 - diceByScores < 0.6 * (1 - diceByNearest), "\(diceByScores) \(diceByNearest)")
        // 4/3 π r³. Chords of h = 2 mm lie inside the surface: on average by h²/12 of its mean
        // curvature 1/r on each axis, 0.07 mm, which is 2.3 % of the volume.
        let volume = Double(byScores[0].count { $0 == 1 }) * grid.voxelVolumeCubicMillimeters
        #expect(abs(volume / (4 / 3 * .pi * pow(radius, 3)) - 1) < 0.035)
        #expect(Set(byScores[0]) == [0, 1])
    }

    @Test func `probabilities add up to certainty, and outside the box to background`() throws {
        let grid = Grid(size: GridSize(40, 42, 41), affine: Self.grids[0])
        let conformed = try Self.conformedBall(on: grid, center: .zero)
        let box = conformed.conformedGrid.cropped(to: conformed.box)
        let (scores, classes) = Self.ballScores(on: box, center: .zero, radius: 9, classCount: 3)
        let (parts, labels) = scores.withUnsafeBufferPointer { buffer in
            let scores = ClassScores(
                scores: buffer, classes: classes, classCount: 3, size: conformed.box.size,
                threadCount: 2)
            return (
                conformed.probabilities(ofClasses: 0..<1, scores, onScanGrid: true, scale: 65535)
                    + conformed.probabilities(
                        ofClasses: 1..<3, scores, onScanGrid: true, scale: 65535),
                conformed.classesOnScanGrid(scores)
            )
        }
        #expect(parts.map(\.count) == [grid.size.count, grid.size.count, grid.size.count])
        for index in labels.indices {
            let sum = parts.reduce(0) { $0 + Int($1[index]) }
            guard abs(sum - 65535) <= 2 else {
                Issue.record("\(sum) at \(index)")
                return
            }
            // The likeliest class is the label, apart from ties.
            let difference = Int(parts[1][index]) - Int(parts[0][index])
            if abs(difference) > 100 { #expect((difference > 0) == (labels[index] == 1)) }
        }
        #expect(parts[0][0] == 65535 && parts[1][0] == 0)
        // On the model's own grid nothing is interpolated: the scores themselves, to a half.
        let own = scores.withUnsafeBufferPointer {
            conformed.probabilities(
                ofClasses: 1..<2,
                ClassScores(
                    scores: $0, classes: classes, classCount: 3, size: conformed.box.size,
                    threadCount: 1), onScanGrid: false, scale: 65535)[0]
        }
        for index in own.indices {
            let score = Float(Float16(bitPattern: scores[3 * index + 1]))
            guard abs(Float(own[index]) - 65535 * score) < 40 else {
                Issue.record("\(own[index]) for a score of \(score)")
                return
            }
        }
    }

    @Test(arguments: grids, [2, 28])
    func `voxels where background is certain need no scores`(
        affine: Affine, classCount: Int
    ) throws {
        let grid = Self.grid(affine)
        let conformed = try Self.conformedBall(on: grid, center: .zero)
        let size = conformed.box.size
        let (scores, classes) = Self.ballScores(
            on: conformed.conformedGrid.cropped(to: conformed.box), center: .zero, radius: 9,
            classCount: classCount)
        let certain = Float16(1).bitPattern
        var places: [Int32] = []
        var kept: [UInt16] = []
        for voxel in 0..<size.count {
            let own = scores[voxel * classCount..<(voxel + 1) * classCount]
            places.append(own.first == certain ? -1 : Int32(kept.count / classCount))
            if own.first != certain { kept += own }
        }
        #expect(kept.count < scores.count / 2)
        func results(_ scores: [UInt16], _ places: [Int32]?) -> ([UInt8], [[UInt16]], [Double?]) {
            scores.withUnsafeBufferPointer { buffer in
                let scores = ClassScores(
                    scores: buffer, places: places, classes: classes, classCount: classCount,
                    size: size, threadCount: 2)
                return (
                    conformed.classesOnScanGrid(scores),
                    conformed.probabilities(
                        ofClasses: 0..<2, scores, onScanGrid: true, scale: 65535),
                    scores.meanProbabilities()
                )
            }
        }
        let (labels, parts, means) = results(kept, places)
        let (allLabels, allParts, allMeans) = results(scores, nil)
        // Sums in another order: a tie may fall to the other side.
        let differing = zip(labels, allLabels).count { $0 != $1 }
        #expect(differing <= labels.count / 10_000, "\(differing)")
        for (part, whole) in zip(parts, allParts) {
            let largest = zip(part, whole).map { abs(Int($0) - Int($1)) }.max() ?? 0
            #expect(largest <= 1)
        }
        #expect(means == allMeans)
    }
}
