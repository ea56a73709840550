import Foundation
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
}
