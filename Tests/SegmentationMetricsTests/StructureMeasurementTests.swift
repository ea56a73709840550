import Foundation
import SegmentationMetrics
import TestSupport
import Testing
import Volumes

/// Maps with what other tools measure on them, made by fixtures/generators/generate_metrics.py.
struct MeasuredCase: Decodable, CustomTestStringConvertible, Sendable {
    /// A number, or infinity; `nil` where the tool leaves it undefined.
    struct Value: Decodable, Sendable {
        var value: Double?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                value = nil
            } else if let number = try? container.decode(Double.self) {
                value = number
            } else {
                #expect(try container.decode(String.self) == "infinity")
                value = .infinity
            }
        }
    }

    struct Structure: Decodable, Sendable {
        var surfaceDistance: [String: Value]
        var monai: [String: Value]
        var nnunet: [String: Value]
        var cohenKappa: Value

        enum CodingKeys: String, CodingKey {
            case surfaceDistance = "surface-distance"
            case monai
            case nnunet
            case cohenKappa = "cohen_kappa"
        }
    }

    var name: String
    var size: [Int]
    var spacing: [Double]
    var tolerance: Double
    var labels: [UInt16]
    var prediction: [Int]
    var reference: [Int]
    var generalised_dice: Value
    var structures: [String: Structure]

    var testDescription: String { name }

    var grid: Grid {
        Grid(
            size: GridSize(size[0], size[1], size[2]),
            affine: Affine(spacing: SIMD3(spacing[0], spacing[1], spacing[2])))
    }

    func map(_ runs: [Int]) -> LabelMap {
        let labels = stride(from: 0, to: runs.count, by: 2).flatMap { index in
            [UInt16](repeating: UInt16(runs[index]), count: runs[index + 1])
        }
        return LabelMap(grid: grid, labels: labels)
    }

    func metrics(_ convention: MetricConvention) -> CaseMetrics {
        caseMetrics(
            of: map(prediction), against: map(reference), labels: labels,
            options: MetricOptions(convention: convention, toleranceMillimeters: tolerance))
    }

    static let all: [MeasuredCase] = {
        do {
            return try decodeFixture("metrics/cases.json")
        } catch {
            Issue.record(error)
            return []
        }
    }()
}

/// Whether two values are both undefined, or closer than a tolerance.
private func agree(_ a: Double?, _ b: Double?, within tolerance: Double) -> Bool {
    switch (a, b) {
    case (nil, nil): true
    case (let a?, let b?): abs(a - b) <= tolerance
    default: false
    }
}

/// Compares all values that a tool has measured.
private func expectAgreement(
    _ metrics: StructureMeasurement, _ expected: [String: MeasuredCase.Value], name: String,
    sourceLocation: SourceLocation = #_sourceLocation,
    within tolerance: (_ metric: StructureMetric, _ expected: Double) -> Double
) throws {
    for (key, value) in expected {
        let metric = try #require(
            StructureMetric.all.first { $0.id == key }, sourceLocation: sourceLocation)
        let measured = metrics[metric]
        #expect(
            agree(measured, value.value, within: tolerance(metric, value.value ?? 0)),
            "\(name), structure \(metrics.label), \(key): \(String(describing: measured)), expected \(String(describing: value.value))",
            sourceLocation: sourceLocation)
    }
}

struct ConventionTests {
    @Test func `the cases that other tools measured are there`() {
        #expect(MeasuredCase.all.count == 14)
    }

    @Test(arguments: MeasuredCase.all)
    func `agrees with surface-distance to 1e-12, and to 1e-6 mm in distances`(
        measured: MeasuredCase
    ) throws {
        for metrics in measured.metrics(.surfaceDistance).structures {
            var expected = try #require(measured.structures["\(metrics.label)"]).surfaceDistance
            if metrics.presence == .missing || metrics.presence == .spurious {
                // The tool says infinity or NaN; ours is the image diagonal.
                for metric in StructureMetric.all where metric.isDistance {
                    #expect(metrics[metric] == measured.grid.diagonalMillimeters)
                    expected[metric.id] = nil
                }
            }
            if metrics.presence == .inNeither {
                for metric in StructureMetric.all where metric.isDistance {
                    #expect(metrics[metric] == nil)
                    expected[metric.id] = nil
                }
            }
            try expectAgreement(metrics, expected, name: measured.name) { metric, _ in
                metric.unit == .millimeters ? 1e-6 : 1e-12
            }
        }
    }

