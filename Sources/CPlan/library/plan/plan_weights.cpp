// The weights of a plan's steps, packed for the kernels that compute them.

#include "plan/plan_layout.h"

#include "abi/barrier.h"
#include "plan/parallel.h"

#include <cmath>

namespace {

Floats floats_of(const float *numbers, int64_t count) {
    return numbers == nullptr ? Floats() : Floats(numbers, numbers + count);
}

}  // namespace

Quantization Quantization::between(double low, double high) {
    low = std::min(low, 0.0);
    const double step = (std::max(high, 0.0) - low) / 255;
    return {static_cast<float>(step), static_cast<int>(std::lround(-low / step))};
}

PlanStep PlanLayout::prepared(const CPlanStep &description, bool concatenates) {
    PlanStep step{.description = description};
    switch (description.kind) {
    case CPLAN_STEP_CONVOLVE:
        // A pixel's own channels are needed for it, or some rows, or of all pixels the integers.
        if (concatenates && description.kernel == 1 && description.stride == 1 &&
            description.groups == 1) {
            step.concatenation = static_cast<int>(steps.size()) - 1;
        }
        pack(step);
        if (concatenates && (step.winograd || step.is_in_integers())) {
            step.concatenation = static_cast<int>(steps.size()) - 1;
        }
        break;
    case CPLAN_STEP_ADD:
    case CPLAN_STEP_SELECT:
        require(
            description.source_count > 0 && description.source_count <= CPLAN_STEP_SOURCES &&
                (description.kind == CPLAN_STEP_ADD ||
                 (description.hidden > 0 && description.reduce_weight != nullptr &&
                  description.reduce_bias != nullptr && description.expand_weight != nullptr &&
                  description.expand_bias != nullptr)),
            "a sum of ", description.source_count, " sources, or a selection without weights");
        for (int i = 0; i < description.source_count; i++) {
            require(
                description.sources[i].channels == description.target.channels &&
                    same_size(description.sources[i], description.target),
                "a sum of values of different shapes");
        }
        take_weights(step);
        break;
    case CPLAN_STEP_POOL: {
        const CPlanBuffer &source = buffers[description.sources[0].buffer].size;
        const CPlanBuffer &target = buffers[description.target.buffer].size;
        const auto size = [&](int extent) {
            return (extent + 2 * description.padding - description.kernel) / description.stride + 1;
        };
        require(
            description.kernel > 0 && description.stride > 0 && description.padding >= 0 &&
                2 * description.padding <= description.kernel &&
                description.pooling >= CPLAN_POOL_MAXIMUM &&
                description.pooling <= CPLAN_POOL_WEIGHTED &&
                description.sources[0].channels == description.target.channels &&
                size(source.height) == target.height && size(source.width) == target.width,
            "a pooling by ", description.kernel, "x", description.kernel, " of ", source.height, "x",
            source.width, " to ", target.height, "x", target.width);
        break;
    }
    case CPLAN_STEP_CLASSIFY: {
        const int channels = description.sources[0].channels;
        step.classes = description.classes;
        const Floats weight = floats_of(description.weight, int64_t{step.classes} * channels);
        const Floats bias = floats_of(description.bias, step.classes);
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
    case CPLAN_STEP_CLASSIFY_IMAGE:
        step.classes = description.classes;
        step.weights =
            floats_of(description.weight, int64_t{step.classes} * description.sources[0].channels);
        step.biases = floats_of(description.bias, step.classes);
        require(
            step.classes > 0 && !step.weights.empty() && !step.biases.empty(),
            "a classifier without weights");
        break;
    default: take_weights(step);
    }
    // The weights may be released once the plan is made.
    CPlanStep &kept = step.description;
    kept.weight = kept.bias = kept.scale = kept.shift = nullptr;
    kept.reduce_weight = kept.reduce_bias = kept.expand_weight = kept.expand_bias = nullptr;
    kept.spatial_weight = kept.spatial_bias = nullptr;
    return step;
}

// The numbers of a step that is neither a convolution nor the classifier.
void PlanLayout::take_weights(PlanStep &step) {
    const CPlanStep &description = step.description;
    int channels = 0;
    for (int i = 0; i < description.source_count; i++) channels += description.sources[i].channels;
    const int hidden = description.hidden;
    step.scale = floats_of(description.scale, channels);
    step.shift = floats_of(description.shift, channels);
    step.reduce_weight = floats_of(
        description.reduce_weight, int64_t{hidden} * description.sources[0].channels);
    step.reduce_bias = floats_of(description.reduce_bias, hidden);
    step.expand_weight = floats_of(description.expand_weight, int64_t{channels} * hidden);
    step.expand_bias = floats_of(description.expand_bias, channels);
    step.spatial_weight = floats_of(description.spatial_weight, channels);
    if (description.spatial_bias != nullptr) step.spatial_bias = *description.spatial_bias;
    // The gate sees the scaled and shifted pixel, and so can take it in.
    if (!step.spatial_weight.empty() && !step.scale.empty()) {
        for (size_t c = 0; c < step.scale.size(); c++) {
            step.spatial_bias += step.spatial_weight[c] * step.shift[c];
            step.spatial_weight[c] *= step.scale[c];
        }
    }
}

bool PlanLayout::same_size(const CPlanPlace &a, const CPlanPlace &b) const {
    const CPlanBuffer &first = buffers[a.buffer].size, &second = buffers[b.buffer].size;
    return first.height == second.height && first.width == second.width;
}

void PlanLayout::pack(PlanStep &step) {
    const CPlanStep &description = step.description;
    const CPlanBuffer &source = buffers[description.sources[0].buffer].size;
    PlanBuffer &target = buffers[description.target.buffer];
    const int kernel = description.kernel, groups = description.groups;
    const FloatLayer layer = {
        .kernel = kernel,
        .stride = description.stride,
        .dilation = description.dilation,
        .padding = description.padding,
        .groups = groups,
        .in_channels = source.channels,
        .out_channels = target.size.channels,
        .weights = nullptr,
        .bias = nullptr,
        .slope = static_cast<float>(description.slope)};
    require(
        float_convolution_serves(kernel) && description.stride > 0 && description.dilation > 0 &&
            groups > 0 && source.channels % groups == 0 && target.size.channels % groups == 0 &&
            float_result_size(&layer, source.height) == target.size.height &&
            float_result_size(&layer, source.width) == target.size.width,
        "a convolution by ", kernel, "x", kernel, " of ", source.channels, "x", source.height, "x",
        source.width, " to ", target.size.channels, "x", target.size.height, "x",
        target.size.width);
    const bool is_plain = description.stride == 1 && description.dilation == 1 && groups == 1 &&
        kernel % 2 == 1 && description.padding == kernel / 2;
    const bool may_be_integers = is_plain && description.low < description.high &&
        direct_convolution_serves(kernel, source.channels);
    if (may_be_integers) {
        step.quantization = Quantization::between(description.low, description.high);
    }
    if (is_plain && packed_for_others(step)) {
        target.from_convolution = step.concatenation < 0;
    } else if (may_be_integers) {
        pack_integers(step);
    } else if (!is_plain || !packed_for_winograd(step)) {
        pack_floats(step);
    }
}

bool PlanLayout::packed_for_others(PlanStep &step) const {
    if (others == nullptr) return false;
    const CPlanStep &description = step.description;
    const CPlanBuffer &source = buffers[description.sources[0].buffer].size;
    const CPlanConvolutionLayer layer = {
        .weight = description.weight,
        .bias = description.bias,
        .out_channels = buffers[description.target.buffer].size.channels,
        .in_channels = source.channels,
        .kernel = description.kernel,
        .slope = description.slope,
        .is_bfloat16 = is_bfloat16,
        .is_in_integers = step.is_in_integers(),
        .scale = step.quantization ? step.quantization->scale : 1,
        .zero = step.quantization ? step.quantization->zero : 0,
        .height = step.concatenation >= 0
            ? static_cast<int32_t>(rows_at_once(buffers[description.sources[0].buffer]))
            : source.height,
        .width = source.width};
    CPlanConvolution made = others->make(&layer);
    if (made == nullptr) return false;
    step.other = OtherConvolution{{made, others->release}, step.is_in_integers()};
    return true;
}

void PlanLayout::pack_floats(PlanStep &step) const {
    const CPlanStep &description = step.description;
    const int in = buffers[description.sources[0].buffer].size.channels;
    const int out = buffers[description.target.buffer].size.channels;
    const int groups = description.groups, group_out = out / groups;
    FloatSums made;
    made.bias.assign(static_cast<size_t>(groups) * float_padded(group_out), 0);
    for (int o = 0; o < out && description.bias != nullptr; o++) {
        made.bias[o / group_out * float_padded(group_out) + o % group_out] = description.bias[o];
    }
    made.layer = FloatLayer{
        .kernel = description.kernel,
        .stride = description.stride,
        .dilation = description.dilation,
        .padding = description.padding,
        .groups = groups,
        .in_channels = in,
        .out_channels = out,
        .weights = nullptr,
        .bias = made.bias.data(),
        .slope = static_cast<float>(description.slope)};
    made.weights = aligned_block<float>(floats->packed_count(&made.layer));
    floats->pack(&made.layer, description.weight, made.weights.get());
    made.layer.weights = made.weights.get();
    step.float_sums = std::move(made);
}

// A convolution in integers writes integers where only another one reads them.
void PlanLayout::chain_integers() {
    for (PlanStep &step : steps) {
        if (!step.is_in_integers()) continue;
        const int target = step.description.target.buffer;
        const PlanStep *reader = nullptr;
        int readers = 0;
        for (const PlanStep &other : steps) {
            for (int s = 0; s < other.description.source_count; s++) {
                if (other.description.sources[s].buffer != target) continue;
                reader = &other;
                readers++;
            }
        }
        const double slope = step.description.slope;
        if (readers != 1 || !reader->is_in_integers() || (slope != 0 && slope != 1)) continue;
        const Quantization integers = *reader->quantization;
        if (step.other) {
            others->give_bytes(step.other->convolution.get(), integers.scale, integers.zero);
        } else {
            step.integer_sums->gives_integers = true;
            step.integer_sums->layer.result_factor = 1 / integers.scale;
            step.integer_sums->layer.result_zero = static_cast<float>(integers.zero);
        }
        buffers[target].holds_integers = true;
        buffers[target].byte_count = buffers[target].pixels() * buffers[target].size.channels;
    }
}

// Each output channel's weights are integers of -127...127, the largest of them the latter.
void PlanLayout::pack_integers(PlanStep &step) const {
    const CPlanStep &description = step.description;
    const int in = buffers[description.sources[0].buffer].size.channels;
    const int out = buffers[description.target.buffer].size.channels;
    const int kernel = description.kernel;
    const size_t size = static_cast<size_t>(in) * kernel * kernel;
    IntegerSums made;
    made.weights = aligned_block<char>(direct->packed_count(kernel, in, out));
    made.starts.resize(direct_padded(out));
    made.factors = aligned_block<float>(direct_padded(out));
    made.bias = aligned_block<float>(direct_padded(out));
    std::vector<int8_t> integers(out * size);
    for (int o = 0; o < direct_padded(out); o++) {
        made.factors.get()[o] = 0;
        made.bias.get()[o] = o < out && description.bias != nullptr ? description.bias[o] : 0;
        if (o >= out) continue;
        const float *const values = description.weight + o * size;
        float largest = 0;
        for (size_t k = 0; k < size; k++) largest = std::max(largest, std::abs(values[k]));
        const float scale = largest > 0 ? largest / 127 : 1;
        for (size_t k = 0; k < size; k++) {
            integers[o * size + k] = static_cast<int8_t>(std::nearbyint(values[k] / scale));
        }
        made.factors.get()[o] = scale * step.quantization->scale;
    }
    direct->pack(
        integers.data(), kernel, in, out, step.quantization->zero, made.weights.get(),
        made.starts.data());
    made.layer = DirectLayer{
        .kernel = kernel,
        .in_channels = in,
        .out_channels = out,
        .weights = made.weights.get(),
        .starts = made.starts.data(),
        .factors = made.factors.get(),
        .bias = made.bias.get(),
        .slope = static_cast<float>(description.slope),
        .zero = step.quantization->zero,
        .result_factor = 1,
        .result_zero = 0};
    step.integer_sums = std::move(made);
}

bool PlanLayout::packed_for_winograd(PlanStep &step) const {
    const CPlanStep &description = step.description;
    const int in = buffers[description.sources[0].buffer].size.channels;
    const int out = buffers[description.target.buffer].size.channels;
    const int kernel = description.kernel;
    const int all = (out + 15) / 16 * 16;
    // Beyond that much padding, sums are faster.
    if (winograd == nullptr || !winograd_serves(kernel) || in < 16 || 2 * all > 3 * out) return false;
    const int64_t size = static_cast<int64_t>(in) * kernel * kernel;
    std::vector<float> padded;
    if (all > out) {
        padded.assign(description.weight, description.weight + out * size);
        padded.resize(all * size);
    }
    const float *const weights = all > out ? padded.data() : description.weight;
    step.winograd_weights =
        aligned_block<float>(static_cast<int64_t>(winograd_elements(kernel)) * in * all);
    in_parallel(0, all / 16, 1, [&](int64_t begin, int64_t end) {
        winograd->pack(
            weights, kernel, in, all, static_cast<int>(begin) * 16, static_cast<int>(end) * 16,
            step.winograd_weights.get());
    });
    step.biases = floats_of(description.bias, out);
    step.biases.resize(all);
    step.winograd = WinogradLayer{
        .kernel = kernel,
        .in_channels = in,
        .out_channels = all,
        .stored_channels = out,
        .weights = step.winograd_weights.get(),
        .bias = step.biases.data(),
        .slope = static_cast<float>(description.slope)};
    return true;
}
