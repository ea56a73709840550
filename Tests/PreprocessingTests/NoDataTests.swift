import Foundation
import Preprocessing
import Testing
import Volumes

struct NoDataTests {
    static let grid = Grid(size: GridSize(60, 64, 52), affine: .identity)
    static let rules: [IntensityRule] = [
        .minMax, .robustPercentile(lower: 0.5, upper: 99.5), .zScoreInForeground,
        .percentile(lower: 0.5, upper: 99.5),
    ]

    /// A stripped head (0 around it) with tones from a tenth of the largest on, as those of MALC, and
    /// the voxels of its brain.
    static let stripped: (scan: [Float], brain: [Bool]) = {
        let head = smallHead(on: grid, noise: 15)
        let brain = head.labels.labels.map { $0 > 0 }
        let scan = zip(head.scan.voxels, brain).map { value, isBrain in
            isBrain ? 40 + (value - 250) * 0.8 : 0
        }
        return (scan, brain)
    }()

    private func conformed(
        _ voxels: [Float], _ rule: IntensityRule, grid: Grid = Self.grid,
        spacing: SIMD3<Double> = SIMD3(1, 1, 1)
    ) throws -> ConformedScan {
        try conform(
            Volume(grid: grid, voxels: voxels),
            to: specification("RAS", spacing: spacing, intensity: rule, margin: 3))
    }

    private func filled(_ value: Float) -> [Float] {
        zip(Self.stripped.scan, Self.stripped.brain).map { $1 ? $0 : value }
    }

    @Test(arguments: [0, -1000, 150, 1e6, .nan, .infinity])
    func `the value around a stripped brain is found wherever it lies`(value: Float) {
        let found = NoDataValues(of: filled(value), size: Self.grid.size)
        #expect(found.values == (value.isFinite ? [value] : []))
        for (voxel, isBrain) in zip(filled(value), Self.stripped.brain) where isBrain {
            if voxel != value { #expect(!found.contains(voxel)) }
        }
        #expect(found.contains(value) && found.contains(.nan) && found.contains(-.infinity))
    }

    @Test func `a tenth of the voxels and of the faces is what counts`() {
        let size = GridSize(10, 10, 10)
        // Each voxel has a value of its own but for some.
        func values(repeated: (Int) -> Bool) -> [Float] {
            NoDataValues(
                of: (0..<1000).map { repeated($0) ? -5 : Float($0) }, size: size
            ).values
        }
        #expect(values { $0 < 100 } == [-5])
        // 99 voxels of 1000 are not a tenth.
        #expect(values { $0 < 99 } == [])
        // A block inside, however large, is not connected with the border.
        #expect(
            values { index in
                [index % 10, index / 10 % 10, index / 100].allSatisfy { (1...8).contains($0) }
            } == [])
    }

    @Test func `air inside of padding is found, tissue of one tone is not`() {
        let size = GridSize(40, 40, 40)
        func scan(_ inner: (Int, Int) -> Float) -> [Float] {
            (0..<size.count).map { index in
                let place = SIMD3(index % 40, index / 40 % 40, index / 1600)
                guard (0..<3).allSatisfy({ (5..<35).contains(place[$0]) }) else { return -1000 }
                let offset = place &- SIMD3(repeating: 20)
                return inner(offset.x * offset.x + offset.y * offset.y + offset.z * offset.z, index)
            }
        }
        // A ball of many tones in air at 0.
        let head = scan { $0 < 150 ? Float(100 + $1 % 97) : 0 }
        #expect(NoDataValues(of: head, size: size).values == [-1000, 0])
        // A ball of one tone: without it nothing would remain.
        let ball = scan { radius, _ in radius < 150 ? 100 : 0 }
        #expect(NoDataValues(of: ball, size: size).values == [-1000])
    }

    @Test func `percentiles of measured voxels become 0 and 1 as in numpy`() throws {
        // 1...1000 in a block of 2000 voxels at 0: numpy's percentiles 2 and 98 of 1...1000 are
        // 20.98 and 980.02.
        let grid = Grid(size: GridSize(20, 10, 10), affine: .identity)
        let scan = (0..<2000).map { index in
            let x = index % 20
            return x < 10 ? Float(1 + x + index / 20 * 10) : 0
        }
        let result = try conformed(scan, .percentile(lower: 2, upper: 98), grid: grid)
        #expect(result.box == VoxelBox(all: grid.size))
        for (index, voxel) in result.volume.voxels.enumerated() {
            let (x, row) = (index % 20, index / 20)
            let value = x < 10 ? Double(1 + x + row * 10) : 0
            let expected = x < 10 ? min(max((value - 20.98) / (980.02 - 20.98), 0), 1) : 0
            #expect(abs(Double(voxel) - expected) < 1e-6)
        }
    }

