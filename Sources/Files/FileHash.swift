import Foundation

/// The SHA-256 of a file's bytes, in hexadecimal.
///
/// - Parameter path: The file.
/// - Returns: 64 hexadecimal digits, or `nil` where the file cannot be read.
public func contentHash(ofFileAt path: String) -> String? {
    let hash = SHA256()
    guard hash.update(withFileAt: path) else { return nil }
    return hash.finalize()
}

/// The SHA-256 of some files' bytes one after the other, and of a text after them.
///
/// - Parameters:
///   - paths: The files.
///   - salt: A text that tells apart what the bytes do not.
/// - Returns: 64 hexadecimal digits, or `nil` where a file cannot be read.
public func contentHash(ofFilesAt paths: [String], salt: String = "") -> String? {
    let hash = SHA256()
    for path in paths {
        guard hash.update(withFileAt: path) else { return nil }
    }
    hash.update(Data(salt.utf8))
    return hash.finalize()
}

extension SHA256 {
    /// Adds a file's bytes, a block at a time.
    ///
    /// - Parameter path: The file.
    /// - Returns: `false` where it cannot be read.
    public func update(withFileAt path: String) -> Bool {
        guard isRegularFile(path), let file = FileHandle(forReadingAtPath: path) else {
            return false
        }
        defer { try? file.close() }
        do {
            while let block = try file.read(upToCount: 1 << 20), !block.isEmpty { update(block) }
        } catch {
            return false
        }
        return true
    }
}
