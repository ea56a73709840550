// Convolutions by minimal filtering: Winograd's algorithm on tiles of 8 x 8 or 12 x 12 pixels.
//
// Sources: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308; for
// larger tiles Barabasz and Gregg, "Winograd Convolution for DNNs: Beyond Linear Polynomials",
// arXiv:1905.05233: with the factor x² + 1 they stay nearly as exact as small ones.
//
// A pair of channels takes 64 multiplications for 6 x 6 pixels of a 3x3 convolution, and 169 for 8 x 8
// of a 5x5 and 6 x 6 of a 7x7 one, where the sums themselves take 324, 1600 and 1764. Elements are
// float32 or bfloat16; all arithmetic is in single precision and in a fixed order. With VNNI the
// transformed tiles and weights are rounded to 16-bit integers, whose sums are exact: a bfloat16 result
// is not much coarser for it, and no calibration is needed.

#ifndef WINOGRAD_H
#define WINOGRAD_H

#include <stdint.h>

// Of kernels of so many pixels a side: whether they are served, and to how many numbers a tile and the
// weights of a pair of channels are transformed.
static constexpr bool winograd_serves(int64_t kernel) {
    return kernel == 3 || kernel == 5 || kernel == 7;
}
static constexpr int winograd_elements(int64_t kernel) { return kernel == 3 ? 64 : 169; }
// Rows of results that a tile gives.
static constexpr int winograd_output_tile(int64_t kernel) {
    return kernel == 3 ? 6 : 13 - static_cast<int>(kernel);
}

typedef struct {
    int kernel;  // 3, 5 or 7
    int in_channels, out_channels;  // the latter a multiple of 16
    int stored_channels;  // of the output channels those that are written; the others are padding
    const float *weights;  // as `pack` left them
    const float *bias;  // of the output channels
    float slope;        // factor of negative results: 1 for none, 0 for a rectifier
} WinogradLayer;

typedef struct {
    // Transforms weights [out][in][kernel][kernel] to [elements][blocks of output channels][in][channels
    // of the block], of winograd_elements(kernel) * in * out numbers. As integers they lie two by two
    // input channels, and their factors [elements][out] follow. There are 16 input channels or more.
    // Output channels `first` to `last` only, multiples of 16.
    void (*pack)(
        const float *weights, int kernel, int in, int out, int first, int last, float *packed);
    // How many numbers `convolve` needs to work in.
    int64_t (*scratch)(const WinogradLayer *layer);
    // Of float32 and of bfloat16 elements: convolves an image, channels side by side, `*_stride`
    // elements from a pixel to the next; what lies outside counts as 0. Only rows `first` to `last`
    // are written, where `first` is a multiple of winograd_output_tile(), and so is `last` but for the end;
    // only those and kernel / 2 rows on both sides are read. `scratch` is aligned to 64 bytes.
    void (*convolve[2])(
        const WinogradLayer *layer, const void *source, long source_stride, int height, int width,
        int first, int last, void *target, long target_stride, float *scratch);
} WinogradKernels;

#ifdef __x86_64__
extern const WinogradKernels winograd_avx2;
extern const WinogradKernels winograd_avx512;
extern const WinogradKernels winograd_avx512vnni;
#endif

#endif
