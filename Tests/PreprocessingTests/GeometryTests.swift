import Foundation
import Preprocessing
import Testing
import Volumes

/// A head that knows what it is at every place in the world, whatever grid it is stored on.
private struct WorldHead {
    /// Half the head's length from left to right, in mm.
    var radius: Double
    var center = SIMD3(3.0, -5.0, 7.0)
    /// The world's axes as the head sees them.
    var axes = [SIMD3(1.0, 0, 0), SIMD3(0, 1.0, 0), SIMD3(0, 0, 1.0)]

    /// Background, and the two sides and the core of the head.
    static let labels: [UInt16] = [0, 3, 42, 17]

    /// The probabilities of the labels, softened over a width in mm around each border.
    func probabilities(at point: SIMD3<Double>, width: Double) -> SIMD4<Double> {
        let offset = point - center
        let p = SIMD3(offset.dot(axes[0]), offset.dot(axes[1]), offset.dot(axes[2]))
        func share(_ distance: Double) -> Double { min(max(0.5 - distance / width, 0), 1) }
        func distance(_ p: SIMD3<Double>, _ radii: SIMD3<Double>) -> Double {
            ((p / radii).length - 1) * radii.min()
        }
        let head = share(distance(p, SIMD3(1, 1.2, 0.85) * radius))
        let core = share(
            distance(p - SIMD3(0.25, 0.1, -0.1) * radius, SIMD3(0.4, 0.45, 0.35) * radius))
        let side = share(p.x - 0.05 * radius)
        return SIMD4(
            1 - head, head * (1 - core) * side, head * (1 - core) * (1 - side), head * core)
    }

    func label(at point: SIMD3<Double>) -> Int {
        Self.likeliest(probabilities(at: point, width: 1e-6))
    }

    static func likeliest(_ probabilities: SIMD4<Double>) -> Int {
        var best = 0
        for member in 1..<4 where probabilities[member] > probabilities[best] { best = member }
        return best
    }

    func scan(on grid: Grid) -> (scan: Volume, truth: [Int]) {
        let intensities: [Float] = [0, 300, 420, 700]
        let truth = points(of: grid).map(label(at:))
        return (Volume(grid: grid, voxels: truth.map { intensities[$0] }), truth)
    }
}

private func points(of grid: Grid) -> [SIMD3<Double>] {
    (0..<grid.size.count).map { offset in
        let rest = offset / grid.size.x
        return grid.affine(
            SIMD3(
                Double(offset % grid.size.x), Double(rest % grid.size.y),
                Double(rest / grid.size.y)))
    }
}

/// A grid with some spacing and directions that holds a ball around a place.
private func grid(
    _ columns: [SIMD3<Double>], around center: SIMD3<Double>, radius: Double
) -> Grid {
    let sizes = columns.map { max(2, Int((2 * radius / $0.length).rounded(.up))) }
    let affine = Affine(columns: columns, translation: .zero)
    let middle = affine(
        SIMD3(Double(sizes[0] - 1), Double(sizes[1] - 1), Double(sizes[2] - 1)) / 2)
    return Grid(
        size: GridSize(sizes[0], sizes[1], sizes[2]),
        affine: Affine(columns: columns, translation: center - middle))
}

/// Takes a head through conform, a network that knows the truth, and the way back.
private func checkRoundTrip(
    of head: WorldHead, on grid: Grid, dice least: Double, modelOrientation: String = "LIA",
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let (scan, truth) = head.scan(on: grid)
    let conformed = try conform(scan, to: specification(modelOrientation))
    let box = conformed.conformedGrid.cropped(to: conformed.box)
    var scores: [UInt16] = []
    var classes: [UInt8] = []
    for point in points(of: box) {
        let all = head.probabilities(at: point, width: 1)
        for member in 0..<4 { scores.append(Float16(all[member]).bitPattern) }
        classes.append(UInt8(WorldHead.likeliest(all)))
    }
    let restored =
        conformed.isExact
        ? conformed.labelsOnScanGrid(LabelMap(grid: box, labels: classes.map(UInt16.init))).labels
            .map(Int.init)
        : scores.withUnsafeBufferPointer {
            conformed.classesOnScanGrid(
                ClassScores(
                    scores: $0, classes: classes, classCount: 4, size: box.size, threadCount: 2))
        }.map(Int.init)
    let places = points(of: grid)
    for member in 1...3 {
        var (both, sum) = (0, 0)
        var centroids = [SIMD3<Double>.zero, .zero]
        var counts = [0.0, 0.0]
        for index in truth.indices {
            let (a, b) = (restored[index] == member, truth[index] == member)
            both += a && b ? 1 : 0
            sum += (a ? 1 : 0) + (b ? 1 : 0)
            for (number, isMember) in [a, b].enumerated() where isMember {
                centroids[number] += places[index]
                counts[number] += 1
            }
        }
        let dice = 2 * Double(both) / Double(sum)
        #expect(
            dice >= least, "class \(member): Dice \(dice), \(grid.spacing)",
            sourceLocation: sourceLocation)
        let distance = (centroids[0] / counts[0] - centroids[1] / counts[1]).length
        #expect(
            distance <= 0.2 * max(1, grid.spacing.max()),
            "class \(member): \(distance) mm, \(grid.spacing)", sourceLocation: sourceLocation)
    }
}

