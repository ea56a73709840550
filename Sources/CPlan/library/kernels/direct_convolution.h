// Convolutions of 8-bit integers as the sums that they are, exact in 32 bits whatever the processor.

#ifndef DIRECT_CONVOLUTION_H
#define DIRECT_CONVOLUTION_H

#include <stdint.h>

// Sums of so many channels and pixels stay within 32 bits: |integer - zero| * |weight| is at most
// 255 * 127.
static constexpr int largest_direct_kernel = 63;
static constexpr bool direct_convolution_serves(int64_t kernel, int64_t in) {
    return kernel % 2 == 1 && kernel <= largest_direct_kernel && kernel * kernel * in <= INT32_MAX / (255 * 127);
}

// Output channels as packed weights have them.
static constexpr int direct_padded(int out_channels) { return (out_channels + 15) / 16 * 16; }

typedef struct {
    int kernel;  // odd; stride 1, padded to keep the size
    int in_channels, out_channels;
    const void *weights;     // as `pack` left them
    const int32_t *starts;   // of direct_padded(out_channels) channels, likewise
    // Of direct_padded(out_channels) channels: what a sum is multiplied by, and what is added then.
    const float *factors, *bias;
    float slope;  // factor of negative results: 1 for none, 0 for a rectifier
    int zero;     // the integer that stands for 0 in the source
    // Of results that are integers: a result is multiplied by the one, the other is added.
    float result_factor;
    float result_zero;
} DirectLayer;

typedef struct {
    // How many bytes of weights `pack` writes.
    int64_t (*packed_count)(int kernel, int in, int out);
    // Weights [out][in][kernel][kernel] of -127...127, and `zero` as in the layer.
    void (*pack)(
        const int8_t *weights, int kernel, int in, int out, int zero, void *packed, int32_t *starts);
    // How many bytes `convolve` needs to work in.
    int64_t (*scratch)(const DirectLayer *layer, int width);
    // To float32, bfloat16 and bytes: convolves an image of bytes, the channels of a pixel side by side
    // and no others. `target_stride` is the number of elements from a result's pixel to the next.
    // `scratch` is aligned to 64 bytes.
    void (*convolve[3])(
        const DirectLayer *layer, const uint8_t *source, int height, int width, void *target,
        long target_stride, void *scratch);
} DirectKernels;

extern const DirectKernels direct_convolution_baseline;
#ifdef __x86_64__
extern const DirectKernels direct_convolution_avx2;
extern const DirectKernels direct_convolution_avx512;
extern const DirectKernels direct_convolution_avx512vnni;
#endif

#endif
