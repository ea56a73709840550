// Convolutions of floating-point numbers as the sums that they are: what Winograd's algorithm does not
// serve. With a kernel of 1x1 they are products of matrices.

#ifndef FLOAT_CONVOLUTION_H
#define FLOAT_CONVOLUTION_H

#include <stdint.h>

static constexpr int largest_float_kernel = 63;
static constexpr bool float_convolution_serves(int64_t kernel) {
    return kernel >= 1 && kernel <= largest_float_kernel;
}

// Output channels of a group as packed weights have them.
static constexpr int float_padded(int channels) { return (channels + 15) / 16 * 16; }

typedef struct {
    int kernel, stride, dilation;
    int padding;  // zeros on each side
    int groups;   // of channels that are convolved apart
    int in_channels, out_channels;
    const float *weights;  // as `pack` left them
    const float *bias;     // of each group float_padded() channels
    float slope;           // factor of negative results: 1 for none, 0 for a rectifier
} FloatLayer;

static inline int float_result_size(const FloatLayer *layer, int size) {
    return (size + 2 * layer->padding - layer->dilation * (layer->kernel - 1) - 1) / layer->stride + 1;
}

typedef struct {
    // How many numbers `pack` writes.
    int64_t (*packed_count)(const FloatLayer *layer);
    // Of weights [out][in / groups][kernel][kernel].
    void (*pack)(const FloatLayer *layer, const float *weights, float *packed);
    // How many numbers `convolve` needs to work in.
    int64_t (*scratch)(const FloatLayer *layer, int width);
    // Of float32 and of bfloat16 elements: convolves an image, the channels of a pixel side by side and no
    // others. `target_stride` is the number of elements from a result's pixel to the next. `scratch` is
    // aligned to 64 bytes. All arithmetic is in single precision and in a fixed order.
    void (*convolve[2])(
        const FloatLayer *layer, const void *source, int height, int width, void *target,
        long target_stride, float *scratch);
} FloatConvolution;

extern const FloatConvolution float_convolution_baseline;
#ifdef __x86_64__
extern const FloatConvolution float_convolution_avx2;
extern const FloatConvolution float_convolution_avx512;
#endif

#endif
