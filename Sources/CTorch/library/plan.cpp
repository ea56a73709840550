// Plans: a network's steps over scratch memory that is laid out once.
//
// Convolutions are Winograd's (winograd.cpp) or LibTorch's (packed_convolution.cpp); everything else is
// in plan_kernels.cpp. A thread computes an image from beginning to end, so that no
// result depends on the other threads.

#include "plan.h"

#include "instruction_sets.h"
#include "internal.h"
#include "output_pool.h"
#include "packed_convolution.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

namespace {

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

struct Step {
    CTorchPlanStep description;
    // Of a convolution by Winograd's algorithm.
    std::optional<WinogradLayer> winograd;
    std::shared_ptr<float> winograd_weights;
    // Any other convolution.
    std::optional<PackedConvolution> convolution;
    // Of a convolution whose input is joined bit by bit as it is needed: the step that joins.
    int join = -1;
    // Of the others.
    Floats scale, shift, weights, biases;
    Floats reduce_weight, reduce_bias, expand_weight, expand_bias, spatial_weight;
    float spatial_bias = 0;
    int classes = 0;
    int padded_classes = 0;
    // Buffers of convolutions that no later step reads.
    std::vector<int> released;

    bool is_in_integers() const { return convolution && convolution->input; }
};

struct Buffer {
    CTorchPlanBuffer size;
    bool from_convolution = false;
    bool holds_integers = false;
    int64_t byte_count = 0;
    int64_t offset = 0;
    int first_use = -1;
    int last_use = -1;

    int64_t pixels() const { return static_cast<int64_t>(size.height) * size.width; }
};

// What one thread needs.
struct Workspace {
    Block<char> block;
    Block<float> winograd;
    Block<uint8_t> integers;
    Block<char> joined;
    std::vector<at::Tensor> outputs;  // by buffer, of convolutions
    Floats sums, means, hidden, factors, row;
    std::shared_ptr<OutputPool> pool = make_output_pool();
};

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

Floats floats_of(CTorchTensor handle) {
    if (handle == nullptr) return {};
    const at::Tensor dense = tensor_of(handle).detach().to(at::kCPU, at::kFloat).contiguous();
    const float *data = dense.const_data_ptr<float>();
    return {data, data + dense.numel()};
}

class Plan {
public:
    Plan(
        const CTorchPlanBuffer *given_buffers, int32_t buffer_count,
        const CTorchPlanStep *given_steps, int32_t step_count, CTorchElementType element,
        CTorchKernels kind)
        : type(static_cast<at::ScalarType>(element)) {
        TORCH_CHECK(
            type == at::kFloat || type == at::kBFloat16, "plans compute in float32 or bfloat16");
        const InstructionSet &set = instruction_set(kind);
        const bool is_half = type == at::kBFloat16;
        kernels_name = set.names[is_half];
        kernels = set.kernels[is_half];
        winograd = set.winograd[is_half];
        element_size = type == at::kFloat ? 4 : 2;
        for (int32_t i = 0; i < buffer_count; i++) {
            Buffer buffer{.size = given_buffers[i]};
            buffer.byte_count = buffer.pixels() * buffer.size.channels *
                (buffer.size.holds_indices ? 1 : element_size);
            buffers.push_back(buffer);
        }
        const c10::InferenceMode inference;
        for (int32_t i = 0; i < step_count; i++) {
            const bool joins = i > 0 && joins_for(given_steps, step_count, i);
            steps.push_back(prepared(given_steps[i], joins));
        }
        chain_integers();
        find_uses();
        lay_out();
    }

