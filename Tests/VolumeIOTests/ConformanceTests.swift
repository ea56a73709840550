import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// The folder of odd and broken files of other projects, where it is at hand.
private let folder = sharedDataPath("conformance")

/// A row of `fixtures/conformance/verdicts.tsv`: a file, and what nibabel reads in it or why it is
/// refused.
struct ConformanceRow: Sendable, CustomTestStringConvertible {
    let file: String
    let fields: [String: String]

    var testDescription: String { file }

    subscript(column: String) -> String { fields[column] ?? "" }

    func numbers(_ column: String) -> [Double] {
        self[column].split(separator: " ").compactMap { Double($0) }
    }

    static func all() throws -> [ConformanceRow] {
        let text = String(decoding: try fixtureData("conformance/verdicts.tsv"), as: UTF8.self)
        let lines = text.split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        return lines.dropFirst().map { cells in
            ConformanceRow(
                file: cells[0], fields: Dictionary(uniqueKeysWithValues: zip(lines[0], cells)))
        }
    }
}

@Suite(.enabled(if: folder != nil, "../shared/data/conformance is absent"))
struct ConformanceTests {
    @Test func `every file has a row, and every row a file`() throws {
        let folder = try #require(folder)
        let enumerator = try #require(FileManager.default.enumerator(atPath: folder))
        let files = enumerator.compactMap { $0 as? String }.filter { name in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(
                atPath: folder + "/" + name, isDirectory: &isDirectory) && !isDirectory.boolValue
        }
        let rows = Set(try ConformanceRow.all().map(\.file))
        #expect(Set(files).subtracting(rows).sorted() == [], "files without a verdict")
        #expect(rows.subtracting(files).sorted() == [], "verdicts without a file")
    }

    @Test(arguments: try ConformanceRow.all().filter { $0["verdict"] != "refused" })
    func `is read as nibabel reads it`(row: ConformanceRow) throws {
        let path = try #require(folder) + "/" + row.file
        let number = try #require(Int(row["volume"]))
        if row["verdict"] == "series" {
            let error = try #require(throws: VolumeIOError.self) { try readVolume(at: path) }
            #expect(error.code == .series)
        } else {
            #expect(number == 0)
        }
        let loaded = try readVolume(at: path, volume: number)
        #expect(loaded.volume.grid.size.description == row["size"])
        #expect(loaded.header.storedType.rawValue == row["datatype"])
        #expect(loaded.nanVoxelCount == Int(row["nan"]))
        let affine = row.numbers("affine")
        try #require(affine.count == 12)
        for (index, expected) in affine.enumerated() {
            let element = loaded.volume.grid.affine[index / 4, index % 4]
            // Relative; 1e-12 mm is what rounding leaves of a zero.
            #expect(abs(element - expected) <= 1e-6 * abs(expected) + 1e-12)
        }

        let voxels = loaded.volume.voxels
        let samples = row.numbers("samples")
        try #require(samples.count == 33)
        for (index, expected) in samples.enumerated() {
            let voxel = Double(voxels[(voxels.count - 1) * index / 32])
            #expect(
                voxel.isNaN && expected.isNaN || abs(voxel - expected) <= 1e-6 * abs(expected))
        }
        let golden = (5.0.squareRoot() - 1) / 2
        var (sum, weightedSum, largest) = (0.0, 0.0, 0.0)
        for (index, voxel) in voxels.enumerated() where voxel.isFinite {
            let value = Double(voxel)
            sum += value
            weightedSum += value * (Double(index) * golden).truncatingRemainder(dividingBy: 1)
            largest = max(largest, abs(value))
        }
        let count = Double(voxels.count)
        let expected = ["mean", "weighted_mean", "largest"].flatMap { row.numbers($0) }
        for (value, expected) in zip([sum / count, weightedSum / count, largest], expected) {
            #expect(abs(value - expected) <= 1e-6 * largest)
        }
    }

    @Test(arguments: try ConformanceRow.all().filter { $0["verdict"] == "refused" })
    func `is refused in one sentence`(row: ConformanceRow) throws {
        let path = try #require(folder) + "/" + row.file
        for number in [nil, 0] {
            let error = try #require(throws: VolumeIOError.self) {
                try readVolume(at: path, volume: number)
            }
            #expect(error.code.rawValue == row["code"])
            expectSentence(error, names: path, contains: row["words"])
        }
    }
}
