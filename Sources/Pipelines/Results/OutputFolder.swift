import Dispatch
import Files
import Foundation
import Synchronization

/// The output folder of a run, for as long as this process writes to it.
///
/// Files that belong together are first written in full below a hidden staging folder and then take
/// their final names one after the other, so that a run that fails or is killed leaves what was there
/// before. Only one process may write, or one for each shard.
final class OutputFolder: Sendable {
    private struct State {
        var nextNumber = 0
        var isReleased = false
    }

    /// The folder.
    let path: String
    private let staging: String
    private let locks: [FileLock]
    /// Held while files take their final names.
    private let state = Mutex(State())
    /// Apart from the files, so that whoever sets it need not wait until they are there.
    private let message = Mutex("")
    /// The ledger that is written meanwhile.
    private let ledger = Mutex<Ledger?>(nil)

    /// Takes the folder, and clears away what a process that was killed has left of unfinished files.
    ///
    /// - Parameters:
    ///   - path: The folder, which exists.
    ///   - shard: The part of the scans that this process segments, or `nil` for all.
    ///   - command: The command line that is named to others.
    /// - Throws: ``OutputError`` where another process writes there; `FileWriteError`.
    convenience init(at path: String, shard: Shard?, command: String) throws {
        try self.init(at: path, part: shard?.suffix ?? "", command: command)
    }

