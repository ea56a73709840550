import Foundation
import Synchronization

/// The result of an outside program.
public struct ProgramResult: Sendable {
    /// Its exit status; a signal's number plus 128 where one ended it.
    public var status: Int32
    /// Its text on its standard output and error.
    public var output: String
}

/// Runs an outside program to its end, without input.
///
/// - Parameters:
///   - path: The program.
///   - arguments: Its arguments.
/// - Returns: Its result.
/// - Throws: Where it cannot be started.
public func runProgram(_ path: String, _ arguments: [String]) throws -> ProgramResult {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let identifier = process.processIdentifier
    let isClosed = scratch.withLock { scratch in
        scratch.programs.insert(identifier)
        return scratch.isClosed
    }
    if isClosed { kill(identifier, SIGKILL) }
    let data = try? pipe.fileHandleForReading.readToEnd()
    process.waitUntilExit()
    scratch.withLock { _ = $0.programs.remove(identifier) }
    return ProgramResult(
        status: process.terminationReason == .exit
            ? process.terminationStatus : 128 + process.terminationStatus,
        output: String(decoding: data ?? Data(), as: UTF8.self))
}
