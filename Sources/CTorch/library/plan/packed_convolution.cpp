#include "plan/packed_convolution.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <cmath>
#include <string>
#include <vector>

namespace {

using Integers = std::vector<int64_t>;

const Integers ones = {1, 1};

c10::IValue value(const std::optional<at::Tensor> &tensor) {
    return tensor.has_value() ? c10::IValue(*tensor) : c10::IValue();
}

}  // namespace

PackedConvolution::PackedConvolution(
    const at::Tensor &given, const std::optional<at::Tensor> &bias, double slope,
    at::ScalarType type)
    : type(type), slope(slope), padding(given.size(2) / 2),
      channels({given.size(0), given.size(1)}), bias(bias) {}

PackedConvolution::PackedConvolution(
    const at::Tensor &given, const std::optional<at::Tensor> &bias, double slope,
    at::ScalarType type, int64_t height, int64_t width)
    : PackedConvolution(given, bias, slope, type) {
    const at::Tensor general = given.to(type).contiguous(at::MemoryFormat::ChannelsLast);
    weight = general;
    // Where LibTorch has no oneDNN or oneDNN no such type for this processor, its general
    // convolution serves.
    try {
        const auto reorder = c10::Dispatcher::singleton().findSchema(
            {"mkldnn::_reorder_convolution_weight", ""});
        if (!reorder.has_value()) return;
        torch::jit::Stack stack{
            given.to(type).contiguous(), Integers{padding, padding}, ones, ones, int64_t{1},
            Integers{1, given.size(1), height, width}};
        reorder->callBoxed(stack);
        weight = stack[0].toTensor();
        is_packed = true;
        is_packed = probe();
    } catch (const c10::Error &) {
        is_packed = false;
    }
    if (!is_packed) weight = general;
}

std::optional<PackedConvolution> PackedConvolution::in_integers(
    const at::Tensor &given, const std::optional<at::Tensor> &bias, double slope,
    at::ScalarType type, Quantization input, int64_t height, int64_t width) {
    try {
        PackedConvolution made(given, bias, slope, type);
        made.input = input;
        const at::Tensor largest = given.abs().amax({1, 2, 3});
        const at::Tensor scales = at::where(largest > 0, largest / 127, at::ones_like(largest));
        const at::Tensor integers = (given / scales.view({-1, 1, 1, 1})).round().to(at::kChar);
        made.pack_integers(integers, scales, height, width);
        if (!made.probe() || !sums_exactly(given.sizes(), input)) return std::nullopt;
        return made;
    } catch (const c10::Error &) {
        return std::nullopt;
    }
}

// Weights of -127...127, each output channel's with its factor.
void PackedConvolution::pack_integers(
    const at::Tensor &integers, const at::Tensor &scales, int64_t height, int64_t width) {
    static const auto pack =
        c10::Dispatcher::singleton().findSchemaOrThrow("onednn::qconv_prepack", "");
    weight_scales = scales;
    weight_zeros = at::zeros({integers.size(0)}, at::kInt);
    torch::jit::Stack stack{
        integers, scales, static_cast<double>(input->scale), static_cast<int64_t>(input->zero),
        ones, Integers{padding, padding}, ones, int64_t{1},
        Integers{1, integers.size(1), height, width}};
    pack.callBoxed(stack);
    weight = stack[0].toTensor();
}

// Whether LibTorch adds the largest products of integers up right for weights of such sizes: where the
// processor has no instruction for it, it saturates pairs of them in 16 bits. Throws where there is no
// such convolution.
bool PackedConvolution::sums_exactly(at::IntArrayRef sizes, Quantization input) {
    PackedConvolution made(at::ones(sizes), std::nullopt, 1, at::kFloat);
    made.input = input;
    made.pack_integers(at::full(sizes, 127, at::kChar), at::ones({sizes[0]}), 8, 8);
    const at::Tensor image = at::full({1, sizes[1], 8, 8}, 255, at::kByte)
                                 .contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor taps = at::conv2d(
        at::ones({1, 1, 8, 8}), at::ones({1, 1, sizes[2], sizes[3]}), {}, {1, 1},
        {made.padding, made.padding});
    const double product = 127.0 * input.scale * (255 - input.zero) * static_cast<double>(sizes[1]);
    const double largest =
        127.0 * 255 * input.scale * static_cast<double>(sizes[1] * sizes[2] * sizes[3]);
    return (made(image) - taps * product).abs().max().item<double>() <= 1e-5 * largest;
}

// Whether it computes a small image.
bool PackedConvolution::probe() const {
    const at::Tensor image = at::zeros({1, channels[1], 8, 8}, input ? at::kByte : type)
                                 .contiguous(at::MemoryFormat::ChannelsLast);
    return (*this)(image).sizes() == at::IntArrayRef({1, channels[0], 8, 8});
}

at::Tensor PackedConvolution::operator()(const at::Tensor &images) const {
    return input ? in_integers(images) : in_own_type(images);
}

at::Tensor PackedConvolution::in_own_type(const at::Tensor &images) const {
    if (is_packed) {
        static const auto operation = c10::Dispatcher::singleton().findSchemaOrThrow(
            "mkldnn::_convolution_pointwise", "");
        c10::List<std::optional<at::Scalar>> scalars;
        const char *activation = slope == 1 ? "none" : slope == 0 ? "relu" : "leaky_relu";
        if (slope != 0 && slope != 1) scalars.push_back(at::Scalar(slope));
        torch::jit::Stack stack{
            images, weight, value(bias), Integers{padding, padding}, ones, ones, int64_t{1},
            std::string(activation), scalars, c10::IValue()};
        operation.callBoxed(stack);
        return stack[0].toTensor();
    }
    std::optional<at::Tensor> converted;
    if (bias.has_value()) converted = bias->to(type);
    at::Tensor output = at::conv2d(images, weight, converted, {1, 1}, {padding, padding});
    if (slope != 1) at::leaky_relu_(output, slope);
    return output;
}

at::Tensor PackedConvolution::in_integers(const at::Tensor &images) const {
    static const auto operation = c10::Dispatcher::singleton().findSchemaOrThrow(
        "onednn::qconv2d_pointwise", "");
    const bool rectifies = slope == 0;
    const Quantization results = output.value_or(Quantization());
    torch::jit::Stack stack{
        images, static_cast<double>(input->scale), static_cast<int64_t>(input->zero), weight,
        weight_scales, weight_zeros, value(bias), ones, Integers{padding, padding}, ones,
        int64_t{1}, static_cast<double>(results.scale), static_cast<int64_t>(results.zero),
        output ? at::kByte : type, std::string(rectifies ? "relu" : "none"),
        c10::List<std::optional<at::Scalar>>(), std::string()};
    operation.callBoxed(stack);
    at::Tensor computed = stack[0].toTensor();
    if (!rectifies && slope != 1) at::leaky_relu_(computed, slope);
    return computed;
}
