import CTorch
import Foundation
import Testing

/// Loads and returns the table's version, or the message where there is none.
private func load(_ path: String?) -> (version: Int32?, message: String) {
    var message: UnsafePointer<CChar>?
    let table = ctorch_load(path, &message)
    return (table?.pointee.version, message.map { String(cString: $0) } ?? "")
}

// The first success is kept, so each of these runs in a process of its own.
@Suite struct `Loading the engine` {
    @Test func `names the file that is missing and the next step`() async {
        await #expect(processExitsWith: .success) {
            let missing = load("/nonexistent/libCTorch.so")
            #expect(missing.version == nil)
            #expect(missing.message.contains("'/nonexistent/libCTorch.so'"))
            #expect(missing.message.contains("make setup"))
            #expect(!missing.message.contains("\n"))
        }
    }

    @Test func `goes on after a failure`() async {
        await #expect(processExitsWith: .success) {
            #expect(load("/nonexistent/libCTorch.so").version == nil)
            let found = load(nil)
            #expect(found.version == CTORCH_API_VERSION)
            #expect(found.message.isEmpty)
            // What is loaded stays, whatever is asked for later.
            #expect(load("/nonexistent/libCTorch.so").version == CTORCH_API_VERSION)
        }
    }

    @Test func `refuses a library that is something else`() async {
        await #expect(processExitsWith: .success) {
            let other = load("libm.so.6")
            #expect(other.version == nil)
            #expect(other.message.contains("'libm.so.6' cannot be loaded"))
        }
    }

    @Test func `takes the library that SLICESEG_CTORCH names`() async {
        await #expect(processExitsWith: .success) {
            setenv("SLICESEG_CTORCH", "/nonexistent/chosen.so", 1)
            let chosen = load(nil)
            #expect(chosen.version == nil)
            #expect(chosen.message.contains("'/nonexistent/chosen.so'"))
        }
    }

    @Test func `refuses another version of the table`() async {
        await #expect(processExitsWith: .success) {
            #expect(load(nil).version == CTORCH_API_VERSION)
            let symbol = try #require(dlsym(dlopen(nil, RTLD_NOW), "ctorch_api"))
            typealias Entry = @convention(c) (Int32) -> UnsafePointer<CTorchAPI>?
            let entry = unsafeBitCast(symbol, to: Entry.self)
            #expect(entry(CTORCH_API_VERSION) != nil)
            #expect(entry(CTORCH_API_VERSION + 1) == nil)
        }
    }
}
