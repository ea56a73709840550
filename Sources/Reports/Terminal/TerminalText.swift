/// Makes control characters in a text visible, so that a name cannot move the cursor, color the
/// terminal or break a line.
///
/// A line feed becomes `\n`, a tab `\t`, a carriage return `\r`, an escape `\u{1B}`. Characters that
/// turn the writing direction or take no place are treated alike, except the joiners that letters
/// and emoji need.
///
/// - Parameter text: Any text, such as a file's name.
/// - Returns: The same text on one line.
public func visibleText(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\n": result.append(contentsOf: #"\n"#.unicodeScalars)
        case "\t": result.append(contentsOf: #"\t"#.unicodeScalars)
        case "\r": result.append(contentsOf: #"\r"#.unicodeScalars)
        case "\u{200C}", "\u{200D}": result.append(scalar)
        default:
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                let code = String(scalar.value, radix: 16, uppercase: true)
                result.append(contentsOf: "\\u{\(code)}".unicodeScalars)
            default: result.append(scalar)
            }
        }
    }
    return String(result)
}

/// The number of terminal columns of a character: 0, 1 or 2.
///
/// Source: the wide ranges of Unicode Standard Annex 11, rounded to whole blocks.
func terminalColumns(of character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .control, .format: return 0
    default: break
    }
    if scalar.properties.isEmojiPresentation { return 2 }
    if character.unicodeScalars.contains("\u{FE0F}") { return 2 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
        0x1F900...0x1F9FF, 0x20000...0x3FFFD:
        return 2
    default: return 1
    }
}

/// The number of terminal columns of a text.
func terminalColumns(of text: String) -> Int {
    text.reduce(0) { $0 + terminalColumns(of: $1) }
}

/// The text, or its beginning and end with an ellipsis between them where it is too wide.
///
/// Names of scans often differ only at the end, so the end is kept too.
func truncated(_ text: String, toColumns columns: Int, ellipsis: String) -> String {
    guard terminalColumns(of: text) > columns else { return text }
    let room = columns - terminalColumns(of: ellipsis)
    guard room > 0 else { return String(ellipsis.prefix(max(0, columns))) }
    let head = prefix(of: text, columns: (room + 1) / 2)
    let tail = prefix(of: String(text.reversed()), columns: room / 2)
    return head + ellipsis + String(tail.reversed())
}

/// The longest beginning of a text that fits into a number of columns.
private func prefix(of text: String, columns: Int) -> String {
    var used = 0
    return String(
        text.prefix { character in
            used += terminalColumns(of: character)
            return used <= columns
        })
}

/// The text with spaces after it, or before it, to a width in columns.
func padded(_ text: String, toColumns columns: Int, onLeft: Bool = false) -> String {
    let spaces = String(repeating: " ", count: max(0, columns - terminalColumns(of: text)))
    return onLeft ? spaces + text : text + spaces
}