    at::Tensor run(const at::Tensor &images) {
        check(images);
        const at::Tensor dense = images.contiguous();
        const int64_t count = dense.size(0);
        at::Tensor logits = at::empty(
            {count, dense.size(2), dense.size(3), steps.back().classes}, at::kFloat);

        const std::lock_guard guard(lock);
        const int threads = static_cast<int>(
            std::clamp<int64_t>(at::get_num_threads(), 1, std::max<int64_t>(count, 1)));
        while (static_cast<int>(workspaces.size()) < threads) workspaces.push_back(workspace());
        std::exception_ptr failure;
        const int64_t image_size = dense.numel() / std::max<int64_t>(count, 1);
        const int64_t logits_size = logits.numel() / std::max<int64_t>(count, 1);
#pragma omp parallel num_threads(threads)
        {
            // The convolutions inside run on this thread alone.
            const int before = omp_get_max_threads();
            omp_set_num_threads(1);
            {
                const c10::InferenceMode inference;
                const FlushDenormals flush;
                Workspace &mine = workspaces[omp_get_thread_num()];
                const PoolScope scope(mine.pool);
#pragma omp for schedule(dynamic, 1)
                for (int64_t i = 0; i < count; i++) {
                    try {
                        run_image(
                            mine, dense.const_data_ptr<float>() + i * image_size,
                            logits.data_ptr<float>() + i * logits_size,
                            static_cast<int>(dense.size(2)), static_cast<int>(dense.size(3)));
                    } catch (...) {
#pragma omp critical
                        if (!failure) failure = std::current_exception();
                    }
                }
                for (at::Tensor &output : mine.outputs) output.reset();
            }
            omp_set_num_threads(before);
        }
        if (failure) std::rethrow_exception(failure);
        return logits;
    }

    // How often each bfloat16 number stands in the input of each convolution is added to `counts`.
    void observe(const at::Tensor &images, int64_t *counts) {
        check(images);
        TORCH_CHECK(integer_count() == 0, "integers are not observed");
        const at::Tensor dense = images.contiguous();
        Floats logits(
            static_cast<size_t>(dense.size(2)) * dense.size(3) * steps.back().classes);
        const std::lock_guard guard(lock);
        if (workspaces.empty()) workspaces.push_back(workspace());
        const c10::InferenceMode inference;
        const PoolScope scope(workspaces[0].pool);
        for (int64_t i = 0; i < dense.size(0); i++) {
            run_image(
                workspaces[0],
                dense.const_data_ptr<float>() + i * (dense.numel() / dense.size(0)), logits.data(),
                static_cast<int>(dense.size(2)), static_cast<int>(dense.size(3)), counts);
        }
    }

    const char *kernels_name = "";

    int32_t integer_count() const {
        return static_cast<int32_t>(
            std::count_if(steps.begin(), steps.end(), [](const Step &s) { return s.is_in_integers(); }));
    }

    int32_t packed_count() const {
        return static_cast<int32_t>(
            std::count_if(steps.begin(), steps.end(), [](const Step &s) {
            return s.convolution && s.convolution->is_packed;
        }));
    }

    int32_t winograd_count() const {
        return static_cast<int32_t>(
            std::count_if(steps.begin(), steps.end(), [](const Step &s) { return s.winograd; }));
    }

    int64_t byte_count() const {
        return arena_size + peak_of_outputs() + winograd_scratch() * sizeof(float) +
            integer_scratch() + joined_scratch();
    }

private:
    at::ScalarType type;
    const PlanKernels *kernels = nullptr;
    const WinogradKernels *winograd = nullptr;
    int64_t element_size = 4;
    std::vector<Buffer> buffers;
    std::vector<Step> steps;
    int64_t arena_size = 0;
    std::vector<Workspace> workspaces;
    std::mutex lock;

    void check(const at::Tensor &images) const {
        TORCH_CHECK(
            images.dim() == 4 && images.scalar_type() == at::kFloat && images.is_cpu(),
            "images must be float32 [N, C, H, W] on the CPU");
        const CTorchPlanStep &first = steps.front().description;
        const Buffer &input = buffers[first.target.buffer];
        TORCH_CHECK(
            images.size(1) == first.target.channels && images.size(2) <= input.size.height &&
                images.size(3) <= input.size.width,
            "images of shape ", images.sizes(), " for a plan of ", first.target.channels, " x ",
            input.size.height, " x ", input.size.width);
    }

    // MARK: Making

    // Whether the step before a convolution does nothing but join its input.
    bool joins_for(const CTorchPlanStep *given, int count, int position) const {
        const CTorchPlanStep &convolution = given[position], &join = given[position - 1];
        const int input = convolution.sources[0].buffer;
        if (convolution.kind != CTORCH_STEP_CONVOLVE || join.kind != CTORCH_STEP_JOIN ||
            join.pooled.buffer >= 0 || join.target.buffer != input ||
            join.target.channels != buffers[input].size.channels) {
            return false;
        }
        int uses = 0;
        for (int i = 0; i < count; i++) {
            each_place(given[i], [&](int buffer) { uses += buffer == input; });
        }
        return uses == 2;
    }

