// Plans: a network's steps over scratch memory that is laid out once (plan_layout.cpp).
//
// Convolutions are sums (float_convolution.cpp, direct_convolution.cpp), Winograd's, or another library's;
// everything else is in row_kernels.cpp. A thread computes an image from beginning to end, so that no
// result depends on the other threads.

#include "plan/plan.h"

#include "abi/barrier.h"
#include "kernels/bfloat16.h"
#include "plan/parallel.h"
#include "plan/plan_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

namespace {

// A result that another library owns.
struct OtherResult {
    std::shared_ptr<void> owner;
    void *data = nullptr;
};

// What one thread needs.
struct Workspace {
    Block<char> block;
    Block<char> convolution;
    Block<uint8_t> integers;
    Block<char> concatenated;
    std::vector<OtherResult> outputs;  // by buffer
    Floats sums, means, hidden, factors, row;
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

// Images side by side, planes of channels one after another.
struct Images {
    const float *numbers;
    int64_t count;
    int channels, height, width;

    int64_t size() const { return static_cast<int64_t>(channels) * height * width; }
    const float *operator[](int64_t i) const { return numbers + i * size(); }
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

class Plan : public PlanLayout {
public:
    using PlanLayout::PlanLayout;

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

    Workspace workspace() const {
        Workspace made;
        made.block = aligned_block<char>(arena_size);
        const int64_t bytes = convolution_scratch();
        made.convolution = aligned_block<char>(bytes);
        std::fill_n(made.convolution.get(), bytes, 0);
        made.integers = aligned_block<uint8_t>(integer_scratch());
        made.concatenated = aligned_block<char>(concatenated_scratch());
        made.outputs.resize(buffers.size());
        return made;
    }

    // MARK: Running

