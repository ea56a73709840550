import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Volumes that are sound, or odd enough to be refused.
///
/// Our fixtures, and the conformance files where they are at hand. A pair's header comes with its
/// image.
private func volumeInputs() throws -> [FuzzInput] {
    var folders = [fixturePath("volumes")]
    if let conformance = sharedDataPath("conformance") {
        for name in ["nifti-rs", "nifti-rs/27", "nifti-rs/fuzz_artifacts", "nibabel"] {
            folders.append(conformance + "/" + name)
        }
        folders.append(conformance + "/NIFTI-Reader-JS")
    }
    var inputs: [FuzzInput] = []
    for folder in folders {
        for name in try directoryListing(folder) {
            let path = folder + "/" + name
            guard volumeName(ofPath: name) != nil || name.hasPrefix("crash-") else { continue }
            let bytes = try fileBytes(path)
            guard bytes.count <= 1_000_000 else { continue }
            let partner = name.replacing(".hdr", with: ".img")
            var input = FuzzInput(name: name, bytes: bytes)
            if name.contains(".hdr"), FileManager.default.fileExists(atPath: folder + "/" + partner)
            {
                input.files.append((partner, try fileBytes(folder + "/" + partner)))
            }
            inputs.append(input)
        }
    }
    return inputs
}

struct ReaderFuzzTests {
    /// A damaged file is read or refused; gzip files are damaged inside or outside.
    @Test func `volumes are read or refused in a sentence, whatever is in them`() throws {
        let words = ["n+1\0", "ni1\0", "n+2\0\r\n\u{1a}\n", "<CaretExtension>", "<LabelTable>"]
            .map { Array($0.utf8) }
        try Fuzzer(count: 1500).run(
            "volumes", inputs: volumeInputs(),
            damage: { mutator, file, other in
                let isCompressed = file.starts(with: [0x1f, 0x8b])
                guard isCompressed, file.count < 32 * 1024, mutator.number(below: 3) > 0,
                    let content = inflated(file)
                else { return mutator.damaged(file, other: other, words: words) }
                return try gzipped(mutator.damaged(content, other: other, words: words))
            },
            read: readEveryWay)
    }
}

/// Reads a volume's file in all ways that there are.
private func readEveryWay(_ path: String) throws {
    try refusable(path) {
        let loaded = try readVolume(at: path)
        let grid = loaded.volume.grid
        guard loaded.volume.voxels.count == grid.size.count, grid.affine.isInvertible else {
            throw FuzzFinding(description: "reads \(loaded.volume.voxels.count) voxels on \(grid)")
        }
    }
    try refusable(path) {
        let (map, header) = try readLabelMap(at: path)
        guard map.labels.count == header.grid.size.count else {
            throw FuzzFinding(description: "reads \(map.labels.count) labels on \(header.grid)")
        }
    }
    try refusable(path) {
        let header = try readVolumeHeader(at: path, volume: 0)
        _ = try readVolume(at: path, volume: header.volumeCount - 1)
    }
    try refusable(path) { _ = try embeddedLabelTable(at: path) }
}

/// Lets a reader refuse a file in one sentence.
private func refusable(_ path: String, _ read: () throws -> Void) throws {
    do {
        try read()
    } catch let error as VolumeIOError {
        let text = error.description
        guard text.hasPrefix("'"), text.hasSuffix("."), text.contains("; "), !text.contains("\n")
        else { throw FuzzFinding(description: "says '\(text)'") }
    }
}
