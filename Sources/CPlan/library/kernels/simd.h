// Vectors of the instruction set that a file is compiled for. Nothing here may come from a C++ library
// header: a template that is instantiated for AVX-512 could be the copy that the linker keeps for
// everyone.

#ifndef SIMD_H
#define SIMD_H

#include "kernels/bfloat16.h"

#include <stdint.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace {

// As many as the registers allow: numbers of a vector, and vectors of output channels that are summed
// at once.
#if defined(__AVX512F__)
constexpr int lanes = 16;
constexpr int vectors_of_block = 4;
#elif defined(__AVX2__)
constexpr int lanes = 8;
constexpr int vectors_of_block = 2;
#else
constexpr int lanes = 4;
constexpr int vectors_of_block = 2;
#endif

typedef float Vector __attribute__((vector_size(lanes * 4)));
typedef float UnalignedVector __attribute__((vector_size(lanes * 4), aligned(4)));
typedef uint32_t Words __attribute__((vector_size(lanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(lanes * 2), aligned(2)));

inline Vector load(const float *source) {
    return *reinterpret_cast<const UnalignedVector *>(source);
}

inline Vector load(const uint16_t *source) {
    // By name, as the compiler takes the conversion of a whole vector apart.
#if defined(__AVX512F__)
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(source));
    const Words words = (Words)_mm512_maskz_cvtepu16_epi32(0xffff, halves);
#elif defined(__AVX2__)
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i *>(source));
    const Words words = (Words)_mm256_cvtepu16_epi32(halves);
#else
    const Words words =
        __builtin_convertvector(*reinterpret_cast<const Halves *>(source), Words);
#endif
    return (Vector)(words << 16);
}

inline void store(Vector value, float *target) {
    *reinterpret_cast<UnalignedVector *>(target) = value;
}

inline void store(Vector value, uint16_t *target) {
    *reinterpret_cast<Halves *>(target) =
        __builtin_convertvector(bfloat16_bits<Words>(value), Halves);
}

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a < b ? b : a; }

// Output channels are taken in blocks as wide as the registers allow.
inline int block_width(int channels_left) {
    return smaller(channels_left, vectors_of_block * lanes);
}

}  // namespace

#endif
