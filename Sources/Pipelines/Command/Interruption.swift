import Dispatch
import Foundation

/// Calls a handler for signals, until ``end()``.
final class SignalHandling {
    private let sources: [any DispatchSourceSignal]
    private let numbers: [Int32]

    init(_ numbers: [Int32], handler: @escaping @Sendable (_ number: Int32) -> Void) {
        // A program started by nohup, or in the background of some shells, is not to be ended.
        let handled = numbers.filter { $0 != SIGHUP || !isIgnored($0) }
        self.numbers = handled
        let queue = DispatchQueue(label: "signals", qos: .userInteractive)
        sources = handled.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { handler(number) }
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

/// Returns whether a signal is ignored.
private func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        == unsafeBitCast(SIG_IGN, to: Int.self)
}
