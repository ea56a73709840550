import AtomicFiles
import ContentHash
import Foundation
import VolumeIO

/// The SHA-256 of a file's bytes, in hexadecimal.
///
/// - Parameter path: The file.
/// - Returns: 64 hexadecimal digits, or `nil` where the file cannot be read.
func contentHash(ofFileAt path: String) -> String? {
    let hash = SHA256()
    guard update(hash, withFileAt: path) else { return nil }
    return hash.finalize()
}

/// The SHA-256 of a scan's bytes; of a `.hdr`/`.img` pair, of both files one after the other.
///
/// - Parameter path: The scan.
/// - Returns: 64 hexadecimal digits, or `nil` where it cannot be read.
func contentHash(ofScanAt path: String) -> String? {
    let hash = SHA256()
    for part in filesOfScan(at: path) {
        guard update(hash, withFileAt: part) else { return nil }
    }
    return hash.finalize()
}

/// The SHA-256 of a scan's bytes; of a DICOM series, of all the DICOM files beside it.
///
/// - Parameter scan: The scan.
/// - Returns: 64 hexadecimal digits, or `nil` where it cannot be read.
func contentHash(of scan: ScanFile) -> String? {
    guard case .dicom(let series) = scan.origin else { return contentHash(ofScanAt: scan.path) }
    return contentHash(of: series)
}

/// The SHA-256 of some files' bytes one after the other, and of a text after them.
func contentHash(ofFilesAt paths: [String], salt: String) -> String? {
    let hash = SHA256()
    for path in paths {
        guard update(hash, withFileAt: path) else { return nil }
    }
    hash.update(Data(salt.utf8))
    return hash.finalize()
}

private func filesOfScan(at path: String) -> [String] {
    let lowercased = path.lowercased()
    for ending in [".hdr.gz", ".img.gz", ".hdr", ".img"] where lowercased.hasSuffix(ending) {
        let base = path.dropLast(ending.count)
        let parts = [".hdr", ".hdr.gz", ".img", ".img.gz"].map { base + $0 }
            .filter { isRegularFile($0) }
        return parts.isEmpty ? [path] : parts
    }
    return [path]
}

private func update(_ hash: SHA256, withFileAt path: String) -> Bool {
    guard isRegularFile(path), let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    do {
        while let block = try file.read(upToCount: 1 << 20), !block.isEmpty {
            hash.update(block)
        }
    } catch {
        return false
    }
    return true
}

/// Whether a path leads to a file, also through symbolic links.
func isRegularFile(_ path: String) -> Bool { fileKind(path) == S_IFREG }

/// Whether a path leads to a folder, also through symbolic links.
func isDirectory(_ path: String) -> Bool { fileKind(path) == S_IFDIR }

/// Whether something has this path, a dangling symbolic link not counted.
func pathExists(_ path: String) -> Bool { fileKind(path) != nil }

private func fileKind(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}

/// A path without symbolic links, `.` and `..`, or the path itself where it does not exist.
func resolvedPath(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
}

/// What tells a file or folder from every other: the bytes of its path without links.
///
/// Texts are equal however their accents are composed, and names of files are not.
func identity(ofPath path: String) -> [UInt8] { Array(resolvedPath(path).utf8) }

/// The path from the root, links left as they are.
func absolutePath(_ path: String) -> String {
    let full =
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    return (full as NSString).standardizingPath
}

/// A folder's path and a name in it, joined by one slash.
func joined(_ folder: String, _ name: String) -> String {
    folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : folder + "/" + name
}

/// Makes a folder and those above it, where they are missing.
///
/// - Parameter path: The folder.
/// - Throws: `FileWriteError`.
func makeDirectory(_ path: String) throws(FileWriteError) {
    if isDirectory(path) { return }
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
        made = made.isEmpty || made == "/" ? made + part : made + "/" + part
        if mkdir(made, 0o777) != 0 {
            let errorNumber = errno
            // On a read-only disk or above one's own folders, a folder that is there says EROFS
            // or EACCES rather than EEXIST.
            guard !isDirectory(made) else { continue }
            throw FileWriteError(
                path: path, errorNumber: errorNumber == EEXIST ? ENOTDIR : errorNumber)
        }
    }
}

/// Makes a command's output folder, and checks that files can be written there.
///
/// - Parameter path: The folder.
/// - Throws: ``UsageError`` where another folder must be chosen, `FileWriteError` where the disk is
///   to blame.
func prepareOutputDirectory(_ path: String) throws {
    guard !path.isEmpty else { throw UsageError("the output folder's name is empty; name one") }
    if pathExists(path), !isDirectory(path) {
        throw UsageError("'\(path)' is a file, not a folder; name a folder for the output")
    }
    do {
        try makeDirectory(path)
        guard access(path, W_OK | X_OK) == 0 else {
            throw FileWriteError(path: path, errorNumber: errno)
        }
    } catch let error as FileWriteError {
        switch error.errorNumber {
        case ENOSPC, EDQUOT, EIO, EMFILE, ENFILE: throw error
        default: throw UsageError("\(error)")
        }
    }
}
