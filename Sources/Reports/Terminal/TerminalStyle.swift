import Foundation

/// The capabilities of an output: live lines, colors, characters outside ASCII, width.
public struct TerminalStyle: Sendable, Hashable {
    /// A Boolean value indicating whether a line may be written over: the output is a terminal that
    /// understands it.
    public var isInteractive: Bool
    /// Columns across.
    public var columns: Int
    /// A Boolean value indicating whether colors may be used.
    public var usesColor: Bool
    /// A Boolean value indicating whether characters outside ASCII may be used.
    public var usesUnicode: Bool

    /// Makes a style.
    public init(isInteractive: Bool, columns: Int, usesColor: Bool, usesUnicode: Bool) {
        self.isInteractive = isInteractive
        self.columns = columns
        self.usesColor = usesColor
        self.usesUnicode = usesUnicode
    }

    /// Finds out what an open file allows.
    ///
    /// Live lines need a terminal that is not `TERM=dumb`; colors also that `NO_COLOR` is unset or
    /// empty (<https://no-color.org>); characters outside ASCII a UTF-8 locale in the first of
    /// `LC_ALL`, `LC_CTYPE` and `LANG` that is set. Where the width is unknown it is 80.
    ///
    /// - Parameter fileDescriptor: 1 for the standard output, 2 for the standard error.
    public init(fileDescriptor: Int32) {
        self.init(
            isTerminal: isatty(fileDescriptor) == 1,
            columns: terminalColumns(ofFileDescriptor: fileDescriptor),
            environment: ProcessInfo.processInfo.environment)
    }

    package init(isTerminal: Bool, columns: Int?, environment: [String: String]) {
        isInteractive = isTerminal && environment["TERM"] != "dumb"
        self.columns = columns ?? 80
        usesColor = isInteractive && (environment["NO_COLOR"] ?? "").isEmpty
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy
            .compactMap { environment[$0] }.first { !$0.isEmpty }
        let name = (locale ?? "").lowercased()
        usesUnicode = name.contains("utf-8") || name.contains("utf8")
    }

    /// The sign for what is left out of a text.
    var ellipsis: String { usesUnicode ? "…" : "..." }

    /// A structure's name as it stands in a table: on one line, at most 40 columns wide.
    func shortName(_ name: String) -> String {
        truncated(visibleText(name), toColumns: 40, ellipsis: ellipsis)
    }

    /// A text in one of the terminal's colors, or as it is where colors are off.
    func colored(_ text: String, _ color: TerminalColor) -> String {
        usesColor ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// Colors and weights that every terminal with colors has.
enum TerminalColor: Int {
    case bold = 1
    case dim = 2
    case red = 31
    case green = 32
    case yellow = 33
}

/// The width of a terminal now, or `nil` where there is none.
func terminalColumns(ofFileDescriptor fileDescriptor: Int32) -> Int? {
    var size = winsize()
    guard unsafe ioctl(fileDescriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
        return nil
    }
    return Int(size.ws_col)
}
