public import Foundation
import Synchronization

/// The temporary files that are being written now, and a number for the next one.
private struct Unfinished {
    var paths: Set<String> = []
    var nextNumber = 0
}

private let unfinished = Mutex(Unfinished())

/// Writes a file so that it is there in full or not at all.
///
/// The content goes to a hidden temporary file in the same folder, which is synced to the disk and
/// then takes the final name in one step; a file that had the name before stays untouched until
/// then. Where anything fails the temporary file is removed. A symbolic link stays one: the file
/// that it points to is replaced.
///
/// - Parameters:
///   - path: The final name.
///   - body: Writes the content to the path that it is given; an empty file is there already.
/// - Throws: ``FileWriteError``, or what `body` throws.
public func writeAtomically(
    to path: String, _ body: (_ temporaryPath: String) throws -> Void
) throws {
    let destination = try destination(of: path)
    let temporaryPath = try makeTemporaryFile(beside: destination, namedInErrors: path)
    do {
        try body(temporaryPath)
        try synchronize(temporaryPath, flags: O_WRONLY, namedInErrors: path)
        guard unsafe rename(temporaryPath, destination) == 0 else {
            throw FileWriteError(path: path, errorNumber: errno)
        }
    } catch {
        _ = unsafe unlink(temporaryPath)
        forget(temporaryPath)
        throw error
    }
    forget(temporaryPath)
    // The new name is safe once the folder is. Some file systems cannot sync one; the file is
    // complete even then.
    synchronizeFolder(folder(of: destination))
}

/// Syncs the names in a folder to the disk, as far as its file system can.
///
/// - Parameter path: The folder.
public func synchronizeFolder(_ path: String) {
    try? synchronize(path, flags: O_RDONLY | O_DIRECTORY, namedInErrors: path)
}

/// Writes bytes so that the file is there in full or not at all.
///
/// - Parameters:
///   - bytes: The content.
///   - path: The final name.
/// - Throws: ``FileWriteError``.
public func writeAtomically(_ bytes: [UInt8], to path: String) throws {
    try writeAtomically(to: path) { temporaryPath in
        try write(bytes, toFileAt: temporaryPath, namedInErrors: path)
    }
}

/// Writes data so that the file is there in full or not at all.
///
/// - Parameters:
///   - data: The content.
///   - path: The final name.
/// - Throws: ``FileWriteError``.
public func writeAtomically(_ data: Data, to path: String) throws {
    try writeAtomically([UInt8](data), to: path)
}

/// Writes a text in UTF-8 so that the file is there in full or not at all.
///
/// - Parameters:
///   - text: The content.
///   - path: The final name.
/// - Throws: ``FileWriteError``.
public func writeAtomically(_ text: String, to path: String) throws {
    try writeAtomically(Array(text.utf8), to: path)
}

/// Removes every temporary file that this process is writing, for use before it ends early.
///
/// Made for the handler of Ctrl-C. It takes a lock, so call it from a dispatch source, not from
/// inside a signal handler.
public func removeUnfinishedFiles() {
    unfinished.withLock { state in
        for path in state.paths { _ = unsafe unlink(path) }
        state.paths = []
    }
}

/// Writes bytes to an existing file; errors name another path, the one the user knows.
package func write(
    _ bytes: [UInt8], toFileAt path: String, namedInErrors namedPath: String
) throws(FileWriteError) {
    let descriptor = unsafe open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileWriteError(path: namedPath, errorNumber: errno) }
    var failure: Int32 = 0
    unsafe bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return }
        var done = 0
        while done < buffer.count {
            let count = unsafe Foundation.write(descriptor, base + done, buffer.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                failure = errno
                return
            }
            done += count
        }
    }
    if close(descriptor) != 0, failure == 0 { failure = errno }
    guard failure == 0 else { throw FileWriteError(path: namedPath, errorNumber: failure) }
}

private func forget(_ temporaryPath: String) {
    unfinished.withLock { _ = $0.paths.remove(temporaryPath) }
}

private func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The file that will take the content: where links lead, and never a folder or a device.
private func destination(of path: String) throws(FileWriteError) -> String {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
        // Nothing is there yet, or making the temporary file will say what is wrong.
        return path
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw FileWriteError(path: path, errorNumber: EISDIR)
    default: throw FileWriteError(path: path, errorNumber: EEXIST)
    }
    guard let resolved = unsafe realpath(path, nil) else {
        throw FileWriteError(path: path, errorNumber: errno)
    }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

private func makeTemporaryFile(
    beside destination: String, namedInErrors path: String
) throws(FileWriteError) -> String {
    let name = destination.split(separator: "/").last.map(String.init) ?? ""
    guard !name.isEmpty, !destination.hasSuffix("/") else {
        throw FileWriteError(path: path, errorNumber: EISDIR)
    }
    // A name may have 255 bytes; this one needs some for itself.
    let start = String(decoding: name.utf8.prefix(200), as: UTF8.self)
    let prefix = destination.contains("/") ? folder(of: destination) + "/" : ""
    while true {
        // Made and noted under the lock, so that Ctrl-C finds every one.
        let (candidate, errorNumber) = unfinished.withLock { state -> (String, Int32) in
            let candidate = "\(prefix).\(start).\(getpid())-\(state.nextNumber).tmp"
            state.nextNumber += 1
            let descriptor = unsafe open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            guard descriptor >= 0 else { return (candidate, errno) }
            close(descriptor)
            state.paths.insert(candidate)
            return (candidate, 0)
        }
        if errorNumber == 0 { return candidate }
        // On a shared disk another computer may have a process with this number.
        guard errorNumber == EEXIST else {
            throw FileWriteError(path: path, errorNumber: errorNumber)
        }
    }
}

private func synchronize(
    _ path: String, flags: Int32, namedInErrors namedPath: String
) throws(FileWriteError) {
    let descriptor = unsafe open(path, flags | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileWriteError(path: namedPath, errorNumber: errno) }
    let failure: Int32 = fsync(descriptor) == 0 ? 0 : errno
    let closing: Int32 = close(descriptor) == 0 ? 0 : errno
    // EINVAL: a file system that has nothing to sync.
    for errorNumber in [failure, closing] where errorNumber != 0 && errorNumber != EINVAL {
        throw FileWriteError(path: namedPath, errorNumber: errorNumber)
    }
}
