import Foundation
import SegmentationMetrics
import TestSupport
import Testing
import Volumes

struct ClosedFormTests {
    private func map(
        _ size: GridSize, spacing: SIMD3<Double>, _ isInside: (SIMD3<Double>) -> Bool
    ) -> LabelMap {
        var map = LabelMap(
            grid: Grid(size: size, affine: Affine(spacing: spacing)),
            labels: [UInt16](repeating: 0, count: size.count))
        for k in 0..<size.z {
            for j in 0..<size.y {
                for i in 0..<size.x
                where isInside(SIMD3(Double(i), Double(j), Double(k)) * spacing) {
                    map[i, j, k] = 1
                }
            }
        }
        return map
    }

    @Test(arguments: MetricConvention.allCases)
    func `two balls with one centre lie the difference of their radii apart`(
        convention: MetricConvention
    ) throws {
        let (size, spacing) = (GridSize(88, 44, 29), SIMD3(0.5, 1.0, 1.5))
        let centre = SIMD3(21.75, 21.5, 21.0)
        let outer = map(size, spacing: spacing) { ($0 - centre).length <= 18 }
        let inner = map(size, spacing: spacing) { ($0 - centre).length <= 13 }
        let metrics = structureMeasurements(
            of: outer, against: inner,
            options: MetricOptions(convention: convention, toleranceMillimeters: 3))[0]
        // Surfaces are off by half a voxel at most on either side.
        let voxel = spacing.length
        for metric in [
            StructureMetric.hausdorff, .hausdorff95, .meanSurfaceDistance,
            .rootMeanSquareSurfaceDistance, .meanDistanceToReference, .meanDistanceToPrediction,
        ] {
            let value = try #require(metrics[metric])
            #expect(abs(value - 5) < voxel, "\(metric.id): \(value)")
        }
        // On average they are off by less, and too close: border voxels and cells have a thickness.
        let error = try #require(metrics.meanSurfaceDistanceMillimeters) - 5
        #expect(-voxel / 3 < error && error < 0)
        #expect(metrics.surfaceDice == 0)
        #expect(try #require(metrics.centroidDistanceMillimeters) < 1e-9)
        let ratio = (13.0 * 13 * 13) / (18 * 18 * 18)
        #expect(abs(try #require(metrics.precision) - ratio) < 5e-3)
        #expect(metrics.sensitivity == 1)
    }

    @Test(arguments: MetricConvention.allCases, [0, 1, 2])
    func `a shifted cube is as far away as it was shifted`(
        convention: MetricConvention, axis: Int
    ) throws {
        let (size, spacing) = (GridSize(40, 40, 40), SIMD3(0.8, 1.1, 2.5))
        func cube(from start: SIMD3<Double>) -> LabelMap {
            map(size, spacing: SIMD3(1, 1, 1)) { voxel in
                (0..<3).allSatisfy { (start[$0]..<(start[$0] + 12)).contains(voxel[$0]) }
            }
        }
        func spaced(_ map: LabelMap) -> LabelMap {
            LabelMap(
                grid: Grid(size: size, affine: Affine(spacing: spacing)), labels: map.labels)
        }
        let start = SIMD3(8.0, 9.0, 10.0)
        var shifted = start
        shifted[axis] += 3
        let metrics = structureMeasurements(
            of: spaced(cube(from: shifted)), against: spaced(cube(from: start)),
            options: MetricOptions(convention: convention))[0]
        let shift = 3 * spacing[axis]
        #expect(abs(try #require(metrics.hausdorffMillimeters) - shift) < 1e-12)
        // One face of six is the whole shift away.
        #expect(abs(try #require(metrics.hausdorff95Millimeters) - shift) < 1e-12)
        #expect(abs(try #require(metrics.centroidDistanceMillimeters) - shift) < 1e-12)
        #expect(metrics.dice == 0.75)
        #expect(metrics.volumetricSimilarity == 1)
        #expect(metrics.absoluteVolumeDifferenceCubicMillimeters == 0)
        #expect(
            abs(metrics.referenceVolumeCubicMillimeters - 1728 * 0.8 * 1.1 * 2.5) < 1e-9)
    }

    @Test func `a tolerance is met by distances that equal it`() {
        let size = GridSize(9, 9, 9)
        let a = map(size, spacing: SIMD3(0.7, 1, 1)) { $0 == SIMD3(0.7 * 3, 4, 4) }
        let b = map(size, spacing: SIMD3(0.7, 1, 1)) { $0 == SIMD3(0.7 * 5, 4, 4) }
        for convention in MetricConvention.allCases {
            func surfaceDice(_ tolerance: Double) -> Double? {
                structureMeasurements(
                    of: a, against: b,
                    options: MetricOptions(
                        convention: convention, toleranceMillimeters: tolerance))[0].surfaceDice
            }
            #expect(surfaceDice(1.4) == 1)
            #expect(surfaceDice(0) == 0)
        }
    }

    @Test func `the centroid distance is measured in the world, obliquely too`() throws {
        // A rotation about z by the angle of a 3-4-5 triangle.
        let affine = Affine(
            columns: [SIMD3(1.6, 1.2, 0), SIMD3(-0.6, 0.8, 0), SIMD3(0, 0, 3)],
            translation: SIMD3(10, -20, 30))
        let grid = Grid(size: GridSize(6, 6, 6), affine: affine)
        func map(_ i: Int, _ j: Int, _ k: Int) -> LabelMap {
            var map = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: 216))
            map[i, j, k] = 4
            return map
        }
        let metrics = structureMeasurements(of: map(1, 1, 1), against: map(3, 4, 2))[0]
        // Steps of 2, 1 and 3 mm.
        let expected = (16.0 + 9 + 9).squareRoot()
        #expect(abs(try #require(metrics.centroidDistanceMillimeters) - expected) < 1e-12)
        #expect(abs(try #require(metrics.hausdorffMillimeters) - expected) < 1e-12)
        #expect(abs(try #require(metrics.hausdorff95Millimeters) - expected) < 1e-12)
    }
}
