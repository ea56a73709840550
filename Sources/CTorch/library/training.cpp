// Operators of training that join what LibTorch does in many passes over memory: squeeze & excitation,
// and batch normalisation with the rectifier after it.
//
// They are registered with LibTorch's dispatcher as sliceseg::…, with their gradients, and are
// called like its own. Images are float32 or bfloat16 on the CPU and are taken as channels-last
// rows of C numbers a pixel; sums are formed in float32 over blocks of pixels that do not depend on
// the number of threads, and joined in float64 in the order of the blocks.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

// The loops are compiled for several instruction sets; the processor's best is taken at run time.
#if defined(__x86_64__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t pixels_of_block = 256;

// MARK: Numbers

using BFloat16Bits = uint16_t;

ALWAYS_INLINE float loaded(float value) { return value; }
ALWAYS_INLINE float loaded(BFloat16Bits bits) {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &word, sizeof value);
    return value;
}

ALWAYS_INLINE void store(float *target, float value) { *target = value; }
// Rounds to the nearest, of equally near to the even one.
ALWAYS_INLINE void store(BFloat16Bits *target, float value) {
    uint32_t word;
    std::memcpy(&word, &value, sizeof word);
    const uint32_t rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
    *target = static_cast<BFloat16Bits>(value != value ? 0x7fc0u : rounded);
}

// MARK: Images as rows

// An image tensor as `samples * pixels` rows of `channels` numbers.
struct Rows {
    explicit Rows(const Tensor &image)
        : samples(image.size(0)), channels(image.size(1)), pixels(image.size(2) * image.size(3)),
          blocks((pixels + pixels_of_block - 1) / pixels_of_block) {}

    int64_t samples, channels, pixels, blocks;

    // Calls `body(sample, first row, number of rows, block)` for every block, on all threads.
    template <typename Body>
    void for_each_block(const Body &body) const {
        at::parallel_for(0, samples * blocks, 1, [&](int64_t begin, int64_t end) {
            for (int64_t block = begin; block < end; block++) {
                const int64_t sample = block / blocks;
                const int64_t first = block % blocks * pixels_of_block;
                body(
                    sample, sample * pixels + first, std::min(pixels_of_block, pixels - first),
                    block);
            }
        });
    }

    // Adds up the rows of `parts` (`[samples * blocks, width]`) that belong to each sample.
    std::vector<double> sums_of_samples(const std::vector<float> &parts, int64_t width) const {
        std::vector<double> sums(samples * width, 0.0);
        for (int64_t block = 0; block < samples * blocks; block++) {
            for (int64_t i = 0; i < width; i++) {
                sums[block / blocks * width + i] += parts[block * width + i];
            }
        }
        return sums;
    }
};

Tensor as_rows(const Tensor &image) { return image.contiguous(at::MemoryFormat::ChannelsLast); }

template <typename Number>
Number *data(const Tensor &tensor) {
    return static_cast<Number *>(tensor.data_ptr());
}

// Calls `body` with a number of the tensor's type.
template <typename Body>
void with_type(const Tensor &tensor, const Body &body) {
    TORCH_CHECK(
        tensor.is_cpu() && tensor.dim() == 4, "an image [N, C, H, W] on the CPU is needed");
    switch (tensor.scalar_type()) {
    case at::kFloat: return body(float{});
    case at::kBFloat16: return body(BFloat16Bits{});
    default: TORCH_CHECK(false, "float32 or bfloat16 is needed, not ", tensor.scalar_type());
    }
}

Tensor float_tensor(const std::vector<double> &values, at::IntArrayRef shape) {
    Tensor tensor = at::empty(shape, at::kFloat);
    std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
    return tensor;
}

// MARK: Squeeze & excitation

// Sums of the channels over the block, and w . x + b through a sigmoid for each of its pixels.
template <typename Number>
ALWAYS_INLINE void squeeze_rows(
    const Number *x, int64_t rows, int64_t channels, const float *weight, float bias, float *sums,
    float *gates) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        float product = 0;
#pragma omp simd reduction(+ : product)
        for (int64_t c = 0; c < channels; c++) {
            const float value = loaded(pixel[c]);
            sums[c] += value;
            product += value * weight[c];
        }
        gates[row] = 1 / (1 + std::exp(-(product + bias)));
    }
}
FOR_EACH_PROCESSOR void squeeze(
    const float *x, int64_t rows, int64_t channels, const float *weight, float bias, float *sums,
    float *gates) {
    squeeze_rows(x, rows, channels, weight, bias, sums, gates);
}
FOR_EACH_PROCESSOR void squeeze(
    const BFloat16Bits *x, int64_t rows, int64_t channels, const float *weight, float bias,
    float *sums, float *gates) {
    squeeze_rows(x, rows, channels, weight, bias, sums, gates);
}

