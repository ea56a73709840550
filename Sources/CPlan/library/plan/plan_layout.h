// How a plan is made: its steps with packed weights, and where each buffer lies.

#ifndef PLAN_LAYOUT_H
#define PLAN_LAYOUT_H

#include "CPlan.h"
#include "kernels/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <vector>

using Floats = std::vector<float>;

struct FreeBlock {
    void operator()(void *block) const { std::free(block); }
};

template <typename Element>
using Block = std::unique_ptr<Element, FreeBlock>;

template <typename Element>
Block<Element> aligned_block(int64_t count) {
    const int64_t bytes = (std::max<int64_t>(count, 1) * sizeof(Element) + 63) / 64 * 64;
    Block<Element> block(static_cast<Element *>(std::aligned_alloc(64, bytes)));
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

// Numbers as integers of 0...255: scale * (integer - zero). 0 is one of them.
struct Quantization {
    float scale = 1;
    int zero = 0;

    static Quantization between(double low, double high);
};

struct FloatSums {
    FloatLayer layer;
    std::shared_ptr<float> weights;
    Floats bias;
};

struct IntegerSums {
    DirectLayer layer;
    bool gives_integers = false;
    std::shared_ptr<char> weights;
    std::vector<int32_t> starts;
    std::shared_ptr<float> factors, bias;
};

struct OtherConvolution {
    std::shared_ptr<CPlanConvolutionStorage> convolution;
    bool is_in_integers = false;
};

struct PlanStep {
    CPlanStep description;
    // Of a convolution by Winograd's algorithm.
    std::optional<WinogradLayer> winograd;
    std::shared_ptr<float> winograd_weights;
    // Of another library's.
    std::optional<OtherConvolution> other;
    // Of one in integers, and of any other.
    std::optional<IntegerSums> integer_sums;
    std::optional<FloatSums> float_sums;
    // What integers stand for the input.
    std::optional<Quantization> quantization;
    // Of a convolution whose input is concatenated bit by bit as it is needed: the step that concatenates.
    int concatenation = -1;
    // Of the others.
    Floats scale, shift, weights, biases;
    Floats reduce_weight, reduce_bias, expand_weight, expand_bias, spatial_weight;
    float spatial_bias = 0;
    int classes = 0;
    int padded_classes = 0;
    // Buffers of convolutions that no later step reads.
    std::vector<int> released;

    bool is_in_integers() const { return quantization.has_value(); }
};

struct PlanBuffer {
    CPlanBuffer size;
    bool from_convolution = false;
    bool holds_integers = false;
    int64_t byte_count = 0;
    int64_t offset = 0;
    int first_use = -1;
    int last_use = -1;

    int64_t pixels() const { return static_cast<int64_t>(size.height) * size.width; }
};

// Does not change once it is made.
class PlanLayout {
public:
    PlanLayout(
        const CPlanBuffer *given_buffers, int32_t buffer_count, const CPlanStep *given_steps,
        int32_t step_count, bool is_bfloat16, CPlanKernels kind, const CPlanConvolutions *others);

    const bool is_bfloat16;
    const CPlanConvolutions *const others;
    const char *kernels_name = "";
    const RowKernels *kernels = nullptr;
    const WinogradKernels *winograd = nullptr;
    const FloatConvolution *floats = nullptr;
    const DirectKernels *direct = nullptr;
    int64_t element_size = 4;
    std::vector<PlanBuffer> buffers;
    std::vector<PlanStep> steps;
    int64_t arena_size = 0;

    // As many rows as stay near the processor.
    int64_t rows_at_once(const PlanBuffer &buffer) const;

    // How many rows a convolution by Winograd's algorithm concatenates and convolves at once.
    int band_of(const PlanStep &step) const;

    // What a thread needs beside its buffers, in bytes: for rows that are concatenated, for integers, and
    // for a convolution to work in.
    int64_t concatenated_scratch() const;
    int64_t integer_scratch() const;
    int64_t convolution_scratch() const;

    // Whether the next step concatenates its input itself.
    bool is_concatenated_later(size_t position) const;

    // Convolutions by kind.
    int32_t integer_count() const;
    int32_t packed_count() const;
    int32_t winograd_count() const;

    // What a thread needs in all.
    int64_t byte_count() const;

private:
    // Whether the step before a convolution does nothing but concatenate its input.
    bool only_concatenates_for(const CPlanStep *given, int count, int position) const;

    PlanStep prepared(const CPlanStep &description, bool concatenates);

    static void take_weights(PlanStep &step);
    bool same_size(const CPlanPlace &a, const CPlanPlace &b) const;

    void pack(PlanStep &step);

    // A convolution in integers writes integers where only another one reads them.
    void chain_integers();

    // Each tells whether the convolution is one for it, which then has its weights.
    bool packed_for_others(PlanStep &step) const;
    bool packed_for_winograd(PlanStep &step) const;

    void pack_integers(PlanStep &step) const;
    void pack_floats(PlanStep &step) const;

    template <typename Use>
    static void each_place(const CPlanStep &step, Use &&use) {
        for (int s = 0; s < step.source_count; s++) {
            use(step.sources[s].buffer);
            use(step.source_indices[s]);
        }
        if (step.kind != CPLAN_STEP_CLASSIFY && step.kind != CPLAN_STEP_CLASSIFY_IMAGE) {
            use(step.target.buffer);
        }
        use(step.pooled.buffer);
        use(step.indices);
    }

    void find_uses();

    // Gives each buffer the lowest place that is free as long as it is in use, the large ones
    // first.
    void lay_out();

    int64_t peak_of_outputs() const;
};

#endif
