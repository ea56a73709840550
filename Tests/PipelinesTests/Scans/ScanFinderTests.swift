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
        try findScans(
            in: inputs.map { folder + "/" + $0 }, output: folder + "/out", converter: { nil }
        ).map { [String($0.path.dropFirst(folder.count + 1)), $0.outputName] }
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

    @Test func `what earlier runs wrote beside scans is left out, also where one was cut off`()
        throws
    {
        try withTemporaryDirectory { folder in
            try make(
                [
                    "in/a.nii.gz", "in/a_dseg.nii.gz", "in/a_probseg.nii.gz", "in/a_qc.png",
                    "in/a_volumes.tsv", "in/a_dseg.json", "in/b_dseg.nii", "in/b_DSEG.nii",
                ], in: folder)
            #expect(try find(["in"], in: folder).map { $0[1] } == ["a", "b_DSEG"])
            // Whoever names one of them by itself means it.
            #expect(try find(["in/a_dseg.nii.gz"], in: folder).map { $0[1] } == ["a_dseg"])
        }
    }

    @Test func `names keep their spaces, accents, quotes and line breaks`() throws {
        try withTemporaryDirectory { folder in
            let names = [
                "a b", "caf\u{e9}", "cafe\u{301} 2", "it's \"x\"", "new\nline", "-x", "a..b", "%41",
                "x\\y", "\u{1f9e0}",
            ]
            try make(names.map { "in/\($0)/\($0).nii" }, in: folder)
            let found = try find(["in"], in: folder)
            #expect(Set(found.map { $0[1] }) == Set(names.map { "\($0)/\($0)" }))
            // Byte for byte: a composed accent is another name than a letter with a mark.
            let bytes = Set(found.map { Array($0[1].utf8) })
            #expect(bytes == Set(names.map { Array("\($0)/\($0)".utf8) }))
        }
    }

    @Test func `names that differ in how accents are composed are refused together`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/caf\u{e9}.nii", "in/cafe\u{301}.nii"], in: folder)
            let error = #expect(throws: UsageError.self) { try find(["in"], in: folder) }
            #expect(error?.description.contains("would both be written") == true)
        }
    }

    @Test func `a folder that links to itself is no endless search`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/a.nii", "in/b/c.nii"], in: folder)
            for (link, target) in [("in/b/in", "../../in"), ("in/self", "."), ("in/loop", "loop")] {
                try FileManager.default.createSymbolicLink(
                    atPath: folder + "/" + link, withDestinationPath: target)
            }
            #expect(try find(["in"], in: folder).map { $0[1] } == ["a", "b/c"])
        }
    }

    @Test func `a pair counts once, and beside a file of its name it is refused`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/a.hdr", "in/a.img", "in/b.hdr.gz", "in/b.img.gz"], in: folder)
            #expect(try find(["in"], in: folder).map { $0[0] } == ["in/a.hdr", "in/b.hdr.gz"])
            for other in ["a.nii", "a.mgz", "b.nii.gz"] {
                try make(["in/" + other], in: folder)
                let error = #expect(throws: UsageError.self) { try find(["in"], in: folder) }
                let text = try #require(error?.description)
                #expect(
                    text.contains("/in/\(other)' and '")
                        || text.contains("and '\(folder)/in/\(other)'"))
                try FileManager.default.removeItem(atPath: folder + "/in/" + other)
            }
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
            ("dicom", "apt install dcm2niix"), ("dicom/0001.dcm", "name the folder"),
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
