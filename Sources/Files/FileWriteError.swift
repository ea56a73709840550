import Foundation

/// Tells why a file could not be written.
public struct FileWriteError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file that was to be written, as the caller named it.
    public let path: String
    /// The operating system's error number, such as `ENOSPC`.
    public let errorNumber: Int32

    /// Makes an error of an error number.
    public init(path: String, errorNumber: Int32) {
        self.path = path
        self.errorNumber = errorNumber
    }

    /// One sentence: what was to be written, why it was not, and what to do.
    public var description: String {
        let (reason, nextStep) = explanation
        return "cannot write '\(path)': \(reason); \(nextStep)."
    }

    private var explanation: (reason: String, nextStep: String) {
        switch errorNumber {
        case ENOSPC: ("the disk is full", "free some space and run again")
        case EDQUOT: ("your disk quota is used up", "free some space and run again")
        case EFBIG: ("the file would be larger than allowed", "raise the limit or the file system")
        case EACCES, EPERM:
            ("no permission", "choose another folder or change its permissions")
        case EROFS: ("the file system is read-only", "choose another folder")
        case ENOENT: ("there is no such folder", "make the folder first")
        case ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder")
        case EISDIR: ("a folder has this name", "choose another name or move the folder")
        case ENAMETOOLONG: ("the name is too long", "choose a shorter name")
        case EEXIST:
            ("this name belongs to something that is not a file", "choose another name")
        case EMFILE, ENFILE: ("too many files are open", "close some programs and run again")
        case EIO: ("the disk reports an error", "check the disk and run again")
        default:
            (
                unsafe String(cString: strerror(errorNumber)),
                "check the folder and its disk and run again"
            )
        }
    }
}