    /// Takes the folder for a part of a dataset.
    ///
    /// - Parameters:
    ///   - path: The folder, which exists.
    ///   - suffix: The ending of the names of the part's ledger and lock; empty for all of it.
    ///   - command: The command line that is named to others.
    /// - Throws: ``OutputError`` where another process writes there; `FileWriteError`.
    init(at path: String, part suffix: String, command: String) throws {
        self.path = path
        staging = joined(path, ".sliceseg-staging" + suffix)
        let whole = joined(path, Self.lockName(part: ""))
        do {
            if !suffix.isEmpty {
                locks = [
                    try FileLock(at: whole, mode: .shared, command: command),
                    try FileLock(at: joined(path, Self.lockName(part: suffix)), command: command),
                ]
            } else {
                locks = [try FileLock(at: whole, command: command)]
            }
        } catch let held as FileLock.Held {
            throw OutputError.inUse(path: path, holder: held.holder)
        }
        for path in [staging, staging + "-ended"] {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// The name of the file that tells that a process writes.
    static func lockName(part suffix: String) -> String { "ledger\(suffix).lock" }

    // MARK: - Writing

    /// Writes files that belong together: all of them, or none.
    ///
    /// - Parameters:
    ///   - marker: The file that tells that the set is complete: it is removed first, where it is
    ///     there, and has to be the last one that is written.
    ///   - setAside: Files that are kept under another name, as somebody has changed them.
    ///   - willCommit: Called when all are written and none has its final name yet.
    ///   - write: Writes them.
    /// - Throws: What `write` and `willCommit` throw; `FileWriteError`.
    func replace(
        marker: String? = nil, settingAside setAside: [String] = [],
        willCommit: ([StagedFiles.File]) throws -> Void = { _ in },
        _ write: (StagedFiles) throws -> Void
    ) throws {
        // Made under the lock, which the handler of a signal never gives back.
        let folder = try state.withLock { state in
            state.nextNumber += 1
            let folder = joined(staging, String(state.nextNumber))
            try makeDirectory(folder)
            return folder
        }
        defer {
            try? FileManager.default.removeItem(atPath: folder)
            rmdir(staging)
        }
        let staged = StagedFiles(in: folder)
        try write(staged)
        for file in staged.files { try checkPlace(of: file.path) }
        try willCommit(staged.files)
        try state.withLock { _ in try commit(staged.files, marker: marker, setAside: setAside) }
        for folder in Set(staged.files.map { ($0.path as NSString).deletingLastPathComponent }) {
            synchronizeFolder(folder.isEmpty ? "." : folder)
        }
    }

    /// Writes a text as one file.
    func write(_ text: String, to path: String) throws {
        try replace { files in
            try files.write(path) { try writeAtomically(text, to: $0) }
        }
    }

    /// Removes files of an earlier run.
    func remove(_ paths: [String]) {
        state.withLock { _ in
            for path in paths { _ = unlink(path) }
        }
    }

    private func checkPlace(of path: String) throws {
        try makeDirectory((path as NSString).deletingLastPathComponent)
        if pathExists(path), !isRegularFile(path) {
            throw FileWriteError(path: path, errorNumber: isDirectory(path) ? EISDIR : EEXIST)
        }
    }

    private func commit(
        _ files: [StagedFiles.File], marker: String?, setAside: [String]
    ) throws {
        for path in setAside where isRegularFile(path) {
            let place = placeAside(for: path)
            guard rename(path, place) == 0 else {
                throw FileWriteError(path: place, errorNumber: errno)
            }
        }
        if let marker { _ = unlink(marker) }
        var made: [String] = []
        do {
            for file in files {
                // A link stays one: the file that it leads to is replaced.
                let place = resolvedPath(file.path)
                let isNew = !pathExists(place)
                if rename(file.stagedPath, place) != 0 {
                    guard errno == EXDEV else {
                        throw FileWriteError(path: file.path, errorNumber: errno)
                    }
                    try writeAtomically(
                        try Data(contentsOf: URL(filePath: file.stagedPath)), to: place)
                }
                if isNew { made.append(place) }
            }
        } catch {
            // Those that replaced others stay: without the marker they count as unfinished.
            for path in made { _ = unlink(path) }
            throw error
        }
    }

    // MARK: - Ending

    /// Sets the message of an interruption from now on.
    func setMessage(_ message: String) { self.message.withLock { $0 = message } }

    /// Names the ledger that is written meanwhile, so that a signal waits for its step.
    func setLedger(_ ledger: Ledger?) { self.ledger.withLock { $0 = ledger } }

    /// Handles the signals that end a run, for as long as the handling is kept.
    func handleSignals() -> SignalHandling {
        SignalHandling([SIGINT, SIGTERM, SIGHUP]) { [self] number in interrupt(number) }
    }

    /// Gives the folder back.
    func release() {
        let isFirst = state.withLock { state in
            defer { state.isReleased = true }
            return !state.isReleased
        }
        guard isFirst else { return }
        try? FileManager.default.removeItem(atPath: staging)
        for lock in locks.reversed() { lock.release() }
    }

    private func interrupt(_ number: Int32) {
        // Files that are taking their names get some seconds to do so; a disk that has stopped to
        // answer does not keep the process alive.
        for _ in 0..<100 {
            _ = state.withLockIfAvailable { _ in
                ledger.withLock(\.self)?.stop(within: 3)
                // Under another name first, so that no thread can write there any more.
                let ended = staging + "-ended"
                _ = rename(staging, ended)
                try? FileManager.default.removeItem(atPath: ended)
                for lock in locks.reversed() { lock.release() }
                end(message.withLock(\.self), status: 128 + number)
            }
            usleep(50_000)
        }
        end(
            "Interrupted while files were being written; run the same command again to go on.",
            status: 128 + number)
    }

    private func end(_ message: String, status: Int32) -> Never {
        removeUnfinishedFiles()
        removeScratchFolders()
        // Below a line that shows progress.
        if isatty(2) == 1 { try? FileHandle.standardError.write(contentsOf: Data("\n".utf8)) }
        printError(message)
        // Without the handlers of exit(): other threads are still computing.
        _exit(status)
    }
}

/// Files that belong together, written below a staging folder.
final class StagedFiles {
    /// A file with the name that it will have and the one that it has until then.
    struct File {
        var path: String
        var stagedPath: String
    }

    private(set) var files: [File] = []
    private let folder: String

    fileprivate init(in folder: String) { self.folder = folder }

    /// Writes a file.
    ///
    /// - Parameters:
    ///   - path: Its final name.
    ///   - body: Writes it to the path that it is given, which has the same ending.
    /// - Throws: What `body` throws; a `FileWriteError` names the final name.
    func write(_ path: String, _ body: (_ path: String) throws -> Void) throws {
        let place = joined(folder, String(files.count))
        let stagedPath = joined(place, (path as NSString).lastPathComponent)
        do {
            try make(place)
            try body(stagedPath)
        } catch let error as FileWriteError {
            throw FileWriteError(path: path, errorNumber: error.errorNumber)
        }
        files.append(File(path: path, stagedPath: stagedPath))
    }

    /// Makes a folder, but none above it: where the staging folder has gone, the run is ending.
    private func make(_ folder: String) throws {
        guard mkdir(folder, 0o777) == 0 else {
            throw FileWriteError(path: folder, errorNumber: errno)
        }
    }

    /// Writes all files that a body makes in a folder, and in folders below it.
    ///
    /// - Parameters:
    ///   - target: The folder that will have them.
    ///   - body: Writes them to the folder that it is given.
    /// - Throws: What `body` throws; a `FileWriteError` names the final name.
    func writeFolder(_ target: String, _ body: (_ folder: String) throws -> Void) throws {
        let place = joined(folder, String(files.count) + "-folder")
        do {
            try make(place)
            try body(place)
        } catch let error as FileWriteError {
            throw FileWriteError(
                path: error.path.replacing(place, with: target), errorNumber: error.errorNumber)
        }
        let found =
            FileManager.default.enumerator(atPath: place)?
            .compactMap { $0 as? String }.sorted() ?? []
        for name in found where isRegularFile(joined(place, name)) {
            files.append(File(path: joined(target, name), stagedPath: joined(place, name)))
        }
    }
}

/// The name under which a file that somebody has changed is kept: `a_dseg.edited-1.nii.gz`.
private func placeAside(for path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    let name = (path as NSString).lastPathComponent
    let ending = [".nii.gz", ".nii", ".tsv", ".json", ".png", ".stats"].first(where: name.hasSuffix)
    let base = name.dropLast(ending?.count ?? 0)
    var number = 1
    while true {
        let place = joined(folder, "\(base).edited-\(number)\(ending ?? "")")
        if !pathExists(place) { return place }
        number += 1
    }
}
