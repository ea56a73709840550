import Foundation
public import Tensors
import TestSupport

/// What is wrong with a fixture.
public struct FixtureError: Error, CustomStringConvertible {
    /// One sentence.
    public var description: String
}

/// The tensors of one case in a safetensors file.
///
/// Written from the format's description alone, so that the package's own reader is not tested
/// against itself: eight bytes with the length of the header (little-endian), the header in JSON,
/// then the bytes that its offsets point into.
public struct SafeTensorsFixture {
    private struct Entry: Decodable {
        var dtype: String
        var shape: [Int]
        var data_offsets: [Int]
    }

    private let entries: [String: Entry]
    private let bytes: [UInt8]
    private let path: String

    /// Reads a file below `fixtures/`.
    ///
    /// - Parameters:
    ///   - name: Such as `networks/layers.safetensors`.
    ///   - prefix: Only tensors whose name starts with it and a slash are there, without it.
    /// - Throws: What reading throws.
    public init(_ name: String, prefix: String = "") throws {
        let data = try fixtureData(name)
        let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard data.count >= 8 + length else {
            throw FixtureError(description: "'\(name)' ends within its header")
        }
        let header = data.dropFirst(8).prefix(length)
        let listed = try JSONSerialization.jsonObject(with: header) as? [String: Any] ?? [:]
        var entries: [String: Entry] = [:]
        let start = prefix.isEmpty ? "" : prefix + "/"
        for (key, value) in listed where key != "__metadata__" && key.hasPrefix(start) {
            let text = try JSONSerialization.data(withJSONObject: value)
            entries[String(key.dropFirst(start.count))] = try JSONDecoder().decode(
                Entry.self, from: text)
        }
        self.entries = entries
        bytes = [UInt8](data.dropFirst(8 + length))
        path = name
    }

    /// The names, sorted.
    public var names: [String] { entries.keys.sorted() }

    /// The names that start with `start`, without it, sorted.
    public func names(after start: String) -> [String] {
        names.filter { $0.hasPrefix(start) }.map { String($0.dropFirst(start.count)) }
    }

    /// Whether there is a tensor of that name.
    public func holds(_ name: String) -> Bool { entries[name] != nil }

    /// A copy of a tensor.
    public func tensor(_ name: String) throws -> Tensor {
        let types: [String: ElementType] = ["F32": .float32, "I64": .int64]
        guard let entry = entries[name], let type = types[entry.dtype] else {
            throw FixtureError(description: "'\(path)' holds no tensor '\(name)' of a known type")
        }
        return try Tensor(
            bytes: Array(bytes[entry.data_offsets[0]..<entry.data_offsets[1]]), type: type,
            shape: entry.shape)
    }
}
