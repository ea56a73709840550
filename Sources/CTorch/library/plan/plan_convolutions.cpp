#include "plan/plan_convolutions.h"

#include "abi/internal.h"
#include "plan/output_pool.h"
#include "plan/packed_convolution.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <omp.h>

namespace {

PackedConvolution &convolution_of(CPlanConvolution handle) {
    return *reinterpret_cast<PackedConvolution *>(handle);
}

CPlanConvolution make(const CPlanConvolutionLayer *layer) {
    PackedConvolution *made = nullptr;
    guarded([&] {
        const c10::InferenceMode inference;
        const int64_t out = layer->out_channels, in = layer->in_channels, kernel = layer->kernel;
        const auto tensor = [](const float *numbers, at::IntArrayRef shape) {
            return at::from_blob(const_cast<float *>(numbers), shape, at::kFloat).clone();
        };
        const at::Tensor weight = tensor(layer->weight, {out, in, kernel, kernel});
        const at::Tensor bias = tensor(layer->bias, {out});
        const at::ScalarType type = layer->is_bfloat16 ? at::kBFloat16 : at::kFloat;
        if (layer->is_in_integers) {
            std::optional<PackedConvolution> packed = PackedConvolution::in_integers(
                weight, bias, layer->slope, type, {layer->scale, layer->zero}, layer->height,
                layer->width);
            if (packed.has_value()) made = new PackedConvolution(std::move(*packed));
        } else {
            made = new PackedConvolution(
                weight, bias, layer->slope, type, layer->height, layer->width);
        }
    });
    return reinterpret_cast<CPlanConvolution>(made);
}

void release(CPlanConvolution convolution) { delete &convolution_of(convolution); }

void give_bytes(CPlanConvolution convolution, float scale, int32_t zero) {
    convolution_of(convolution).output = Quantization{scale, zero};
}

void *run(
    CPlanConvolution convolution, const void *image, int32_t height, int32_t width, void **result,
    const char **error) {
    at::Tensor *owner = nullptr;
    const CTorchStatus status = guarded([&] {
        const PackedConvolution &packed = convolution_of(convolution);
        const int64_t channels = packed.in_channels(), row = width * channels;
        const at::Tensor images = at::from_blob(
            const_cast<void *>(image), {1, channels, height, width},
            {height * row, 1, row, channels}, packed.image_type());
        owner = new at::Tensor(packed(images).contiguous(at::MemoryFormat::ChannelsLast));
        *result = owner->data_ptr();
    });
    if (status != CTORCH_OK) *error = last_error_text.c_str();
    return owner;
}

void release_result(void *owner) { delete static_cast<at::Tensor *>(owner); }

// A convolution runs on its thread alone, without gradients, in memory that is used again.
struct Scope {
    const c10::InferenceMode inference;
    const PoolScope pool;
    const int threads = omp_get_max_threads();

    explicit Scope(std::shared_ptr<OutputPool> outputs) : pool(std::move(outputs)) {
        omp_set_num_threads(1);
    }
    ~Scope() { omp_set_num_threads(threads); }
};

void *begin() {
    static thread_local const std::shared_ptr<OutputPool> outputs = make_output_pool();
    return new Scope(outputs);
}

void end(void *scope) { delete static_cast<Scope *>(scope); }

}  // namespace

const CPlanConvolutions *plan_convolutions() {
    static const CPlanConvolutions convolutions = {
        make, release, give_bytes, run, release_result, begin, end};
    return &convolutions;
}
