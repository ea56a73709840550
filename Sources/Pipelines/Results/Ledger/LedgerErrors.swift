import Files
import Foundation
import SQLite

/// Returns whether the file system is the reason of an error.
func isFull(_ error: SQLiteError) -> Bool {
    [.full, .inputOutput, .readOnly, .cannotOpen].contains(error.code)
}

/// The error of a ledger that cannot be written.
func writeError(_ error: SQLiteError, _ path: String) -> FileWriteError {
    let number: Int32 =
        switch error.code {
        case .full: ENOSPC
        case .readOnly: EROFS
        case .cannotOpen: EACCES
        case .busy: EBUSY
        case .inputOutput, .damaged, .other: EIO
        }
    return FileWriteError(path: path, errorNumber: number)
}

/// The error of a ledger that cannot be read.
func ledgerError(_ error: SQLiteError, _ path: String) -> OutputError {
    OutputError(
        code: .unreadableLedger, path: path,
        description: "the ledger '\(path)' cannot be read: "
            + "\(error.message); move it away and run again, the results beside it are kept.")
}
