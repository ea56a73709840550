// libSliceSegPlan: the table of C functions in CPlan.h.

#include "abi/barrier.h"
#include "kernels/dispatch.h"
#include "plan/parallel.h"
#include "plan/plan.h"
#include "plan/view_aggregation.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

thread_local std::string last_plan_error;

namespace {

CPlanStatus set_threads(int32_t count) {
    return plan_guarded([&] { set_thread_count(count); });
}

void release_memory() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

CPlanStatus bound_kernels(CPlanKernels most) {
    return plan_guarded([&] { bound_instruction_sets(most); });
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const CPlanAPI *cplan_api(int32_t version) {
    static const CPlanAPI table = {
        .version = CPLAN_API_VERSION,
        .last_error = [] { return last_plan_error.c_str(); },
        .set_thread_count = set_threads,
        .thread_count = thread_count,
        .release_memory = release_memory,
        .plan_make = plan_make,
        .plan_release = plan_release,
        .plan_run = plan_run,
        .plan_observe = plan_observe,
        .plan_class_count = plan_class_count,
        .plan_kernels = plan_kernels,
        .plan_integer_count = plan_integer_count,
        .plan_packed_count = plan_packed_count,
        .plan_winograd_count = plan_winograd_count,
        .plan_byte_count = plan_byte_count,
        .accumulate_views = accumulate_views,
        .argmax_views = argmax_views,
        .average_mirrored = average_mirrored,
        .convolution_capability = convolution_capability,
        .has_bfloat16 = has_bfloat16,
        .has_kernels = has_instruction_set,
        .bound_kernels = bound_kernels,
    };
    return version == CPLAN_API_VERSION ? &table : nullptr;
}
