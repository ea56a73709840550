// Plans: a network's steps over scratch memory that is laid out once (plan_layout.cpp).
//
// Convolutions are Winograd's (winograd.cpp) or LibTorch's (packed_convolution.cpp); everything else is
// in plan_kernels.cpp. A thread computes an image from beginning to end, so that no
// result depends on the other threads.

#include "plan/plan.h"

#include "abi/internal.h"
#include "plan/output_pool.h"
#include "plan/plan_layout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

namespace {

// What one thread needs.
struct Workspace {
    Block<char> block;
    Block<float> winograd;
    Block<uint8_t> integers;
    Block<char> direct;
    Block<char> concatenated;
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

class Plan : public PlanLayout {
public:
    using PlanLayout::PlanLayout;

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

private:
    std::vector<Workspace> workspaces;
    std::mutex lock;

    void check(const at::Tensor &images) const {
        TORCH_CHECK(
            images.dim() == 4 && images.scalar_type() == at::kFloat && images.is_cpu(),
            "images must be float32 [N, C, H, W] on the CPU");
        const CTorchPlanStep &first = steps.front().description;
        const PlanBuffer &input = buffers[first.target.buffer];
        TORCH_CHECK(
            images.size(1) == first.target.channels && images.size(2) <= input.size.height &&
                images.size(3) <= input.size.width,
            "images of shape ", images.sizes(), " for a plan of ", first.target.channels, " x ",
            input.size.height, " x ", input.size.width);
    }

    Workspace workspace() const {
        Workspace made;
        made.block = aligned_block<char>(arena_size);
        const int64_t numbers = winograd_scratch();
        made.winograd = aligned_block<float>(numbers);
        std::fill_n(made.winograd.get(), numbers, 0.0F);
        made.integers = aligned_block<uint8_t>(integer_scratch());
        made.direct = aligned_block<char>(direct_scratch());
        made.concatenated = aligned_block<char>(concatenated_scratch());
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
        const PlanBuffer &buffer = buffers[place.buffer];
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
            const PlanStep &step = steps[i];
            if (is_concatenated_later(i)) continue;
            if (counts != nullptr && step.description.kind == CTORCH_STEP_CONVOLVE) {
                if (step.concatenation < 0) {
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
            case CTORCH_STEP_CONCATENATE: concatenate(work, step); break;
            case CTORCH_STEP_UPSAMPLE_BILINEAR:
            case CTORCH_STEP_UPSAMPLE_NEAREST:
            case CTORCH_STEP_DEPTH_TO_SPACE: upsample(work, step); break;
            case CTORCH_STEP_RECALIBRATE: recalibrate(work, step); break;
            case CTORCH_STEP_CLASSIFY: classify(work, step, logits, height, width); break;
            }
            for (const int buffer : step.released) work.outputs[buffer].reset();
        }
    }

