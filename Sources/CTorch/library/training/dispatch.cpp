#include "training/dispatch.h"

#include "kernels/dispatch.h"

namespace {

TrainingSet chosen() {
#ifdef __x86_64__
    // Matrix instructions for bfloat16 are faster than fewer multiplications without them.
    const auto of = [](const WinogradKernels *winograd) {
        return has_matrices() ? nullptr : winograd;
    };
    switch (resolved(CPLAN_KERNELS_BEST)) {
    case CPLAN_KERNELS_AVX512VNNI:
    case CPLAN_KERNELS_AVX512:
        return {
            .winograd = {&winograd_avx512, of(&winograd_avx512)},
            .gradient = &winograd_gradient_avx512,
            .kernels = &training_kernels_avx512};
    case CPLAN_KERNELS_AVX2:
        return {
            .winograd = {&winograd_avx2, of(&winograd_avx2)},
            .gradient = &winograd_gradient_avx2,
            .kernels = &training_kernels_avx2};
    default: break;
    }
#endif
    return {.winograd = {}, .gradient = nullptr, .kernels = &training_kernels_baseline};
}

}  // namespace

const TrainingSet &training_set() {
    static const TrainingSet set = chosen();
    return set;
}
