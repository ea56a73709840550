import Datasets
import Dispatch
import Preprocessing
import Synchronization
import Testing
import Volumes

private let color = LabelColor(red: 0, green: 0, blue: 0)

/// A case that conforming leaves as it is: all voxels foreground, RAS, 1 mm.
private func makeCase(
    _ size: GridSize, seed: UInt64, classes: Int = 3, label: (SIMD3<Int>) -> UInt16
) throws -> TrainingCase {
    let grid = Grid(size: size, affine: .identity)
    var generator = SeededGenerator(seed: seed)
    var labels: [UInt16] = []
    for k in 0..<size.z {
        for j in 0..<size.y {
            for i in 0..<size.x { labels.append(label(SIMD3(i, j, k))) }
        }
    }
    let table = try #require(
        LabelTable(
            (1...classes).map { Structure(index: UInt16($0), name: "s\($0)", color: color) }))
    return try TrainingCase(
        name: "case-\(seed)",
        scan: Volume(
            grid: grid,
            voxels: (0..<size.count).map { _ in Float.random(in: 50..<100, using: &generator) }),
        labels: LabelMap(grid: grid, labels: labels), table: table,
        conform: ConformSpecification(
            orientation: .ras, spacingMillimeters: SIMD3(1, 1, 1), intensity: .minMax,
            marginVoxels: 0))
}

private let plain = SliceAugmenter(.none)

struct SliceDatasetTests {
    /// Two cases of different sizes with three structures each.
    private static func cases() throws -> [TrainingCase] {
        try [(GridSize(12, 10, 7), 1), (GridSize(15, 14, 9), 2)].map { size, seed in
            try makeCase(size, seed: UInt64(seed)) { UInt16(($0.x / 3 + $0.y / 4 + $0.z) % 4) }
        }
    }

    private static func dataset(
        _ plane: Plane = .coronal, context: Int = 3, outputOfClass: [UInt8] = [0, 1, 2, 3]
    ) throws -> SliceDataset {
        SliceDataset(
            cases: try cases(), plane: plane, context: context, outputOfClass: outputOfClass,
            multiple: 8)
    }

    /// What is to be compared of a batch.
    private static func content(_ batch: SliceBatch) -> [Float] {
        batch.images + batch.classes.map(Float.init)
    }

