import Foundation
import ModelBundles
import Tensors
import TestSupport
import Testing

/// Files of a folder as inputs.
private func inputs(in folder: String, endingIn suffix: String) throws -> [FuzzInput] {
    try directoryListing(folder).filter { $0.hasSuffix(suffix) }.compactMap { name in
        let bytes = try [UInt8](Data(contentsOf: URL(filePath: folder + "/" + name)))
        return bytes.count < 200_000 ? FuzzInput(name: name, bytes: bytes) : nil
    }
}

/// Lets a reader refuse a file in one sentence.
private func refusable(_ read: () throws -> Void) throws {
    do {
        try read()
    } catch let error as ModelBundleError {
        guard !error.description.contains("\n") else {
            throw FuzzFinding(description: "says '\(error)'")
        }
    }
}

struct ReaderFuzzTests {
    @Test func `weights are read or refused, whatever is in their file`() throws {
        let folders = ["safetensors", "safetensors/bundle", "networks"].map(fixturePath)
        let files = try folders.flatMap { try inputs(in: $0, endingIn: ".safetensors") }
        try #require(files.count > 5)
        let words = [
            "{", "}", "[", "\"", "\"dtype\":\"F64\",", "\"shape\":[0],", "\"data_offsets\":[0,0],",
            "9223372036854775807", "-1", "1e400", "\\ud800", "__metadata__",
            String(repeating: "[", count: 5000),
        ].map { Array($0.utf8) }
        try Fuzzer(count: 1000).run(
            "safetensors", inputs: files,
            damage: { mutator, file, other in
                mutator.damaged(file, other: other, words: words)
            },
            read: { path in
                try refusable {
                    let file = try readSafeTensors(at: path)
                    for (name, stored) in file.tensors {
                        let count = stored.shape.reduce(1, *)
                        guard stored.bytes.count == count * stored.type.byteCount else {
                            throw FuzzFinding(description: "'\(name)' has other bytes than shape")
                        }
                    }
                }
            })
    }

    @Test func `cards are read or refused, whatever is in them`() throws {
        let files = try inputs(in: fixturePath("safetensors/bundle"), endingIn: ".json")
        try #require(files.count == 1)
        let words = [
            "{", "}", "[", "\"", "null", "1e400", "-0.0", "65536", "\\u0000", "true,",
            String(repeating: "[", count: 5000), "9223372036854775808",
        ].map { Array($0.utf8) }
        try Fuzzer(count: 500).run(
            "cards", inputs: files,
            damage: { mutator, file, other in
                mutator.damaged(file, other: other, words: words)
            },
            read: { path in try refusable { _ = try ModelCard.read(at: path) } })
    }
}
