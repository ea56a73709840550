import Foundation
import Reports
import SegmentationMetrics
import Testing
import Volumes

@Suite struct ReportPictureTests {
    /// A volume stored as LAS whose labels tell their place.
    private func makeVolumes(size: GridSize = GridSize(9, 8, 7)) -> ReportVolumes {
        let grid = Grid(
            size: size,
            affine: Affine(
                columns: [SIMD3(-1, 0, 0), SIMD3(0, 2, 0), SIMD3(0, 0, 1)], translation: .zero))
        var scan = Volume(grid: grid, voxels: Array(repeating: 0, count: size.count))
        var prediction = LabelMap(grid: grid, labels: Array(repeating: 0, count: size.count))
        for k in 0..<size.z {
            for j in 0..<size.y {
                for i in 0..<size.x {
                    scan[i, j, k] = Float(i * 5 + j * 3 + k)
                    prediction[i, j, k] =
                        (2...5).contains(i) && (3...4).contains(j) && (1...5).contains(k)
                        ? UInt16(1 + i + 10 * k) : 0
                }
            }
        }
        var reference = prediction
        reference.labels = prediction.labels.map { $0 == 23 ? 300 : $0 }
        return ReportVolumes(scan: scan, prediction: prediction, reference: reference)
    }

    @Test func `labels come back from the file as they were, by anatomy`() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let volumes = makeVolumes()
        let report = try makeReport(cases: [ReportCase(name: "a", values: [:])])
        try report.write(to: folder) { _ in try ReportPictures(of: volumes) }
        let pictures = try Pictures(ofFile: folder + "/report-files/case-0001.js")
        // The margin of 12 mm goes to the edges.
        #expect(pictures.full == [9, 8, 7] && pictures.extent == [9, 8, 7])
        for (map, text) in [
            (volumes.prediction, pictures.prediction), (volumes.reference, pictures.reference),
        ] {
            let map = try #require(map)
            let decoded = try pictures.labels(of: try #require(text))
            for k in 0..<7 {
                for j in 0..<8 {
                    for i in 0..<9 {
                        // Stored from right to left, shown from left to right on: mirrored.
                        #expect(decoded[(8 - i) + 9 * (j + 8 * k)] == map[i, j, k])
                    }
                }
            }
        }
    }

