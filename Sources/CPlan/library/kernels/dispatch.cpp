#include "kernels/dispatch.h"

#include "abi/barrier.h"

#ifdef __x86_64__
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace {

// What this process may use.
struct Processor {
    CPlanKernels best = CPLAN_KERNELS_BASELINE;
    bool has_bfloat16 = false;
    bool has_matrices = false;  // for bfloat16
};

#ifdef __x86_64__
// Whether there are matrix instructions, and the system lets this process use them: some that run on
// such a processor do not.
bool may_use_matrices() {
#ifdef __linux__
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned bfloat16 = 1U << 22, tiles = 1U << 24;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & bfloat16) == 0 || (d & tiles) == 0) {
        return false;
    }
    constexpr long request_permission = 0x1023, tile_data = 18;  // arch_prctl(2)
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}
#endif

Processor find_processor() {
    Processor found;
#ifdef __x86_64__
    // What the compiler may use at x86-64-v4 and -v3.
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) {
        found.best = __builtin_cpu_supports("avx512vnni") ? CPLAN_KERNELS_AVX512VNNI
                                                          : CPLAN_KERNELS_AVX512;
        found.has_matrices = may_use_matrices();
        found.has_bfloat16 = found.has_matrices || __builtin_cpu_supports("avx512bf16");
    } else if (__builtin_cpu_supports("x86-64-v3")) {
        found.best = CPLAN_KERNELS_AVX2;
    }
#elif defined(__aarch64__) && defined(__linux__)
    constexpr unsigned long bfloat16 = 1UL << 14;  // HWCAP2_BF16
    found.has_bfloat16 = (getauxval(AT_HWCAP2) & bfloat16) != 0;
#endif
    return found;
}

Processor &processor() {
    static Processor found = find_processor();
    return found;
}

InstructionSet baseline() {
#if defined(__x86_64__)
    const char *const name = "x86-64";
#elif defined(__aarch64__)
    const char *const name = "NEON";
#else
    const char *const name = "baseline";
#endif
    return {
        .names = {name, name},
        .kernels = {&row_kernels_baseline[0], &row_kernels_baseline[1]},
        .winograd = {},
        .floats = &float_convolution_baseline,
        .direct = &direct_convolution_baseline,
        .views = &view_kernels_baseline};
}

#ifdef __x86_64__
InstructionSet avx2() {
    return {
        .names = {"AVX2", "AVX2"},
        .kernels = {&row_kernels_avx2[0], &row_kernels_avx2[1]},
        .winograd = {&winograd_avx2, &winograd_avx2},
        .floats = &float_convolution_avx2,
        .direct = &direct_convolution_avx2,
        .views = &view_kernels_avx2};
}

InstructionSet avx512(bool has_vnni) {
    return {
        .names = {"AVX-512", has_vnni ? "AVX-512 VNNI" : "AVX-512"},
        .kernels = {&row_kernels_avx512[0], &row_kernels_avx512[1]},
        .winograd = {&winograd_avx512, has_vnni ? &winograd_avx512vnni : &winograd_avx512},
        .floats = &float_convolution_avx512,
        .direct = has_vnni ? &direct_convolution_avx512vnni : &direct_convolution_avx512,
        .views = &view_kernels_avx512};
}
#endif

}  // namespace

void bound_instruction_sets(CPlanKernels most) {
    if (most == CPLAN_KERNELS_BEST) return;
    require(most <= processor().best, "this processor cannot run the kernels asked for");
    // What else there is belongs to processors above the highest bound.
    processor() = {.best = most};
}

bool has_instruction_set(CPlanKernels kind) { return kind <= processor().best; }

CPlanKernels resolved(CPlanKernels kind) {
    return kind == CPLAN_KERNELS_BEST ? processor().best : kind;
}

const InstructionSet &instruction_set(CPlanKernels kind) {
    kind = resolved(kind);
    require(
        has_instruction_set(kind),
        "this processor cannot run the kernels asked for, or SLICESEG_KERNELS excludes them");
    switch (kind) {
#ifdef __x86_64__
    case CPLAN_KERNELS_AVX512VNNI: {
        static const InstructionSet set = avx512(true);
        return set;
    }
    case CPLAN_KERNELS_AVX512: {
        static const InstructionSet set = avx512(false);
        return set;
    }
    case CPLAN_KERNELS_AVX2: {
        static const InstructionSet set = avx2();
        return set;
    }
#endif
    default: {
        static const InstructionSet set = baseline();
        return set;
    }
    }
}

const char *convolution_capability() {
    const Processor &found = processor();
    if (found.has_matrices) return "AMX";
    if (found.best >= CPLAN_KERNELS_AVX512) return found.has_bfloat16 ? "AVX512_BF16" : "AVX512";
    return found.best == CPLAN_KERNELS_AVX2 ? "AVX2" : "";
}

bool has_bfloat16() { return processor().has_bfloat16; }

bool has_matrices() { return processor().has_matrices; }
