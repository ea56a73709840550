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
                "\(inner)\(Self.quoted(key)): \(value.text(indentation: inner))"
            }
            return lines.isEmpty
                ? "{}" : "{\n\(lines.joined(separator: ",\n"))\n\(indentation)}"
        case .array(let values):
            let lines = values.map { inner + $0.text(indentation: inner) }
            return lines.isEmpty
                ? "[]" : "[\n\(lines.joined(separator: ",\n"))\n\(indentation)]"
        case .string(let text): return Self.quoted(text)
        case .integer(let value): return String(value)
        case .null: return "null"
        case .number(let value): return value.isFinite ? String(value) : "null"
        }
    }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\u{0}"..."\u{1F}":
                let code = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