    @Test func `a batch of a number and a seed is the same on any thread and in any order`() throws
    {
        let dataset = try Self.dataset()
        let augmenter = SliceAugmenter(AugmentationOptions())
        @Sendable func batch(_ number: Int) -> [Float] {
            Self.content(
                dataset.batch(
                    number: number, size: 3, seed: 11, balancedFraction: 0.5,
                    augmenter: augmenter))
        }
        let expected = (0..<24).map(batch)
        #expect(Set(expected).count == 24, "batches differ by their number")
        let found = Mutex([Int: [Float]]())
        DispatchQueue.concurrentPerform(iterations: 24) { iteration in
            let number = 23 - iteration
            let content = batch(number)
            found.withLock { $0[number] = content }
        }
        #expect(
            found.withLock { $0 }
                == Dictionary(uniqueKeysWithValues: expected.enumerated().map { ($0, $1) }))
    }

    @Test func `batches differ by seed, and slices of one batch differ`() throws {
        let dataset = try Self.dataset()
        func batch(seed: UInt64) -> SliceBatch {
            dataset.batch(
                number: 5, size: 8, seed: seed, balancedFraction: 0.5, augmenter: plain)
        }
        #expect(Self.content(batch(seed: 1)) != Self.content(batch(seed: 2)))
        let one = batch(seed: 1)
        let pixels = one.context * one.height * one.width
        let slices = Set((0..<8).map { Array(one.images[$0 * pixels..<($0 + 1) * pixels]) })
        #expect(slices.count > 3)
    }

    /// Batch 3 of seed 4 is not batch 4 of seed 3.
    @Test func `neighbouring seeds share no batches`() throws {
        let dataset = try Self.dataset()
        let augmenter = SliceAugmenter(AugmentationOptions())
        var seen: Set<[Float]> = []
        for seed in 1...4 {
            for number in 0..<6 {
                seen.insert(
                    Self.content(
                        dataset.batch(
                            number: number, size: 2, seed: UInt64(seed), balancedFraction: 0,
                            augmenter: augmenter)))
            }
        }
        #expect(seen.count == 24)
    }

    /// Extents of a plane's slices: the axis they are stacked along, down, and across.
    private static let axes: [(plane: Plane, stack: Int, down: Int, across: Int)] = [
        (.sagittal, 0, 2, 1), (.coronal, 1, 2, 0), (.axial, 2, 1, 0),
    ]

    @Test(arguments: axes)
    func `each slice lies in the middle of the window with its neighbours and its classes`(
        plane: Plane, stack: Int, down: Int, across: Int
    ) throws {
        let cases = try Self.cases()
        let dataset = try Self.dataset(plane)
        let rows = cases.map { $0.conformed.volume.grid.size[down] }.max() ?? 0
        let columns = cases.map { $0.conformed.volume.grid.size[across] }.max() ?? 0
        #expect(dataset.height == (rows + 7) / 8 * 8)
        #expect(dataset.width == (columns + 7) / 8 * 8)
        #expect(dataset.count == cases.reduce(0) { $0 + $1.conformed.volume.grid.size[stack] })

        // Every slice there is, put into its window by hand.
        var expected: Set<[Float]> = []
        for one in cases {
            let volume = one.conformed.volume
            let size = volume.grid.size
            let top = (dataset.height - size[down]) / 2
            let left = (dataset.width - size[across]) / 2
            for slice in 0..<size[stack] {
                var content: [Float] = []
                for offset in [-1, 0, 1, nil] {
                    for row in 0..<dataset.height {
                        for column in 0..<dataset.width {
                            var index = SIMD3<Int>.zero
                            index[stack] = min(max(slice + (offset ?? 0), 0), size[stack] - 1)
                            index[down] = row - top
                            index[across] = column - left
                            let isInside = (0..<3).allSatisfy {
                                (0..<size[$0]).contains(index[$0])
                            }
                            let position = size.offset(index.x, index.y, index.z)
                            let value = {
                                offset == nil
                                    ? Float(one.classes[position]) : volume.voxels[position]
                            }
                            content.append(isInside ? value() : 0)
                        }
                    }
                }
                expected.insert(content)
            }
        }
        #expect(expected.count == dataset.count)

        var seen: Set<[Float]> = []
        for number in 0..<400 {
            let batch = dataset.batch(
                number: number, size: 1, seed: 3, balancedFraction: 0.5, augmenter: plain)
            #expect(batch.count == 1 && batch.context == 3)
            #expect(batch.height == dataset.height && batch.width == dataset.width)
            seen.insert(Self.content(batch))
        }
        #expect(seen == expected)
    }

    @Test func `classes that share an output are counted and drawn as one`() throws {
        let cases = try Self.cases()
        var counts = [0, 0, 0]
        let outputs: [UInt8] = [0, 1, 2, 1]
        for one in cases { for value in one.classes { counts[Int(outputs[Int(value)])] += 1 } }
        let dataset = try Self.dataset(.sagittal, outputOfClass: outputs)
        #expect(dataset.classCounts == counts)
        let batch = dataset.batch(
            number: 0, size: 20, seed: 1, balancedFraction: 1, augmenter: plain)
        #expect(Set(batch.classes) == [0, 1, 2])
    }

    @Test func `balanced sampling shows rare structures as often as common ones`() throws {
        // Structure 1 fills half of all slices, 2 lies in one of 40 and 3 in another.
        let one = try makeCase(GridSize(8, 8, 40), seed: 5) { index in
            switch index.z {
            case 7: 2
            case 31: index.x < 4 ? 3 : 0
            default: index.y < 4 ? 1 : 0
            }
        }
        let dataset = SliceDataset(
            cases: [one], plane: .axial, context: 1, outputOfClass: [0, 1, 2, 3], multiple: 8)
        func shares(balancedFraction: Double) -> [Double] {
            let draws = 1500
            var counts = [0, 0, 0, 0]
            for number in 0..<draws / 10 {
                let batch = dataset.batch(
                    number: number, size: 10, seed: 2, balancedFraction: balancedFraction,
                    augmenter: plain)
                for slice in 0..<10 {
                    for value in Set(batch.classes[slice * 64..<(slice + 1) * 64]) where value > 0 {
                        counts[Int(value)] += 1
                    }
                }
            }
            return counts.map { Double($0) / Double(draws) }
        }
        // Five standard deviations of a share p among 1500: 5 sqrt(p (1 - p) / 1500).
        let balanced = shares(balancedFraction: 1)
        for structure in 1...3 { #expect(abs(balanced[structure] - 1 / 3.0) < 0.061) }
        let alike = shares(balancedFraction: 0)
        #expect(abs(alike[1] - 38 / 40.0) < 0.029)
        for structure in 2...3 { #expect(abs(alike[structure] - 1 / 40.0) < 0.021) }
        let half = shares(balancedFraction: 0.5)
        for structure in 2...3 {
            #expect(abs(half[structure] - (1 / 6.0 + 1 / 80.0)) < 0.05)
        }
    }

    @Test func `a structure of fewer than ten pixels in every slice is not drawn for`() throws {
        let one = try makeCase(GridSize(8, 8, 40), seed: 6) { index in
            switch index.z {
            case 7: index.y == 0 ? 2 : 0  // 8 pixels
            case 20...24: 1
            default: 0
            }
        }
        let dataset = SliceDataset(
            cases: [one], plane: .axial, context: 1, outputOfClass: [0, 1, 2, 3], multiple: 8)
        for number in 0..<100 {
            let batch = dataset.batch(
                number: number, size: 2, seed: 2, balancedFraction: 1, augmenter: plain)
            #expect(Set(batch.classes) == [1])
        }
    }

    @Test func `cases without any structure are drawn from alike`() throws {
        let empty = try makeCase(GridSize(8, 8, 10), seed: 7) { _ in 0 }
        let dataset = SliceDataset(
            cases: [empty], plane: .axial, context: 1, outputOfClass: [0, 1, 2, 3], multiple: 8)
        let batch = dataset.batch(
            number: 0, size: 16, seed: 2, balancedFraction: 1, augmenter: plain)
        #expect(batch.images.count == 16 * 64)
        #expect(Set(batch.classes) == [0])
    }
}
