// What winograd.cpp and winograd_gradient.cpp share: vectors of the instruction set that they are
// compiled for, and the transforms. As there nothing may come from a C++ library header.

#ifndef WINOGRAD_TILES_H
#define WINOGRAD_TILES_H

#include <stdint.h>

namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
constexpr int vectors_of_block = 4;
#elif defined(__AVX2__)
constexpr int lanes = 8;
constexpr int vectors_of_block = 2;
#else
#error "these are for AVX2 and AVX-512"
#endif

typedef float Vector __attribute__((vector_size(lanes * 4)));
typedef float UnalignedVector __attribute__((vector_size(lanes * 4), aligned(4)));
typedef uint32_t Words __attribute__((vector_size(lanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(lanes * 2), aligned(2)));

constexpr int tile = 8;
constexpr int points = tile * tile;

// How many bytes of a block's transformed tiles and products should stay near the processor.
constexpr int64_t block_bytes = 512 << 10;
constexpr int largest_block = 96;  // tiles

inline Vector load(const float *source) {
    return *reinterpret_cast<const UnalignedVector *>(source);
}

inline Vector load(const uint16_t *source) {
    const Halves halves = *reinterpret_cast<const Halves *>(source);
    const Words words = __builtin_convertvector(halves, Words) << 16;
    return (Vector)words;
}

inline void store(Vector value, float *target) {
    *reinterpret_cast<UnalignedVector *>(target) = value;
}

// To nearest, of ties the even one.
inline void store(Vector value, uint16_t *target) {
    const Words words = (Words)value;
    const Words rounded = (words + 0x7FFF + ((words >> 16) & 1)) >> 16;
    *reinterpret_cast<Halves *>(target) = __builtin_convertvector(rounded, Halves);
}

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a < b ? b : a; }

// MARK: Transforms, at the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity

inline void transform_input(Vector (&d)[tile]) {
    const Vector zero = d[0] - d[6] + (d[4] - d[2]) * 5.25F;
    const Vector infinity = d[7] - d[1] + (d[3] - d[5]) * 5.25F;
    const Vector even1 = d[2] + d[6] - d[4] * 4.25F;
    const Vector odd1 = d[1] + d[5] - d[3] * 4.25F;
    const Vector even2 = d[6] + d[2] * 0.25F - d[4] * 1.25F;
    const Vector odd2 = d[1] * 0.5F - d[3] * 2.5F + d[5] * 2.0F;
    const Vector even3 = d[6] + d[2] * 4.0F - d[4] * 5.0F;
    const Vector odd3 = d[1] * 2.0F - d[3] * 2.5F + d[5] * 0.5F;
    d[0] = zero;
    d[1] = even1 + odd1;
    d[2] = even1 - odd1;
    d[3] = even2 + odd2;
    d[4] = even2 - odd2;
    d[5] = even3 + odd3;
    d[6] = even3 - odd3;
    d[7] = infinity;
}

template <int size>
inline void transform_output(const Vector (&p)[tile], Vector (&y)[size]) {
    const Vector even1 = p[1] + p[2], odd1 = p[1] - p[2];
    const Vector even2 = p[3] + p[4], odd2 = p[3] - p[4];
    const Vector even3 = p[5] + p[6], odd3 = p[5] - p[6];
    y[0] = p[0] + even1 + even2 + even3;
    y[1] = odd1 + odd2 * 2.0F + odd3 * 0.5F;
    y[2] = even1 + even2 * 4.0F + even3 * 0.25F;
    y[3] = odd1 + odd2 * 8.0F + odd3 * 0.125F;
    if constexpr (size == 6) {
        y[4] = even1 + even2 * 16.0F + even3 * 0.0625F;
        y[5] = odd1 + odd2 * 32.0F + odd3 * 0.03125F;
    }
    y[size - 1] += p[7];
}

// Powers of a point, divided by its differences from the other points.
void weight_matrix(int kernel, double (&matrix)[tile][5]) {
    const double at[7] = {0, 1, -1, 2, -2, 0.5, -0.5};
    for (int p = 0; p < 7; p++) {
        double value = p == 0 ? -1 : 1;  // the input's first row has the other sign
        for (int other = 0; other < 7; other++) {
            if (other != p) value /= at[p] - at[other];
        }
        for (int k = 0; k < kernel; k++) {
            matrix[p][k] = value;
            value *= at[p];
        }
    }
    for (int k = 0; k < kernel; k++) matrix[7][k] = k == kernel - 1;
}

// Output channels are taken in blocks as wide as the registers allow.
inline int block_width(int channels_left) {
    return smaller(channels_left, vectors_of_block * lanes);
}

// Input channels as whole vectors.
inline int padded(int channels) { return (channels + 15) / 16 * 16; }

// Distances between the transforms of neighbouring points: no multiple of 4096 bytes, as the same
// place of all points is written together.
inline long point_stride(int rows, int channels) {
    return (static_cast<long>(rows) * channels + 1023) / 1024 * 1024 + 16;
}

}  // namespace

#endif