    Step prepared(const CTorchPlanStep &description, bool joins) {
        Step step{.description = description};
        switch (description.kind) {
        case CTORCH_STEP_CONVOLVE:
            // A pixel's own channels are needed for it, or some rows, or of all pixels the integers.
            if (joins && tensor_of(description.weight).size(2) == 1) {
                step.join = static_cast<int>(steps.size()) - 1;
            }
            pack(step);
            if (joins && (step.winograd || step.is_in_integers())) {
                step.join = static_cast<int>(steps.size()) - 1;
            }
            break;
        case CTORCH_STEP_CLASSIFY: {
            const Floats weight = floats_of(description.weight);
            const Floats bias = floats_of(description.bias);
            const int channels = description.sources[0].channels;
            step.classes = static_cast<int>(weight.size()) / channels;
            step.padded_classes = (step.classes + 15) / 16 * 16;
            step.weights.assign(static_cast<size_t>(channels) * step.padded_classes, 0);
            step.biases.assign(step.padded_classes, 0);
            for (int k = 0; k < step.classes; k++) {
                step.biases[k] = bias.empty() ? 0 : bias[k];
                for (int c = 0; c < channels; c++) {
                    step.weights[static_cast<size_t>(c) * step.padded_classes + k] =
                        weight[static_cast<size_t>(k) * channels + c];
                }
            }
            break;
        }
        default:
            step.scale = floats_of(description.scale);
            step.shift = floats_of(description.shift);
            step.reduce_weight = floats_of(description.reduce_weight);
            step.reduce_bias = floats_of(description.reduce_bias);
            step.expand_weight = floats_of(description.expand_weight);
            step.expand_bias = floats_of(description.expand_bias);
            step.spatial_weight = floats_of(description.spatial_weight);
            if (description.spatial_bias != nullptr) {
                step.spatial_bias = floats_of(description.spatial_bias)[0];
            }
            // The gate sees the scaled and shifted pixel, and so can take it in.
            if (!step.spatial_weight.empty() && !step.scale.empty()) {
                for (size_t c = 0; c < step.scale.size(); c++) {
                    step.spatial_bias += step.spatial_weight[c] * step.shift[c];
                    step.spatial_weight[c] *= step.scale[c];
                }
            }
        }
        // The handles may be released once the plan is made.
        CTorchPlanStep &kept = step.description;
        kept.weight = kept.bias = kept.scale = kept.shift = nullptr;
        kept.reduce_weight = kept.reduce_bias = kept.expand_weight = kept.expand_bias = nullptr;
        kept.spatial_weight = kept.spatial_bias = nullptr;
        return step;
    }

    void pack(Step &step) {
        const CTorchPlanStep &description = step.description;
        const at::Tensor weight = tensor_of(description.weight).detach().to(at::kFloat);
        const Buffer &source = buffers[description.sources[0].buffer];
        Buffer &target = buffers[description.target.buffer];
        TORCH_CHECK(
            weight.dim() == 4 && weight.size(1) == source.size.channels &&
                weight.size(0) == target.size.channels && weight.size(2) % 2 == 1,
            "a convolution by ", weight.sizes(), " of ", source.size.channels, " channels to ",
            target.size.channels);
        std::optional<at::Tensor> bias;
        if (description.bias != nullptr) {
            bias = tensor_of(description.bias).detach().to(at::kFloat).clone();
        }
        const int64_t rows = step.join >= 0 ? rows_at_once(source) : source.size.height;
        if (description.low < description.high) {
            step.convolution = PackedConvolution::in_integers(
                weight, bias, description.slope, type,
                Quantization::between(description.low, description.high), rows, source.size.width);
        }
        if (!step.convolution && packed_for_winograd(step, weight)) return;
        if (!step.convolution) {
            step.convolution =
                PackedConvolution(weight, bias, description.slope, type, rows, source.size.width);
        }
        target.from_convolution = step.join < 0;
    }

    // A convolution in integers writes integers where only another one reads them.
    void chain_integers() {
        for (Step &step : steps) {
            if (!step.is_in_integers()) continue;
            const int target = step.description.target.buffer;
            const Step *reader = nullptr;
            int readers = 0;
            for (const Step &other : steps) {
                for (int s = 0; s < other.description.source_count; s++) {
                    if (other.description.sources[s].buffer != target) continue;
                    reader = &other;
                    readers++;
                }
            }
            const double slope = step.description.slope;
            if (readers != 1 || !reader->is_in_integers() || (slope != 0 && slope != 1)) continue;
            step.convolution->output = reader->convolution->input;
            buffers[target].holds_integers = true;
            buffers[target].byte_count = buffers[target].pixels() * buffers[target].size.channels;
        }
    }