    char *data(Workspace &work, int buffer) const {
        if (buffers[buffer].from_convolution) {
            return static_cast<char *>(work.outputs[buffer].data);
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

    Rows rows(Workspace &work, const CPlanPlace &place) const {
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
        Workspace &work, const Images &images, int64_t image, float *logits,
        int64_t *counts = nullptr) const {
        for (size_t i = 0; i < steps.size(); i++) {
            const PlanStep &step = steps[i];
            if (is_concatenated_later(i)) continue;
            if (counts != nullptr && step.description.kind == CPLAN_STEP_CONVOLVE) {
                if (step.concatenation < 0) {
                    const Rows source = rows(work, step.description.sources[0]);
                    count_numbers(source[0], source.height * source.width * source.channels, counts);
                }
                counts += 1 << 16;
            }
            switch (step.description.kind) {
            case CPLAN_STEP_INPUT: take_input(work, step, images, image); break;
            case CPLAN_STEP_CONVOLVE:
                convolve(work, step, counts == nullptr ? nullptr : counts - (1 << 16));
                break;
            case CPLAN_STEP_CONCATENATE: concatenate(work, step); break;
            case CPLAN_STEP_UPSAMPLE_BILINEAR:
            case CPLAN_STEP_UPSAMPLE_NEAREST:
            case CPLAN_STEP_DEPTH_TO_SPACE: upsample(work, step); break;
            case CPLAN_STEP_RECALIBRATE: recalibrate(work, step); break;
            case CPLAN_STEP_ADD: add(work, step, nullptr); break;
            case CPLAN_STEP_POOL: pool_windows(work, step); break;
            case CPLAN_STEP_SELECT: select(work, step); break;
            case CPLAN_STEP_CLASSIFY: classify(work, step, logits, images.height, images.width); break;
            case CPLAN_STEP_CLASSIFY_IMAGE: classify_image(work, step, logits); break;
            }
            for (const int buffer : step.released) work.outputs[buffer] = {};
        }
    }

    void take_input(
        Workspace &work, const PlanStep &step, const Images &images, int64_t image) const {
        const Rows target = rows(work, step.description.target);
        const int64_t plane = static_cast<int64_t>(images.height) * images.width;
        for (int y = 0; y < target.height; y++) {
            const bool inside = y < images.height;
            kernels->input(
                images[image] + (inside ? static_cast<int64_t>(y) * images.width : 0), plane,
                target.channels, inside ? images.width : 0, target.width, target[y], target.stride);
        }
    }

    void count_numbers(const char *numbers, int64_t count, int64_t *counts) const {
        for (int64_t i = 0; i < count; i++) {
            counts
                [is_bfloat16 ? reinterpret_cast<const uint16_t *>(numbers)[i]
                             : bfloat16_bits(reinterpret_cast<const float *>(numbers)[i])]++;
        }
    }

    void convolve(Workspace &work, const PlanStep &step, int64_t *counts) const {
        const int source = step.description.sources[0].buffer;
        const int target = step.description.target.buffer;
        const int height = buffers[source].size.height, width = buffers[source].size.width;
        const long stride = buffers[target].size.channels;
        if (step.other) {
            convolve_by_others(work, step, counts);
        } else if (step.winograd) {
            if (step.concatenation >= 0) {
                convolve_in_bands(work, step, counts);
            } else {
                convolve_rows(work, step, data(work, source), 0, height);
            }
        } else if (step.integer_sums) {
            const int result = step.integer_sums->gives_integers ? 2 : is_bfloat16;
            direct->convolve[result](
                &step.integer_sums->layer, static_cast<const uint8_t *>(integers(work, step)),
                height, width, data(work, target), stride, work.convolution.get());
        } else if (step.concatenation >= 0) {
            in_parts(work, step, counts, [&](const char *part, int first, int count) {
                floats->convolve[is_bfloat16](
                    &step.float_sums->layer, part, count, width,
                    rows(work, step.description.target)[first], stride, numbers(work));
            });
        } else {
            floats->convolve[is_bfloat16](
                &step.float_sums->layer, data(work, source), height, width, data(work, target),
                stride, numbers(work));
        }
    }

    // What a convolution works in.
    static float *numbers(Workspace &work) {
        return reinterpret_cast<float *>(work.convolution.get());
    }

    OtherResult by_others(
        const PlanStep &step, const void *image, int64_t height, int64_t width) const {
        OtherResult result;
        const char *error = nullptr;
        void *const owner = others->run(
            step.other->convolution.get(), image, static_cast<int32_t>(height),
            static_cast<int32_t>(width), &result.data, &error);
        if (owner == nullptr) throw std::runtime_error(error);
        result.owner = {owner, others->release_result};
        return result;
    }

    void convolve_by_others(Workspace &work, const PlanStep &step, int64_t *counts) const {
        const int source = step.description.sources[0].buffer;
        const CPlanBuffer &size = buffers[source].size;
        if (step.concatenation < 0 || step.is_in_integers()) {
            const void *const image = step.is_in_integers() ? integers(work, step) : data(work, source);
            const int target = step.description.target.buffer;
            OtherResult result = by_others(step, image, size.height, size.width);
            if (buffers[target].from_convolution) {
                work.outputs[target] = std::move(result);
            } else {
                std::memcpy(data(work, target), result.data, buffers[target].byte_count);
            }
            return;
        }
        const Rows target = rows(work, step.description.target);
        in_parts(work, step, counts, [&](const char *part, int first, int count) {
            const OtherResult result = by_others(step, part, count, size.width);
            std::memcpy(target[first], result.data, count * target.row_bytes);
        });
    }

    // Some rows of a convolution by Winograd's algorithm.
    void convolve_rows(
        Workspace &work, const PlanStep &step, const char *source, int first, int last) const {
        const CPlanBuffer &size = buffers[step.description.sources[0].buffer].size;
        winograd->convolve[is_bfloat16](
            &*step.winograd, source, size.channels, size.height, size.width, first, last,
            data(work, step.description.target.buffer), step.winograd->stored_channels,
            numbers(work));
    }

    // The rows that a band needs are concatenated once, and convolved while they are near.
    void convolve_in_bands(Workspace &work, const PlanStep &step, int64_t *counts) const {
        const CPlanBuffer &size = buffers[step.description.sources[0].buffer].size;
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
        const Quantization input = *step.quantization;
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

    // Of a convolution by pixels some rows are concatenated, and convolved by `use` while they are near.
    template <typename Use>
    void in_parts(Workspace &work, const PlanStep &step, int64_t *counts, const Use &use) const {
        const PlanBuffer &source = buffers[step.description.sources[0].buffer];
        const int64_t row = static_cast<int64_t>(source.size.width) * source.size.channels;
        const int64_t at_once = rows_at_once(source);
        for (int64_t first = 0; first < source.size.height; first += at_once) {
            const int64_t count = std::min<int64_t>(at_once, source.size.height - first);
            for (int64_t y = 0; y < count; y++) {
                concatenate_row(
                    work, steps[step.concatenation], static_cast<int>(first + y),
                    work.concatenated.get() + y * row * element_size, source.size.channels);
            }
            if (counts != nullptr) count_numbers(work.concatenated.get(), count * row, counts);
            use(work.concatenated.get(), static_cast<int>(first), static_cast<int>(count));
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
        const CPlanStep &description = step.description;
        RowSource sources[CPLAN_STEP_SOURCES];
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
        const CPlanStep &description = step.description;
        const Rows source = rows(work, description.sources[0]);
        const Rows target = rows(work, description.target);
        work.row.resize(static_cast<size_t>(source.width) * source.channels);
        for (int y = 0; y < target.height; y++) {
            const int row = y / 2;
            if (description.kind == CPLAN_STEP_UPSAMPLE_NEAREST) {
                kernels->upsample_nearest(
                    source[row], source.stride, source.channels, source.width, target[y],
                    target.stride);
            } else if (description.kind == CPLAN_STEP_DEPTH_TO_SPACE) {
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
        const CPlanStep &description = step.description;
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

    void add(Workspace &work, const PlanStep &step, const float *factors) const {
        const CPlanStep &description = step.description;
        const Rows target = rows(work, description.target);
        for (int y = 0; y < target.height; y++) {
            RowSource sources[CPLAN_STEP_SOURCES];
            for (int s = 0; s < description.source_count; s++) {
                const Rows source = rows(work, description.sources[s]);
                sources[s] = {source[y], source.stride, source.channels, nullptr};
            }
            kernels->add(
                sources, description.source_count, target.width, factors,
                static_cast<float>(description.slope), target[y], target.stride);
        }
    }

    void pool_windows(Workspace &work, const PlanStep &step) const {
        const CPlanStep &description = step.description;
        const Rows source = rows(work, description.sources[0]);
        const Rows target = rows(work, description.target);
        std::vector<const void *> window;
        work.row.resize(2 * static_cast<size_t>(source.channels));
        for (int y = 0; y < target.height; y++) {
            const int begin = y * description.stride - description.padding;
            window.clear();
            for (int row = std::max(begin, 0);
                 row < std::min(begin + description.kernel, source.height); row++) {
                window.push_back(source[row]);
            }
            kernels->pool_windows(
                window.data(), static_cast<int>(window.size()), source.stride, source.channels,
                source.width, description.kernel, description.stride, description.padding,
                description.pooling, work.row.data(), target[y],
                target.width, target.stride);
        }
    }

    // Mixes the sources by what the mean of their sum selects.
    void select(Workspace &work, const PlanStep &step) const {
        const CPlanStep &description = step.description;
        const size_t channels = description.sources[0].channels;
        const int branches = description.source_count;
        average_sum(work, step);
        connect(step.reduce_weight, step.reduce_bias, work.means, work.hidden);
        for (float &value : work.hidden) value = std::max(value, 0.0F);
        connect(step.expand_weight, step.expand_bias, work.hidden, work.factors);
        for (size_t c = 0; c < channels; c++) {
            float largest = work.factors[c], sum = 0;
            for (int s = 1; s < branches; s++) largest = std::max(largest, work.factors[s * channels + c]);
            for (int s = 0; s < branches; s++) {
                float &share = work.factors[s * channels + c];
                share = std::exp(share - largest);
                sum += share;
            }
            for (int s = 0; s < branches; s++) work.factors[s * channels + c] /= sum;
        }
        add(work, step, work.factors.data());
    }

    // The mean over the image of the sources' sum -> the thread's means.
    void average_sum(Workspace &work, const PlanStep &step) const {
        const CPlanStep &description = step.description;
        const Rows first = rows(work, description.sources[0]);
        const size_t channels = first.channels;
        work.means.assign(channels, 0);
        for (int s = 0; s < description.source_count; s++) {
            const Rows source = rows(work, description.sources[s]);
            for (int y = 0; y < source.height; y++) {
                // A row at a time, so that small numbers are not lost in a large sum.
                work.sums.assign(channels, 0);
                kernels->squeeze(
                    source[y], source.stride, source.channels, source.width, work.sums.data(),
                    nullptr, 0, nullptr);
                for (size_t c = 0; c < channels; c++) work.means[c] += work.sums[c];
            }
        }
        for (float &mean : work.means) mean /= static_cast<float>(first.height) * first.width;
    }

    void classify_image(Workspace &work, const PlanStep &step, float *logits) const {
        average_sum(work, step);
        connect(step.weights, step.biases, work.means, work.factors);
        std::copy(work.factors.begin(), work.factors.end(), logits);
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
