import Foundation
import Testing

/// What a command did.
struct CommandResult {
    var status: Int32
    var output: String
    var errors: String

    /// The lines of the standard error that say something.
    var errorLines: [String] {
        errors.split(separator: "\n").map(String.init).filter { !$0.isEmpty }
    }
}

/// Runs one of the two programs, which lie beside the tests' own.
///
/// A limit of the size of files is in blocks of 512 bytes.
func run(
    _ program: String, _ arguments: [String], fileSizeLimit limit: Int? = nil
) throws -> CommandResult {
    let running = try RunningCommand(program, arguments, fileSizeLimit: limit)
    return try running.wait()
}

/// A program that runs, its outputs going to files so that no pipe can fill up.
final class RunningCommand {
    let process = Process()
    private let folder: URL

    init(
        _ program: String, _ arguments: [String], fileSizeLimit: Int? = nil,
        environment: [String: String] = [:], folder workingFolder: String? = nil
    ) throws {
        folder = URL(filePath: NSTemporaryDirectory())
            .appending(path: "sliceseg-command-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appending(path: program)
        if let fileSizeLimit {
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments =
                ["-c", "ulimit -f \(fileSizeLimit); exec \"$0\" \"$@\"", path.path()] + arguments
        } else {
            process.executableURL = path
            process.arguments = arguments
        }
        process.environment = ProcessInfo.processInfo.environment
            .merging(environment) { _, new in new }
        if let workingFolder { process.currentDirectoryURL = URL(filePath: workingFolder) }
        process.standardInput = FileHandle.nullDevice
        for name in ["output", "errors"] {
            let file = folder.appending(path: name)
            try Data().write(to: file)
            let handle = try FileHandle(forWritingTo: file)
            if name == "output" {
                process.standardOutput = handle
            } else {
                process.standardError = handle
            }
        }
        try process.run()
    }

    func wait() throws -> CommandResult {
        process.waitUntilExit()
        defer { try? FileManager.default.removeItem(at: folder) }
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
        }
        return CommandResult(
            // A signal is no exit status; shells write it so.
            status: process.terminationReason == .exit
                ? process.terminationStatus : 128 + process.terminationStatus,
            output: try text("output"), errors: try text("errors"))
    }
}

/// All files below a folder by their path in it, hidden ones too, sorted.
func files(below folder: String) -> [String] {
    let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return paths.filter { path in
        var isDirectory = ObjCBool(false)
        return FileManager.default.fileExists(
            atPath: folder + "/" + path, isDirectory: &isDirectory) && !isDirectory.boolValue
    }.sorted()
}

/// Checks that no temporary file stayed below a folder.
func expectNothingUnfinished(
    in folder: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    let unfinished = files(below: folder).filter { $0.contains(".tmp") || $0.hasPrefix(".") }
    #expect(unfinished.isEmpty, sourceLocation: sourceLocation)
}

/// The rows of a table without its column names.
func rows(of path: String) throws -> [[String]] {
    String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        .split(separator: "\n").dropFirst()
        .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
}

/// A file of JSON as an object.
func object(_ path: String) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
    return try #require(value as? [String: Any])
}