    // As many rows as stay near the processor.
    int64_t rows_at_once(const Buffer &buffer) const {
        const int64_t row = element_size * buffer.size.width * buffer.size.channels;
        return std::clamp<int64_t>((2 << 20) / row, 1, buffer.size.height);
    }

    // How many rows a convolution by Winograd's algorithm joins and convolves at once.
    int band_of(const Step &step) const {
        const int size = winograd_size(step.winograd->kernel);
        const int64_t rows = rows_at_once(buffers[step.description.sources[0].buffer]);
        return std::max(1, static_cast<int>(rows - step.winograd->kernel + 1) / size) * size;
    }

    int64_t joined_scratch() const {
        int64_t most = 0;
        for (const Step &step : steps) {
            if (step.join < 0) continue;
            const Buffer &source = buffers[step.description.sources[0].buffer];
            const int64_t rows = step.is_in_integers() ? 1
                : step.winograd                        ? band_of(step) + step.winograd->kernel - 1
                                                       : rows_at_once(source);
            most = std::max(
                most, rows * element_size * source.size.width * source.size.channels);
        }
        return most;
    }

    int64_t integer_scratch() const {
        int64_t most = 0;
        for (const Step &step : steps) {
            if (!step.is_in_integers()) continue;
            const Buffer &source = buffers[step.description.sources[0].buffer];
            if (!source.holds_integers) {
                most = std::max(most, source.pixels() * source.size.channels);
            }
        }
        return most;
    }

    // Whether the convolution is one for Winograd's algorithm, which then has its weights.
    bool packed_for_winograd(Step &step, const at::Tensor &weight) const {
        const int64_t out = weight.size(0), in = weight.size(1), kernel = weight.size(2);
        if (winograd == nullptr || !winograd_serves(kernel) || weight.size(3) != kernel || in < 16 ||
            out % 16 != 0) {
            return false;
        }
        const Floats dense = floats_of(step.description.weight);
        step.winograd_weights = aligned_block<float>(winograd_points(kernel) * in * out);
        at::parallel_for(0, out / 16, 1, [&](int64_t begin, int64_t end) {
            winograd->pack(
                dense.data(), static_cast<int>(kernel), static_cast<int>(in),
                static_cast<int>(out), static_cast<int>(begin) * 16, static_cast<int>(end) * 16,
                step.winograd_weights.get());
        });
        step.biases = floats_of(step.description.bias);
        step.biases.resize(out);
        step.winograd = WinogradLayer{
            .kernel = static_cast<int>(kernel),
            .in_channels = static_cast<int>(in),
            .out_channels = static_cast<int>(out),
            .weights = step.winograd_weights.get(),
            .bias = step.biases.data(),
            .slope = static_cast<float>(step.description.slope)};
        return true;
    }

    int64_t winograd_scratch() const {
        int64_t most = 0;
        for (const Step &step : steps) {
            if (step.winograd) most = std::max(most, winograd->scratch(&*step.winograd));
        }
        return most;
    }

    template <typename Use>
    static void each_place(const CTorchPlanStep &step, Use &&use) {
        for (int s = 0; s < step.source_count; s++) {
            use(step.sources[s].buffer);
            use(step.source_indices[s]);
        }
        if (step.kind != CTORCH_STEP_CLASSIFY) use(step.target.buffer);
        use(step.pooled.buffer);
        use(step.indices);
    }

    // Whether the next step joins its input itself.
    bool is_joined_later(size_t position) const {
        return position + 1 < steps.size() && steps[position + 1].join >= 0;
    }

    void find_uses() {
        for (size_t i = 0; i < steps.size(); i++) {
            const int time = static_cast<int>(is_joined_later(i) ? i + 1 : i);
            const int never =
                time > static_cast<int>(i) ? steps[i].description.target.buffer
                : steps[i].join >= 0       ? steps[i].description.sources[0].buffer
                                           : -1;
            each_place(steps[i].description, [&](int buffer) {
                if (buffer < 0 || buffer == never) return;
                TORCH_CHECK(buffer < static_cast<int>(buffers.size()), "no buffer ", buffer);
                if (buffers[buffer].first_use < 0) buffers[buffer].first_use = time;
                buffers[buffer].last_use = time;
            });
        }
        for (size_t b = 0; b < buffers.size(); b++) {
            if (buffers[b].from_convolution) {
                steps[buffers[b].last_use].released.push_back(static_cast<int>(b));
            }
        }
    }

