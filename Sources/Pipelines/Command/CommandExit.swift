import Foundation

/// What a command-line parser says to an error.
public enum ParserReply: Sendable, Hashable {
    /// The user asked for help or the version.
    case text(String)
    /// The command line is wrong.
    case wrongUsage(String)
    /// The command has said all and ends with this status.
    case status(Int32)
}

/// Ends the process without the handlers of `exit()`, once all is written: LibTorch needs a tenth of a
/// second to take its tables apart, which nobody will read again.
///
/// - Parameter status: The exit status.
public func endProcess(_ status: Int32 = ExitStatus.success.rawValue) -> Never {
    fflush(nil)
    _exit(status)
}

/// Ends a command after an error: help goes to the standard output, else one sentence to the
/// standard error, and the exit status says which it was.
///
/// - Parameters:
///   - command: The program's name.
///   - error: What it threw.
///   - reply: What the parser says to it, or `nil` where the error is not the parser's.
public func endCommand(
    _ command: String, after error: any Error, reply: () -> ParserReply?
) -> Never {
    switch reply() {
    case .text(var text):
        // Some help texts end with a line feed and some do not.
        while text.last?.isNewline == true { text.removeLast() }
        print(text)
        endProcess(ExitStatus.success.rawValue)
    case .status(let status):
        endProcess(status)
    case .wrongUsage(let message):
        // The parser may break its message into lines and end it with a full stop.
        var line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        while line.last == "." { line.removeLast() }
        complain("\(command): \(line); see '\(command) --help'.")
        endProcess(ExitStatus.wrongUsage.rawValue)
    case nil:
        complain("\(command): \(sentence(for: error))")
        endProcess(ExitStatus(for: error).rawValue)
    }
}

/// Writes a line to the standard error.
public func complain(_ line: String) {
    // A closed standard error leaves nobody to tell.
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
}
