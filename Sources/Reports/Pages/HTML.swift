/// Markup of a page, in which text is escaped by the type.
///
/// A literal is markup. What is interpolated is text, whose special characters are escaped and whose
/// control characters are made visible; only another ``HTML`` goes in as it is:
///
///     let heading: HTML = "<h1>\(title)</h1>"
///
/// Whatever `title` holds, it cannot end the element. What is markup already but comes as a string,
/// such as an embedded style sheet, is let through by name: `\(markup: css)`.
package struct HTML: Sendable, Hashable, ExpressibleByStringInterpolation {
    /// The markup.
    package private(set) var source: String

    package init(stringLiteral value: String) { source = value }

    package init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }

    /// Text as markup that shows it.
    package init(text: String) { source = escaped(text) }

    /// Several pieces, one after another.
    package init(_ parts: some Sequence<HTML>, separator: String = "") {
        source = parts.map(\.source).joined(separator: separator)
    }

    /// Collects the pieces of a literal.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var source: String

        package init(literalCapacity: Int, interpolationCount: Int) {
            source = ""
            source.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { source += literal }

        /// Text, escaped.
        package mutating func appendInterpolation(_ text: String) { source += escaped(text) }

        package mutating func appendInterpolation(_ number: Int) { source += String(number) }

        package mutating func appendInterpolation(_ number: Double) { source += String(number) }

        /// Markup, as it is.
        package mutating func appendInterpolation(_ html: HTML) { source += html.source }

        /// Markup, or nothing.
        package mutating func appendInterpolation(_ html: HTML?) { source += html?.source ?? "" }

        /// Pieces of markup, each on a line.
        package mutating func appendInterpolation(lines: [HTML]) {
            source += lines.map(\.source).joined(separator: "\n")
        }

        /// Pieces of markup, one after another.
        package mutating func appendInterpolation(_ parts: [HTML]) {
            for part in parts { source += part.source }
        }

        /// A string that is markup already: a file of this module, or data encoded for a script.
        package mutating func appendInterpolation(markup: String) { source += markup }
    }

    static func + (first: HTML, second: HTML) -> HTML { HTML([first, second]) }

    static func += (first: inout HTML, second: HTML) { first.source += second.source }

    var isEmpty: Bool { source.isEmpty }
}

/// Text as it stands between tags or inside quotes; control characters are visible.
private func escaped(_ text: String) -> String {
    var result = ""
    for character in visibleText(text).unicodeScalars {
        switch character {
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "&": result += "&amp;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        default: result.unicodeScalars.append(character)
        }
    }
    return result
}