    // Gives each buffer the lowest place that is free as long as it is in use, the large ones
    // first.
    void lay_out() {
        std::vector<int> order;
        for (size_t b = 0; b < buffers.size(); b++) {
            if (!buffers[b].from_convolution && buffers[b].first_use >= 0) {
                order.push_back(static_cast<int>(b));
            }
        }
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
            return buffers[a].byte_count > buffers[b].byte_count;
        });
        std::vector<int> placed;
        for (const int b : order) {
            Buffer &buffer = buffers[b];
            const int64_t size = (buffer.byte_count + 63) / 64 * 64;
            int64_t offset = 0;
            for (bool moved = true; moved;) {
                moved = false;
                for (const int other_index : placed) {
                    const Buffer &other = buffers[other_index];
                    const bool meet = other.first_use <= buffer.last_use &&
                        buffer.first_use <= other.last_use;
                    const int64_t end = other.offset + (other.byte_count + 63) / 64 * 64;
                    if (meet && offset < end && other.offset < offset + size) {
                        offset = end;
                        moved = true;
                    }
                }
            }
            buffer.offset = offset;
            arena_size = std::max(arena_size, offset + size);
            placed.push_back(b);
        }
    }

    int64_t peak_of_outputs() const {
        int64_t peak = 0;
        for (size_t i = 0; i < steps.size(); i++) {
            int64_t alive = 0;
            for (const Buffer &buffer : buffers) {
                if (buffer.from_convolution && buffer.first_use <= static_cast<int>(i) &&
                    buffer.last_use >= static_cast<int>(i)) {
                    alive += buffer.byte_count;
                }
            }
            peak = std::max(peak, alive);
        }
        return peak;
    }

    Workspace workspace() const {
        Workspace made;
        made.block = aligned_block<char>(arena_size);
        const int64_t numbers = winograd_scratch();
        made.winograd = aligned_block<float>(numbers);
        std::fill_n(made.winograd.get(), numbers, 0.0F);
        made.integers = aligned_block<uint8_t>(integer_scratch());
        made.joined = aligned_block<char>(joined_scratch());
        made.outputs.resize(buffers.size());
        return made;
    }

    // MARK: Running

    char *data(Workspace &work, int buffer) const {
        if (buffers[buffer].from_convolution) {
            return static_cast<char *>(work.outputs[buffer].data_ptr());
        }
        return work.block.get() + buffers[buffer].offset;
    }

    // The rows of a place.
    struct Rows {
        char *start;
        int64_t row_bytes;
        long stride;
        int channels, height, width;

        char *operator[](int y) const { return start + y * row_bytes; }
    };

    Rows rows(Workspace &work, const CTorchPlanPlace &place) const {
        const Buffer &buffer = buffers[place.buffer];
        return {
            data(work, place.buffer) + place.channel * element_size,
            buffer.size.width * buffer.size.channels * element_size,
            buffer.size.channels,
            place.channels,
            buffer.size.height,
            buffer.size.width};
    }

    // Where `counts` is not null the inputs of convolutions are counted.
    void run_image(
        Workspace &work, const float *image, float *logits, int height, int width,
        int64_t *counts = nullptr) const {
        for (size_t i = 0; i < steps.size(); i++) {
            const Step &step = steps[i];
            if (is_joined_later(i)) continue;
            if (counts != nullptr && step.description.kind == CTORCH_STEP_CONVOLVE) {
                if (step.join < 0) {
                    const Rows source = rows(work, step.description.sources[0]);
                    count_numbers(source[0], source.height * source.width * source.channels, counts);
                }
                counts += 1 << 16;
            }
            switch (step.description.kind) {
            case CTORCH_STEP_INPUT: take_input(work, step, image, height, width); break;
            case CTORCH_STEP_CONVOLVE:
                convolve(work, step, counts == nullptr ? nullptr : counts - (1 << 16));
                break;
            case CTORCH_STEP_JOIN: join(work, step); break;
            case CTORCH_STEP_INTERPOLATE:
            case CTORCH_STEP_REPEAT:
            case CTORCH_STEP_SPREAD: grow(work, step); break;
            case CTORCH_STEP_RECALIBRATE: recalibrate(work, step); break;
            case CTORCH_STEP_CLASSIFY: classify(work, step, logits, height, width); break;
            }
            for (const int buffer : step.released) work.outputs[buffer].reset();
        }
    }

    void take_input(
        Workspace &work, const Step &step, const float *image, int height, int width) const {
        const Rows target = rows(work, step.description.target);
        const int64_t plane = static_cast<int64_t>(height) * width;
        for (int y = 0; y < target.height; y++) {
            const bool inside = y < height;
            kernels->input(
                image + (inside ? static_cast<int64_t>(y) * width : 0), plane, target.channels,
                inside ? width : 0, target.width, target[y], target.stride);
        }
    }

    void count_numbers(const char *numbers, int64_t count, int64_t *counts) const {
        for (int64_t i = 0; i < count; i++) {
            const c10::BFloat16 number = type == at::kFloat
                ? c10::BFloat16(reinterpret_cast<const float *>(numbers)[i])
                : reinterpret_cast<const c10::BFloat16 *>(numbers)[i];
            counts[number.x]++;
        }
    }

    void convolve(Workspace &work, const Step &step, int64_t *counts) const {
        const int source = step.description.sources[0].buffer;
        const int64_t channels = buffers[source].size.channels;
        const int64_t height = buffers[source].size.height;
        const int64_t width = buffers[source].size.width;
        if (step.winograd) {
            if (step.join >= 0) {
                convolve_in_bands(work, step, counts);
            } else {
                convolve_rows(work, step, data(work, source), 0, static_cast<int>(height));
            }
            return;
        }
        const auto image = [&](void *numbers, int64_t rows, at::ScalarType of) {
            return at::from_blob(
                numbers, {1, channels, rows, width},
                {rows * width * channels, 1, width * channels, channels}, of);
        };
        if (step.join >= 0 && !step.is_in_integers()) {
            convolve_in_parts(work, step, image);
            return;
        }
        const at::Tensor output = (*step.convolution)(
            step.is_in_integers() ? image(integers(work, step), height, at::kByte)
                                  : image(data(work, source), height, type));
        work.outputs[step.description.target.buffer] =
            output.contiguous(at::MemoryFormat::ChannelsLast);
    }

    // Some rows of a convolution by Winograd's algorithm.
    void convolve_rows(
        Workspace &work, const Step &step, const char *source, int first, int last) const {
        const CTorchPlanBuffer &size = buffers[step.description.sources[0].buffer].size;
        winograd->convolve[type == at::kBFloat16](
            &*step.winograd, source, size.channels, size.height, size.width, first, last,
            data(work, step.description.target.buffer), step.winograd->out_channels,
            work.winograd.get());
    }

    // The rows that a band needs are joined once, and convolved while they are near.
    void convolve_in_bands(Workspace &work, const Step &step, int64_t *counts) const {
        const CTorchPlanBuffer &size = buffers[step.description.sources[0].buffer].size;
        const int64_t numbers = static_cast<int64_t>(size.width) * size.channels;
        const int64_t row_bytes = numbers * element_size;
        const int margin = step.winograd->kernel / 2, band = band_of(step);
        char *const joined = work.joined.get();
        int begin = 0, end = 0;  // rows that are joined
        for (int first = 0; first < size.height; first += band) {
            const int last = std::min(first + band, size.height);
            const int from = std::max(first - margin, 0), to = std::min(last + margin, size.height);
            std::memmove(joined, joined + (from - begin) * row_bytes, (end - from) * row_bytes);
            for (int y = end; y < to; y++) {
                char *const row = joined + (y - from) * row_bytes;
                join_row(work, steps[step.join], y, row, size.channels);
                if (counts != nullptr) count_numbers(row, numbers, counts);
            }
            begin = from;
            end = to;
            convolve_rows(work, step, joined - from * row_bytes, first, last);
        }
    }

    // A convolution's input as integers.
    void *integers(Workspace &work, const Step &step) const {
        const int source = step.description.sources[0].buffer;
        const Buffer &buffer = buffers[source];
        if (buffer.holds_integers) return data(work, source);
        const Quantization input = *step.convolution->input;
        const float factor = 1 / input.scale;
        uint8_t *const target = work.integers.get();
        const int64_t row = static_cast<int64_t>(buffer.size.width) * buffer.size.channels;
        if (step.join < 0) {
            kernels->quantize(
                data(work, source), buffer.size.height * row, factor, input.zero, target);
            return target;
        }
        for (int y = 0; y < buffer.size.height; y++) {
            join_row(work, steps[step.join], y, work.joined.get(), buffer.size.channels);
            kernels->quantize(work.joined.get(), row, factor, input.zero, target + y * row);
        }
        return target;
    }

    // A convolution by pixels: some rows are joined, and convolved while they are near.
    template <typename Image>
    void convolve_in_parts(Workspace &work, const Step &step, const Image &image) const {
        const Buffer &source = buffers[step.description.sources[0].buffer];
        const Rows target = rows(work, step.description.target);
        const int64_t row = static_cast<int64_t>(source.size.width) * source.size.channels;
        const int64_t at_once = rows_at_once(source);
        for (int64_t first = 0; first < source.size.height; first += at_once) {
            const int64_t count = std::min<int64_t>(at_once, source.size.height - first);
            for (int64_t y = 0; y < count; y++) {
                join_row(
                    work, steps[step.join], static_cast<int>(first + y),
                    work.joined.get() + y * row * element_size, source.size.channels);
            }
            const at::Tensor part = (*step.convolution)(image(work.joined.get(), count, type))
                                        .contiguous(at::MemoryFormat::ChannelsLast);
            std::memcpy(
                target[static_cast<int>(first)], part.const_data_ptr(), count * target.row_bytes);
        }
    }

    void pool_rows(
        Workspace &work, const Step &step, const Rows &source, int y) const {
        if (step.description.pooled.buffer < 0 || y % 2 == 0) return;
        const Rows target = rows(work, step.description.pooled);
        uint8_t *indices = nullptr;
        if (step.description.indices >= 0) {
            indices = reinterpret_cast<uint8_t *>(data(work, step.description.indices)) +
                static_cast<int64_t>(y / 2) * target.width * target.channels;
        }
        kernels->pool(
            source[y - 1], source[y], source.stride, source.channels, target.width, target[y / 2],
            target.stride, indices);
    }

    void join_row(Workspace &work, const Step &step, int y, void *target, long stride) const {
        const CTorchPlanStep &description = step.description;
        PlanSource sources[CTORCH_STEP_SOURCES];
        for (int s = 0; s < description.source_count; s++) {
            const Rows source = rows(work, description.sources[s]);
            const int indices = description.source_indices[s];
            const int row = indices < 0 ? y : y / 2;
            sources[s] = {source[row], source.stride, source.channels, nullptr};
            if (indices >= 0) {
                sources[s].indices = reinterpret_cast<uint8_t *>(data(work, indices)) +
                    static_cast<int64_t>(row) * source.width * source.channels;
            }
        }
        kernels->join(
            sources, description.source_count, y % 2, buffers[description.target.buffer].size.width,
            step.scale.empty() ? nullptr : step.scale.data(), step.shift.data(),
            static_cast<float>(description.slope), target, stride);
    }

    void join(Workspace &work, const Step &step) const {
        const Rows target = rows(work, step.description.target);
        for (int y = 0; y < target.height; y++) {
            join_row(work, step, y, target[y], target.stride);
            pool_rows(work, step, target, y);
        }
    }

    void grow(Workspace &work, const Step &step) const {
        const CTorchPlanStep &description = step.description;
        const Rows source = rows(work, description.sources[0]);
        const Rows target = rows(work, description.target);
        work.row.resize(static_cast<size_t>(source.width) * source.channels);
        for (int y = 0; y < target.height; y++) {
            const int row = y / 2;
            if (description.kind == CTORCH_STEP_REPEAT) {
                kernels->repeat(
                    source[row], source.stride, source.channels, source.width, target[y],
                    target.stride);
            } else if (description.kind == CTORCH_STEP_SPREAD) {
                kernels->spread(
                    source[row], source.stride, target.channels, source.width, y % 2, target[y],
                    target.stride);
            } else {
                // Pixel centres: y maps to y / 2 - 1/4, which lies a quarter above or below one.
                const int first = y % 2 == 0 ? std::max(row - 1, 0) : row;
                const int second = y % 2 == 0 ? row : std::min(row + 1, source.height - 1);
                kernels->interpolate(
                    source[first], source[second], y % 2 == 0 ? 0.75F : 0.25F, source.stride,
                    source.channels, source.width, work.row.data(), target[y], target.stride);
            }
        }
    }

    void recalibrate(Workspace &work, const Step &step) const {
        const CTorchPlanStep &description = step.description;
        const Rows source = rows(work, description.sources[0]);
        const Rows target = rows(work, description.target);
        const size_t channels = source.channels;
        const bool by_channel = !step.reduce_weight.empty();
        const bool by_pixel = !step.spatial_weight.empty();
        const float *scale = step.scale.empty() ? nullptr : step.scale.data();
        work.row.resize(by_pixel ? static_cast<size_t>(source.height) * source.width : 0);
        work.means.assign(channels, 0);
        for (int y = 0; y < source.height; y++) {
            // A row at a time, so that small numbers are not lost in a large sum.
            work.sums.assign(channels, 0);
            kernels->squeeze(
                source[y], source.stride, source.channels, source.width,
                by_channel ? work.sums.data() : nullptr, step.spatial_weight.data(),
                step.spatial_bias,
                by_pixel ? work.row.data() + static_cast<size_t>(y) * source.width : nullptr);
            for (size_t c = 0; c < channels; c++) work.means[c] += work.sums[c];
        }
        if (by_channel) {
            const float count = static_cast<float>(source.height) * source.width;
            for (size_t c = 0; c < channels; c++) {
                work.means[c] /= count;
                if (scale != nullptr) work.means[c] = work.means[c] * scale[c] + step.shift[c];
            }
            connect(step.reduce_weight, step.reduce_bias, work.means, work.hidden);
            for (float &value : work.hidden) value = std::max(value, 0.0F);
            connect(step.expand_weight, step.expand_bias, work.hidden, work.factors);
            for (float &value : work.factors) value = 1 / (1 + std::exp(-value));
        }
        for (int y = 0; y < source.height; y++) {
            kernels->excite(
                source[y], source.stride, source.channels, source.width, scale, step.shift.data(),
                by_channel ? work.factors.data() : nullptr,
                by_pixel ? work.row.data() + static_cast<size_t>(y) * source.width : nullptr,
                description.combination, target[y], target.stride);
            pool_rows(work, step, target, y);
        }
    }

    // A fully connected layer.
    static void connect(
        const Floats &weight, const Floats &bias, const Floats &input, Floats &output) {
        output.resize(bias.size());
        for (size_t o = 0; o < bias.size(); o++) {
            float sum = bias[o];
            for (size_t i = 0; i < input.size(); i++) sum += weight[o * input.size() + i] * input[i];
            output[o] = sum;
        }
    }

    void classify(
        Workspace &work, const Step &step, float *logits, int height, int width) const {
        const Rows source = rows(work, step.description.sources[0]);
        for (int y = 0; y < height; y++) {
            kernels->classify(
                source[y], source.stride, source.channels, width, step.weights.data(),
                step.biases.data(), step.classes, step.padded_classes,
                logits + static_cast<int64_t>(y) * width * step.classes);
        }
    }
};

