// The loops of a plan over one row of pixels, compiled once for each instruction set.
//
// A pixel's channels lie side by side; `stride` is the number of elements from a pixel to the next.
// Elements are bfloat16 or float32; all arithmetic is in single precision and in a fixed order.

#ifndef PLAN_KERNELS_H
#define PLAN_KERNELS_H

#include <stdint.h>

// What is joined into a row: channels of a row, or of the pooled row above which it lies.
typedef struct {
    const void *row;
    long stride;
    int channels;
    const uint8_t *indices;  // of the pooled row, `channels` bytes a pixel; null for a plain row
} PlanSource;

struct PlanKernels {
    // `planes` rows of float32, `plane` elements apart; pixels from `width` to `padded` are 0.
    void (*input)(
        const float *planes, long plane, int channels, int width, int padded, void *target,
        long stride);

    // scale * x + shift (where scale is not null), then * slope where negative. `odd` tells which
    // of the two rows under a pooled row this one is.
    void (*join)(
        const PlanSource *sources, int count, int odd, int width, const float *scale,
        const float *shift, float slope, void *target, long stride);

    // factor * x + zero, rounded to the nearest integer of 0...255.
    void (*quantize)(const void *source, long count, float factor, int zero, uint8_t *target);

    // 2x2 maxima of two rows, and which of the four they were (of equals the first).
    void (*pool)(
        const void *upper, const void *lower, long stride, int channels, int width, void *target,
        long target_stride, uint8_t *indices);

    // Twice as wide, between two rows of weights `1 - fraction` and `fraction`. `blend` holds
    // width * channels numbers.
    void (*interpolate)(
        const void *first, const void *second, float fraction, long stride, int channels,
        int width, float *blend, void *target, long target_stride);

    // Each pixel twice.
    void (*repeat)(
        const void *source, long stride, int channels, int width, void *target,
        long target_stride);

    // Two of the four quarters of each pixel's channels, as two pixels.
    void (*spread)(
        const void *source, long stride, int channels, int width, int odd, void *target,
        long target_stride);

    // Adds each channel to `sums` (where not null), and writes the logistic function of
    // weights . pixel + bias to `gates` (where not null).
    void (*squeeze)(
        const void *source, long stride, int channels, int width, float *sums,
        const float *weights, float bias, float *gates);

    // Multiplies scale * x + shift by the channel's factor and the pixel's gate (either may be
    // null), which are combined as CTorchCombination says.
    void (*excite)(
        const void *source, long stride, int channels, int width, const float *scale,
        const float *shift, const float *factors, const float *gates, int combination,
        void *target, long target_stride);

    // weights [channels][padded classes] and bias [padded classes], a multiple of 16 classes.
    void (*classify)(
        const void *source, long stride, int channels, int width, const float *weights,
        const float *bias, int classes, int padded_classes, float *logits);

    // Adds `weight` times the softmax of each of `count` pixels' logits to the pixel's half-precision
    // sums (where not null), and writes which output is the likeliest (where not null; of equals the
    // first). Class c gets what output `output_of_class[c]` has; that list is as long as the next
    // multiple of 16. A pixel has `outputs` logits, at most 256. Steps are from a pixel to the next.
    void (*vote)(
        const float *logits, long logits_step, int outputs, int count,
        const int32_t *output_of_class, int classes, float weight, uint16_t *sums, long sums_step,
        uint8_t *likeliest, long likeliest_step);

    // The class with the largest of each pixel's sums, of equals the first.
    void (*elect)(const uint16_t *sums, int classes, long count, uint8_t *elected);
};

// For float32 (0) and bfloat16 (1).
extern "C" {
extern const PlanKernels plan_kernels_baseline[2];
#ifdef __x86_64__
extern const PlanKernels plan_kernels_avx2[2];
extern const PlanKernels plan_kernels_avx512[2];
#endif
}

#endif
