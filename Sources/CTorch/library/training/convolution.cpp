// Trainable convolutions, with their gradients, by Winograd's algorithm where the processor is faster
// that way: sliceseg::convolve. Images are float32 or bfloat16 on the CPU, channels-last.

#include "training/dispatch.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <optional>

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Winograd's algorithm for such an image as this processor runs it, or null.
const WinogradKernels *winograd_for(at::ScalarType type) {
    if (type != at::kFloat && type != at::kBFloat16) return nullptr;
    return training_set().winograd[type == at::kBFloat16];
}

bool serves_winograd(const Tensor &image, const Tensor &weight) {
    if (!image.is_cpu() || image.dim() != 4 || weight.dim() != 4 ||
        weight.scalar_type() != at::kFloat || !at::GradMode::is_enabled() ||
        !weight.requires_grad() || winograd_for(image.scalar_type()) == nullptr) {
        return false;
    }
    const int64_t kernel = weight.size(2);
    return winograd_serves(kernel) && weight.size(3) == kernel && weight.size(0) % 16 == 0 &&
        weight.size(1) % 16 == 0 && image.size(1) == weight.size(1) && image.numel() > 0;
}

Tensor aligned_floats(int64_t count) { return at::empty({count}, at::kFloat); }

// Convolves rows of pixels, image by image; `packed` are weights from `in` to `out` channels.
Tensor convolved_by_winograd(
    const Tensor &x, int kernel, int64_t in, int64_t out, const Tensor &packed,
    const Tensor &bias) {
    const WinogradKernels &kernels = *winograd_for(x.scalar_type());
    const WinogradLayer layer{
        .kernel = kernel,
        .in_channels = static_cast<int>(in),
        .out_channels = static_cast<int>(out),
        .stored_channels = static_cast<int>(out),
        .weights = packed.const_data_ptr<float>(),
        .bias = bias.const_data_ptr<float>(),
        .slope = 1};
    const int height = static_cast<int>(x.size(2)), width = static_cast<int>(x.size(3));
    const Tensor result = at::empty(
        {x.size(0), out, height, width}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
    const bool is_bfloat16 = x.scalar_type() == at::kBFloat16;
    const int64_t pixel_bytes = static_cast<int64_t>(height) * width * x.element_size();
    at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
        const Tensor scratch = aligned_floats(kernels.scratch(&layer)).zero_();
        for (int64_t n = begin; n < end; n++) {
            kernels.convolve[is_bfloat16](
                &layer, static_cast<const char *>(x.const_data_ptr()) + n * in * pixel_bytes, in,
                height, width, 0, height,
                static_cast<char *>(result.data_ptr()) + n * out * pixel_bytes, out,
                scratch.data_ptr<float>());
        }
    });
    return result;
}

// Weights [out][in][kernel][kernel] as convolutions of such images take them.
Tensor packed_weights(const Tensor &weight, at::ScalarType image_type) {
    const WinogradKernels &kernels = *winograd_for(image_type);
    const Tensor dense = weight.contiguous();
    const int out = static_cast<int>(dense.size(0)), in = static_cast<int>(dense.size(1));
    const int kernel = static_cast<int>(dense.size(2));
    const Tensor packed = aligned_floats(int64_t{winograd_elements(kernel)} * in * out);
    at::parallel_for(0, out / 16, 1, [&](int64_t begin, int64_t end) {
        kernels.pack(
            dense.const_data_ptr<float>(), kernel, in, out, static_cast<int>(begin) * 16,
            static_cast<int>(end) * 16, packed.data_ptr<float>());
    });
    return packed;
}

// Weights of the convolution that takes a gradient from the output channels back to the input channels.
Tensor flipped_transposed(const Tensor &weight) { return weight.flip({2, 3}).transpose(0, 1); }

WinogradShape shape_of(const Tensor &weight) {
    return {
        .kernel = static_cast<int>(weight.size(2)),
        .in_channels = static_cast<int>(weight.size(1)),
        .out_channels = static_cast<int>(weight.size(0))};
}

struct WinogradConvolution : torch::autograd::Function<WinogradConvolution> {
    static Tensor forward(
        AutogradContext *context, const Tensor &image, const Tensor &weight, const Tensor &bias) {
        const Tensor x = image.contiguous(at::MemoryFormat::ChannelsLast);
        const WinogradShape shape = shape_of(weight);
        context->save_for_backward({x, weight});
        return convolved_by_winograd(
            x, shape.kernel, shape.in_channels, shape.out_channels,
            packed_weights(weight, x.scalar_type()), bias.to(at::kFloat).contiguous());
    }

