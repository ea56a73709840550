import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Label maps that show the same places and are stored otherwise.
struct EvaluationGridTests {
    /// A box of label 1, moved along the first axis by some voxels.
    private static func map(movedBy shift: Int, edge: Double = 2) -> LabelMap {
        let grid = Grid(
            size: GridSize(12, 10, 8),
            affine: Affine(spacing: SIMD3(edge, edge, edge), translation: SIMD3(-5, 3, 1)))
        var map = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: grid.size.count))
        for k in 2..<5 { for j in 2..<7 { for i in 2..<6 { map[i + shift, j, k] = 1 } } }
        return map
    }

    /// The map with its voxels along other axes: the first backward, then the third and second.
    private static func stored(_ map: LabelMap) -> LabelMap {
        let size = map.grid.size
        let affine = map.grid.affine
        let grid = Grid(
            size: GridSize(size.x, size.z, size.y),
            affine: Affine(
                columns: [-affine.column(0), affine.column(2), affine.column(1)],
                translation: affine(SIMD3(Double(size.x - 1), 0, 0))))
        var other = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: size.count))
        for k in 0..<size.z {
            for j in 0..<size.y {
                for i in 0..<size.x { other[size.x - 1 - i, k, j] = map[i, j, k] }
            }
        }
        return other
    }

    private func report(
        in folder: String, _ write: (_ prediction: String, _ reference: String) throws -> Void
    ) throws -> (report: EvaluationReport, values: [String: Double]) {
        let (prediction, reference) = (folder + "/p.nii", folder + "/r.nii")
        try write(prediction, reference)
        var request = EvaluationRequest(
            prediction: prediction, reference: reference, output: folder + "/out")
        request.writesPage = false
        let report = try evaluate(request)
        let text = try String(contentsOfFile: folder + "/out/metrics.tsv", encoding: .utf8)
        let lines = text.split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        let column = try #require(lines.first?.firstIndex(of: "metric"))
        let valueColumn = try #require(lines.first?.firstIndex(of: "value"))
        let values = lines.dropFirst().compactMap { line in
            Double(line[valueColumn]).map { (line[column], $0) }
        }
        return (report, Dictionary(uniqueKeysWithValues: values))
    }

    @Test func `axes in another order and direction are the same grid`() throws {
        try withTemporaryDirectory { folder in
            let (report, values) = try report(in: folder) { prediction, reference in
                try writeLabelMap(
                    Self.stored(Self.map(movedBy: 1)), to: prediction, like: nil)
                try writeLabelMap(Self.map(movedBy: 0), to: reference, like: nil)
            }
            #expect(report.status == .success, "\(report.problems)")
            // 3 of 4 voxels along the axis are common: Dice 3/4.
            #expect(values["dice"] == 0.75)
        }
    }

    /// The same two boxes with the header's unit changed: lengths in the file are 1000 times as
    /// many microns.
    ///
    /// With voxels of 1 mm, distances are just the tolerance of the surface Dice.
    @Test(arguments: [2.0, 1])
    func `distances are millimetres whatever the header's unit`(edge: Double) throws {
        try withTemporaryDirectory { folder in
            let expected = try report(in: folder) { prediction, reference in
                try writeLabelMap(Self.map(movedBy: 1, edge: edge), to: prediction, like: nil)
                try writeLabelMap(Self.map(movedBy: 0, edge: edge), to: reference, like: nil)
            }.values
            #expect((expected["surface_dice"] == 1) == (edge == 1))
            for (code, factor) in [(UInt8(3), Float(1000)), (1, 0.001)] {
                let values = try report(in: folder) { prediction, reference in
                    for (path, shift) in [(prediction, 1), (reference, 0)] {
                        try writeLabelMap(
                            Self.map(movedBy: shift, edge: edge), to: path, like: nil)
                        try changeUnit(ofFileAt: path, to: code, timesLengths: factor)
                    }
                }.values
                #expect(values.count == expected.count)
                for (metric, value) in values {
                    #expect(abs(value - (expected[metric] ?? .nan)) < 1e-3, "\(metric)")
                }
                // The boxes lie a voxel apart.
                #expect(abs((values["centroid_distance"] ?? 0) - edge) < 1e-4)
            }
        }
    }

    private func changeUnit(
        ofFileAt path: String, to code: UInt8, timesLengths factor: Float
    ) throws {
        var bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
        bytes[123] = code
        let lengths =
            (1...3).map { 76 + 4 * $0 } + (0..<3).map { 268 + 4 * $0 }
            + (0..<12).map { 280 + 4 * $0 }
        for offset in lengths {
            let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << (8 * $1) }
            let scaled = (Float(bitPattern: bits) * factor).bitPattern
            for index in 0..<4 { bytes[offset + index] = UInt8(scaled >> (8 * index) & 255) }
        }
        try Data(bytes).write(to: URL(filePath: path))
    }

    @Test func `labels that are off by rounding are counted in a note`() throws {
        try withTemporaryDirectory { folder in
            let (report, values) = try report(in: folder) { prediction, reference in
                let map = Self.map(movedBy: 0)
                let volume = Volume(
                    grid: map.grid, voxels: map.labels.map { $0 == 0 ? 0 : 1.000_000_4 })
                try writeVolume(volume, to: prediction, like: nil, storedAs: .float32)
                try writeLabelMap(map, to: reference, like: nil)
            }
            #expect(report.status == .success)
            #expect(values["dice"] == 1)
            #expect(
                report.notes == [
                    "'\(folder)/p.nii' holds labels that are off by rounding in 60 voxels"
                ])
        }
    }
}
