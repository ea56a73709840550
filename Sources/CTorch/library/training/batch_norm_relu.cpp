// sliceseg::normalize_and_rectify: batch normalisation with the rectifier after it, and their gradients,
// which LibTorch does in many passes over memory.

#include "training/image_rows.h"

#include <ATen/ATen.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>
#include <vector>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// relu(batch_norm(x)) by the moments of the batch; the running ones move as in LibTorch.
struct RectifiedNormalization : torch::autograd::Function<RectifiedNormalization> {
    static Tensor forward(
        AutogradContext *context, const Tensor &image, const Tensor &weight, const Tensor &bias,
        Tensor running_mean, Tensor running_variance, double momentum, double epsilon) {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const Tensor x = as_rows(image);
        const Rows rows(x);
        const int64_t channels = rows.channels;
        const auto total = static_cast<double>(rows.samples * rows.pixels);
        TORCH_CHECK(total > 1, "batch normalisation needs more than one value a channel");
        const Tensor mean = at::empty({channels}, at::kFloat);
        const Tensor scale = at::empty({channels}, at::kFloat);
        const Tensor deviation = at::empty({channels}, at::kFloat);
        const Tensor variance = at::empty({channels}, at::kFloat);
        const Tensor shift = bias.to(at::kFloat).contiguous();
        const Tensor factor = weight.to(at::kFloat).contiguous();
        const Tensor output = at::empty_like(x);
        with_type(x, [&](auto zero) {
            using Number = decltype(zero);
            const Number *values = data<Number>(x);
            const int64_t block_count = rows.samples * rows.blocks;
            std::vector<float> sums(block_count * channels, 0.0f);
            std::vector<float> squares(block_count * channels, 0.0f);
            std::vector<int64_t> firsts(block_count), counts(block_count);
            rows.for_each_block([&](int64_t, int64_t first, int64_t count, int64_t block) {
                training_kernels<Number>().moments(
                    values + first * channels, count, channels, sums.data() + block * channels,
                    squares.data() + block * channels);
                firsts[block] = first;
                counts[block] = count;
            });
            // Blocks are joined by their means and sums of squared deviations (Chan et al., 1983).
            for (int64_t c = 0; c < channels; c++) {
                double joined_mean = 0, deviations = 0, joined = 0;
                for (int64_t block = 0; block < block_count; block++) {
                    const auto count = static_cast<double>(counts[block]);
                    const double sum = sums[block * channels + c];
                    const double block_mean = value(values[firsts[block] * channels + c]) + sum / count;
                    const double difference = block_mean - joined_mean;
                    deviations += squares[block * channels + c] - sum * sum / count +
                        difference * difference * joined * count / (joined + count);
                    joined += count;
                    joined_mean += difference * count / joined;
                }
                const double inverse = 1 / std::sqrt(deviations / total + epsilon);
                data<float>(mean)[c] = static_cast<float>(joined_mean);
                data<float>(deviation)[c] = static_cast<float>(inverse);
                data<float>(scale)[c] = static_cast<float>(inverse * data<float>(factor)[c]);
                data<float>(variance)[c] = static_cast<float>(deviations / (total - 1));
            }
            rows.for_each_block([&](int64_t, int64_t first, int64_t count, int64_t) {
                training_kernels<Number>().normalize(
                    values + first * channels, count, channels, data<float>(mean),
                    data<float>(scale), data<float>(shift),
                    data<Number>(output) + first * channels);
            });
        });
        running_mean.lerp_(mean, momentum);
        running_variance.lerp_(variance, momentum);
        context->save_for_backward({x, mean, scale, shift, deviation});
        return output;
    }

    static tensor_list backward(AutogradContext *context, tensor_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &x = saved[0], &mean = saved[1], &scale = saved[2], &shift = saved[3],
                     &deviation = saved[4];
        const Tensor g = as_rows(gradients[0].to(x.scalar_type()));
        const Rows rows(x);
        const int64_t channels = rows.channels;
        const auto total = static_cast<double>(rows.samples * rows.pixels);
        const Tensor output = at::empty_like(x);
        Tensor of_bias, of_weight;
        with_type(x, [&](auto zero) {
            using Number = decltype(zero);
            std::vector<float> sums(rows.samples * rows.blocks * channels, 0.0f);
            std::vector<float> products(rows.samples * rows.blocks * channels, 0.0f);
            rows.for_each_block([&](int64_t, int64_t first, int64_t count, int64_t block) {
                training_kernels<Number>().normalization_sums(
                    data<Number>(x) + first * channels, data<Number>(g) + first * channels, count,
                    channels, data<float>(mean), data<float>(scale), data<float>(shift),
                    sums.data() + block * channels, products.data() + block * channels);
            });
            of_bias = float_tensor(
                rows.sums_of_samples(sums, channels), {rows.samples, channels}).sum(0);
            of_weight = float_tensor(
                rows.sums_of_samples(products, channels), {rows.samples, channels}).sum(0) *
                deviation;
            const Tensor gradient_mean = of_bias / total;
            const Tensor slope = of_weight * deviation / total;
            rows.for_each_block([&](int64_t, int64_t first, int64_t count, int64_t) {
                training_kernels<Number>().normalization_gradients(
                    data<Number>(x) + first * channels, data<Number>(g) + first * channels, count,
                    channels, data<float>(mean), data<float>(scale), data<float>(shift),
                    data<float>(gradient_mean), data<float>(slope),
                    data<Number>(output) + first * channels);
            });
        });
        return {output, of_weight, of_bias, Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

Tensor normalize_and_rectify(
    const Tensor &image, const Tensor &weight, const Tensor &bias, const Tensor &running_mean,
    const Tensor &running_variance, double momentum, double epsilon) {
    return RectifiedNormalization::apply(
        image, weight, bias, running_mean, running_variance, momentum, epsilon);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(sliceseg, library) {
    library.def(
        "normalize_and_rectify(Tensor image, Tensor weight, Tensor bias, "
        "Tensor(a!) running_mean, Tensor(b!) running_variance, float momentum, float epsilon) "
        "-> Tensor",
        normalize_and_rectify);
}