// x (s_c + q_p).
template <typename Number>
ALWAYS_INLINE void excite_rows(
    const Number *x, int64_t rows, int64_t channels, const float *by_channel, const float *gates,
    Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        Number *target = output + row * channels;
        const float gate = gates[row];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            store(target + c, loaded(pixel[c]) * (by_channel[c] + gate));
        }
    }
}
FOR_EACH_PROCESSOR void excite(
    const float *x, int64_t rows, int64_t channels, const float *by_channel, const float *gates,
    float *output) {
    excite_rows(x, rows, channels, by_channel, gates, output);
}
FOR_EACH_PROCESSOR void excite(
    const BFloat16Bits *x, int64_t rows, int64_t channels, const float *by_channel,
    const float *gates, BFloat16Bits *output) {
    excite_rows(x, rows, channels, by_channel, gates, output);
}

// Of a block: the gradient of each channel's factor (sum of g x over pixels), that of w . x + b at
// each pixel (t), and of w (sum of t x). `gates` may be absent.
template <typename Number>
ALWAYS_INLINE void excitation_gradients_of_rows(
    const Number *x, const Number *g, int64_t rows, int64_t channels, const float *gates,
    float *channel_sums, float *products, float *weight_sums) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        const Number *gradient = g + row * channels;
        float product = 0;
#pragma omp simd reduction(+ : product)
        for (int64_t c = 0; c < channels; c++) {
            const float both = loaded(pixel[c]) * loaded(gradient[c]);
            channel_sums[c] += both;
            product += both;
        }
        if (gates == nullptr) continue;
        const float t = product * gates[row] * (1 - gates[row]);
        products[row] = t;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) weight_sums[c] += t * loaded(pixel[c]);
    }
}
FOR_EACH_PROCESSOR void excitation_gradients(
    const float *x, const float *g, int64_t rows, int64_t channels, const float *gates,
    float *channel_sums, float *products, float *weight_sums) {
    excitation_gradients_of_rows(
        x, g, rows, channels, gates, channel_sums, products, weight_sums);
}
FOR_EACH_PROCESSOR void excitation_gradients(
    const BFloat16Bits *x, const BFloat16Bits *g, int64_t rows, int64_t channels,
    const float *gates, float *channel_sums, float *products, float *weight_sums) {
    excitation_gradients_of_rows(
        x, g, rows, channels, gates, channel_sums, products, weight_sums);
}

// g (s_c + q_p) + t_p w_c + m_c, where m_c is the gradient of the channel's mean over its pixels.
template <typename Number>
ALWAYS_INLINE void image_gradients_of_rows(
    const Number *g, int64_t rows, int64_t channels, const float *by_channel, const float *gates,
    const float *products, const float *weight, const float *of_mean, Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *gradient = g + row * channels;
        Number *target = output + row * channels;
        const float gate = gates[row];
        const float t = products[row];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            store(
                target + c,
                loaded(gradient[c]) * (by_channel[c] + gate) + t * weight[c] + of_mean[c]);
        }
    }
}
FOR_EACH_PROCESSOR void image_gradients(
    const float *g, int64_t rows, int64_t channels, const float *by_channel, const float *gates,
    const float *products, const float *weight, const float *of_mean, float *output) {
    image_gradients_of_rows(
        g, rows, channels, by_channel, gates, products, weight, of_mean, output);
}
FOR_EACH_PROCESSOR void image_gradients(
    const BFloat16Bits *g, int64_t rows, int64_t channels, const float *by_channel,
    const float *gates, const float *products, const float *weight, const float *of_mean,
    BFloat16Bits *output) {
    image_gradients_of_rows(
        g, rows, channels, by_channel, gates, products, weight, of_mean, output);
}

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
                squeeze(
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
                excite(
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
                excitation_gradients(
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
                image_gradients(
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

// MARK: Batch normalisation and rectifier

// Sums of x - k and of its square over a block, where k is the block's first pixel: near the mean,
// so that the difference of two large numbers is not taken.
template <typename Number>
ALWAYS_INLINE void moments_of_rows(
    const Number *x, int64_t rows, int64_t channels, float *sums, float *squares) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float value = loaded(pixel[c]) - loaded(x[c]);
            sums[c] += value;
            squares[c] += value * value;
        }
    }
}
FOR_EACH_PROCESSOR void moments(
    const float *x, int64_t rows, int64_t channels, float *sums, float *squares) {
    moments_of_rows(x, rows, channels, sums, squares);
}
FOR_EACH_PROCESSOR void moments(
    const BFloat16Bits *x, int64_t rows, int64_t channels, float *sums, float *squares) {
    moments_of_rows(x, rows, channels, sums, squares);
}

// max(0, (x - mean) scale + shift).
template <typename Number>
ALWAYS_INLINE void normalize_rows(
    const Number *x, int64_t rows, int64_t channels, const float *mean, const float *scale,
    const float *shift, Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        Number *target = output + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float value = (loaded(pixel[c]) - mean[c]) * scale[c] + shift[c];
            // In this order a value that is no number stays what it is.
            store(target + c, value < 0 ? 0 : value);
        }
    }
}
FOR_EACH_PROCESSOR void normalize(
    const float *x, int64_t rows, int64_t channels, const float *mean, const float *scale,
    const float *shift, float *output) {
    normalize_rows(x, rows, channels, mean, scale, shift, output);
}
FOR_EACH_PROCESSOR void normalize(
    const BFloat16Bits *x, int64_t rows, int64_t channels, const float *mean, const float *scale,
    const float *shift, BFloat16Bits *output) {
    normalize_rows(x, rows, channels, mean, scale, shift, output);
}

