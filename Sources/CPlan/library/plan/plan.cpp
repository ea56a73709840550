// Plans: a network's steps over scratch memory that is laid out once (plan_layout.cpp), computed for
// images (plan_steps.cpp) by several threads.
//
// A thread computes an image from beginning to end, so that no result depends on the other threads.

#include "plan/plan.h"

#include "abi/barrier.h"
#include "plan/parallel.h"
#include "plan/plan_steps.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

namespace {

// Very small numbers count as 0 on this thread while it lives: on many processors they take a
// hundred times longer.
class FlushDenormals {
public:
    FlushDenormals() {
#ifdef __x86_64__
        before = _mm_getcsr();
        _mm_setcsr(before | 0x8040);
#endif
    }
    ~FlushDenormals() {
#ifdef __x86_64__
        _mm_setcsr(before);
#endif
    }
    FlushDenormals(const FlushDenormals &) = delete;
    FlushDenormals &operator=(const FlushDenormals &) = delete;

private:
    [[maybe_unused]] unsigned before = 0;
};

// Around what a thread computes.
class Scope {
public:
    explicit Scope(const CPlanConvolutions *others) : others(others) {
        if (others != nullptr) scope = others->begin();
    }
    ~Scope() {
        if (others != nullptr) others->end(scope);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

private:
    const CPlanConvolutions *const others;
    void *scope = nullptr;
    const FlushDenormals flush;
};

class Plan : public PlanSteps {
public:
    using PlanSteps::PlanSteps;

    int class_count() const { return steps.back().classes; }

    // The logits of an image.
    int64_t logit_count(const Images &images) const {
        const bool of_pixels = steps.back().description.kind == CPLAN_STEP_CLASSIFY;
        return (of_pixels ? int64_t{images.height} * images.width : 1) * class_count();
    }

    void run(const Images &images, float *logits) {
        check(images);
        const int64_t size = logit_count(images);
        const std::lock_guard guard(lock);
        const int threads = static_cast<int>(std::min<int64_t>(thread_count(), images.count));
        while (static_cast<int>(workspaces.size()) < threads) workspaces.push_back(workspace());
        std::atomic<int64_t> next{0};
        std::exception_ptr failure;
        std::mutex failure_lock;
        if (images.count == 0) return;
        on_threads(threads, [&](int thread) {
            const Scope scope(others);
            Workspace &mine = workspaces[thread];
            for (int64_t i = next++; i < images.count; i = next++) {
                try {
                    run_image(mine, images, i, logits + i * size);
                } catch (...) {
                    const std::lock_guard guard(failure_lock);
                    if (!failure) failure = std::current_exception();
                }
            }
            for (OtherResult &output : mine.outputs) output = {};
        });
        if (failure) std::rethrow_exception(failure);
    }

    // How often each bfloat16 number stands in the input of each convolution is added to `counts`.
    void observe(const Images &images, int64_t *counts) {
        check(images);
        require(integer_count() == 0, "integers are not observed");
        Floats logits(logit_count(images));
        const std::lock_guard guard(lock);
        if (workspaces.empty()) workspaces.push_back(workspace());
        const Scope scope(others);
        for (int64_t i = 0; i < images.count; i++) {
            run_image(workspaces[0], images, i, logits.data(), counts);
        }
    }

private:
    std::vector<Workspace> workspaces;
    std::mutex lock;

    void check(const Images &images) const {
        const CPlanStep &first = steps.front().description;
        const CPlanBuffer &input = buffers[first.target.buffer].size;
        require(
            images.channels == first.target.channels && images.height <= input.height &&
                images.width <= input.width && images.height > 0 && images.width > 0,
            "images of ", images.channels, " x ", images.height, " x ", images.width,
            " for a plan of ", first.target.channels, " x ", input.height, " x ", input.width);
    }
};

// A large block goes back to the system as it is freed. By default ever larger ones are put among the small
// that stay, which then hold on to what is freed around them.
void keep_large_blocks_apart() {
#ifdef __GLIBC__
    static const int done = mallopt(M_MMAP_THRESHOLD, 256 << 10);
    static_cast<void>(done);
#endif
}

Plan &plan_of(CPlan handle) { return *reinterpret_cast<Plan *>(handle); }

}  // namespace

CPlanStatus plan_make(
    const CPlanBuffer *buffers, int32_t buffer_count, const CPlanStep *steps, int32_t step_count,
    bool is_bfloat16, CPlanKernels kernels, const CPlanConvolutions *others, CPlan *result) {
    keep_large_blocks_apart();
    return plan_guarded([&] {
        *result = reinterpret_cast<CPlan>(
            new Plan(buffers, buffer_count, steps, step_count, is_bfloat16, kernels, others));
    });
}

void plan_release(CPlan plan) {
    if (plan != nullptr) delete &plan_of(plan);
}

CPlanStatus plan_run(
    CPlan plan, const float *images, int64_t count, int32_t channels, int32_t height, int32_t width,
    float *logits) {
    return plan_guarded(
        [&] { plan_of(plan).run({images, count, channels, height, width}, logits); });
}

CPlanStatus plan_observe(
    CPlan plan, const float *images, int64_t count, int32_t channels, int32_t height, int32_t width,
    int64_t *counts) {
    return plan_guarded(
        [&] { plan_of(plan).observe({images, count, channels, height, width}, counts); });
}

int32_t plan_class_count(CPlan plan) { return plan_of(plan).class_count(); }

const char *plan_kernels(CPlan plan) { return plan_of(plan).kernels_name; }

int32_t plan_integer_count(CPlan plan) { return plan_of(plan).integer_count(); }

int32_t plan_packed_count(CPlan plan) { return plan_of(plan).packed_count(); }

int32_t plan_winograd_count(CPlan plan) { return plan_of(plan).winograd_count(); }

int64_t plan_byte_count(CPlan plan) { return plan_of(plan).byte_count(); }