    @Test(arguments: rules, [SIMD3(1, 1, 1), SIMD3(1.6, 1.6, 1.6)])
    func `no affine change of a stripped scan's intensities is seen`(
        rule: IntensityRule, spacing: SIMD3<Double>
    ) throws {
        let expected = try conformed(Self.stripped.scan, rule, spacing: spacing)
        for (factor, shift) in [(3, 0), (1, 500), (0.01, -7), (40, -9000)] as [(Float, Float)] {
            let other = try conformed(
                Self.stripped.scan.map { $0 * factor + shift }, rule, spacing: spacing)
            try #require(other.box == expected.box)
            #expect(
                largestDifference(other.volume.voxels, expected.volume.voxels) < 2e-4,
                "times \(factor) plus \(shift)")
        }
    }

    @Test(arguments: rules, [0, -1000, 150, .nan] as [Float])
    func `what stands for nothing is not seen`(rule: IntensityRule, value: Float) throws {
        let expected = try conformed(Self.stripped.scan, rule)
        let other = try conformed(filled(value), rule)
        try #require(other.box == expected.box)
        // The zero of a scan is not known where nothing lies there: tissue may move a little under
        // rules that ask for it, by less than 2 of 100 (and 0.3 standard deviations).
        let tolerance: Float
        switch rule {
        case .zScoreInForeground: tolerance = 1
        case .minMax: tolerance = 0.12
        default: tolerance = 1e-5
        }
        #expect(largestDifference(other.volume.voxels, expected.volume.voxels) < tolerance)
    }

    @Test(arguments: rules)
    func `a scan of z-scores in a mask, 0 or NaN around it, is as the scan itself`(
        rule: IntensityRule
    ) throws {
        let expected = try conformed(Self.stripped.scan, rule)
        let tissue = zip(Self.stripped.scan, Self.stripped.brain).compactMap { $1 ? $0 : nil }
        let mean = tissue.reduce(0, +) / Float(tissue.count)
        let deviation =
            (tissue.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(tissue.count))
            .squareRoot()
        for nothing in [0, Float.nan] {
            let scores = zip(Self.stripped.scan, Self.stripped.brain).map {
                $1 ? ($0 - mean) / deviation : nothing
            }
            let other = try conformed(scores, rule)
            try #require(other.box == expected.box)
            let tolerance: Float = rule == .zScoreInForeground ? 1 : rule == .minMax ? 0.12 : 1e-4
            #expect(largestDifference(other.volume.voxels, expected.volume.voxels) < tolerance)
        }
    }

    @Test(arguments: rules)
    func `padding of -1000 around a head in air is not seen`(rule: IntensityRule) throws {
        // Air of exactly 0, as many scanners write it, and air with noise.
        for noise in [0, 15] as [Float] {
            let head = smallHead(on: Self.grid, noise: noise).scan.voxels
            let expected = try conformed(head, rule)
            let margin = 8
            let size = GridSize(60 + 2 * margin, 64 + 2 * margin, 52 + 2 * margin)
            var padded = [Float](repeating: -1000, count: size.count)
            for z in 0..<52 {
                for y in 0..<64 {
                    for x in 0..<60 {
                        padded[size.offset(x + margin, y + margin, z + margin)] =
                            head[Self.grid.size.offset(x, y, z)]
                    }
                }
            }
            let other = try conformed(padded, rule, grid: Grid(size: size, affine: .identity))
            // The boxes may differ by margins cut off at the border.
            var largest: Float = 0
            for z in 8..<44 {
                for y in 8..<56 {
                    for x in 8..<52 {
                        let place = SIMD3(x, y, z)
                        let a = place &- expected.box.lower
                        let b = place &+ SIMD3(repeating: margin) &- other.box.lower
                        let difference =
                            expected.volume[a.x, a.y, a.z] - other.volume[b.x, b.y, b.z]
                        largest = max(largest, abs(difference))
                    }
                }
            }
            #expect(largest < 1e-4, "noise \(noise)")
        }
    }
}
