import Foundation
import Logging
import Reports
import Synchronization

/// The form of the lines that tell what a run does.
public enum LogFormat: String, Sendable, Hashable, Codable, CaseIterable {
    /// Sentences; on a terminal with a bar.
    case text
    /// A JSON object a line, on the standard error.
    case json
}

/// Begins the log of this process, so that errors in a command line are lines of its form, too.
///
/// - Parameter format: The form of the lines.
public func beginLog(_ format: LogFormat) { EventLog.begin(format) }

/// The log of this process: swift-log with a handler that writes each event as one line, in one call
/// of the system, so that lines of several threads, or of processes that share a file, stay whole.
enum EventLog {
    private static let format = Mutex(LogFormat.text)
    private static let isBegun = Mutex(false)

    /// Begins, before anything is told; where it has begun, only the form changes.
    ///
    /// - Parameter format: The form of the lines.
    static func begin(_ format: LogFormat) {
        Self.format.withLock { $0 = format }
        let isFirst = isBegun.withLock { isBegun in
            defer { isBegun = true }
            return !isBegun
        }
        if isFirst { LoggingSystem.bootstrap { _ in EventHandler() } }
    }

    /// The form of the lines.
    static var currentFormat: LogFormat { format.withLock(\.self) }

    /// Writes an event.
    ///
    /// - Parameters:
    ///   - level: Its weight.
    ///   - text: A sentence.
    ///   - fields: What else a line of JSON says.
    static func write(
        _ level: Logger.Level, _ text: String, _ fields: Logger.Metadata = [:]
    ) {
        begin(currentFormat)
        Logger(label: "sliceseg").log(level: level, "\(text)", metadata: fields)
    }

    /// Writes an event of a run over scans.
    static func write(_ event: ProgressEvent) {
        var fields: Logger.Metadata = ["event": .string(event.kind.rawValue)]
        if let scan = event.scan { fields["scan"] = .string(scan) }
        fields["finished"] = .stringConvertible(event.finished)
        fields["total"] = .stringConvertible(event.total)
        if let pace = event.scansPerHour {
            fields["scansPerHour"] = .stringConvertible((pace * 10).rounded() / 10)
        }
        if let left = event.secondsLeft { fields["secondsLeft"] = .stringConvertible(left) }
        write(event.kind == .failed ? .error : .info, event.text, fields)
    }
}

/// A handler of swift-log that writes lines to the standard error.
private struct EventHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let line: String
        switch EventLog.currentFormat {
        case .text: line = "\(event.message)"
        case .json:
            let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
            line = jsonLine(level: event.level, text: "\(event.message)", fields)
        }
        // A closed standard error leaves nobody to tell.
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }

    private func jsonLine(
        level: Logger.Level, text: String, _ fields: Logger.Metadata
    ) -> String {
        var object: [String: Any] = [
            "time": Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
            "level": level.rawValue, "message": text, "process": Int(getpid()),
        ]
        for (key, value) in fields {
            switch value {
            case .stringConvertible(let value as Int): object[key] = value
            case .stringConvertible(let value as Double): object[key] = value
            default: object[key] = "\(value)"
            }
        }
        let data = try? JSONSerialization.data(
            withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return data.map { String(decoding: $0, as: UTF8.self) } ?? text
    }
}
