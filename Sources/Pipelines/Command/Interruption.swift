import Dispatch
import Files
import Foundation
import Synchronization

/// Lets Ctrl-C end a run between two files, never within one scan's set of them.
///
/// Files are written one at a time under a lock. The handler takes the same lock, so that nothing
/// new is begun, removes what is unfinished, tells what to do and ends the process with status 130.
final class InterruptibleOutput: Sendable {
    private struct State {
        /// Files of the scan that is being written.
        var uncommitted: [String] = []
    }

    private let state = Mutex(State())
    /// Apart from the files, so that whoever sets it need not wait until one is written.
    private let message = Mutex("")

    /// Sets what is said when the run is interrupted now.
    func setMessage(_ message: String) { self.message.withLock { $0 = message } }

    /// Writes a file of the current scan, and keeps it in mind until the last one is written.
    func write(_ path: String, _ body: (_ path: String) throws -> Void) throws {
        try state.withLock { state in
            try body(path)
            state.uncommitted.append(path)
        }
    }

    /// Writes the current scan's last file and with it keeps all of them for good, in one step: what
    /// looks done is done.
    func writeLast(_ path: String, _ body: (_ path: String) throws -> Void) throws {
        try state.withLock { state in
            try body(path)
            state.uncommitted = []
        }
    }

    /// Removes the current scan's files.
    func rollBack() {
        state.withLock { state in
            for path in state.uncommitted { _ = unlink(path) }
            state.uncommitted = []
        }
    }

    /// Handles SIGINT and SIGTERM for as long as the handling is kept.
    func handleSignals() -> SignalHandling {
        SignalHandling([SIGINT, SIGTERM]) { [self] in interrupt() }
    }

    private func interrupt() {
        // A file that is being written gets some seconds to be finished; a disk that has stopped
        // to answer does not keep the process alive.
        for _ in 0..<100 {
            _ = state.withLockIfAvailable { state in
                for path in state.uncommitted { _ = unlink(path) }
                end(message.withLock(\.self))
            }
            usleep(50_000)
        }
        end("Interrupted while a file was being written; run the same command again to go on.")
    }

    private func end(_ message: String) -> Never {
        removeUnfinishedFiles()
        removeScratchFolders()
        // A closed standard error leaves nobody to tell.
        try? FileHandle.standardError.write(contentsOf: Data("\n\(message)\n".utf8))
        // Without the handlers of exit(): other threads are still computing.
        _exit(ExitStatus.interrupted.rawValue)
    }
}

/// Calls a handler for signals, until ``end()``.
final class SignalHandling {
    private let sources: [any DispatchSourceSignal]
    private let numbers: [Int32]

    init(_ numbers: [Int32], handler: @escaping @Sendable () -> Void) {
        self.numbers = numbers
        let queue = DispatchQueue(label: "signals", qos: .userInteractive)
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler(handler: handler)
            source.resume()
            return source
        }
    }

    /// Gives the signals back to the system.
    func end() {
        for source in sources { source.cancel() }
        for number in numbers { signal(number, SIG_DFL) }
    }
}
