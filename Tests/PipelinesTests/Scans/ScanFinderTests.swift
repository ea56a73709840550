import Datasets
import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

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
        ).scans.map { [String($0.path.dropFirst(folder.count + 1)), $0.outputName] }
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
            #expect(try find(["in"], in: folder).map { $0[1] } == ["a"])
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

    @Test func `a bad line of a list is told by its number and fails alone`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/a.nii", "in/c.nii", "in/notes.md"], in: folder)
            let path = folder + "/in/list.txt"
            try Data("a.nii\n# later\nb.nii\n\nnotes.md\nc.nii\n".utf8)
                .write(to: URL(filePath: path))
            let found = try findScans(in: [path], output: folder + "/out", converter: { nil })
            #expect(
                found.scans.map(\.outputName) == ["a", "b (line 3)", "notes.md (line 5)", "c"]
                    || found.scans.map(\.outputName) == [
                        "a", "c", "b (line 3)", "notes.md (line 5)",
                    ])
            #expect(
                found.warnings.map { $0.prefix(40) } == [
                    "Line 3 of the list '\(path)'".prefix(40),
                    "Line 5 of the list '\(path)'".prefix(40),
                ])
            #expect(
                found.warnings.first?.hasSuffix(
                    "does not exist; check the path of the scan or folder.") == true)
            #expect(found.scans.compactMap(reason) == found.warnings)
            try Data("x.nii\ny.nii\n".utf8).write(to: URL(filePath: path))
            let error = #expect(throws: UsageError.self) { try find(["in/list.txt"], in: folder) }
            #expect(error?.description.contains("line 1 of") == true)
            #expect(error?.description.contains("line 2 of") == true)
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may read everything"))
    func `an unreadable subfolder is a warning`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/a.nii", "in/lost+found/b.nii"], in: folder)
            chmod(folder + "/in/lost+found", 0)
            defer { chmod(folder + "/in/lost+found", 0o700) }
            let found = try findScans(
                in: [folder + "/in"], output: folder + "/out", converter: { nil })
            #expect(found.scans.map(\.outputName) == ["a"])
            #expect(
                found.warnings == [
                    "The folder '\(folder)/in/lost+found' cannot be read and was not searched."
                ])
        }
    }

    @Test func `files that are no scans are left out by name and told together`() throws {
        try withTemporaryDirectory { folder in
            let scans = [
                "brainmask.mgz", "T1.mgz", "masked.nii", "sub-1_part-mag_T1w.nii", "t1.nii",
            ]
            let others = [
                "t1_mask.nii", "aparc+aseg.mgz", "x_seg.nii.gz", "t1_ph.nii.gz",
                "sub-1_part-phase_T1w.nii", "sub-1_inv-1_MP2RAGE.nii", "x_probseg.nii",
            ]
            try make((scans + others).map { "in/" + $0 }, in: folder)
            let found = try findScans(
                in: [folder + "/in"], output: folder + "/out", converter: { nil })
            #expect(found.scans.map { ($0.path as NSString).lastPathComponent } == scans.sorted())
            #expect(
                found.warnings == [
                    "Left out of '\(folder)/in': 1 mask (t1_mask.nii), 2 label maps (aparc+aseg.mgz, "
                        + "x_seg.nii.gz), 1 probability map (x_probseg.nii), 2 phase images "
                        + "(sub-1_part-phase_T1w.nii, t1_ph.nii.gz), 1 image of another kind "
                        + "(sub-1_inv-1_MP2RAGE.nii); name a file itself to segment it."
                ])
            // Whoever names one means it; a folder of nothing else says what is in it.
            #expect(try find(["in/t1_mask.nii"], in: folder).map { $0[1] } == ["t1_mask"])
            try make(["masks/a_mask.nii"], in: folder)
            let error = #expect(throws: UsageError.self) { try find(["masks"], in: folder) }
            #expect(error?.description.contains("but 1 mask (a_mask.nii); name a file") == true)
        }
    }

    @Test func `a file whose header says that it holds labels is left out`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/a.nii"], in: folder)
            let map = LabelMap(
                grid: Grid(size: GridSize(2, 2, 2), affine: .identity),
                labels: [UInt16](repeating: 1, count: 8))
            try writeLabelMap(map, to: folder + "/in/manual.nii.gz", like: nil)
            let found = try findScans(
                in: [folder + "/in"], output: folder + "/out", converter: { nil })
            #expect(found.scans.map(\.outputName) == ["a"])
            #expect(found.warnings.first?.contains("1 label map (manual.nii.gz)") == true)
        }
    }

    @Test func `a file of labels or of one mask is known without a word about it`() throws {
        try withTemporaryDirectory { folder in
            try make(["in/a.nii"], in: folder)
            let head = makePhantom(
                seed: 1,
                options: PhantomOptions(
                    size: GridSize(64, 72, 64), spacingMillimeters: SIMD3(2.5, 2.5, 2.5)))
            let grid = head.scan.grid
            func write(_ voxels: [Float], _ name: String) throws {
                try writeVolume(
                    Volume(grid: grid, voxels: voxels), to: folder + "/in/" + name, like: nil,
                    storedAs: .int16)
            }
            try write(head.scan.voxels.map { $0.rounded() }, "head.nii.gz")
            try write(head.labels.labels.map { Float($0) }, "manual.nii.gz")
            try write(head.labels.labels.map { $0 == 0 ? 0 : 1 }, "outline.nii")
            let found = try findScans(
                in: [folder + "/in"], output: folder + "/out", converter: { nil })
            #expect(found.scans.map(\.outputName) == ["a", "head"])
            #expect(
                found.warnings.first?.contains("1 mask (outline.nii), 1 label map (manual") == true)
        }
    }

    /// Why a scan is known not to be readable.
    private func reason(of scan: ScanFile) -> String? {
        if case .unreadable(let reason) = scan.origin { reason.sentence } else { nil }
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
