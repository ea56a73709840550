import Foundation

/// Returns whether a path leads to a file, also through symbolic links.
public func isRegularFile(_ path: String) -> Bool { fileKind(path) == S_IFREG }

/// Returns whether a path leads to a folder, also through symbolic links.
public func isDirectory(_ path: String) -> Bool { fileKind(path) == S_IFDIR }

/// Returns whether something has this path, a dangling symbolic link not counted.
public func pathExists(_ path: String) -> Bool { fileKind(path) != nil }

private func fileKind(_ path: String) -> mode_t? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}

/// A path without symbolic links, `.` and `..`, or the path itself where it does not exist.
public func resolvedPath(_ path: String) -> String {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// The identity of a file or folder: the bytes of its path without links.
///
/// Texts are equal however their accents are composed, and names of files are not.
public func identity(ofPath path: String) -> [UInt8] { Array(resolvedPath(path).utf8) }

/// The path from the root, links left as they are.
public func absolutePath(_ path: String) -> String {
    let full =
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    return (full as NSString).standardizingPath
}

/// A folder's path and a name in it, joined by one slash.
public func joined(_ folder: String, _ name: String) -> String {
    folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : folder + "/" + name
}

/// Makes a folder and those above it, where they are missing.
///
/// - Parameter path: The folder.
/// - Throws: `FileWriteError`.
public func makeDirectory(_ path: String) throws(FileWriteError) {
    if isDirectory(path) { return }
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
        made = made.isEmpty || made == "/" ? made + part : made + "/" + part
        if unsafe mkdir(made, 0o777) != 0 {
            let errorNumber = errno
            // On a read-only disk or above one's own folders, a folder that is there says EROFS
            // or EACCES rather than EEXIST.
            guard !isDirectory(made) else { continue }
            throw FileWriteError(
                path: path, errorNumber: errorNumber == EEXIST ? ENOTDIR : errorNumber)
        }
    }
}

/// A file's size and time of change, by which an unchanged one is known without reading it.
public struct FileStamp: Sendable, Codable, Hashable {
    /// Bytes.
    public var bytes: Int64
    /// The time of the last change, in nanoseconds since 1970.
    public var modifiedNanoseconds: Int64

    /// Makes a stamp of its numbers.
    public init(bytes: Int64, modifiedNanoseconds: Int64) {
        self.bytes = bytes
        self.modifiedNanoseconds = modifiedNanoseconds
    }

    /// The stamp of a file, or of several together.
    ///
    /// `nil` where one is missing or no file.
    ///
    /// - Parameter paths: The files; links are followed.
    public init?(ofFilesAt paths: [String]) {
        bytes = 0
        modifiedNanoseconds = 0
        for path in paths {
            var status = stat()
            guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                return nil
            }
            bytes += Int64(status.st_size)
            let time = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
            modifiedNanoseconds = max(modifiedNanoseconds, time)
        }
    }

    /// The stamp of a file, or `nil` where there is none.
    ///
    /// - Parameter path: The file.
    public init?(ofFileAt path: String) { self.init(ofFilesAt: [path]) }
}

/// Returns the place that a symbolic link names, or `nil` where a path is no link.
public func destinationOfLink(at path: String) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: path)
}
