import Files
import Foundation

/// Reads a file of JSON, or `nil` where it is missing or of another kind.
func decodeJSON<Value: Decodable>(_ type: Value.Type, at path: String) -> Value? {
    guard isRegularFile(path), let data = FileManager.default.contents(atPath: path) else {
        return nil
    }
    return try? JSONDecoder().decode(type, from: data)
}

/// The text of a JSON file for people to read, with its keys sorted.
func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
}

/// A point in time as ISO 8601 writes it, in UTC.
func timestamp(_ date: Date) -> String { date.formatted(.iso8601) }

/// Seconds to a hundredth, as records keep them.
func rounded(_ seconds: Double) -> Double { (seconds * 100).rounded() / 100 }
