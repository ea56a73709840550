import Foundation
import Synchronization

/// A lock on a file that this process holds until it releases it or ends, however it ends.
///
/// It is an open file description lock (`fcntl`), which NFS passes on to its server. A file system
/// without locks gets one by convention: the file names its holder, and a holder of this host that
/// has ended counts no more.
public final class FileLock: Sendable {
    /// The process that holds a lock.
    public struct Holder: Sendable, Codable, Hashable {
        /// Its computer.
        public var host: String
        /// Its number there.
        public var process: Int32
        /// Its command line.
        public var command: String
        /// The point in time at which it took the lock, in ISO 8601.
        public var since: String

        /// This process.
        ///
        /// - Parameter command: Its command line.
        public init(command: String) {
            host = ProcessInfo.processInfo.hostName
            process = getpid()
            self.command = command
            since = Date().formatted(.iso8601)
        }

        /// A Boolean value indicating whether it is a process of this computer that has ended.
        var hasEnded: Bool {
            host == ProcessInfo.processInfo.hostName && kill(process, 0) != 0 && errno == ESRCH
        }
    }

    /// The mode in which a lock is held.
    public enum Mode: Sendable, Hashable {
        /// Held by one process.
        case exclusive
        /// Held by any number of processes while none holds it exclusively.
        case shared
    }

    /// Tells that another process holds a lock.
    public struct Held: Error, Sendable, Hashable {
        /// The lock's file.
        public var path: String
        /// The process that holds it, as far as the file tells.
        public var holder: Holder?
    }

    /// The lock's file.
    public let path: String
    private let mode: Mode
    private let descriptor: Mutex<Int32?>

    /// Takes a lock, without waiting for it.
    ///
    /// - Parameters:
    ///   - path: The lock's file; made where it is missing.
    ///   - mode: How it is held.
    ///   - command: The command line that is named to others.
    /// - Throws: ``Held`` where another process has it; ``FileWriteError`` where the file cannot be
    ///   made.
    public init(at path: String, mode: Mode = .exclusive, command: String) throws {
        self.path = path
        self.mode = mode
        while true {
            let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
            guard file >= 0 else { throw FileWriteError(path: path, errorNumber: errno) }
            switch Self.setLock(file, mode == .exclusive ? F_WRLCK : F_RDLCK) {
            case 0: break
            case EAGAIN, EACCES:
                close(file)
                throw Held(path: path, holder: Self.holder(at: path))
            default:
                // No locks here; the file's content decides.
                if let holder = Self.holder(at: path), !holder.hasEnded,
                    holder.process != getpid()
                {
                    close(file)
                    throw Held(path: path, holder: holder)
                }
            }
            // Its last holder may have removed it in between.
            guard Self.isFile(file, at: path) else {
                close(file)
                continue
            }
            if mode == .exclusive {
                let data = (try? JSONEncoder().encode(Holder(command: command))) ?? Data()
                _ = ftruncate(file, 0)
                _ = unsafe data.withUnsafeBytes { unsafe pwrite(file, $0.baseAddress, $0.count, 0) }
            }
            descriptor = Mutex(file)
            return
        }
    }

    deinit { release() }

    /// Gives the lock back; its file goes where nobody else holds it.
    public func release() {
        descriptor.withLock { descriptor in
            guard let file = descriptor else { return }
            descriptor = nil
            if mode == .exclusive || Self.setLock(file, F_WRLCK) == 0 { _ = unsafe unlink(path) }
            close(file)
        }
    }

    /// The process that holds an exclusive lock now.
    ///
    /// - Parameter path: The lock's file.
    /// - Returns: The process, or `nil` where none holds it.
    public static func currentHolder(at path: String) -> Holder? {
        let file = unsafe open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let holder = holder(at: path)
        switch setLock(file, F_RDLCK) {
        case EAGAIN, EACCES: return holder ?? Holder(command: "")
        case 0: return nil
        default: return holder.flatMap { $0.hasEnded ? nil : $0 }
        }
    }

    private static func holder(at path: String) -> Holder? {
        FileManager.default.contents(atPath: path)
            .flatMap { try? JSONDecoder().decode(Holder.self, from: $0) }
    }

    /// Sets or clears a lock on a whole file; 0 or the error number.
    private static func setLock(_ file: Int32, _ type: Int32) -> Int32 {
        var request = flock()
        request.l_type = Int16(type)
        request.l_whence = Int16(SEEK_SET)
        // F_OFD_SETLK: held by the open file, not by the process, so that closing another
        // descriptor of the same file does not give it up.
        return unsafe fcntl(file, 37, &request) == 0 ? 0 : errno
    }

    private static func isFile(_ file: Int32, at path: String) -> Bool {
        var (open, named) = (stat(), stat())
        let areFound = unsafe fstat(file, &open) == 0 && stat(path, &named) == 0
        return areFound && open.st_ino == named.st_ino && open.st_dev == named.st_dev
    }
}
