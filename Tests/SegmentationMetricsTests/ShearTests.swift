import SegmentationMetrics
import Testing
import Volumes

/// Grids whose axes are not perpendicular.
struct ShearTests {
    /// The axes (1, 0, 0), (1, 1, 0), (0, 0, 1) have the same points as the plain lattice.
    ///
    /// Index (i, j, k) lies at (i + j, j, k). So do distances between points, here far enough apart that
    /// each is its structure's whole surface.
    @Test(arguments: [MetricConvention.monai, .nnunet])
    func `distances are those of the same points on a plain grid`(
        convention: MetricConvention
    ) throws {
        let plain = Grid(size: GridSize(60, 20, 9), affine: Affine(spacing: SIMD3(1, 1, 1)))
        let sheared = Grid(
            size: plain.size,
            affine: Affine(
                columns: [SIMD3(1, 0, 0), SIMD3(1, 1, 0), SIMD3(0, 0, 1)], translation: .zero))
        let sets = [
            [(22, 1, 1), (26, 4, 2), (31, 9, 5), (45, 17, 7), (38, 12, 1)],
            [(24, 1, 3), (25, 7, 2), (33, 9, 8), (41, 15, 4), (30, 2, 6)],
        ]
        func map(_ places: [(Int, Int, Int)], on grid: Grid, shift: Int) -> LabelMap {
            var map = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: grid.size.count))
            for (x, y, z) in places { map[x - shift * y, y, z] = 1 }
            return map
        }
        let options = MetricOptions(convention: convention, toleranceMillimeters: 3)
        let results = [(plain, 0), (sheared, 1)].compactMap { grid, shift in
            structureMeasurements(
                of: map(sets[0], on: grid, shift: shift),
                against: map(sets[1], on: grid, shift: shift),
                options: options
            ).first
        }
        try #require(results.count == 2)
        for path in [
            \StructureMeasurement.hausdorffMillimeters, \.hausdorff95Millimeters,
            \.meanSurfaceDistanceMillimeters, \.rootMeanSquareSurfaceDistanceMillimeters,
            \.surfaceDice,
        ] {
            let values = results.compactMap { $0[keyPath: path] }
            try #require(values.count == 2)
            #expect(abs(values[0] - values[1]) < 1e-6)
        }
        #expect(results[0].hausdorffMillimeters.map { $0 > 2 } == true)
    }

    @Test func `the faces of a cell have the areas of parallelograms`() {
        let axes = [SIMD3(1.0, 0, 0), SIMD3(0.5, 1, 0), SIMD3(0.3, 0.2, 2)]
        let areas = surfaceElementAreas(axes: axes)
        // Bit x + 2y + 4z: the corners at z = 0, at y = 0 and at x = 0 are inside.
        let patterns = [0b0000_1111: (0, 1), 0b0011_0011: (0, 2), 0b0101_0101: (1, 2)]
        for (pattern, (first, second)) in patterns {
            let expected = axes[first].cross(axes[second]).length
            #expect(abs(areas[pattern] - expected) < 1e-12)
        }
        let plain = surfaceElementAreas(axes: [SIMD3(2, 0, 0), SIMD3(0, 3, 0), SIMD3(0, 0, 5)])
        let expected = surfaceElementAreas(spacing: SIMD3(2, 3, 5))
        #expect(zip(plain, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    }
}
