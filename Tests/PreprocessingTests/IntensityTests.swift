import Foundation
import Preprocessing
import Testing
import Volumes

struct IntensityTests {
    struct Percentiles: Decodable {
        struct Case: Decodable {
            var name: String
            var values: [Float]
            var expected: [Double]
        }
        var percentages: [Double]
        var cases: [Case]
    }

    struct Intensities: Decodable {
        struct Case: Decodable {
            var name: String
            var values: [Float]
            var threshold: Float
            var minMax: [Float]
            var robustPercentile: [Float]
            var zScore: [Float]
            var window: [Float]

            enum CodingKeys: String, CodingKey {
                case name, values, threshold, window
                case minMax = "min-max"
                case robustPercentile = "robust-percentile"
                case zScore = "z-score-in-foreground"
            }
        }
        var shape: [Int]
        var percentages: [Double]
        var window: [Double]
        var cases: [Case]
    }

    static let rules: [IntensityRule] = [
        .minMax, .robustPercentile(lower: 0.5, upper: 99.5), .zScoreInForeground,
        .window(lower: -1000, upper: 500), .percentile(lower: 0.5, upper: 99.5),
    ]

    static let factors: [Float] = [1000, 1.0 / 400, 1e-30, 1e25]

    static let grid = Grid(
        size: GridSize(40, 44, 36),
        affine: Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(-20, -20, -20)))

    private func conformed(
        _ voxels: [Float], _ rule: IntensityRule, margin: Int = 2
    ) throws -> ConformedScan {
        try conform(
            Volume(grid: Self.grid, voxels: voxels),
            to: specification("RAS", intensity: rule, margin: margin))
    }

    @Test func `percentiles agree with numpy`() throws {
        let fixture: Percentiles = try preprocessingFixture("percentiles.json")
        for example in fixture.cases {
            let histogram = IntensityHistogram(of: example.values)
            #expect(histogram.count == example.values.count)
            let found = histogram.percentiles(fixture.percentages, in: example.values)
            for (value, expected) in zip(found, example.expected) {
                #expect(abs(value - expected) <= 1e-12 * abs(expected), "\(example.name)")
            }
        }
    }

    @Test func `order statistics agree with sorting, above a threshold too`() {
        let values = (0..<5000).map { Float(sin(Double($0) * 1.7) * 1e3).rounded() / 8 }
        for threshold in [-Float.infinity, -20, 0, 100] {
            let sorted = values.filter { $0 > threshold }.sorted()
            let histogram = IntensityHistogram(of: values, above: threshold)
            let ranks = [0, 1, sorted.count / 3, sorted.count / 2, sorted.count - 1]
            #expect(histogram.count == sorted.count)
            #expect(histogram.values(atRanks: ranks, in: values) == ranks.map { sorted[$0] })
        }
    }

    @Test func `each rule agrees with numpy`() throws {
        let fixture: Intensities = try preprocessingFixture("intensities.json")
        let grid = Grid(size: GridSize(fixture.shape), affine: .identity)
        for example in fixture.cases {
            let scan = Volume(grid: grid, voxels: example.values)
            let expectations: [(IntensityRule, [Float])] = [
                (.minMax, example.minMax),
                (
                    .robustPercentile(
                        lower: fixture.percentages[0], upper: fixture.percentages[1]),
                    example.robustPercentile
                ),
                (.zScoreInForeground, example.zScore),
                (.window(lower: fixture.window[0], upper: fixture.window[1]), example.window),
            ]
            for (rule, expected) in expectations {
                let result = try conform(
                    scan, to: specification("RAS", intensity: rule, margin: 100))
                #expect(
                    largestDifference(result.volume.voxels, expected) < 1e-5,
                    "\(example.name), \(rule.name)")
            }
            let foreground = Foreground(
                of: example.values, minimum: example.values.min() ?? 0,
                maximum: example.values.max() ?? 0)
            #expect(foreground.threshold == example.threshold)
        }
    }

    @Test(arguments: [rules[0], rules[1], rules[2], rules[4]], factors)
    func `a scan multiplied by a number gives the same intensities`(
        rule: IntensityRule, factor: Float
    ) throws {
        let scan = smallHead(on: Self.grid, noise: 15).scan.voxels
        let expected = try conformed(scan, rule)
        let scaled = try conformed(scan.map { $0 * factor }, rule)
        #expect(scaled.box == expected.box)
        #expect(largestDifference(scaled.volume.voxels, expected.volume.voxels) < 1e-4)
    }

    /// What a scan of 12 bits becomes in other files: as it is, in other units, and negative.
    static let stored: [(name: String, value: @Sendable (Float) -> Float)] = [
        ("times 1000", { $0 * 1000 }), ("divided by 1024", { $0 / 1024 }),
        ("in 0...1e6", { $0 * 2048 }),
    ]

    @Test(arguments: [rules[0], rules[1], rules[2], rules[4]], Interpolation.allCases)
    func `a scan in other units gives the same bits, resampled or not`(
        rule: IntensityRule, interpolation: Interpolation
    ) throws {
        for spacing in [SIMD3(1, 1, 1), SIMD3(1.3, 0.8, 1.1)] {
            let grid = Grid(size: Self.grid.size, affine: Affine(spacing: spacing))
            let scan = smallHead(on: grid, noise: 15).scan
            var model = try specification("LIA", intensity: rule)
            model.interpolation = interpolation
            let expected = try conform(scan, to: model)
            #expect(expected.isExact == (spacing.x == 1))
            for (name, value) in Self.stored {
                let other = try conform(
                    Volume(grid: grid, voxels: scan.voxels.map(value)), to: model)
                #expect(other.box == expected.box, "\(name)")
                #expect(other.volume.voxels == expected.volume.voxels, "\(name)")
            }
        }
    }

    @Test(arguments: [rules[1], rules[2]])
    func `a hot voxel changes the others by less than a hundredth`(rule: IntensityRule) throws {
        var scan = smallHead(on: Self.grid, noise: 15).scan.voxels
        let expected = try conformed(scan, rule)
        scan[Self.grid.size.offset(1, 1, 1)] = 1e7
        let spiked = try conformed(scan, rule)
        #expect(spiked.box == expected.box)
        #expect(largestDifference(spiked.volume.voxels, expected.volume.voxels) < 1e-2)
    }

    @Test(arguments: [rules[1], rules[2]])
    func `a background below zero is background all the same`(rule: IntensityRule) throws {
        let scan = smallHead(on: Self.grid, noise: 15).scan.voxels
        let expected = try conformed(scan, rule)
        let shifted = try conformed(scan.map { $0 - 1024 }, rule)
        #expect(shifted.box == expected.box)
        // The 1st percentile of the air is not its minimum, which moves the threshold a little.
        #expect(largestDifference(shifted.volume.voxels, expected.volume.voxels) < 1e-3)
    }

    @Test func `the box holds the head, its margin and no more`() throws {
        let grid = Grid(size: GridSize(20, 20, 20), affine: .identity)
        var scan = Volume(grid: grid, voxels: [Float](repeating: 3, count: 8000))
        for k in 4..<9 {
            for j in 6..<12 {
                for i in 7..<15 { scan[i, j, k] = 100 + Float(i) }
            }
        }
        scan[0, 19, 19] = 500
        let model = try specification("RAS", margin: 3)
        let conformed = try conform(scan, to: model)
        #expect(conformed.box == VoxelBox(lower: SIMD3(4, 3, 1), upper: SIMD3(18, 15, 12)))
        #expect(conformed.volume.grid.affine.translation == SIMD3(4, 3, 1))
    }

    @Test func `voxels that are not numbers count as background`() throws {
        var scan = smallHead(on: Self.grid).scan.voxels
        let clean = try conformed(scan, .robustPercentile(lower: 0.5, upper: 99.5))
        #expect(scan[0] == 0 && scan[1] == 0)
        scan[0] = .nan
        scan[1] = .infinity
        let result = try conformed(scan, .robustPercentile(lower: 0.5, upper: 99.5))
        #expect(result.volume.voxels == clean.volume.voxels)
    }

    @Test(arguments: rules)
    func `a scan of two values has finite intensities`(rule: IntensityRule) throws {
        var scan = [Float](repeating: 0, count: Self.grid.size.count)
        for index in 10_000..<12_000 { scan[index] = 1 }
        let result = try conformed(scan, rule)
        #expect(result.volume.voxels.allSatisfy { $0.isFinite })
        #expect(Set(result.volume.voxels).count == 2)
    }

    @Test(
        arguments: zip(
            rules,
            [
                #"{"rule":"min-max"}"#, #"{"lower":0.5,"rule":"robust-percentile","upper":99.5}"#,
                #"{"rule":"z-score-in-foreground"}"#,
                #"{"lower":-1000,"rule":"window","upper":500}"#,
                #"{"lower":0.5,"rule":"percentile","upper":99.5}"#,
            ]))
    func `a rule is written by name and read back`(rule: IntensityRule, json: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(String(decoding: try encoder.encode(rule), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode(IntensityRule.self, from: Data(json.utf8)) == rule)
    }

    @Test(arguments: [
        #"{"rule":"histogram"}"#, #"{"rule":"window"}"#,
        #"{"rule":"window","lower":5,"upper":5}"#,
        #"{"rule":"robust-percentile","lower":-1,"upper":99}"#,
        #"{"rule":"robust-percentile","lower":1,"upper":101}"#,
        #"{"rule":"percentile","lower":60,"upper":40}"#,
    ])
    func `a rule that makes no sense is not read`(json: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(IntensityRule.self, from: Data(json.utf8))
        }
    }

    @Test func `a specification survives JSON`() throws {
        let model = try specification(spacing: SIMD3(1, 0.8, 1.25), margin: 6)
        let data = try JSONEncoder().encode(model)
        #expect(try JSONDecoder().decode(ConformSpecification.self, from: data) == model)
        let text = String(decoding: data, as: UTF8.self)
        for (found, replacement) in [("0.8", "-0.8"), (":6", ":-6"), ("LIA", "LLA")] {
            let broken = text.replacingOccurrences(of: found, with: replacement)
            #expect(throws: DecodingError.self, "\(broken)") {
                try JSONDecoder().decode(ConformSpecification.self, from: Data(broken.utf8))
            }
        }
    }
}
