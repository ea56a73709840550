import Files
import Foundation

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
