// The steps of a plan but its convolutions; their loops are in row_kernels.cpp.

#include "plan/plan_steps.h"

#include <algorithm>
#include <cmath>

Workspace PlanSteps::workspace() const {
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

char *PlanSteps::data(Workspace &work, int buffer) const {
    if (buffers[buffer].from_convolution) {
        return static_cast<char *>(work.outputs[buffer].data);
    }
    return work.block.get() + buffers[buffer].offset;
}

PlanSteps::Rows PlanSteps::rows(Workspace &work, const CPlanPlace &place) const {
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
void PlanSteps::run_image(
    Workspace &work, const Images &images, int64_t image, float *logits,
    int64_t *counts) const {
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

void PlanSteps::take_input(
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

void PlanSteps::pool_rows(
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

void PlanSteps::concatenate_row(Workspace &work, const PlanStep &step, int y, void *target, long stride) const {
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

void PlanSteps::concatenate(Workspace &work, const PlanStep &step) const {
    const Rows target = rows(work, step.description.target);
    for (int y = 0; y < target.height; y++) {
        concatenate_row(work, step, y, target[y], target.stride);
        pool_rows(work, step, target, y);
    }
}

void PlanSteps::upsample(Workspace &work, const PlanStep &step) const {
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

void PlanSteps::recalibrate(Workspace &work, const PlanStep &step) const {
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

void PlanSteps::add(Workspace &work, const PlanStep &step, const float *factors) const {
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

void PlanSteps::pool_windows(Workspace &work, const PlanStep &step) const {
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
void PlanSteps::select(Workspace &work, const PlanStep &step) const {
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
void PlanSteps::average_sum(Workspace &work, const PlanStep &step) const {
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

void PlanSteps::classify_image(Workspace &work, const PlanStep &step, float *logits) const {
    average_sum(work, step);
    connect(step.weights, step.biases, work.means, work.factors);
    std::copy(work.factors.begin(), work.factors.end(), logits);
}

// A fully connected layer.
void PlanSteps::connect(
    const Floats &weight, const Floats &bias, const Floats &input, Floats &output) {
    output.resize(bias.size());
    for (size_t o = 0; o < bias.size(); o++) {
        float sum = bias[o];
        for (size_t i = 0; i < input.size(); i++) sum += weight[o * input.size() + i] * input[i];
        output[o] = sum;
    }
}

void PlanSteps::classify(
    Workspace &work, const PlanStep &step, float *logits, int height, int width) const {
    const Rows source = rows(work, step.description.sources[0]);
    for (int y = 0; y < height; y++) {
        kernels->classify(
            source[y], source.stride, source.channels, width, step.weights.data(),
            step.biases.data(), step.classes, step.padded_classes,
            logits + static_cast<int64_t>(y) * width * step.classes);
    }
}
