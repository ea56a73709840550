#include "instruction_sets.h"

#include "plan.h"

#include <c10/util/Exception.h>

#include <string_view>

namespace {

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
        .kernels = {&plan_kernels_baseline[0], &plan_kernels_baseline[1]},
        .winograd = {},
        .learning = {},
        .gradient = nullptr};
}

#ifdef __x86_64__
// Matrix instructions for bfloat16 are faster than fewer multiplications without them.
bool has_matrices() { return convolution_capability() == std::string_view("AMX"); }

InstructionSet avx2() {
    const WinogradKernels *const winograd = &winograd_avx2;
    const WinogradKernels *const half = has_matrices() ? nullptr : winograd;
    return {
        .names = {"AVX2", "AVX2"},
        .kernels = {&plan_kernels_avx2[0], &plan_kernels_avx2[1]},
        .winograd = {winograd, half},
        .learning = {winograd, half},
        .gradient = &winograd_gradient_avx2};
}

InstructionSet avx512() {
    const WinogradKernels *const winograd = &winograd_avx512;
    const WinogradKernels *const half = has_matrices() ? nullptr : winograd;
    const bool integers = half != nullptr && __builtin_cpu_supports("avx512vnni");
    return {
        .names = {"AVX-512", integers ? "AVX-512 VNNI" : "AVX-512"},
        .kernels = {&plan_kernels_avx512[0], &plan_kernels_avx512[1]},
        .winograd = {winograd, integers ? &winograd_avx512vnni : half},
        .learning = {winograd, half},
        .gradient = &winograd_gradient_avx512};
}
#endif

}  // namespace

const InstructionSet &instruction_set(CTorchKernels kind) {
    static const InstructionSet least = baseline();
#ifdef __x86_64__
    // What the compiler may use at x86-64-v4 and -v3.
    __builtin_cpu_init();
    const bool v4 = __builtin_cpu_supports("x86-64-v4");
    const bool v3 = __builtin_cpu_supports("x86-64-v3");
    if (kind == CTORCH_KERNELS_BEST) {
        kind = v4 ? CTORCH_KERNELS_AVX512 : v3 ? CTORCH_KERNELS_AVX2 : CTORCH_KERNELS_BASELINE;
    }
    TORCH_CHECK(
        kind == CTORCH_KERNELS_BASELINE || (kind == CTORCH_KERNELS_AVX2 && v3) ||
            (kind == CTORCH_KERNELS_AVX512 && v4),
        "this processor cannot run the kernels asked for");
    if (kind == CTORCH_KERNELS_AVX512) {
        static const InstructionSet set = avx512();
        return set;
    }
    if (kind == CTORCH_KERNELS_AVX2) {
        static const InstructionSet set = avx2();
        return set;
    }
#else
    TORCH_CHECK(
        kind == CTORCH_KERNELS_BEST || kind == CTORCH_KERNELS_BASELINE,
        "this processor cannot run the kernels asked for");
#endif
    return least;
}
