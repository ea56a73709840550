import Files

/// JSON as Python's `json.dump(…, indent=4, sort_keys=True, ensure_ascii=False)` writes it; numbers
/// that JSON does not have become `null`.
indirect enum JSONValue: Sendable {
    case object([String: JSONValue])
    case array([JSONValue])
    case string(String)
    case integer(Int)
    case number(Double)
    case null

    /// The text, without a line feed at the end.
    var text: String { text(indentation: "") }

    private func text(indentation: String) -> String {
        let inner = indentation + "    "
        switch self {
        case .object(let members):
            // Python compares code points, Swift's `<` on strings normalised graphemes.
            let sorted = members.sorted {
                $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars)
            }
            let lines = sorted.map { key, value in
                "\(inner)\(quotedForJSON(key)): \(value.text(indentation: inner))"
            }
            return lines.isEmpty
                ? "{}" : "{\n\(lines.joined(separator: ",\n"))\n\(indentation)}"
        case .array(let values):
            let lines = values.map { inner + $0.text(indentation: inner) }
            return lines.isEmpty
                ? "[]" : "[\n\(lines.joined(separator: ",\n"))\n\(indentation)]"
        case .string(let text): return quotedForJSON(text)
        case .integer(let value): return String(value)
        case .null: return "null"
        case .number(let value): return value.isFinite ? String(value) : "null"
        }
    }
}
