// Products of transformed tiles with transformed weights, for the instruction set that a file is compiled for.
// Nothing here may come from a C++ library header; see simd.h.

#ifndef WINOGRAD_PRODUCTS_H
#define WINOGRAD_PRODUCTS_H

#include "winograd/winograd.h"

#include "kernels/simd.h"

#include <string.h>

namespace {

// What tiles and weights are after their transforms. Where the processor sums products of 16-bit
// integers, twice as many at once as of single-precision numbers, they are integers: at each point a
// tile's channels have a common factor, and so have the weights of an output channel. Input channels lie
// as channel_at() says.
#ifdef __AVX512VNNI__
typedef int16_t Number;
typedef int32_t Product;
typedef int32_t Products __attribute__((vector_size(lanes * 4)));
constexpr int channels_per_product = 2;  // numbers that are multiplied and added at once
#else
typedef float Number;
typedef float Product;
typedef Vector Products;
constexpr int channels_per_product = 1;
#endif

inline Products sum_of(Products sum, Vector factors, const float *value) {
    return (Products)((Vector)sum + factors * *value);
}

#ifdef __AVX512VNNI__
inline Products sum_of(Products sum, Products factors, const int16_t *values) {
    int both;
    memcpy(&both, values, sizeof both);
    return (Products)_mm512_dpwssd_epi32(
        (__m512i)sum, (__m512i)factors, _mm512_set1_epi32(both));
}
#endif

// `rows` x (vectors * lanes) numbers of a product of [rows][depth] and [depth][vectors * lanes].
template <int rows, int vectors>
inline void multiply_block(
    const Number *left, long left_stride, const Number *right, int depth, Product *product,
    long product_stride) {
    Products sums[rows][vectors] = {};
    for (int k = 0; k < depth; k += channels_per_product) {
        Products factors[vectors];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            // What the next point takes.
            __builtin_prefetch(right + depth * vectors * lanes + v * lanes * channels_per_product);
            factors[v] = *reinterpret_cast<const Products *>(right + v * lanes * channels_per_product);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            const Number *const values = left + r * left_stride + k;
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sums[r][v] = sum_of(sums[r][v], factors[v], values);
        }
        right += vectors * lanes * channels_per_product;
    }
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) {
            *reinterpret_cast<Products *>(product + r * product_stride + v * lanes) = sums[r][v];
        }
    }
}

template <int rows, int vectors>
void multiply_rows(
    const Number *left, long left_stride, const Number *right, int depth, Product *product,
    long product_stride, int count) {
    for (int r = 0; r < count; r += rows) {
        multiply_block<rows, vectors>(
            left + r * left_stride, left_stride, right, depth, product + r * product_stride,
            product_stride);
    }
}

// How many rows of tiles a product of so many output channels takes at a time.
constexpr int rows_at_a_time(int channels) {
#if defined(__AVX512F__)
    return channels == 64 ? 6 : channels == 48 ? 8 : 12;
#else
    return 6;
#endif
}

// At one point: [count][in] by [in][out], rows `*_stride` numbers apart. Rows are written up to the next
// multiple of rows_at_a_time().
void multiply(
    const Number *left, long left_stride, const Number *right, int count, int in, int out,
    Product *product, long product_stride) {
    for (int first = 0; first < out; first += vectors_of_block * lanes) {
        const int width = block_width(out - first);
        const Number *block = right + static_cast<long>(first) * in;
        switch (width / lanes) {
#if defined(__AVX512F__)
        case 4:
            multiply_rows<rows_at_a_time(64), 4>(
                left, left_stride, block, in, product + first, product_stride, count);
            break;
        case 3:
            multiply_rows<rows_at_a_time(48), 3>(
                left, left_stride, block, in, product + first, product_stride, count);
            break;
        case 2:
            multiply_rows<rows_at_a_time(32), 2>(
                left, left_stride, block, in, product + first, product_stride, count);
            break;
        default:
            multiply_rows<rows_at_a_time(16), 1>(
                left, left_stride, block, in, product + first, product_stride, count);
#else
        default:
            multiply_rows<6, 2>(left, left_stride, block, in, product + first, product_stride, count);
#endif
        }
    }
}

}  // namespace

#endif