    @Test(arguments: MeasuredCase.all)
    func `agrees with MONAI to 1e-12 in overlap, and to single precision in distances`(
        measured: MeasuredCase
    ) throws {
        for metrics in measured.metrics(.monai).structures {
            var expected = try #require(measured.structures["\(metrics.label)"]).monai
            if metrics.presence != .inBoth {
                // MONAI gives NaN, and infinity for means, where one mask is empty.
                for metric in StructureMetric.all where metric.isDistance {
                    let value = expected.removeValue(forKey: metric.id)?.value
                    #expect(value == nil || value == .infinity)
                    #expect(metrics[metric] == nil)
                }
            }
            try expectAgreement(metrics, expected, name: measured.name) { metric, expected in
                // MONAI rounds distances and their sums to 24 bits: 1e-6 mm below 8 mm.
                switch metric {
                case .surfaceDice: 1e-7
                case _ where metric.isDistance: 1e-6 * max(1, expected / 8)
                default: 1e-12
                }
            }
        }
    }

    @Test(arguments: MeasuredCase.all)
    func `agrees with nnU-Net to 1e-12, and with MedPy to 1e-6 mm`(
        measured: MeasuredCase
    ) throws {
        for metrics in measured.metrics(.nnunet).structures {
            let expected = try #require(measured.structures["\(metrics.label)"]).nnunet
            try expectAgreement(metrics, expected, name: measured.name) { metric, _ in
                metric.unit == .millimeters ? 1e-6 : 1e-12
            }
        }
    }

    @Test(arguments: MeasuredCase.all)
    func `kappa agrees with scikit-learn, generalised Dice with MONAI`(
        measured: MeasuredCase
    ) throws {
        let metrics = measured.metrics(.surfaceDistance)
        for structure in metrics.structures {
            let expected = try #require(measured.structures["\(structure.label)"]).cohenKappa.value
            #expect(agree(structure.cohenKappa, expected, within: 1e-12))
        }
        // MONAI's weights are in single precision.
        #expect(agree(metrics.generalisedDice, measured.generalised_dice.value, within: 2e-7))
    }

    @Test(arguments: MeasuredCase.all)
    func `counts voxels as overlapCounts does`(measured: MeasuredCase) {
        let (prediction, reference) = (
            measured.map(measured.prediction), measured.map(measured.reference)
        )
        #expect(
            structureMeasurements(of: prediction, against: reference).map(\.counts)
                == overlapCounts(of: prediction, against: reference))
    }

    @Test func `the surface of a cell has the area of surface-distance's table`() throws {
        struct Table: Decodable {
            var spacing: [Double]
            var areas: [Double]
        }
        for table in try decodeFixture("metrics/element-areas.json", as: [Table].self) {
            let spacing = SIMD3(table.spacing[0], table.spacing[1], table.spacing[2])
            let areas = surfaceElementAreas(spacing: spacing)
            #expect(areas.count == 256)
            for (pattern, (area, expected)) in zip(areas, table.areas).enumerated() {
                #expect(abs(area - expected) < 1e-12, "pattern \(pattern)")
            }
        }
    }
}

struct EmptyStructureTests {
    private func map(_ labels: [UInt16]) -> LabelMap {
        LabelMap(
            grid: Grid(
                size: GridSize(labels.count, 1, 1), affine: Affine(spacing: SIMD3(3, 2, 6))),
            labels: labels)
    }

