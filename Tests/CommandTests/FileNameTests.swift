import Foundation
import TestSupport
import Testing

/// Scans whose names are unusual.
@Suite struct `File names` {
    @Test func `of any kind give outputs of the same name inside the output folder`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/head.nii")
            let names = [
                "a b", "caf\u{e9}", "cafe\u{301} 2", "it's \"x\"", "new\nline", "tab\there", "-x",
                "a..b", "%41", "x\\y", "$(id)", "\u{1f9e0}",
            ]
            for name in names {
                try makeFolder(folder + "/in/" + name)
                try FileManager.default.copyItem(
                    atPath: folder + "/head.nii", toPath: folder + "/in/\(name)/\(name).nii")
            }
            try FileManager.default.copyItem(
                atPath: folder + "/head.nii", toPath: folder + "/...nii")
            let before = Set(files(below: folder))
            // A name that begins with a dash stands for itself behind its folder.
            let result = try run(
                "segment-brain",
                [
                    folder + "/in", folder + "/in/../...nii", folder + "/out", "--model",
                    folder + "/model",
                ])
            #expect(result.status == 0, "\(result.errors)")
            let written = Set(files(below: folder)).subtracting(before)
            #expect(written.allSatisfy { $0.hasPrefix("out/") })
            let labels = written.filter { $0.hasSuffix("_dseg.nii.gz") }
            #expect(
                Set(labels.map { Array($0.utf8) })
                    == Set(
                        (names.map { "\($0)/\($0)" } + [".."]).map {
                            Array("out/\($0)_dseg.nii.gz".utf8)
                        }))
            // Those of the scans, of the run, and the page with its pictures.
            #expect(written.count == 13 * 6 + 6 + 1 + 13)
            // One row a scan, whatever its name.
            let table = try rows(of: folder + "/out/volumes.tsv")
            #expect(table.count == 13)
            #expect(Set(table.map(\.count)).count == 1)
            #expect(result.errors.split(separator: "\n").count { $0.hasPrefix("[") } == 13)
        }
    }

    @Test func `that leave no room for an ending fail by name`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            let name = String(repeating: "x", count: 245)
            try makeFolder(folder + "/in")
            try writeHead(to: folder + "/in/a.nii")
            try writeHead(to: folder + "/in/\(name).nii")
            let result = try run(
                "segment-brain", [folder + "/in", folder + "/out", "--model", folder + "/model"])
            #expect(result.status == 1)
            let failures = try rows(of: folder + "/out/failures.tsv")
            #expect(failures.map(\.first) == [name])
            #expect(failures.first?[3].contains("the name is too long") == true)
            #expect(files(below: folder + "/out").filter { $0.hasPrefix("x") }.isEmpty)
            expectNothingUnfinished(in: folder + "/out")
        }
    }

    @Test func `in a list may have spaces and Windows line ends`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/my scans")
            try writeHead(to: folder + "/my scans/head one.nii")
            try write(
                Array("\u{FEFF}# cases\r\n\r\nmy scans/head one.nii\r\n".utf8),
                to: folder + "/list.txt")
            let result = try run(
                "segment-brain",
                [folder + "/list.txt", folder + "/out", "--model", folder + "/model"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(files(below: folder + "/out").contains("head one_dseg.nii.gz"))
        }
    }
}
