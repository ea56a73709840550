// The loops of the operators of training over rows of pixels, compiled once for each instruction set:
// images as rows of `channels` numbers a pixel, all arithmetic in single precision.

#ifndef TRAINING_KERNELS_H
#define TRAINING_KERNELS_H

#include "kernels/bfloat16.h"

#include <stdint.h>

template <typename Number>
struct TrainingKernels {
    // Adds each channel to `sums`, and writes the logistic function of weight . pixel + bias.
    void (*squeeze)(
        const Number *x, int64_t rows, int64_t channels, const float *weight, float bias,
        float *sums, float *gates);
    // x (s_c + q_p).
    void (*excite)(
        const Number *x, int64_t rows, int64_t channels, const float *by_channel,
        const float *gates, Number *output);
    // The gradient of each channel's factor (sum of g x over pixels), that of w . x + b at each pixel
    // (t), and of w (sum of t x). `gates` may be null.
    void (*excitation_gradients)(
        const Number *x, const Number *g, int64_t rows, int64_t channels, const float *gates,
        float *channel_sums, float *products, float *weight_sums);
    // g (s_c + q_p) + t_p w_c + m_c, where m_c is the gradient of the channel's mean over its pixels.
    void (*image_gradients)(
        const Number *g, int64_t rows, int64_t channels, const float *by_channel,
        const float *gates, const float *products, const float *weight, const float *of_mean,
        Number *output);
    // Sums of x - k and of its square, where k is the first pixel: near the mean, so that the difference
    // of two large numbers is not taken.
    void (*moments)(
        const Number *x, int64_t rows, int64_t channels, float *sums, float *squares);
    // max(0, (x - mean) scale + shift).
    void (*normalize)(
        const Number *x, int64_t rows, int64_t channels, const float *mean, const float *scale,
        const float *shift, Number *output);
    // Sums of the gradient behind the rectifier, and of its product with x - mean.
    void (*normalization_sums)(
        const Number *x, const Number *g, int64_t rows, int64_t channels, const float *mean,
        const float *scale, const float *shift, float *sums, float *products);
    // (g - mean of g - (x - mean) slope) scale, g being the gradient behind the rectifier.
    void (*normalization_gradients)(
        const Number *x, const Number *g, int64_t rows, int64_t channels, const float *mean,
        const float *scale, const float *shift, const float *gradient_mean, const float *slope,
        Number *output);
};

struct AllTrainingKernels {
    TrainingKernels<float> float32;
    TrainingKernels<BFloat16> bfloat16;
};

extern const AllTrainingKernels training_kernels_baseline;
#ifdef __x86_64__
extern const AllTrainingKernels training_kernels_avx2;
extern const AllTrainingKernels training_kernels_avx512;
#endif

#endif