// Sums of the gradient behind the rectifier, and of its product with x - mean.
template <typename Number>
ALWAYS_INLINE void normalization_sums_of_rows(
    const Number *x, const Number *g, int64_t rows, int64_t channels, const float *mean,
    const float *scale, const float *shift, float *sums, float *products) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        const Number *gradient = g + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float centred = loaded(pixel[c]) - mean[c];
            const float behind = loaded(gradient[c]);
            const float passed = centred * scale[c] + shift[c] > 0 ? behind : 0;
            sums[c] += passed;
            products[c] += passed * centred;
        }
    }
}
FOR_EACH_PROCESSOR void normalization_sums(
    const float *x, const float *g, int64_t rows, int64_t channels, const float *mean,
    const float *scale, const float *shift, float *sums, float *products) {
    normalization_sums_of_rows(x, g, rows, channels, mean, scale, shift, sums, products);
}
FOR_EACH_PROCESSOR void normalization_sums(
    const BFloat16Bits *x, const BFloat16Bits *g, int64_t rows, int64_t channels,
    const float *mean, const float *scale, const float *shift, float *sums, float *products) {
    normalization_sums_of_rows(x, g, rows, channels, mean, scale, shift, sums, products);
}

// (g - mean of g - (x - mean) slope) scale, g being the gradient behind the rectifier.
template <typename Number>
ALWAYS_INLINE void normalization_gradients_of_rows(
    const Number *x, const Number *g, int64_t rows, int64_t channels, const float *mean,
    const float *scale, const float *shift, const float *gradient_mean, const float *slope,
    Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        const Number *gradient = g + row * channels;
        Number *target = output + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float centred = loaded(pixel[c]) - mean[c];
            const float behind = loaded(gradient[c]);
            const float passed = centred * scale[c] + shift[c] > 0 ? behind : 0;
            store(target + c, (passed - gradient_mean[c] - centred * slope[c]) * scale[c]);
        }
    }
}
FOR_EACH_PROCESSOR void normalization_gradients(
    const float *x, const float *g, int64_t rows, int64_t channels, const float *mean,
    const float *scale, const float *shift, const float *gradient_mean, const float *slope,
    float *output) {
    normalization_gradients_of_rows(
        x, g, rows, channels, mean, scale, shift, gradient_mean, slope, output);
}
FOR_EACH_PROCESSOR void normalization_gradients(
    const BFloat16Bits *x, const BFloat16Bits *g, int64_t rows, int64_t channels,
    const float *mean, const float *scale, const float *shift, const float *gradient_mean,
    const float *slope, BFloat16Bits *output) {
    normalization_gradients_of_rows(
        x, g, rows, channels, mean, scale, shift, gradient_mean, slope, output);
}

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
                moments(
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
                    const double block_mean = loaded(values[firsts[block] * channels + c]) + sum / count;
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
                normalize(
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
                normalization_sums(
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
                normalization_gradients(
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

// MARK: Memory

// A step frees and asks for the same blocks again and again. By default each large one goes back to
// the system and comes again as pages that it must fill with zeros first.
void keep_freed_memory() {
#if defined(__GLIBC__)
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

}  // namespace

TORCH_LIBRARY(sliceseg, library) {
    library.def(
        "recalibrate(Tensor image, Tensor reduce_weight, Tensor reduce_bias, "
        "Tensor expand_weight, Tensor expand_bias, Tensor squeeze_weight, Tensor squeeze_bias) "
        "-> Tensor",
        recalibrate);
    library.def(
        "normalize_and_rectify(Tensor image, Tensor weight, Tensor bias, "
        "Tensor(a!) running_mean, Tensor(b!) running_variance, float momentum, float epsilon) "
        "-> Tensor",
        normalize_and_rectify);
    library.def("keep_freed_memory() -> ()", keep_freed_memory);
}
