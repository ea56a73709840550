#include "plan/plan_layout.h"

#include "abi/internal.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <cmath>

namespace {

Floats floats_of(CTorchTensor handle) {
    if (handle == nullptr) return {};
    const at::Tensor dense = tensor_of(handle).detach().to(at::kCPU, at::kFloat).contiguous();
    const float *data = dense.const_data_ptr<float>();
    return {data, data + dense.numel()};
}

}  // namespace

PlanLayout::PlanLayout(
    const CTorchPlanBuffer *given_buffers, int32_t buffer_count,
    const CTorchPlanStep *given_steps, int32_t step_count, CTorchElementType element,
    CTorchKernels kind)
    : type(static_cast<at::ScalarType>(element)) {
    TORCH_CHECK(
        type == at::kFloat || type == at::kBFloat16, "plans compute in float32 or bfloat16");
    const InstructionSet &set = instruction_set(kind);
    const bool is_bfloat16 = type == at::kBFloat16;
    kernels_name = set.names[is_bfloat16];
    kernels = set.kernels[is_bfloat16];
    winograd = set.winograd[is_bfloat16];
    direct = set.direct;
    element_size = type == at::kFloat ? 4 : 2;
    for (int32_t i = 0; i < buffer_count; i++) {
        PlanBuffer buffer{.size = given_buffers[i]};
        buffer.byte_count = buffer.pixels() * buffer.size.channels *
            (buffer.size.holds_indices ? 1 : element_size);
        buffers.push_back(buffer);
    }
    const c10::InferenceMode inference;
    for (int32_t i = 0; i < step_count; i++) {
        const bool concatenates = i > 0 && only_concatenates_for(given_steps, step_count, i);
        steps.push_back(prepared(given_steps[i], concatenates));
    }
    chain_integers();
    find_uses();
    lay_out();
}

// Whether the step before a convolution does nothing but concatenate its input.
bool PlanLayout::only_concatenates_for(const CTorchPlanStep *given, int count, int position) const {
    const CTorchPlanStep &convolution = given[position], &concatenation = given[position - 1];
    const int input = convolution.sources[0].buffer;
    if (convolution.kind != CTORCH_STEP_CONVOLVE || concatenation.kind != CTORCH_STEP_CONCATENATE ||
        concatenation.pooled.buffer >= 0 || concatenation.target.buffer != input ||
        concatenation.target.channels != buffers[input].size.channels) {
        return false;
    }
    int uses = 0;
    for (int i = 0; i < count; i++) {
        each_place(given[i], [&](int buffer) { uses += buffer == input; });
    }
    return uses == 2;
}

