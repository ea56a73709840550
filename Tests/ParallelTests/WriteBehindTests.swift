import Foundation
import Parallel
import Synchronization
import Testing

private struct Broken: Error, Equatable {}

/// What the pieces have done.
private final class Log: Sendable {
    private let state = Mutex((done: [Int](), active: 0, most: 0))

    func begin() { state.withLock { $0 = ($0.done, $0.active + 1, max($0.most, $0.active + 1)) } }

    func end(_ number: Int) { state.withLock { $0 = ($0.done + [number], $0.active - 1, $0.most) } }

    var done: [Int] { state.withLock { $0.done } }
    var most: Int { state.withLock { $0.most } }
}

struct WriteBehindTests {
    @Test func `pieces are done one at a time, in order`() throws {
        let log = Log()
        let behind = WriteBehind()
        for number in 0..<20 {
            try behind.submit {
                log.begin()
                Thread.sleep(forTimeInterval: number % 3 == 0 ? 0.004 : 0)
                log.end(number)
            }
        }
        try behind.finish()
        #expect(log.done == Array(0..<20))
        #expect(log.most == 1)
    }

    @Test func `an error is thrown once, by the next call, which starts nothing`() throws {
        let behind = WriteBehind()
        let log = Log()
        try behind.submit { throw Broken() }
        #expect(throws: Broken()) { try behind.submit { log.end(1) } }
        try behind.finish()
        #expect(log.done.isEmpty)
        try behind.submit { log.end(2) }
        try behind.finish()
        #expect(log.done == [2])
    }
}
