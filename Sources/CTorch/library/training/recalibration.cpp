// sliceseg::recalibrate: squeeze & excitation with its gradients, which LibTorch does in many passes over
// memory.

#include "training/image_rows.h"

#include <ATen/ATen.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <vector>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// output = x (s + q): s = sigmoid(W2 relu(W1 z + b1) + b2) for each channel, z its mean over the
// pixels; q = sigmoid(w . x + b) for each pixel. Roy et al., arXiv:1803.02579, section 2.
struct Recalibration : torch::autograd::Function<Recalibration> {
    static Tensor forward(
        AutogradContext *context, const Tensor &image, const Tensor &reduce_weight,
        const Tensor &reduce_bias, const Tensor &expand_weight, const Tensor &expand_bias,
        const Tensor &squeeze_weight, const Tensor &squeeze_bias) {
        // The small layers are computed in float32 also where autocast is on.
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const Tensor x = as_rows(image);
        const Rows rows(x);
        const Tensor w = squeeze_weight.to(at::kFloat).contiguous();
        const float b = squeeze_bias.item<float>();
        const Tensor gates = at::empty({rows.samples * rows.pixels}, at::kFloat);
        const Tensor output = at::empty_like(x);
        Tensor means, hidden, by_channel;
        with_type(x, [&](auto zero) {
            using Number = decltype(zero);
            std::vector<float> parts(rows.samples * rows.blocks * rows.channels, 0.0f);
            rows.for_each_block([&](int64_t, int64_t first, int64_t count, int64_t block) {
                training_kernels<Number>().squeeze(
                    data<Number>(x) + first * rows.channels, count, rows.channels,
                    data<float>(w), b, parts.data() + block * rows.channels,
                    data<float>(gates) + first);
            });
            auto sums = rows.sums_of_samples(parts, rows.channels);
            for (double &sum : sums) sum /= static_cast<double>(rows.pixels);
            means = float_tensor(sums, {rows.samples, rows.channels});
            hidden = at::relu(at::linear(means, reduce_weight, reduce_bias));
            by_channel =
                at::sigmoid(at::linear(hidden, expand_weight, expand_bias)).contiguous();
            rows.for_each_block([&](int64_t sample, int64_t first, int64_t count, int64_t) {
                training_kernels<Number>().excite(
                    data<Number>(x) + first * rows.channels, count, rows.channels,
                    data<float>(by_channel) + sample * rows.channels, data<float>(gates) + first,
                    data<Number>(output) + first * rows.channels);
            });
        });
        context->save_for_backward(
            {x, reduce_weight, expand_weight, w, means, hidden, by_channel, gates});
        return output;
    }

    static tensor_list backward(AutogradContext *context, tensor_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &x = saved[0], &reduce_weight = saved[1], &expand_weight = saved[2],
                     &w = saved[3], &means = saved[4], &hidden = saved[5],
                     &by_channel = saved[6], &gates = saved[7];
        const Tensor g = as_rows(gradients[0].to(x.scalar_type()));
        const Rows rows(x);
        const int64_t channels = rows.channels;
        const Tensor products = at::empty_like(gates);
        const Tensor output = at::empty_like(x);
        Tensor of_hidden, of_excitation, of_means, of_w, of_b;
        with_type(x, [&](auto zero) {
            using Number = decltype(zero);
            std::vector<float> channel_parts(rows.samples * rows.blocks * channels, 0.0f);
            std::vector<float> weight_parts(rows.samples * rows.blocks * channels, 0.0f);
            rows.for_each_block([&](int64_t, int64_t first, int64_t count, int64_t block) {
                training_kernels<Number>().excitation_gradients(
                    data<Number>(x) + first * channels, data<Number>(g) + first * channels, count,
                    channels, data<float>(gates) + first, channel_parts.data() + block * channels,
                    data<float>(products) + first, weight_parts.data() + block * channels);
            });
            const Tensor of_factors = float_tensor(
                rows.sums_of_samples(channel_parts, channels), {rows.samples, channels});
            of_w = float_tensor(
                rows.sums_of_samples(weight_parts, channels), {rows.samples, channels}).sum(0);
            of_b = products.sum();
            of_excitation = of_factors * by_channel * (1 - by_channel);
            of_hidden = at::mm(of_excitation, expand_weight) * hidden.gt(0);
            of_means = (at::mm(of_hidden, reduce_weight) / static_cast<double>(rows.pixels))
                           .contiguous();
            rows.for_each_block([&](int64_t sample, int64_t first, int64_t count, int64_t) {
                training_kernels<Number>().image_gradients(
                    data<Number>(g) + first * channels, count, channels,
                    data<float>(by_channel) + sample * channels, data<float>(gates) + first,
                    data<float>(products) + first, data<float>(w),
                    data<float>(of_means) + sample * channels,
                    data<Number>(output) + first * channels);
            });
        });
        return {
            output, at::mm(of_hidden.t(), means), of_hidden.sum(0),
            at::mm(of_excitation.t(), hidden), of_excitation.sum(0),
            of_w.reshape({1, channels, 1, 1}), of_b.reshape({1}),
        };
    }
};

Tensor recalibrate(
    const Tensor &image, const Tensor &reduce_weight, const Tensor &reduce_bias,
    const Tensor &expand_weight, const Tensor &expand_bias, const Tensor &squeeze_weight,
    const Tensor &squeeze_bias) {
    return Recalibration::apply(
        image, reduce_weight, reduce_bias, expand_weight, expand_bias, squeeze_weight,
        squeeze_bias);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(sliceseg, library) {
    library.def(
        "recalibrate(Tensor image, Tensor reduce_weight, Tensor reduce_bias, "
        "Tensor expand_weight, Tensor expand_bias, Tensor squeeze_weight, Tensor squeeze_bias) "
        "-> Tensor",
        recalibrate);
}