    @Test(arguments: MetricConvention.allCases)
    func `a structure in neither map is undefined, counted and left out of the mean`(
        convention: MetricConvention
    ) {
        let options = MetricOptions(convention: convention)
        let metrics = caseMetrics(
            of: map([1, 1, 0, 0]), against: map([0, 1, 1, 0]), labels: [1, 9], options: options)
        let absent = metrics.structures[1]
        #expect(absent.presence == .inNeither)
        #expect(absent.isAbsentInPrediction && absent.isAbsentInReference)
        for metric in StructureMetric.all where metric != .trueNegatives {
            let value = absent[metric]
            let isCount = metric.unit == .voxels || metric.unit == .cubicMillimeters
            #expect(value == (isCount ? 0 : nil), "\(metric.id)")
        }
        #expect(metrics.meanForegroundDice == 0.5)
        #expect(metrics.labels(.inNeither) == [9])
    }

    @Test func `a missed structure has Dice 0 and the image diagonal, and is listed`() {
        let metrics = caseMetrics(of: map([1, 1, 0, 0]), against: map([1, 1, 2, 0]))
        let missed = metrics.structures[1]
        #expect(missed.presence == .missing)
        #expect(missed.dice == 0 && missed.jaccard == 0 && missed.surfaceDice == 0)
        #expect(missed.sensitivity == 0 && missed.precision == nil)
        #expect(missed.volumetricSimilarity == 0 && missed.cohenKappa == 0)
        #expect(missed.relativeVolumeDifference == -1)
        // 12 x 2 x 6 mm.
        let diagonal = 184.0.squareRoot()
        #expect(missed.hausdorff95Millimeters == diagonal)
        #expect(missed.meanSurfaceDistanceMillimeters == diagonal)
        #expect(missed.centroidDistanceMillimeters == diagonal)
        #expect(metrics.labels(.missing) == [2])
        #expect(metrics.meanForegroundDice == 0.5)
    }

    @Test func `a spurious structure counts as wrong, but MONAI leaves its Dice out`() {
        let (prediction, reference) = (map([1, 1, 0, 0]), map([0, 0, 0, 0]))
        let counted = caseMetrics(of: prediction, against: reference)
        #expect(counted.labels(.spurious) == [1])
        #expect(counted.meanForegroundDice == 0)
        #expect(counted.structures[0].sensitivity == nil)
        #expect(counted.structures[0].precision == 0)
        let monai = caseMetrics(
            of: prediction, against: reference, options: MetricOptions(convention: .monai))
        #expect(monai.meanForegroundDice == nil)
        #expect(monai.structures[0].hausdorffMillimeters == nil)
    }

    @Test func `two empty maps have no structures and no figures`() {
        let metrics = caseMetrics(of: map([0, 0]), against: map([0, 0]))
        #expect(metrics.structures.isEmpty)
        #expect(metrics.meanForegroundDice == nil && metrics.generalisedDice == nil)
    }
}

struct StructureMetricsLawTests {
    private func randomMaps(seed: UInt64, size: GridSize) -> (LabelMap, LabelMap) {
        var generator = SplitMix64(seed: seed)
        let grid = Grid(size: size, affine: Affine(spacing: SIMD3(0.9, 1.2, 2.1)))
        // Few and scattered voxels, so that many points are far away.
        func map() -> LabelMap {
            let labels = (0..<size.count).map { _ in
                UInt16.random(in: 0..<2000, using: &generator) / 1997
            }
            return LabelMap(grid: grid, labels: labels)
        }
        return (map(), map())
    }

