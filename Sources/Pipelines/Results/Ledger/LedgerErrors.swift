import Files
import Foundation
import GRDB

/// Returns whether the file system is the reason of an error.
func isFull(_ error: DatabaseError) -> Bool {
    [.SQLITE_FULL, .SQLITE_IOERR, .SQLITE_READONLY, .SQLITE_CANTOPEN]
        .contains(error.resultCode)
}

/// The error of a ledger that cannot be written.
func writeError(_ error: DatabaseError, _ path: String) -> FileWriteError {
    let number: Int32 =
        switch error.resultCode {
        case .SQLITE_FULL: ENOSPC
        case .SQLITE_READONLY: EROFS
        case .SQLITE_CANTOPEN, .SQLITE_PERM: EACCES
        case .SQLITE_BUSY, .SQLITE_LOCKED: EBUSY
        default: EIO
        }
    return FileWriteError(path: path, errorNumber: number)
}

/// The error of a ledger that cannot be read.
func ledgerError(_ error: DatabaseError, _ path: String) -> OutputError {
    OutputError(
        code: .unreadableLedger, path: path,
        description: "the ledger '\(path)' cannot be read: "
            + "\(error.message ?? "SQLite error \(error.resultCode.rawValue)"); move it away and "
            + "run again, the results beside it are kept.")
}
