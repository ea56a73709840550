/// A text as a JSON string, with its quotes; characters outside ASCII stand as they are.
///
/// Control characters are escaped as in Python's `json.dumps(text, ensure_ascii=False)`.
///
/// - Parameter text: Any text.
/// - Returns: The string literal.
package func quotedForJSON(_ text: String) -> String {
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