    /// Border voxels are all voxels here, and the distances are found one by one.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `distances equal those of an exhaustive search`(seed: UInt64) throws {
        let (a, b) = randomMaps(seed: seed, size: GridSize(130, 31, 23))
        func points(_ map: LabelMap) -> [SIMD3<Double>] {
            let size = map.grid.size
            return map.labels.indices.filter { map.labels[$0] == 1 }.map { offset in
                map.grid.affine(
                    SIMD3(
                        Double(offset % size.x), Double(offset / size.x % size.y),
                        Double(offset / size.x / size.y)))
            }
        }
        let (p, r) = (points(a), points(b))
        func distances(_ from: [SIMD3<Double>], _ to: [SIMD3<Double>]) -> [Double] {
            from.map { point in to.map { ($0 - point).length }.min() ?? .infinity }
        }
        let both = [distances(p, r), distances(r, p)]
        let metrics = structureMeasurements(
            of: a, against: b,
            options: MetricOptions(convention: .nnunet, toleranceMillimeters: 8))[0]
        let pooled = both[0] + both[1]
        func expect(_ value: Double?, _ expected: Double?) throws {
            #expect(abs(try #require(value) - (try #require(expected))) < 1e-9)
        }
        try expect(metrics.hausdorffMillimeters, pooled.max())
        try expect(metrics.hausdorff95Millimeters, percentile(95, of: pooled))
        try expect(metrics.meanDistanceToReferenceMillimeters, mean(of: both[0]))
        try expect(metrics.meanDistanceToPredictionMillimeters, mean(of: both[1]))
        try expect(
            metrics.surfaceDice, Double(pooled.filter { $0 <= 8 }.count) / Double(pooled.count))
    }

    @Test(arguments: MeasuredCase.all)
    func `swapping the maps swaps directions and keeps what is symmetric`(
        measured: MeasuredCase
    ) throws {
        let (a, b) = (measured.map(measured.prediction), measured.map(measured.reference))
        let forward = structureMeasurements(of: a, against: b)
        let backward = structureMeasurements(of: b, against: a)
        for (f, g) in zip(forward, backward) {
            for metric in [
                StructureMetric.dice, .jaccard, .cohenKappa, .volumetricSimilarity, .surfaceDice,
                .hausdorff, .hausdorff95, .meanSurfaceDistance, .rootMeanSquareSurfaceDistance,
                .centroidDistance,
            ] {
                #expect(agree(f[metric], g[metric], within: 1e-12), "\(metric.id)")
            }
            #expect(f.sensitivity == g.precision)
            #expect(
                f.meanDistanceToReferenceMillimeters == g.meanDistanceToPredictionMillimeters)
        }
    }

    @Test(arguments: MetricConvention.allCases)
    func `a map equals itself, again and again`(convention: MetricConvention) {
        let (a, b) = randomMaps(seed: 9, size: GridSize(40, 30, 20))
        let options = MetricOptions(convention: convention)
        let same = structureMeasurements(of: a, against: a, options: options)[0]
        #expect(same.dice == 1 && same.surfaceDice == 1 && same.cohenKappa == 1)
        #expect(
            same.hausdorffMillimeters == 0 && same.rootMeanSquareSurfaceDistanceMillimeters == 0)
        let first = structureMeasurements(of: a, against: b, options: options)
        for _ in 0..<5 {
            #expect(structureMeasurements(of: a, against: b, options: options) == first)
        }
    }

    @Test func `labels are measured in the order they are asked for`() {
        let (a, b) = randomMaps(seed: 5, size: GridSize(12, 11, 10))
        let all = structureMeasurements(of: a, against: b, labels: [3, 1, 0])
        #expect(all.map(\.label) == [3, 1, 0])
        #expect(all[2].counts.truePositives > 1000)
    }

    @Test func `survives JSON`() throws {
        let (a, b) = randomMaps(seed: 5, size: GridSize(12, 11, 10))
        let metrics = caseMetrics(of: a, against: b, labels: [1, 2])
        let data = try JSONEncoder().encode(metrics)
        #expect(try JSONDecoder().decode(CaseMetrics.self, from: data) == metrics)
    }

    @Test func `maps of different size stop the program`() async {
        await #expect(processExitsWith: .failure) {
            func map(_ count: Int) -> LabelMap {
                LabelMap(
                    grid: Grid(size: GridSize(count, 1, 1), affine: .identity),
                    labels: [UInt16](repeating: 1, count: count))
            }
            _ = structureMeasurements(of: map(2), against: map(3))
        }
    }

    @Test func `an impossible tolerance stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = MetricOptions(toleranceMillimeters: -1)
        }
        await #expect(processExitsWith: .failure) {
            _ = MetricOptions(toleranceMillimeters: .nan)
        }
    }
}
