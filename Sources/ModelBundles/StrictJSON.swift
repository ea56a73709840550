/// Why a text cannot be used, as a part of a sentence.
struct JSONError: Error {
    var reason: String

    init(_ reason: String) { self.reason = reason }
}

/// A JSON value, read without forgiveness.
///
/// Foundation's decoder keeps one of two fields of the same name without a word, which in the header
/// of a file of weights would hide a tensor; and it does not say where a text stops being JSON.
enum StrictJSON {
    case object([String: StrictJSON])
    case array([StrictJSON])
    case string(String)
    /// The digits as they are written.
    case number(String)
    case literal(String)

    /// Parses a text in UTF-8; white space may surround it.
    static func parsed(_ bytes: [UInt8]) throws(JSONError) -> StrictJSON {
        var parser = StrictJSONParser(bytes: bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.next == nil else { throw parser.failure }
        return value
    }
}

private struct StrictJSONParser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    var failure: JSONError {
        let before = bytes[..<position]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        return JSONError(
            "the text is not JSON at line \(line), byte \(position - lineStart + 1)")
    }

    mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    /// Steps over a character that may have white space before it.
    mutating func takes(_ character: Character) -> Bool {
        skipSpace()
        return skip(character)
    }

    mutating func value(depth: Int) throws(JSONError) -> StrictJSON {
        // Deeper than any header, and far less than the stack would bear.
        guard depth < 16 else { throw failure }
        skipSpace()
        if takes("{") { return .object(try fields(depth: depth)) }
        if takes("[") { return .array(try items(depth: depth)) }
        if next == UInt8(ascii: "\"") { return .string(try string()) }
        for word in ["true", "false", "null"] where bytes[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return .literal(word)
        }
        return .number(try number())
    }

    private mutating func number() throws(JSONError) -> String {
        let start = position
        skip("-")
        if !skip("0") { try digits() }
        if skip(".") { try digits() }
        if skip("e") || skip("E") {
            if !skip("+") { skip("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            position += 1
        }
        guard position > start else { throw failure }
    }

    @discardableResult
    private mutating func skip(_ character: Character) -> Bool {
        guard let byte = next, byte == character.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func fields(depth: Int) throws(JSONError) -> [String: StrictJSON] {
        var fields: [String: StrictJSON] = [:]
        if takes("}") { return fields }
        repeat {
            skipSpace()
            let name = try string()
            guard takes(":") else { throw failure }
            let value = try value(depth: depth + 1)
            guard fields.updateValue(value, forKey: name) == nil else {
                throw JSONError("'\(name)' stands twice in one JSON object")
            }
        } while takes(",")
        guard takes("}") else { throw failure }
        return fields
    }

    private mutating func items(depth: Int) throws(JSONError) -> [StrictJSON] {
        var items: [StrictJSON] = []
        if takes("]") { return items }
        repeat { items.append(try value(depth: depth + 1)) } while takes(",")
        guard takes("]") else { throw failure }
        return items
    }

    private mutating func string() throws(JSONError) -> String {
        guard next == UInt8(ascii: "\"") else { throw failure }
        position += 1
        var units: [UInt8] = []
        while let byte = next, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw failure }
            position += 1
            if byte != UInt8(ascii: "\\") {
                units.append(byte)
                continue
            }
            units += try escaped().utf8
        }
        guard next != nil, let text = String(validating: units, as: UTF8.self) else {
            throw failure
        }
        position += 1
        return text
    }

    private mutating func escaped() throws(JSONError) -> String {
        guard let byte = next else { throw failure }
        position += 1
        switch Character(UnicodeScalar(byte)) {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            var units = [try codeUnit()]
            if UTF16.isLeadSurrogate(units[0]) {
                guard bytes[position...].starts(with: "\\u".utf8) else { throw failure }
                position += 2
                units.append(try codeUnit())
            }
            guard let text = String(validating: units, as: UTF16.self) else { throw failure }
            return text
        default: throw failure
        }
    }

    private mutating func codeUnit() throws(JSONError) -> UInt16 {
        let digits = bytes[position..<min(position + 4, bytes.count)]
        let text = String(decoding: digits, as: UTF8.self)
        guard digits.count == 4, text.allSatisfy(\.isHexDigit), let unit = UInt16(text, radix: 16)
        else { throw failure }
        position += 4
        return unit
    }
}
