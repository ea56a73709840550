import Datasets
import Foundation
import Preprocessing
import TestSupport
import Testing
import Volumes

private let color = LabelColor(red: 0, green: 0, blue: 0)

struct TrainingCaseTests {
    /// Three voxels in a row with signal, between two without.
    private static let grid = Grid(
        size: GridSize(5, 3, 3), affine: Affine(spacing: SIMD3(2, 2, 2)))
    private static let scan = Volume(
        grid: grid,
        voxels: (0..<45).map { (1...3).contains($0 % 5) ? Float(50 + $0) : 0 })
    private static let specification = ConformSpecification(
        orientation: .ras, spacingMillimeters: SIMD3(2, 2, 2), intensity: .minMax,
        marginVoxels: 0)

    private static func table() throws -> LabelTable {
        try #require(
            LabelTable([
                Structure(index: 53, name: "Right-Hippocampus", color: color),
                Structure(index: 17, name: "Left-Hippocampus", color: color),
            ]))
    }

    @Test func `classes follow the table's order and labels outside of it are background`() throws {
        let rows: [UInt16] = [9, 17, 53, 2, 9]
        let labels = LabelMap(grid: Self.grid, labels: (0..<45).map { rows[$0 % 5] })
        let prepared = try TrainingCase(
            name: "one", scan: Self.scan, labels: labels, table: Self.table(),
            conform: Self.specification)
        #expect(prepared.name == "one")
        #expect(prepared.conformed.volume.grid.size == GridSize(3, 3, 3))
        #expect(prepared.classes == (0..<27).map { [2, 1, 0][$0 % 3] })
        #expect(prepared.reference.grid == Self.grid)
        #expect(prepared.reference.labels == (0..<45).map { [0, 17, 53, 0, 0][$0 % 5] })
    }

    @Test func `labels on another grid are refused by the case's name`() throws {
        var moved = Self.grid
        moved.affine = Affine(spacing: SIMD3(2, 2, 2), translation: SIMD3(0, 0.3, 0))
        let larger = Grid(size: GridSize(5, 3, 4), affine: Self.grid.affine)
        let differences = ["lie 0.3 mm apart", "have 5x3x3 and 5x3x4 voxels"]
        for (grid, difference) in zip([moved, larger], differences) {
            let labels = LabelMap(
                grid: grid, labels: [UInt16](repeating: 17, count: grid.size.count))
            let error = try #require(throws: DatasetError.self) {
                try TrainingCase(
                    name: "1015", scan: Self.scan, labels: labels, table: Self.table(),
                    conform: Self.specification)
            }
            #expect(
                error.description
                    == "scan and labels of case '1015' \(difference); resample the labels to "
                    + "the scan's grid")
        }
    }

    @Test func `labels stored along other axes are those of the same places`() throws {
        // The first axis runs backward, and the second and third are exchanged.
        let stored = Grid(
            size: Self.grid.size,
            affine: Affine(
                columns: [SIMD3(-2, 0, 0), SIMD3(0, 0, 2), SIMD3(0, 2, 0)],
                translation: SIMD3(8, 0, 0)))
        let rows: [UInt16] = [9, 2, 53, 17, 9]
        let labels = LabelMap(grid: stored, labels: (0..<45).map { rows[$0 % 5] })
        let prepared = try TrainingCase(
            name: "one", scan: Self.scan, labels: labels, table: Self.table(),
            conform: Self.specification)
        #expect(prepared.classes == (0..<27).map { [2, 1, 0][$0 % 3] })
        #expect(prepared.reference.grid == Self.grid)
    }

    @Test func `labels whose affine was rounded in a file are taken`() throws {
        var rounded = Self.grid
        rounded.affine = Affine(spacing: SIMD3(2.000_01, 2, 2), translation: SIMD3(0, 1e-4, 0))
        let labels = LabelMap(grid: rounded, labels: [UInt16](repeating: 17, count: 45))
        let prepared = try TrainingCase(
            name: "one", scan: Self.scan, labels: labels, table: Self.table(),
            conform: Self.specification)
        #expect(prepared.classes == [UInt8](repeating: 2, count: 27))
    }
}

struct CaseFilesTests {
    private func withFiles(_ names: [String], _ body: (String) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            for name in names {
                try Data().write(to: URL(filePath: directory + "/" + name))
            }
            try body(directory)
        }
    }

    @Test func `cases are pairs of a scan and its labels, by name`() throws {
        let names = [
            "1036_SS.nii.gz", "1036_glm.nii.gz", "1000_SS.mgz", "1000_glm.nii", "notes.txt",
            ".1001_SS.nii.gz",
        ]
        try withFiles(names) { directory in
            let cases = try CaseFiles.find(in: directory, scanSuffix: "_SS", labelSuffix: "_glm")
            #expect(cases.map(\.name) == ["1000", "1036"])
            #expect(
                cases.map(\.scanPath)
                    == [directory + "/1000_SS.mgz", directory + "/1036_SS.nii.gz"])
            #expect(
                cases.map(\.labelPath)
                    == [directory + "/1000_glm.nii", directory + "/1036_glm.nii.gz"])
        }
    }

    @Test func `scans need no suffix`() throws {
        try withFiles(["a.nii.gz", "a_dseg.nii.gz"]) { directory in
            let cases = try CaseFiles.find(in: directory, scanSuffix: "", labelSuffix: "_dseg")
            #expect(cases.map(\.name) == ["a"])
            #expect(cases.first?.scanPath == directory + "/a.nii.gz")
        }
    }

    @Test(arguments: [
        (
            ["a_SS.nii", "a_glm.nii", "b_SS.nii"],
            "case 'b' in 'DIR' lacks a label map; add it or move the other file away"
        ),
        (
            ["a_SS.nii", "a_glm.nii", "b_glm.nii"],
            "case 'b' in 'DIR' lacks a scan; add it or move the other file away"
        ),
        (
            ["a_SS.nii", "a_glm.nii", "a_SS.nii.gz"],
            "case 'a' in 'DIR' has two scans, 'a_SS.nii' and 'a_SS.nii.gz'; move one away"
        ),
        (
            ["a_SS.nii", "a_glm.nii", "a_glm.mgz"],
            "case 'a' in 'DIR' has two label maps, 'a_glm.mgz' and 'a_glm.nii'; move one away"
        ),
        (
            ["a.txt"],
            "'DIR' holds no pair of files NAME_SS and NAME_glm; correct the suffixes in the "
                + "configuration"
        ),
    ])
    func `a folder that is not made of pairs is refused`(
        names: [String], sentence: String
    ) throws {
        try withFiles(names) { directory in
            let error = try #require(throws: DatasetError.self) {
                try CaseFiles.find(in: directory, scanSuffix: "_SS", labelSuffix: "_glm")
            }
            #expect(error.description.replacing(directory, with: "DIR") == sentence)
        }
    }

    @Test func `a folder that is not there is refused`() throws {
        try withTemporaryDirectory { directory in
            let missing = directory + "/cases"
            let error = try #require(throws: DatasetError.self) {
                try CaseFiles.find(in: missing, scanSuffix: "_SS", labelSuffix: "_glm")
            }
            #expect(
                error.description
                    == "the folder of cases '\(missing)' cannot be read; correct 'directory' in "
                    + "the configuration")
        }
    }
}
