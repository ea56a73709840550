import Foundation
import Parallel
import Synchronization
import Testing

/// What the prefetcher under test has asked for, and what its consumer has.
private final class Bookkeeping: Sendable {
    struct State {
        var made: [Int] = []
        var asked = 0
        var largestLead = 0
    }
    let state = Mutex(State())

    func make(_ number: Int) -> Int {
        state.withLock { state in
            state.made.append(number)
            state.largestLead = max(state.largestLead, number + 1 - state.asked)
        }
        return number * number
    }

    func ask() { state.withLock { $0.asked += 1 } }

    /// Waits until so many items are made, and then a little for those that must not be.
    func settle(at count: Int) -> [Int] {
        for _ in 0..<500 where state.withLock({ $0.made.count }) < count {
            Thread.sleep(forTimeInterval: 0.01)
        }
        Thread.sleep(forTimeInterval: 0.05)
        return state.withLock { $0.made.sorted() }
    }
}

struct PrefetcherTests {
    @Test(arguments: [1, 2, 5])
    func `items come in the order of their numbers, however long each takes`(depth: Int) {
        let prefetcher = Prefetcher(first: 7, depth: depth) { number in
            // Later ones are often done first.
            Thread.sleep(forTimeInterval: number % 3 == 0 ? 0.004 : 0)
            return "item \(number)"
        }
        let items = (0..<40).map { _ in prefetcher.next() }
        prefetcher.stop()
        #expect(items == (7..<47).map { "item \($0)" })
    }

    @Test(arguments: [1, 3])
    func `no more than depth items are made ahead`(depth: Int) {
        let books = Bookkeeping()
        let prefetcher = Prefetcher(first: 0, depth: depth) { books.make($0) }
        #expect(books.settle(at: depth) == Array(0..<depth), "before anything is asked for")
        for number in 0..<30 {
            books.ask()
            #expect(prefetcher.next() == number * number)
        }
        #expect(books.settle(at: 30 + depth) == Array(0..<30 + depth))
        #expect(books.state.withLock { $0.largestLead } == depth)
        prefetcher.stop()
    }

    @Test func `stopping makes nothing more`() {
        let books = Bookkeeping()
        let prefetcher = Prefetcher(first: 0, depth: 2) { books.make($0) }
        _ = books.settle(at: 2)
        prefetcher.stop()
        #expect(prefetcher.next() == 0, "what was made is still there")
        #expect(prefetcher.next() == 1)
        #expect(books.settle(at: 3) == [0, 1])
    }

    @Test func `a stopped prefetcher lets go of what its items are made of`() {
        weak var data: Bookkeeping?
        do {
            let books = Bookkeeping()
            data = books
            let prefetcher = Prefetcher(first: 0, depth: 2) { books.make($0) }
            _ = prefetcher.next()
            prefetcher.stop()
        }
        for _ in 0..<500 where data != nil { Thread.sleep(forTimeInterval: 0.01) }
        #expect(data == nil)
    }
}