    static tensor_list backward(AutogradContext *context, tensor_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &x = saved[0], &weight = saved[1];
        const Tensor g = gradients[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
        const WinogradShape shape = shape_of(weight);
        Tensor of_image;
        if (context->needs_input_grad(0)) {
            of_image = convolved_by_winograd(
                g, shape.kernel, shape.out_channels, shape.in_channels,
                packed_weights(flipped_transposed(weight), x.scalar_type()),
                at::zeros({shape.in_channels}, at::kFloat));
        }
        // Joined in the order of the images, whatever threads there are.
        const WinogradGradient &kernels = *training_set().gradient;
        const int64_t numbers =
            int64_t{winograd_elements(shape.kernel)} * shape.in_channels * shape.out_channels;
        const int height = static_cast<int>(x.size(2)), width = static_cast<int>(x.size(3));
        const bool is_bfloat16 = x.scalar_type() == at::kBFloat16;
        const int64_t pixel_bytes = static_cast<int64_t>(height) * width * x.element_size();
        const Tensor sums = at::zeros({x.size(0), numbers}, at::kFloat);
        at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
            const Tensor scratch = aligned_floats(kernels.scratch(&shape));
            for (int64_t n = begin; n < end; n++) {
                kernels.gather[is_bfloat16](
                    &shape,
                    static_cast<const char *>(x.const_data_ptr()) +
                        n * shape.in_channels * pixel_bytes,
                    static_cast<const char *>(g.const_data_ptr()) +
                        n * shape.out_channels * pixel_bytes,
                    height, width, sums.data_ptr<float>() + n * numbers,
                    scratch.data_ptr<float>());
            }
        });
        const Tensor total = sums.sum(0);
        const Tensor of_weight = at::empty(weight.sizes(), at::kFloat);
        at::parallel_for(0, shape.in_channels, 8, [&](int64_t begin, int64_t end) {
            kernels.finish(
                total.const_data_ptr<float>(), &shape, static_cast<int>(begin),
                static_cast<int>(end), of_weight.data_ptr<float>());
        });
        return {of_image, of_weight, g.sum({0, 2, 3}, false, at::kFloat)};
    }
};

// A convolution of stride 1 that keeps the size: by Winograd's algorithm where weights are learnt and
// the processor is faster that way, else LibTorch's.
Tensor convolve(
    const Tensor &image, const Tensor &weight, const std::optional<Tensor> &bias, int64_t padding) {
    const Tensor given = at::autocast::is_autocast_enabled(at::kCPU) && image.is_cpu() &&
            image.scalar_type() == at::kFloat
        ? image.to(at::autocast::get_autocast_dtype(at::kCPU))
        : image;
    if (padding * 2 + 1 != weight.size(2) || !serves_winograd(given, weight)) {
        return at::conv2d(image, weight, bias, {1, 1}, {padding, padding});
    }
    return WinogradConvolution::apply(
        given, weight, bias.has_value() ? *bias : at::zeros({weight.size(0)}, at::kFloat));
}

// A convolution with gaps between its taps; in mixed precision it stays in single precision on the processor: LibTorch 2.13's gradients
// of such weights in bfloat16 are wrong or not finite, with groups or 20, 24 or 40 channels for example.
Tensor convolve_dilated(
    const Tensor &image, const Tensor &weight, const std::optional<Tensor> &bias, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups) {
    if (!image.is_cpu() || !at::autocast::is_autocast_enabled(at::kCPU)) {
        return at::conv2d(image, weight, bias, stride, padding, dilation, groups);
    }
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    std::optional<Tensor> summand;
    if (bias.has_value()) summand = bias->to(at::kFloat);
    return at::conv2d(
        image.to(at::kFloat), weight.to(at::kFloat), summand, stride, padding, dilation, groups);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(sliceseg, library) {
    library.def("convolve(Tensor image, Tensor weight, Tensor? bias, int padding) -> Tensor", convolve);
    library.def(
        "convolve_dilated(Tensor image, Tensor weight, Tensor? bias, int[] stride, int[] padding, "
        "int[] dilation, int groups) -> Tensor",
        convolve_dilated);
}
