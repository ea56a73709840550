import CPlan
import Foundation
import Testing

/// Loads and returns the table's version, or the message where there is none.
private func load() -> (version: Int32?, message: String) {
    var message: UnsafePointer<CChar>?
    let table = cplan_load(&message)
    return (table?.pointee.version, message.map { String(cString: $0) } ?? "")
}

// The first success is kept, so each of these runs in a process of its own.
@Suite struct `Loading what compiled networks need` {
    @Test func `takes the library that SLICESEG_PLAN names, and names it where it is missing`()
        async
    {
        await #expect(processExitsWith: .success) {
            setenv("SLICESEG_PLAN", "/nonexistent/chosen.so", 1)
            let chosen = load()
            #expect(chosen.version == nil)
            #expect(chosen.message.contains("'/nonexistent/chosen.so' cannot be loaded"))
            #expect(chosen.message.contains("make setup"))
            setenv("SLICESEG_PLAN", "libm.so.6", 1)
            #expect(load().message.contains("'libm.so.6' cannot be loaded"))
            unsetenv("SLICESEG_PLAN")
            #expect(load().version == CPLAN_API_VERSION)
        }
    }

    @Test func `loads no LibTorch`() async {
        await #expect(processExitsWith: .success) {
            #expect(load().version == CPLAN_API_VERSION)
            // Finds what is loaded already, by the name that a library has of itself.
            #expect(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD) != nil)
            for library in ["libtorch.so", "libtorch_cpu.so", "libc10.so"] {
                #expect(dlopen(library, RTLD_LAZY | RTLD_NOLOAD) == nil, "\(library)")
            }
        }
    }

    @Test(arguments: ["fastest", "AVX2", "avx", "sse"])
    func `refuses kernels that there are not, and names those that there are`(name: String) async {
        await #expect(processExitsWith: .success) { [name = name as String] in
            setenv("SLICESEG_KERNELS", name, 1)
            let refused = load()
            #expect(refused.version == nil)
            #expect(
                refused.message.hasPrefix("SLICESEG_KERNELS is '\(name)', which names no kernels"))
            #expect(refused.message.contains("set it to baseline, avx2, avx512 or avx512vnni"))
        }
    }

    @Test func `runs no higher kernels than it is told to`() async {
        await #expect(processExitsWith: .success) {
            setenv("SLICESEG_KERNELS", "baseline", 1)
            let table = try #require(cplan_load(nil)).pointee
            #expect(table.has_kernels(CPLAN_KERNELS_BASELINE))
            #expect(!table.has_kernels(CPLAN_KERNELS_AVX2))
            #expect(!table.has_bfloat16())
            #expect(String(cString: table.convolution_capability()).isEmpty)
            #expect(table.bound_kernels(CPLAN_KERNELS_AVX512VNNI) != CPLAN_OK)
        }
    }

    /// As the system lists them; the library asks the processor itself.
    @Test func `finds the kernels that this processor runs`() async {
        await #expect(processExitsWith: .success) {
            unsetenv("SLICESEG_KERNELS")
            let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
            let flags = Set(text.split(whereSeparator: \.isWhitespace))
            let table = try #require(cplan_load(nil)).pointee
            let hasAVX2 = flags.isSuperset(of: ["avx2", "fma", "f16c", "bmi2"])
            let hasAVX512 = flags.isSuperset(of: [
                "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl",
            ])
            #expect(table.has_kernels(CPLAN_KERNELS_AVX2) == hasAVX2)
            #expect(table.has_kernels(CPLAN_KERNELS_AVX512) == hasAVX512)
            #expect(
                table.has_kernels(CPLAN_KERNELS_AVX512VNNI)
                    == (hasAVX512 && flags.contains("avx512_vnni")))
            #expect(table.has_bfloat16() || !flags.contains("avx512_bf16"))
        }
    }

    @Test func `as many threads as it is told to, but at least one`() async {
        await #expect(processExitsWith: .success) {
            setenv("OMP_NUM_THREADS", "5", 1)
            let table = try #require(cplan_load(nil)).pointee
            #expect(table.thread_count() == 5)
            #expect(table.set_thread_count(3) == CPLAN_OK)
            #expect(table.thread_count() == 3)
            #expect(table.set_thread_count(0) == CPLAN_ERROR_ARGUMENT)
            #expect(String(cString: table.last_error()).contains("at least one thread"))
        }
    }
}
