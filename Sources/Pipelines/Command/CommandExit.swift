import Files
import Foundation
import Logging

/// A command-line parser's reply to an error.
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
        do {
            try printChecked(text + "\n")
            endProcess(ExitStatus.success.rawValue)
        } catch {
            tellError("\(command): \(userMessage(for: error))")
            endProcess(ExitStatus.failure.rawValue)
        }
    case .status(let status):
        endProcess(status)
    case .wrongUsage(let message):
        // The parser may break its message into lines and end it with a full stop.
        var line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        while line.last == "." { line.removeLast() }
        tellError("\(command): \(line); see '\(command) --help'.")
        endProcess(ExitStatus.wrongUsage.rawValue)
    case nil:
        tellError("\(command): \(userMessage(for: error))")
        endProcess(ExitStatus(for: error).rawValue)
    }
}

/// Writes a text to the standard output.
///
/// - Parameter text: The text, with its line ends.
/// - Throws: `FileWriteError` where it cannot be written, such as to a full disk.
public func printChecked(_ text: String) throws {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw FileWriteError(path: "standard output", errorNumber: errno) }
        bytes = bytes.dropFirst(count)
    }
}

/// Writes a line to the log, which goes to the standard error.
public func printError(_ line: String) {
    EventLog.write(.warning, line.trimmingCharacters(in: .newlines))
}

/// Writes the error that ends a command as a line of the log.
private func tellError(_ line: String) {
    EventLog.write(.error, line.trimmingCharacters(in: .newlines))
}
