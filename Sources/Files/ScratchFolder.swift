import Foundation
import Synchronization

/// The temporary folders of this process, and the programs that write to them.
struct Scratch {
    var folders: Set<String> = []
    var programs: Set<Int32> = []
    var isClosed = false
}

let scratch = Mutex(Scratch())

/// Lends a new, empty folder for temporary files, which is removed with all that is in it.
///
/// - Parameter body: Is given the folder's path.
/// - Returns: What `body` returns.
/// - Throws: `FileWriteError` where the folder cannot be made, or what `body` throws.
public func withScratchFolder<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
    let path = try makeScratchFolder()
    defer {
        scratch.withLock { _ = $0.folders.remove(path) }
        try? FileManager.default.removeItem(atPath: path)
    }
    return try body(path)
}

/// Made and noted under the lock, so that Ctrl-C finds every one.
private func makeScratchFolder() throws(FileWriteError) -> String {
    let pattern = joined(NSTemporaryDirectory(), "sliceseg-XXXXXX")
    let (path, errorNumber) = scratch.withLock { scratch -> (String?, Int32) in
        guard !scratch.isClosed else { return (nil, EINTR) }
        var template = pattern.utf8CString.map { $0 }
        guard unsafe mkdtemp(&template) != nil else { return (nil, errno) }
        let bytes = template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let made = String(decoding: bytes, as: UTF8.self)
        scratch.folders.insert(made)
        return (made, 0)
    }
    guard let path else { throw FileWriteError(path: pattern, errorNumber: errorNumber) }
    return path
}

/// Removes every temporary folder and stops the programs that write there, for use before the
/// process ends early.
///
/// It takes a lock, so call it from a dispatch source, not from inside a signal handler. No folder
/// is made after it.
public func removeScratchFolders() {
    scratch.withLock { scratch in
        scratch.isClosed = true
        for program in scratch.programs { kill(program, SIGKILL) }
        for folder in scratch.folders { try? FileManager.default.removeItem(atPath: folder) }
        scratch.programs = []
        scratch.folders = []
    }
}
