import Files

extension JSONValue {
    /// The value on one line, to stand inside a page or a script.
    ///
    /// `<`, `>` and `&` are written as `\u003c` and so on: no text can end the script element or
    /// begin another. So is everything outside ASCII. Undefined numbers become `null`.
    var scriptText: String {
        switch self {
        case .object(let members):
            let sorted = members.sorted {
                $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars)
            }
            let pairs = sorted.map { "\(scriptQuoted($0.key)):\($0.value.scriptText)" }
            return "{\(pairs.joined(separator: ","))}"
        case .array(let values):
            return "[\(values.map(\.scriptText).joined(separator: ","))]"
        case .string(let text): return scriptQuoted(text)
        case .integer(let value): return String(value)
        case .null: return "null"
        case .number(let value): return value.isFinite ? String(value) : "null"
        }
    }
}

private func scriptQuoted(_ text: String) -> String {
    // Most of a page are pictures as letters and digits.
    let isPlain = text.utf8.allSatisfy { byte in
        (0x20..<0x7f).contains(byte) && !#""\<>&"#.utf8.contains(byte)
    }
    if isPlain { return "\"" + text + "\"" }
    var result = ""
    for unit in quotedForJSON(text).utf16 {
        switch unit {
        case 0x3c, 0x3e, 0x26, 0x7f...:
            let code = String(unit, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
        default: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
        }
    }
    return result
}
