import Foundation
import Pipelines
import TestSupport
import Testing

/// How scans are found.
@Suite struct `Finding scans` {
    /// Makes empty files in a folder.
    private func make(_ files: [String], in folder: String) throws {
        for file in files {
            let path = folder + "/" + file
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true)
            try Data().write(to: URL(filePath: path))
        }
    }

    /// The scans of some inputs in a folder, as pairs of file and output name.
    private func find(_ inputs: [String], in folder: String) throws -> [[String]] {
        try findScans(in: inputs.map { folder + "/" + $0 }, output: folder + "/out").map {
            [String($0.path.dropFirst(folder.count + 1)), $0.outputName]
        }
    }

    @Test func `a folder is searched with its subfolders in order of names`() throws {
        try withTemporaryDirectory { folder in
            try make(
                [
                    "in/b.nii.gz", "in/a.MGZ", "in/sub/c.nii", "in/notes.txt", "in/d.hdr",
                    "in/d.img", "in/.hidden.nii", "in/.git/e.nii", "in/a_dseg.nii.gz",
                    "in/image.png",
                ], in: folder)
            #expect(
                try find(["in"], in: folder) == [
                    ["in/a.MGZ", "a"], ["in/b.nii.gz", "b"], ["in/d.hdr", "d"],
                    ["in/sub/c.nii", "sub/c"],
                ])
        }
    }

    @Test func `files keep their order and one that is named twice comes once`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/b.nii", "in/a.nii"], in: folder)
            #expect(
                try find(["in/b.nii", "in", "in/../in/a.nii"], in: folder) == [
                    ["in/b.nii", "b"], ["in/a.nii", "a"],
                ])
        }
    }

    @Test func `results of this program are left out, the output folder too`() throws {
        try withTemporaryDirectory { folder in
            try make(["a.nii", "old/x.nii", "out/y.nii", "raw/z.nii"], in: folder)
            let ours = #"{"Name": "s", "GeneratedBy": [{"Name": "SliceSeg"}]}"#
            try Data(ours.utf8).write(to: URL(filePath: folder + "/old/dataset_description.json"))
            let other = #"{"Name": "s", "BIDSVersion": "1.8.0"}"#
            try Data(other.utf8).write(to: URL(filePath: folder + "/raw/dataset_description.json"))
            #expect(
                try find(["."], in: folder).map { $0[1] } == ["a", "raw/z"])
            // A folder that is input and output at once is searched all the same.
            #expect(try find(["old"], in: folder).map { $0[1] } == ["x"])
            #expect(try find(["out"], in: folder).map { $0[1] } == ["y"])
        }
    }

    @Test func `links that lead in a circle are followed once`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/sub/a.nii"], in: folder)
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/in/sub/up", withDestinationPath: folder + "/in")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/in/b.nii", withDestinationPath: "sub/a.nii")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/in/gone.nii", withDestinationPath: "nowhere")
            #expect(try find(["in"], in: folder).map { $0[1] } == ["b", "gone", "sub/a"])
        }
    }

    @Test func `a list names paths relative to itself`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/my scan.nii", "in/b.nii", "in/dir/c.nii"], in: folder)
            let list = "\u{FEFF}# scans\r\nmy scan.nii\r\n\r\n\(folder)/in/b.nii\r\ndir"
            try Data(list.utf8).write(to: URL(filePath: folder + "/in/list.txt"))
            #expect(
                try find(["in/list.txt"], in: folder).map { $0[1] } == ["my scan", "b", "c"])
        }
    }

    @Test func `two scans with the same output are refused by both names`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/a.nii", "in/a.nii.gz"], in: folder)
            let error = #expect(throws: UsageError.self) { try find(["in"], in: folder) }
            let text = try #require(error?.description)
            #expect(text.contains("in/a.nii' and '"))
            #expect(text.contains("in/a.nii.gz' would both be written to 'a_dseg.nii.gz'"))
        }
    }

    @Test(
        arguments: [
            ("nothing", "does not exist"), ("empty", "no scan was found"),
            ("notes.md", "is not a scan"), ("list.txt", "names no scan"),
            ("dicom", "DICOM"),
        ])
    func `an input without a scan is named`(input: String, says: String) throws {
        try withTemporaryDirectory { folder in
            try make(["empty/notes.txt", "notes.md", "dicom/0001.dcm"], in: folder)
            try Data("# nothing\n".utf8).write(to: URL(filePath: folder + "/list.txt"))
            let error = #expect(throws: UsageError.self) { try find([input], in: folder) }
            let text = try #require(error?.description)
            #expect(text.contains("'\(folder)/\(input)'"))
            #expect(text.contains(says))
        }
    }
}
