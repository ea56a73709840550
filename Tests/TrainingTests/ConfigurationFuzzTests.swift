import Foundation
import Pipelines
import TestSupport
import Testing
import Training
import Yams

struct ConfigurationFuzzTests {
    @Test func `training configurations are read or refused, whatever is in them`() throws {
        let folder = fixturePath("../pipelines")
        let inputs = try directoryListing(folder).filter { $0.hasSuffix(".yaml") }.map { name in
            FuzzInput(
                name: name,
                bytes: try [UInt8](Data(contentsOf: URL(filePath: folder + "/" + name))))
        }
        try #require(!inputs.isEmpty)
        let words = [
            ": ", "- ", "\n  ", "&a ", "*a", "<<: *a\n", "|\n", "!!binary ", "{", "}", "[", "]",
            "'", "\"", "# ", "---\n", "...\n", ".nan", ".inf", "-1", "0", "1e400", "~", "null",
            "9223372036854775807", "99999999999999999999", "yes", "\t", "\0", "%YAML 9.9\n",
        ].map { Array($0.utf8) }
        try Fuzzer(count: 500).run(
            "configurations", inputs: inputs,
            damage: { mutator, file, other in
                mutator.damaged(file, other: other, words: words)
            },
            read: { path in
                let text = String(
                    decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
                do {
                    _ = try YAMLDecoder().decode(TrainingConfiguration.self, from: text)
                } catch is DecodingError {
                }
            })
    }

    @Test func `lists of scans are read or refused, whatever is in them`() throws {
        let text = "# scans\nscan a.nii.gz\r\n\n  b.nii\nfolder\nlist.txt\n\"c.mgz\"\n"
        let words = ["\n", "\r", "\r\n", "#", " ", "\0", "b.nii", "é", "x.nii.gz\n", "folder\n"]
            .map { Array($0.utf8) }
        try Fuzzer(count: 500).run(
            "lists", inputs: [FuzzInput(name: "list.txt", bytes: Array(text.utf8))],
            damage: { mutator, file, other in
                // Lines must not lead out of the folder: whole disks would be searched.
                mutator.damaged(file, other: other, words: words)
                    .map { $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0 }
            },
            read: { path in
                let folder = (path as NSString).deletingLastPathComponent
                for name in ["/scan a.nii.gz", "/b.nii"] {
                    try Data().write(to: URL(filePath: folder + name))
                }
                do {
                    _ = try findScans(in: [path], output: folder + "/out")
                } catch let error as UsageError {
                    guard !error.description.isEmpty else {
                        throw FuzzFinding(description: "says nothing")
                    }
                }
            })
    }
}
