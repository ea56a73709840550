import CPlan
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
            #expect(missing.message.contains("make torch"))
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

    @Test(arguments: ["fastest", "AVX2", "avx", "sse"])
    func `refuses kernels that there are not, and names those that there are`(name: String) async {
        await #expect(processExitsWith: .success) { [name = name as String] in
            setenv("SLICESEG_KERNELS", name, 1)
            let refused = load(nil)
            #expect(refused.version == nil)
            #expect(
                refused.message.hasPrefix("SLICESEG_KERNELS is '\(name)', which names no kernels"))
            #expect(refused.message.contains("set it to baseline, avx2, avx512 or avx512vnni"))
        }
    }

    @Test func `runs no higher kernels than it is told to, nor does LibTorch`() async {
        await #expect(processExitsWith: .success) {
            setenv("SLICESEG_KERNELS", "baseline", 1)
            let table = try #require(ctorch_load(nil, nil)).pointee
            #expect(!String(cString: table.cpu_capability()).contains("AVX"))
            #expect(table.bound_kernels(CPLAN_KERNELS_AVX512VNNI) != CTORCH_OK)
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