    @Test func `gray levels rise with the scan's values`() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let volumes = makeVolumes()
        try makeReport(cases: [ReportCase(name: "a", values: [:])])
            .write(to: folder) { _ in try ReportPictures(of: volumes) }
        let levels = try Pictures(ofFile: folder + "/report-files/case-0001.js").levels()
        #expect(levels.min() == 0 && levels.max() == Int(CaseImages.brightest))
        let scan = try #require(volumes.scan)
        let pairs = (0..<7).flatMap { k in
            (0..<8).flatMap { j in
                (0..<9).map { i in (scan[i, j, k], levels[(8 - i) + 9 * (j + 8 * k)]) }
            }
        }
        let sorted = pairs.sorted { $0.0 < $1.0 }.map(\.1)
        #expect(sorted == sorted.sorted())
    }

    @Test func `more than 255 structures take two bytes`() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let size = GridSize(20, 20, 2)
        let grid = Grid(
            size: size,
            affine: Affine(
                columns: [SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1)], translation: .zero))
        let map = LabelMap(grid: grid, labels: (0..<800).map { UInt16($0 * 77 % 60_000) })
        try makeReport(cases: [ReportCase(name: "a", values: [:])])
            .write(to: folder) { _ in try ReportPictures(of: ReportVolumes(prediction: map)) }
        let pictures = try Pictures(ofFile: folder + "/report-files/case-0001.js")
        #expect(try pictures.labels(of: try #require(pictures.prediction)) == map.labels)
        #expect(pictures.scan == nil && pictures.reference == nil)
    }

    @Test func `all 48 storage orders give one file`() throws {
        let volumes = makeVolumes()
        let table: (Orientation) -> ReportVolumes = { orientation in
            ReportVolumes(
                scan: volumes.scan.map { stored($0, as: orientation) },
                prediction: volumes.prediction.map { stored($0, as: orientation) })
        }
        let expected = try #require(CaseImages(of: table(.ras)))
        for orientation in Orientation.allCases {
            let images = try #require(CaseImages(of: table(orientation)))
            #expect(images.scan == expected.scan, "\(orientation)")
            #expect(images.prediction == expected.prediction, "\(orientation)")
            #expect(images.spacing == expected.spacing)
        }
    }

    @Test func `the box holds what either map labels and a margin`() throws {
        var volumes = makeVolumes(size: GridSize(60, 60, 60))
        volumes.reference?[40, 50, 30] = 9
        let images = try #require(CaseImages(of: volumes, marginMillimeters: 4))
        // Storage x runs to the left: 2...40 there is 19...57 from the left. Edges are 1, 2, 1 mm.
        #expect(images.origin == SIMD3(15, 1, 0))
        #expect(images.extent == SIMD3(45, 52, 35))
    }

    @Test func `large scans are averaged, not cut`() throws {
        let volumes = makeVolumes(size: GridSize(40, 20, 40))
        let images = try #require(
            CaseImages(of: volumes, marginMillimeters: 100, scanVoxels: 4_000, labelVoxels: 9_000))
        // 40 x 20 x 40 voxels of 1 x 2 x 1 mm: first the fine axes are halved.
        #expect(images.scanLattice.factor == SIMD3(3, 2, 2))
        #expect(images.scanLattice.size == SIMD3(14, 10, 20))
        #expect(images.scan?.count == 14 * 10 * 20)
        #expect(images.labelLattice.size == SIMD3(20, 20, 20))
        #expect(images.prediction?.count == 8_000)
    }

    @Test func `NaN is black and an empty map shows the whole scan`() throws {
        var volumes = makeVolumes()
        volumes.prediction = nil
        volumes.reference?.labels = Array(repeating: 0, count: 9 * 8 * 7)
        volumes.scan?[8, 7, 6] = .nan
        let images = try #require(CaseImages(of: volumes))
        #expect(images.extent == SIMD3(9, 8, 7))
        // Right-most in storage is left-most in the picture.
        #expect(images.scan?[0 + 9 * (7 + 8 * 6)] == 0)
        #expect(CaseImages(of: ReportVolumes()) == nil)
    }
}

/// The same voxels in another storage order.
private func reordered<Value>(
    _ values: [Value], of grid: Grid, as orientation: Orientation
) -> ([Value], Grid) {
    let old = grid.orientation.axes
    let source = orientation.axes.map { axis in
        old.firstIndex { $0.worldAxis == axis.worldAxis } ?? 0
    }
    let size = GridSize(
        grid.size[source[0]], grid.size[source[1]], grid.size[source[2]])
    var columns: [SIMD3<Double>] = []
    for axis in 0..<3 {
        var column = SIMD3<Double>.zero
        let world = orientation.axes[axis].worldAxis
        column[world] = grid.spacing[source[axis]] * (orientation.axes[axis].isPositive ? 1 : -1)
        columns.append(column)
    }
    var result: [Value] = []
    for k in 0..<size.z {
        for j in 0..<size.y {
            for i in 0..<size.x {
                var index = [0, 0, 0]
                for (axis, value) in [i, j, k].enumerated() {
                    let isSame = old[source[axis]] == orientation.axes[axis]
                    index[source[axis]] = isSame ? value : size[axis] - 1 - value
                }
                result.append(values[grid.size.offset(index[0], index[1], index[2])])
            }
        }
    }
    return (result, Grid(size: size, affine: Affine(columns: columns, translation: .zero)))
}

private func stored(_ volume: Volume, as orientation: Orientation) -> Volume {
    let (voxels, grid) = reordered(volume.voxels, of: volume.grid, as: orientation)
    return Volume(grid: grid, voxels: voxels)
}

private func stored(_ map: LabelMap, as orientation: Orientation) -> LabelMap {
    let (labels, grid) = reordered(map.labels, of: map.grid, as: orientation)
    return LabelMap(grid: grid, labels: labels)
}