struct GeometryTests {
    @Test(arguments: [SIMD3(1, 1, 1), SIMD3(1.2, 0.9, 2)])
    func `a head in 48 orders of storage comes back where it was`(spacing: SIMD3<Double>) throws {
        let head = WorldHead(radius: 10)
        for orientation in Orientation.allCases {
            let columns = (0..<3).map { axis in
                var column = SIMD3<Double>.zero
                let direction = orientation.axes[axis]
                column[direction.worldAxis] =
                    (direction.isPositive ? 1 : -1) * spacing[direction.worldAxis]
                return column
            }
            try checkRoundTrip(
                of: head, on: grid(columns, around: head.center, radius: 14),
                // Where three labels meet, softened borders are not quite the sharp ones.
                dice: spacing.x == 1 ? 0.98 : 0.95)
        }
    }

    /// From very fine to very thick, with a head as large as the test can afford.
    @Test(
        arguments: [
            (SIMD3(0.3, 0.3, 0.3), 9, 0.97), (SIMD3(0.4, 0.4, 6), 30, 0.95),
            (SIMD3(0.5, 4, 0.5), 20, 0.95), (SIMD3(2, 2, 2), 26, 0.96),
            (SIMD3(5, 5, 5), 45, 0.95), (SIMD3(1, 1, 12), 24, 0.93),
        ] as [(SIMD3<Double>, Double, Double)])
    func `fine, coarse and anisotropic scans come back where they were`(
        spacing: SIMD3<Double>, radius: Double, least: Double
    ) throws {
        let head = WorldHead(radius: radius)
        let columns = [
            SIMD3(-spacing.x, 0, 0), SIMD3(0, spacing.y, 0), SIMD3(0, 0, spacing.z),
        ]
        try checkRoundTrip(
            of: head, on: grid(columns, around: head.center, radius: 1.3 * radius), dice: least)
    }

    @Test(arguments: 0..<8)
    func `a head and a scanner at random come back where they were`(seed: Int) throws {
        var state = UInt32(seed &* 7919 &+ 13)
        func random(_ range: ClosedRange<Double>) -> Double {
            state = state &* 1_664_525 &+ 1_013_904_223
            return range.lowerBound
                + (range.upperBound - range.lowerBound) * Double(state >> 8) / Double(1 << 24)
        }
        // Two rotations of any angle, one of the head and one of the scanner, and a shear.
        func rotation() -> [SIMD3<Double>] {
            let affine = Affine.oblique(
                degreesAboutX: random(-180...180), aboutZ: random(-180...180),
                spacing: SIMD3(1, 1, 1), translation: .zero)
            return (0..<3).map(affine.column)
        }
        var head = WorldHead(
            radius: 15, center: SIMD3(random(-99...99), random(-99...99), random(-99...99)))
        head.axes = rotation()
        var columns = rotation().map { $0 * random(0.7...1.8) }
        if seed % 2 == 1 { columns[0] = -columns[0] }
        if seed % 4 >= 2 { columns[1] += columns[0] * random(-0.15...0.15) }
        try checkRoundTrip(
            of: head, on: grid(columns, around: head.center, radius: 21), dice: 0.95,
            modelOrientation: seed % 3 == 0 ? "RAS" : "LIA")
    }

    @Test func `directions that are not quite at right angles are accepted`() throws {
        let head = WorldHead(radius: 14)
        // As headers have them that were rounded to three digits.
        let columns = [
            SIMD3(0.996, 0.087, 0.001), SIMD3(-0.086, 0.995, 0.017), SIMD3(0.002, -0.018, 1.001),
        ]
        try checkRoundTrip(
            of: head, on: grid(columns, around: head.center, radius: 19), dice: 0.96)
    }
}
