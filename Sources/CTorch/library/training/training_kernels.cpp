// The Makefile compiles this file once for each instruction set, with TRAINING_KERNELS naming the table; the
// compiler makes vectors of the loops.

#include "training/training_kernels.h"

namespace {

// MARK: Squeeze & excitation

template <typename Number>
void squeeze(
    const Number *x, int64_t rows, int64_t channels, const float *weight, float bias, float *sums,
    float *gates) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        float product = 0;
#pragma omp simd reduction(+ : product)
        for (int64_t c = 0; c < channels; c++) {
            const float v = value(pixel[c]);
            sums[c] += v;
            product += v * weight[c];
        }
        gates[row] = 1 / (1 + __builtin_expf(-(product + bias)));
    }
}

template <typename Number>
void excite(
    const Number *x, int64_t rows, int64_t channels, const float *by_channel, const float *gates,
    Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        Number *target = output + row * channels;
        const float gate = gates[row];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            put(target + c, value(pixel[c]) * (by_channel[c] + gate));
        }
    }
}

template <typename Number>
void excitation_gradients(
    const Number *x, const Number *g, int64_t rows, int64_t channels, const float *gates,
    float *channel_sums, float *products, float *weight_sums) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        const Number *gradient = g + row * channels;
        float product = 0;
#pragma omp simd reduction(+ : product)
        for (int64_t c = 0; c < channels; c++) {
            const float both = value(pixel[c]) * value(gradient[c]);
            channel_sums[c] += both;
            product += both;
        }
        if (gates == nullptr) continue;
        const float t = product * gates[row] * (1 - gates[row]);
        products[row] = t;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) weight_sums[c] += t * value(pixel[c]);
    }
}

template <typename Number>
void image_gradients(
    const Number *g, int64_t rows, int64_t channels, const float *by_channel, const float *gates,
    const float *products, const float *weight, const float *of_mean, Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *gradient = g + row * channels;
        Number *target = output + row * channels;
        const float gate = gates[row];
        const float t = products[row];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            put(
                target + c,
                value(gradient[c]) * (by_channel[c] + gate) + t * weight[c] + of_mean[c]);
        }
    }
}

// MARK: Batch normalisation and rectifier

template <typename Number>
void moments(
    const Number *x, int64_t rows, int64_t channels, float *sums, float *squares) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float v = value(pixel[c]) - value(x[c]);
            sums[c] += v;
            squares[c] += v * v;
        }
    }
}

template <typename Number>
void normalize(
    const Number *x, int64_t rows, int64_t channels, const float *mean, const float *scale,
    const float *shift, Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        Number *target = output + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float v = (value(pixel[c]) - mean[c]) * scale[c] + shift[c];
            // In this order a value that is no number stays what it is.
            put(target + c, v < 0 ? 0 : v);
        }
    }
}

template <typename Number>
void normalization_sums(
    const Number *x, const Number *g, int64_t rows, int64_t channels, const float *mean,
    const float *scale, const float *shift, float *sums, float *products) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        const Number *gradient = g + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float centred = value(pixel[c]) - mean[c];
            const float behind = value(gradient[c]);
            const float passed = centred * scale[c] + shift[c] > 0 ? behind : 0;
            sums[c] += passed;
            products[c] += passed * centred;
        }
    }
}

template <typename Number>
void normalization_gradients(
    const Number *x, const Number *g, int64_t rows, int64_t channels, const float *mean,
    const float *scale, const float *shift, const float *gradient_mean, const float *slope,
    Number *output) {
    for (int64_t row = 0; row < rows; row++) {
        const Number *pixel = x + row * channels;
        const Number *gradient = g + row * channels;
        Number *target = output + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float centred = value(pixel[c]) - mean[c];
            const float behind = value(gradient[c]);
            const float passed = centred * scale[c] + shift[c] > 0 ? behind : 0;
            put(target + c, (passed - gradient_mean[c] - centred * slope[c]) * scale[c]);
        }
    }
}

template <typename Number>
constexpr TrainingKernels<Number> kernels() {
    return {squeeze<Number>,   excite<Number>,    excitation_gradients<Number>,
            image_gradients<Number>, moments<Number>, normalize<Number>,
            normalization_sums<Number>, normalization_gradients<Number>};
}

}  // namespace

extern const AllTrainingKernels TRAINING_KERNELS = {kernels<float>(), kernels<BFloat16>()};
