// The loops of a plan over one row of pixels, compiled once for each instruction set.
//
// A pixel's channels lie side by side; `stride` is the number of elements from a pixel to the next.
// Elements are bfloat16 or float32; all arithmetic is in single precision and in a fixed order.

#ifndef ROW_KERNELS_H
#define ROW_KERNELS_H

#include <stdint.h>

// What is concatenated into a row: channels of a row, or of the pooled row that it is unpooled from.
typedef struct {
    const void *row;
    long stride;
    int channels;
    const uint8_t *indices;  // of the pooled row, `channels` bytes a pixel; null for a plain row
} RowSource;

struct RowKernels {
    // `planes` rows of float32, `plane` elements apart; pixels from `width` to `padded` are 0.
    void (*input)(
        const float *planes, long plane, int channels, int width, int padded, void *target,
        long stride);

    // scale * x + shift (where scale is not null), then * slope where negative. `odd` tells which
    // of the two rows under a pooled row this one is.
    void (*concatenate)(
        const RowSource *sources, int count, int odd, int width, const float *scale,
        const float *shift, float slope, void *target, long stride);

    // factor * x + zero, rounded to the nearest integer of 0...255.
    void (*quantize)(const void *source, long count, float factor, int zero, uint8_t *target);

    // 2x2 maxima of two rows, and which of the four they were (ties: the lowest).
    void (*pool)(
        const void *upper, const void *lower, long stride, int channels, int width, void *target,
        long target_stride, uint8_t *indices);

    // Twice as wide, between two rows of weights `1 - fraction` and `fraction`. `blend` holds
    // width * channels numbers.
    void (*upsample_bilinear)(
        const void *first, const void *second, float fraction, long stride, int channels,
        int width, float *blend, void *target, long target_stride);

    // Each pixel twice.
    void (*upsample_nearest)(
        const void *source, long stride, int channels, int width, void *target,
        long target_stride);

    // Two of the four quarters of each pixel's channels, as two pixels.
    void (*depth_to_space)(
        const void *source, long stride, int channels, int width, int odd, void *target,
        long target_stride);

    // Adds each channel to `sums` (where not null), and writes the logistic function of
    // weights . pixel + bias to `gates` (where not null).
    void (*squeeze)(
        const void *source, long stride, int channels, int width, float *sums,
        const float *weights, float bias, float *gates);

    // Multiplies scale * x + shift by the channel's factor and the pixel's gate (either may be
    // null), which are combined as CPlanCombination says.
    void (*excite)(
        const void *source, long stride, int channels, int width, const float *scale,
        const float *shift, const float *factors, const float *gates, int combination,
        void *target, long target_stride);

    // The sum of plain rows, each times its channels' factors [count][channels] (where not null), then
    // * slope where negative.
    void (*add)(
        const RowSource *sources, int count, int width, const float *factors, float slope,
        void *target, long stride);

    // Windows of `count` rows and `kernel` pixels of each, `step` apart, reduced as CPlanPooling says; the
    // first begins `padding` pixels before the row. `numbers` holds two for each channel.
    void (*pool_windows)(
        const void *const *rows, int count, long stride, int channels, int width, int kernel,
        int step, int padding, int pooling, float *numbers, void *target, int target_width,
        long target_stride);

    // weights [channels][padded classes] and bias [padded classes], a multiple of 16 classes.
    void (*classify)(
        const void *source, long stride, int channels, int width, const float *weights,
        const float *bias, int classes, int padded_classes, float *logits);
};

// For float32 (0) and bfloat16 (1).
extern const RowKernels row_kernels_baseline[2];
#ifdef __x86_64__
extern const RowKernels row_kernels_avx2[2];
extern const RowKernels row_kernels_avx512[2];
#endif

#endif
