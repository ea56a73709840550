// The gradients of convolutions by Winograd's algorithm, for training; see winograd.h.
//
// With y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A for a tile d and weights g, the weights' gradient is
// Gᵀ [Σ (Bᵀ d B) ⊙ (A ∂y Aᵀ)] G over all tiles. Channels are multiples of 16.

#ifndef WINOGRAD_GRADIENT_H
#define WINOGRAD_GRADIENT_H

#include "winograd/winograd.h"

#include <stdint.h>

typedef struct {
    int kernel;  // 3, 5 or 7
    int in_channels, out_channels;
} WinogradShape;

typedef struct {
    // How many numbers `gather` needs to work in.
    int64_t (*scratch)(const WinogradShape *shape);
    // Of float32 and of bfloat16 elements: adds up the products of an image's transformed tiles and
    // those of its convolution's gradient: [elements][in][out]. Both images have their channels side by side
    // and no others. `scratch` and `sums` are aligned to 64 bytes.
    void (*gather[2])(
        const WinogradShape *shape, const void *image, const void *gradient, int height, int width,
        float *sums, float *scratch);
    // Weights' gradient [out][in][kernel][kernel] of input channels `first` to `last`.
    void (*finish)(
        const float *sums, const WinogradShape *shape, int first, int last, float *weights);
} WinogradGradient;

#ifdef __x86_64__
extern const WinogradGradient winograd_gradient_avx2;
extern const WinogradGradient winograd_gradient_avx512;
#endif

#endif
