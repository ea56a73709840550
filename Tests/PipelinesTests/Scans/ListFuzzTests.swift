import Foundation
import Pipelines
import TestSupport
import Testing

struct ListFuzzTests {
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
