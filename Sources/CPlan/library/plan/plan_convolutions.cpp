// The convolutions of a plan: sums (float_convolution.cpp, direct_convolution.cpp), Winograd's, or another
// library's.

#include "plan/plan_steps.h"

#include "kernels/bfloat16.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

void PlanSteps::count_numbers(const char *numbers, int64_t count, int64_t *counts) const {
    for (int64_t i = 0; i < count; i++) {
        counts
            [is_bfloat16 ? reinterpret_cast<const uint16_t *>(numbers)[i]
                         : bfloat16_bits(reinterpret_cast<const float *>(numbers)[i])]++;
    }
}

void PlanSteps::convolve(Workspace &work, const PlanStep &step, int64_t *counts) const {
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
float *PlanSteps::numbers(Workspace &work) {
    return reinterpret_cast<float *>(work.convolution.get());
}

OtherResult PlanSteps::by_others(
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

void PlanSteps::convolve_by_others(Workspace &work, const PlanStep &step, int64_t *counts) const {
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
void PlanSteps::convolve_rows(
    Workspace &work, const PlanStep &step, const char *source, int first, int last) const {
    const CPlanBuffer &size = buffers[step.description.sources[0].buffer].size;
    winograd->convolve[is_bfloat16](
        &*step.winograd, source, size.channels, size.height, size.width, first, last,
        data(work, step.description.target.buffer), step.winograd->stored_channels,
        numbers(work));
}

// The rows that a band needs are concatenated once, and convolved while they are near.
void PlanSteps::convolve_in_bands(Workspace &work, const PlanStep &step, int64_t *counts) const {
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
void *PlanSteps::integers(Workspace &work, const PlanStep &step) const {
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
void PlanSteps::in_parts(Workspace &work, const PlanStep &step, int64_t *counts, const Use &use) const {
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
