import SegmentationMetrics
import Testing
import Volumes

struct OverlapTests {
    static func map(_ labels: [UInt16], spacing: SIMD3<Double> = SIMD3(1, 1, 1)) -> LabelMap {
        LabelMap(
            grid: Grid(size: GridSize(labels.count, 1, 1), affine: Affine(spacing: spacing)),
            labels: labels)
    }

    // Worked by hand.
    @Test(
        arguments: [
            ([1, 1, 1, 0], [1, 1, 1, 0], 1.0),
            ([1, 1, 0, 0], [0, 0, 1, 1], 0.0),
            ([1, 1, 0, 0], [0, 1, 1, 0], 0.5),
            ([1, 1, 1, 0], [1, 0, 0, 0], 0.5),
            ([1, 0, 0, 0], [0, 0, 0, 0], 0.0),
            ([0, 0, 0, 0], [0, 0, 0, 1], 0.0),
            ([2, 1, 1, 65535], [1, 1, 65535, 2], 0.5),
        ] as [([UInt16], [UInt16], Double)])
    func `Dice is twice the overlap over the sum of sizes`(
        prediction: [UInt16], reference: [UInt16], expected: Double
    ) {
        let (p, r) = (Self.map(prediction), Self.map(reference))
        #expect(diceCoefficient(of: p, against: r, label: 1) == expected)
        #expect(diceCoefficient(of: r, against: p, label: 1) == expected)
    }

    @Test func `is undefined where neither map holds the structure`() {
        let (p, r) = (Self.map([0, 2, 2]), Self.map([0, 0, 2]))
        #expect(diceCoefficient(of: p, against: r, label: 1) == nil)
        let counts = overlapCounts(of: p, against: r, labels: [1])
        #expect(counts[0].diceCoefficient == nil)
        #expect(counts[0].jaccardIndex == nil)
        #expect(counts[0].trueNegatives == 3)
    }

    @Test func `one pass counts all structures, by ascending label and without background`() {
        let prediction = Self.map([0, 0, 7, 7, 7, 65535, 3, 0])
        let reference = Self.map([0, 7, 7, 7, 3, 65535, 3, 9])
        let counts = overlapCounts(of: prediction, against: reference)
        #expect(
            counts == [
                OverlapCounts(
                    label: 3, truePositives: 1, falsePositives: 0, falseNegatives: 1,
                    trueNegatives: 6),
                OverlapCounts(
                    label: 7, truePositives: 2, falsePositives: 1, falseNegatives: 1,
                    trueNegatives: 4),
                OverlapCounts(
                    label: 9, truePositives: 0, falsePositives: 0, falseNegatives: 1,
                    trueNegatives: 7),
                OverlapCounts(
                    label: 65535, truePositives: 1, falsePositives: 0, falseNegatives: 0,
                    trueNegatives: 7),
            ])
        #expect(counts.map(\.diceCoefficient) == [2.0 / 3, 2.0 / 3, 0, 1])
        #expect(counts.map(\.jaccardIndex) == [0.5, 0.5, 0, 1])
        #expect(counts.map(\.predictionVoxels) == [1, 3, 0, 1])
        #expect(counts.map(\.referenceVoxels) == [2, 3, 1, 1])
    }

    @Test func `asked for labels, counts these in their order`() {
        let counts = overlapCounts(
            of: Self.map([1, 2, 3]), against: Self.map([1, 2, 2]), labels: [3, 8, 2])
        #expect(counts.map(\.label) == [3, 8, 2])
        #expect(counts.map(\.diceCoefficient) == [0, nil, 2.0 / 3])
    }

    @Test func `two balls overlap by the volume of their lens`() throws {
        // Radius r, centres d apart: the lens has the volume pi (4r + d) (2r - d)^2 / 12.
        let (radius, distance) = (20.0, 10.0)
        let grid = Grid(size: GridSize(60, 50, 50), affine: .identity)
        func ball(at x: Double) -> LabelMap {
            var map = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: 150_000))
            for k in 0..<50 {
                for j in 0..<50 {
                    for i in 0..<60 {
                        let p = SIMD3(Double(i) - x, Double(j) - 24.5, Double(k) - 24.5)
                        if p.length <= radius { map[i, j, k] = 5 }
                    }
                }
            }
            return map
        }
        let gap = 2 * radius - distance
        let lens = Double.pi * (4 * radius + distance) * gap * gap / 12
        let volume = 4 / 3 * Double.pi * radius * radius * radius
        let dice = try #require(
            diceCoefficient(of: ball(at: 24.5), against: ball(at: 34.5), label: 5))
        // A ball of 33,500 voxels is off by its surface's rounding.
        #expect(abs(dice - lens / volume) < 2e-3)
        let measured = structureVolumes(of: ball(at: 24.5))[0].volumeCubicMillimeters
        #expect(abs(measured / volume - 1) < 2e-3)
    }

    @Test func `maps of different size stop the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = diceCoefficient(
                of: OverlapTests.map([1, 2]), against: OverlapTests.map([1, 2, 3]), label: 1)
        }
    }

    @Test func `a structure's volume is its voxels times the determinant`() {
        let map = Self.map([4, 4, 9, 0, 4], spacing: SIMD3(-0.5, 2, 3))
        #expect(
            structureVolumes(of: map) == [
                StructureVolume(label: 4, voxelCount: 3, volumeCubicMillimeters: 9),
                StructureVolume(label: 9, voxelCount: 1, volumeCubicMillimeters: 3),
            ])
        #expect(
            structureVolumes(of: map, labels: [9, 1]) == [
                StructureVolume(label: 9, voxelCount: 1, volumeCubicMillimeters: 3),
                StructureVolume(label: 1, voxelCount: 0, volumeCubicMillimeters: 0),
            ])
    }
}
