import Preprocessing
import Testing
import Volumes

/// One volume in all the orders in which it can be stored.
struct OrientationTests {
    struct Stored: Decodable, Sendable {
        var code: String
        var shape: [Int]
        var affine: [Double]
        var values: [Float]
    }

    struct Fixture: Decodable {
        var shape: [Int]
        var affine: [Double]
        var values: [Float]
        var cases: [Stored]
    }

    @Test func `any of nibabel's 48 storings is conformed to the same voxels and back`() throws {
        let fixture: Fixture = try preprocessingFixture("orientations.json")
        let size = GridSize(fixture.shape)
        let affine = Affine(rowMajor: fixture.affine)
        #expect(fixture.cases.count == 48)
        for stored in fixture.cases {
            let scan = Volume(
                grid: Grid(
                    size: GridSize(stored.shape), affine: Affine(rowMajor: stored.affine)),
                voxels: stored.values)
            #expect(scan.grid.orientation.description == stored.code)
            let conformed = try conform(
                scan,
                to: specification(
                    "RAS", spacing: SIMD3(1.25, 1.5, 2), intensity: .minMax, margin: 9))
            #expect(conformed.isExact)
            #expect(conformed.conformedGrid.size == size)
            #expect(conformed.conformedGrid.affine.largestDifference(from: affine) < 1e-12)
            // Intensities are measured from the level of no signal, which rounds them.
            #expect(
                largestDifference(conformed.volume.voxels, fixture.values.map { $0 / 23 }) < 1e-6,
                "\(stored.code)")

            let labels = LabelMap(
                grid: conformed.volume.grid, labels: fixture.values.map { UInt16($0) })
            let back = conformed.labelsOnScanGrid(labels)
            #expect(back.grid == scan.grid)
            #expect(back.labels == stored.values.map { UInt16($0) }, "\(stored.code)")
        }
    }

    @Test func `labels in any of nibabel's 48 storings are those of one grid`() throws {
        let fixture: Fixture = try preprocessingFixture("orientations.json")
        let grid = Grid(
            size: GridSize(fixture.shape), affine: Affine(rowMajor: fixture.affine))
        let expected = fixture.values.map { UInt16($0) }
        for stored in fixture.cases {
            var map = LabelMap(
                grid: Grid(
                    size: GridSize(stored.shape), affine: Affine(rowMajor: stored.affine)),
                labels: stored.values.map { UInt16($0) })
            let reordered = try #require(map.reordered(onto: grid), "\(stored.code)")
            #expect(reordered.grid == grid)
            #expect(reordered.labels == expected, "\(stored.code)")
            // A voxel further on it shows other places.
            map = LabelMap(
                grid: Grid(
                    size: map.grid.size,
                    affine: Affine(
                        columns: (0..<3).map(map.grid.affine.column),
                        translation: map.grid.affine(SIMD3(1, 0, 0)))), labels: map.labels)
            #expect(map.reordered(onto: grid) == nil)
        }
    }

    @Test func `a scan already in the model's spacing gives the same bits in any storage order`()
        throws
    {
        let grid = Grid(
            size: GridSize(31, 37, 29),
            affine: Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(-15.5, -20, 7.25)))
        let (scan, labels) = smallHead(on: grid)
        let model = try specification()
        let expected = try conform(scan, to: model)
        let expectedLabels = conformLabels(labels, like: expected)
        #expect(expected.isExact)
        #expect(expected.volume.grid.size.count < grid.size.count * 2 / 3)
        #expect(expectedLabels.labels.contains(17))
        for orientation in Orientation.allCases {
            let conformed = try conform(stored(scan, as: orientation), to: model)
            #expect(conformed.isExact)
            #expect(conformed.volume.voxels == expected.volume.voxels, "\(orientation)")
            #expect(conformed.volume.grid == expected.volume.grid, "\(orientation)")
            #expect(conformed.box == expected.box)

            let storedLabels = stored(labels, as: orientation)
            let conformedLabels = conformLabels(storedLabels, like: conformed)
            #expect(conformedLabels == expectedLabels, "\(orientation)")
            let back = conformed.labelsOnScanGrid(conformedLabels)
            #expect(back == storedLabels, "\(orientation)")
        }
    }

    @Test(arguments: [
        SIMD3(0.4, 0.4, 6), SIMD3(1.5, 1.2, 2), SIMD3(1, 1, 0.5), SIMD3(0.9375, 0.9375, 1.2),
    ])
    func `a scan in another spacing gives the same anatomy in any storage order`(
        spacing: SIMD3<Double>
    ) throws {
        let size = GridSize(
            Int(30 / spacing.x), Int(36 / spacing.y), max(5, Int(28 / spacing.z)))
        let grid = Grid(
            size: size, affine: Affine(spacing: spacing, translation: SIMD3(-12.3, 4.7, 30.1)))
        let (scan, labels) = smallHead(on: grid)
        let model = try specification()
        let expected = try conform(scan, to: model)
        let expectedLabels = conformLabels(labels, like: expected)
        #expect(!expected.isExact)
        #expect(expected.conformedGrid.orientation == model.orientation)
        for orientation in Orientation.allCases {
            let conformed = try conform(stored(scan, as: orientation), to: model)
            try #require(conformed.box == expected.box, "\(orientation)")
            let distance = conformed.volume.grid.largestCornerDistanceMillimeters(
                from: expected.volume.grid)
            #expect(try #require(distance) < 1e-9)
            // Rounding in the affines moves voxels by 1e-13 mm; intensities are in 0...1.
            #expect(
                largestDifference(conformed.volume.voxels, expected.volume.voxels) < 1e-5,
                "\(orientation)")
            let storedLabels = stored(labels, as: orientation)
            #expect(
                conformLabels(storedLabels, like: conformed).labels == expectedLabels.labels,
                "\(orientation)")
            let back = conformed.labelsOnScanGrid(expectedLabels)
            let expectedBack = stored(
                expected.labelsOnScanGrid(expectedLabels), as: orientation)
            #expect(back.labels == expectedBack.labels, "\(orientation)")
        }
    }

    @Test func `an oblique scan gives the same anatomy in any storage order`() throws {
        let grid = Grid(
            size: GridSize(26, 30, 22),
            affine: .oblique(
                degreesAboutX: 12, aboutZ: -8, spacing: SIMD3(1, 1.1, 1.3),
                translation: SIMD3(-12, 3, 8)))
        let (scan, labels) = smallHead(on: grid)
        let model = try specification("RAS")
        let expected = try conform(scan, to: model)
        let expectedLabels = conformLabels(labels, like: expected)
        for orientation in Orientation.allCases {
            let conformed = try conform(stored(scan, as: orientation), to: model)
            try #require(conformed.box == expected.box, "\(orientation)")
            #expect(
                largestDifference(conformed.volume.voxels, expected.volume.voxels) < 1e-5,
                "\(orientation)")
            let conformedLabels = conformLabels(stored(labels, as: orientation), like: conformed)
            #expect(conformedLabels.labels == expectedLabels.labels, "\(orientation)")
        }
    }
}