PlanStep PlanLayout::prepared(const CTorchPlanStep &description, bool concatenates) {
    PlanStep step{.description = description};
    switch (description.kind) {
    case CTORCH_STEP_CONVOLVE:
        // A pixel's own channels are needed for it, or some rows, or of all pixels the integers.
        if (concatenates && tensor_of(description.weight).size(2) == 1) {
            step.concatenation = static_cast<int>(steps.size()) - 1;
        }
        pack(step);
        if (concatenates && (step.winograd || step.is_in_integers())) {
            step.concatenation = static_cast<int>(steps.size()) - 1;
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

void PlanLayout::pack(PlanStep &step) {
    const CTorchPlanStep &description = step.description;
    const at::Tensor weight = tensor_of(description.weight).detach().to(at::kFloat);
    const PlanBuffer &source = buffers[description.sources[0].buffer];
    PlanBuffer &target = buffers[description.target.buffer];
    TORCH_CHECK(
        weight.dim() == 4 && weight.size(1) == source.size.channels &&
            weight.size(0) == target.size.channels && weight.size(2) % 2 == 1,
        "a convolution by ", weight.sizes(), " of ", source.size.channels, " channels to ",
        target.size.channels);
    std::optional<at::Tensor> bias;
    if (description.bias != nullptr) {
        bias = tensor_of(description.bias).detach().to(at::kFloat).clone();
    }
    const int64_t rows = step.concatenation >= 0 ? rows_at_once(source) : source.size.height;
    if (description.low < description.high) {
        const Quantization input = Quantization::between(description.low, description.high);
        step.convolution = PackedConvolution::in_integers(
            weight, bias, description.slope, type, input, rows, source.size.width);
        if (!step.convolution && packed_directly(step, weight, input)) return;
    }
    if (!step.convolution && packed_for_winograd(step, weight)) return;
    if (!step.convolution) {
        step.convolution =
            PackedConvolution(weight, bias, description.slope, type, rows, source.size.width);
    }
    target.from_convolution = step.concatenation < 0;
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
        const Quantization integers = *reader->integers();
        if (step.direct) {
            step.direct->gives_integers = true;
            step.direct->layer.result_factor = 1 / integers.scale;
            step.direct->layer.result_zero = static_cast<float>(integers.zero);
        } else {
            step.convolution->output = integers;
        }
        buffers[target].holds_integers = true;
        buffers[target].byte_count = buffers[target].pixels() * buffers[target].size.channels;
    }
}

// As many rows as stay near the processor.
int64_t PlanLayout::rows_at_once(const PlanBuffer &buffer) const {
    const int64_t row = element_size * buffer.size.width * buffer.size.channels;
    return std::clamp<int64_t>((2 << 20) / row, 1, buffer.size.height);
}

// How many rows a convolution by Winograd's algorithm concatenates and convolves at once.
int PlanLayout::band_of(const PlanStep &step) const {
    const int size = winograd_output_tile(step.winograd->kernel);
    const int64_t rows = rows_at_once(buffers[step.description.sources[0].buffer]);
    return std::max(1, static_cast<int>(rows - step.winograd->kernel + 1) / size) * size;
}

int64_t PlanLayout::concatenated_scratch() const {
    int64_t most = 0;
    for (const PlanStep &step : steps) {
        if (step.concatenation < 0) continue;
        const PlanBuffer &source = buffers[step.description.sources[0].buffer];
        const int64_t rows = step.is_in_integers() ? 1
            : step.winograd                        ? band_of(step) + step.winograd->kernel - 1
                                                   : rows_at_once(source);
        most = std::max(
            most, rows * element_size * source.size.width * source.size.channels);
    }
    return most;
}

int64_t PlanLayout::integer_scratch() const {
    int64_t most = 0;
    for (const PlanStep &step : steps) {
        if (!step.is_in_integers()) continue;
        const PlanBuffer &source = buffers[step.description.sources[0].buffer];
        if (!source.holds_integers) {
            most = std::max(most, source.pixels() * source.size.channels);
        }
    }
    return most;
}

bool PlanLayout::packed_directly(
    PlanStep &step, const at::Tensor &weight, Quantization input) const {
    const int out = static_cast<int>(weight.size(0)), in = static_cast<int>(weight.size(1));
    const int kernel = static_cast<int>(weight.size(2));
    if (weight.size(3) != kernel || !direct_convolution_serves(kernel, in)) return false;
    const Floats dense = floats_of(step.description.weight);
    const Floats biases = floats_of(step.description.bias);
    const size_t size = dense.size() / out;
    DirectConvolution made{.input = input};
    made.weights = aligned_block<int16_t>(direct->packed_count(kernel, in, out));
    made.factors = aligned_block<float>(direct_padded(out));
    made.bias = aligned_block<float>(direct_padded(out));
    std::vector<int8_t> integers(dense.size());
    for (int o = 0; o < direct_padded(out); o++) {
        made.factors.get()[o] = 0;
        made.bias.get()[o] = o < out && !biases.empty() ? biases[o] : 0;
        if (o >= out) continue;
        const float *const values = dense.data() + o * size;
        float largest = 0;
        for (size_t k = 0; k < size; k++) largest = std::max(largest, std::abs(values[k]));
        const float scale = largest > 0 ? largest / 127 : 1;
        for (size_t k = 0; k < size; k++) {
            integers[o * size + k] = static_cast<int8_t>(std::nearbyint(values[k] / scale));
        }
        made.factors.get()[o] = scale * input.scale;
    }
    direct->pack(integers.data(), kernel, in, out, made.weights.get());
    made.layer = DirectLayer{
        .kernel = kernel,
        .in_channels = in,
        .out_channels = out,
        .weights = made.weights.get(),
        .factors = made.factors.get(),
        .bias = made.bias.get(),
        .slope = static_cast<float>(step.description.slope),
        .zero = input.zero,
        .result_factor = 1,
        .result_zero = 0};
    step.direct = std::move(made);
    return true;
}

// Whether the convolution is one for Winograd's algorithm, which then has its weights.
bool PlanLayout::packed_for_winograd(PlanStep &step, const at::Tensor &weight) const {
    const int64_t out = weight.size(0), in = weight.size(1), kernel = weight.size(2);
    if (winograd == nullptr || !winograd_serves(kernel) || weight.size(3) != kernel || in < 16 ||
        out % 16 != 0) {
        return false;
    }
    const Floats dense = floats_of(step.description.weight);
    step.winograd_weights = aligned_block<float>(winograd_elements(kernel) * in * out);
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

int64_t PlanLayout::direct_scratch() const {
    int64_t most = 0;
    for (const PlanStep &step : steps) {
        if (!step.direct) continue;
        const PlanBuffer &source = buffers[step.description.sources[0].buffer];
        most = std::max(most, direct->scratch(&step.direct->layer, source.size.width));
    }
    return most;
}

int64_t PlanLayout::winograd_scratch() const {
    int64_t most = 0;
    for (const PlanStep &step : steps) {
        if (step.winograd) most = std::max(most, winograd->scratch(&*step.winograd));
    }
    return most;
}

// Whether the next step concatenates its input itself.
bool PlanLayout::is_concatenated_later(size_t position) const {
    return position + 1 < steps.size() && steps[position + 1].concatenation >= 0;
}

void PlanLayout::find_uses() {
    for (size_t i = 0; i < steps.size(); i++) {
        const int time = static_cast<int>(is_concatenated_later(i) ? i + 1 : i);
        const int never =
            time > static_cast<int>(i) ? steps[i].description.target.buffer
            : steps[i].concatenation >= 0       ? steps[i].description.sources[0].buffer
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
void PlanLayout::lay_out() {
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
        PlanBuffer &buffer = buffers[b];
        const int64_t size = (buffer.byte_count + 63) / 64 * 64;
        int64_t offset = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (const int other_index : placed) {
                const PlanBuffer &other = buffers[other_index];
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

int64_t PlanLayout::peak_of_outputs() const {
    int64_t peak = 0;
    for (size_t i = 0; i < steps.size(); i++) {
        int64_t alive = 0;
        for (const PlanBuffer &buffer : buffers) {
            if (buffer.from_convolution && buffer.first_use <= static_cast<int>(i) &&
                buffer.last_use >= static_cast<int>(i)) {
                alive += buffer.byte_count;
            }
        }
        peak = std::max(peak, alive);
    }
    return peak;
}

int32_t PlanLayout::integer_count() const {
    return static_cast<int32_t>(
        std::count_if(steps.begin(), steps.end(), [](const PlanStep &s) { return s.is_in_integers(); }));
}

int32_t PlanLayout::packed_count() const {
    return static_cast<int32_t>(
        std::count_if(steps.begin(), steps.end(), [](const PlanStep &s) {
        return s.convolution && s.convolution->is_packed;
    }));
}

int32_t PlanLayout::winograd_count() const {
    return static_cast<int32_t>(
        std::count_if(steps.begin(), steps.end(), [](const PlanStep &s) { return s.winograd; }));
}

int64_t PlanLayout::byte_count() const {
    return arena_size + peak_of_outputs() + winograd_scratch() * sizeof(float) +
        integer_scratch() + direct_scratch() + concatenated_scratch();
}