Plan &plan_of(CTorchPlan handle) { return *reinterpret_cast<Plan *>(handle); }

}  // namespace

CTorchStatus plan_make(
    const CTorchPlanBuffer *buffers, int32_t buffer_count, const CTorchPlanStep *steps,
    int32_t step_count, CTorchElementType type, CTorchKernels kernels, CTorchPlan *result) {
    return guarded([&] {
        *result = reinterpret_cast<CTorchPlan>(
            new Plan(buffers, buffer_count, steps, step_count, type, kernels));
    });
}

void plan_release(CTorchPlan plan) {
    if (plan != nullptr) delete &plan_of(plan);
}

CTorchStatus plan_run(CTorchPlan plan, CTorchTensor images, CTorchTensor *logits) {
    return guarded([&] { *logits = handle(plan_of(plan).run(tensor_of(images))); });
}

CTorchStatus plan_observe(CTorchPlan plan, CTorchTensor images, int64_t *counts) {
    return guarded([&] { plan_of(plan).observe(tensor_of(images), counts); });
}

const char *plan_kernels(CTorchPlan plan) { return plan_of(plan).kernels_name; }

int32_t plan_integer_count(CTorchPlan plan) { return plan_of(plan).integer_count(); }

int32_t plan_packed_count(CTorchPlan plan) { return plan_of(plan).packed_count(); }

int32_t plan_winograd_count(CTorchPlan plan) { return plan_of(plan).winograd_count(); }

int64_t plan_byte_count(CTorchPlan plan) { return plan_of(plan).byte_count(); }