    void take_input(
        Workspace &work, const PlanStep &step, const float *image, int height, int width) const {
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

    void convolve(Workspace &work, const PlanStep &step, int64_t *counts) const {
        const int source = step.description.sources[0].buffer;
        const int64_t channels = buffers[source].size.channels;
        const int64_t height = buffers[source].size.height;
        const int64_t width = buffers[source].size.width;
        if (step.winograd) {
            if (step.concatenation >= 0) {
                convolve_in_bands(work, step, counts);
            } else {
                convolve_rows(work, step, data(work, source), 0, static_cast<int>(height));
            }
            return;
        }
        if (step.direct) {
            const int target = step.description.target.buffer;
            const int result = step.direct->gives_integers ? 2 : type == at::kBFloat16 ? 1 : 0;
            direct->convolve[result](
                &step.direct->layer, static_cast<const uint8_t *>(integers(work, step)),
                static_cast<int>(height), static_cast<int>(width), data(work, target),
                buffers[target].size.channels, work.direct.get());
            return;
        }
        const auto image = [&](void *numbers, int64_t rows, at::ScalarType of) {
            return at::from_blob(
                numbers, {1, channels, rows, width},
                {rows * width * channels, 1, width * channels, channels}, of);
        };
        if (step.concatenation >= 0 && !step.is_in_integers()) {
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
        Workspace &work, const PlanStep &step, const char *source, int first, int last) const {
        const CTorchPlanBuffer &size = buffers[step.description.sources[0].buffer].size;
        winograd->convolve[type == at::kBFloat16](
            &*step.winograd, source, size.channels, size.height, size.width, first, last,
            data(work, step.description.target.buffer), step.winograd->out_channels,
            work.winograd.get());
    }

    // The rows that a band needs are concatenated once, and convolved while they are near.
    void convolve_in_bands(Workspace &work, const PlanStep &step, int64_t *counts) const {
        const CTorchPlanBuffer &size = buffers[step.description.sources[0].buffer].size;
        const int64_t numbers = static_cast<int64_t>(size.width) * size.channels;
        const int64_t row_bytes = numbers * element_size;
        const int margin = step.winograd->kernel / 2, band = band_of(step);
        char *const concatenated = work.concatenated.get();
        int begin = 0, end = 0;  // rows that are concatenated
        for (int first = 0; first < size.height; first += band) {
            const int last = std::min(first + band, size.height);
            const int from = std::max(first - margin, 0), to = std::min(last + margin, size.height);
            std::memmove(concatenated, concatenated + (from - begin) * row_bytes, (end - from) * row_bytes);
            for (int y = end; y < to; y++) {
                char *const row = concatenated + (y - from) * row_bytes;
                concatenate_row(work, steps[step.concatenation], y, row, size.channels);
                if (counts != nullptr) count_numbers(row, numbers, counts);
            }
            begin = from;
            end = to;
            convolve_rows(work, step, concatenated - from * row_bytes, first, last);
        }
    }

    // A convolution's input as integers.
    void *integers(Workspace &work, const PlanStep &step) const {
        const int source = step.description.sources[0].buffer;
        const PlanBuffer &buffer = buffers[source];
        if (buffer.holds_integers) return data(work, source);
        const Quantization input = *step.integers();
        const float factor = 1 / input.scale;
        uint8_t *const target = work.integers.get();
        const int64_t row = static_cast<int64_t>(buffer.size.width) * buffer.size.channels;
        if (step.concatenation < 0) {
            kernels->quantize(
                data(work, source), buffer.size.height * row, factor, input.zero, target);
            return target;
        }
        for (int y = 0; y < buffer.size.height; y++) {
            concatenate_row(work, steps[step.concatenation], y, work.concatenated.get(), buffer.size.channels);
            kernels->quantize(work.concatenated.get(), row, factor, input.zero, target + y * row);
        }
        return target;
    }

    // A convolution by pixels: some rows are concatenated, and convolved while they are near.
    template <typename Image>
    void convolve_in_parts(Workspace &work, const PlanStep &step, const Image &image) const {
        const PlanBuffer &source = buffers[step.description.sources[0].buffer];
        const Rows target = rows(work, step.description.target);
        const int64_t row = static_cast<int64_t>(source.size.width) * source.size.channels;
        const int64_t at_once = rows_at_once(source);
        for (int64_t first = 0; first < source.size.height; first += at_once) {
            const int64_t count = std::min<int64_t>(at_once, source.size.height - first);
            for (int64_t y = 0; y < count; y++) {
                concatenate_row(
                    work, steps[step.concatenation], static_cast<int>(first + y),
                    work.concatenated.get() + y * row * element_size, source.size.channels);
            }
            const at::Tensor part = (*step.convolution)(image(work.concatenated.get(), count, type))
                                        .contiguous(at::MemoryFormat::ChannelsLast);
            std::memcpy(
                target[static_cast<int>(first)], part.const_data_ptr(), count * target.row_bytes);
        }
    }

    void pool_rows(
        Workspace &work, const PlanStep &step, const Rows &source, int y) const {
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

    void concatenate_row(Workspace &work, const PlanStep &step, int y, void *target, long stride) const {
        const CTorchPlanStep &description = step.description;
        RowSource sources[CTORCH_STEP_SOURCES];
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
        kernels->concatenate(
            sources, description.source_count, y % 2, buffers[description.target.buffer].size.width,
            step.scale.empty() ? nullptr : step.scale.data(), step.shift.data(),
            static_cast<float>(description.slope), target, stride);
    }

    void concatenate(Workspace &work, const PlanStep &step) const {
        const Rows target = rows(work, step.description.target);
        for (int y = 0; y < target.height; y++) {
            concatenate_row(work, step, y, target[y], target.stride);
            pool_rows(work, step, target, y);
        }
    }

    void upsample(Workspace &work, const PlanStep &step) const {
        const CTorchPlanStep &description = step.description;
        const Rows source = rows(work, description.sources[0]);
        const Rows target = rows(work, description.target);
        work.row.resize(static_cast<size_t>(source.width) * source.channels);
        for (int y = 0; y < target.height; y++) {
            const int row = y / 2;
            if (description.kind == CTORCH_STEP_UPSAMPLE_NEAREST) {
                kernels->upsample_nearest(
                    source[row], source.stride, source.channels, source.width, target[y],
                    target.stride);
            } else if (description.kind == CTORCH_STEP_DEPTH_TO_SPACE) {
                kernels->depth_to_space(
                    source[row], source.stride, target.channels, source.width, y % 2, target[y],
                    target.stride);
            } else {
                // Pixel centres: y maps to y / 2 - 1/4, which lies a quarter above or below one.
                const int first = y % 2 == 0 ? std::max(row - 1, 0) : row;
                const int second = y % 2 == 0 ? row : std::min(row + 1, source.height - 1);
                kernels->upsample_bilinear(
                    source[first], source[second], y % 2 == 0 ? 0.75F : 0.25F, source.stride,
                    source.channels, source.width, work.row.data(), target[y], target.stride);
            }
        }
    }

    void recalibrate(Workspace &work, const PlanStep &step) const {
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
        Workspace &work, const PlanStep &step, float *logits, int height, int width) const {
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
