// The Makefile compiles this file once for each instruction set, with WINOGRAD_GRADIENT naming the
// table.

#include "training/gradient.h"

#include "winograd/transforms.h"

namespace {

// MARK: Weights

template <int kernel>
void finish_channels(
    const float *sums, int in, int out, int first, int last, float *weights) {
    constexpr int transformed_width = Transform<kernel>::transformed_width;
    const WeightTransform<kernel> matrix;
    for (int i = first; i < last; i++) {
        for (int o = 0; o < out; o += lanes) {
            Vector rows[kernel][transformed_width];
            for (int q = 0; q < transformed_width; q++) {
                Vector column[transformed_width];
                for (int p = 0; p < transformed_width; p++) {
                    column[p] =
                        load(sums + (static_cast<long>(p * transformed_width + q) * in + i) * out + o);
                }
                for (int y = 0; y < kernel; y++) {
                    rows[y][q] = column[0] * matrix.at[0][y];
                    for (int p = 1; p < transformed_width; p++) rows[y][q] += column[p] * matrix.at[p][y];
                }
            }
            for (int y = 0; y < kernel; y++) {
                for (int x = 0; x < kernel; x++) {
                    Vector sum = rows[y][0] * matrix.at[0][x];
                    for (int q = 1; q < transformed_width; q++) sum += rows[y][q] * matrix.at[q][x];
                    for (int lane = 0; lane < lanes; lane++) {
                        weights[((static_cast<long>(o + lane) * in + i) * kernel + y) * kernel + x] =
                            sum[lane];
                    }
                }
            }
        }
    }
}

void finish(const float *sums, const WinogradShape *shape, int first, int last, float *weights) {
    with_kernel(shape->kernel, [&](auto size) {
        finish_channels<size.value>(
            sums, shape->in_channels, shape->out_channels, first, last, weights);
    });
}

// MARK: Tiles

// A pixel's channels from `c` on, or zeros outside of the image.
template <typename Element>
inline Vector pixel(
    const Element *image, int y, int x, int height, int width, int channels, int c) {
    if (y < 0 || x < 0 || y >= height || x >= width) return Vector{};
    return load(image + (static_cast<long>(y) * width + x) * channels + c);
}

// Transforms `side` x `side` pixels, first along rows and then along columns, to transformed_width squared
// numbers that lie `stride` apart.
template <int side, int transformed_width, typename Element, typename Along>
void transform_pixels(
    const Element *image, int top, int left, int height, int width, int channels, float *target,
    long stride, Along transform) {
    for (int c = 0; c < channels; c += lanes) {
        Vector columns[transformed_width][side];
        for (int y = 0; y < side; y++) {
            Vector row[side], values[transformed_width];
            for (int x = 0; x < side; x++) {
                row[x] = pixel(image, top + y, left + x, height, width, channels, c);
            }
            transform(row, values);
            for (int x = 0; x < transformed_width; x++) columns[x][y] = values[x];
        }
        for (int x = 0; x < transformed_width; x++) {
            Vector values[transformed_width];
            transform(columns[x], values);
            for (int y = 0; y < transformed_width; y++) store(values[y], target + (y * transformed_width + x) * stride + c);
        }
    }
}

// MARK: Products

// Adds leftᵀ right, [count][4 of in] and [count][vectors * lanes of out].
template <int vectors>
inline void accumulate_block(
    const float *left, int in, const float *right, int out, int count, float *sums) {
    Vector totals[4][vectors];
    for (int r = 0; r < 4; r++) {
        for (int v = 0; v < vectors; v++) totals[r][v] = load(sums + r * out + v * lanes);
    }
    for (int k = 0; k < count; k++) {
        Vector factors[vectors];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) factors[v] = load(right + v * lanes);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            const float value = left[r];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) totals[r][v] += factors[v] * value;
        }
        left += in;
        right += out;
    }
    for (int r = 0; r < 4; r++) {
        for (int v = 0; v < vectors; v++) store(totals[r][v], sums + r * out + v * lanes);
    }
}

void accumulate(const float *left, int in, const float *right, int out, int count, float *sums) {
    for (int first = 0; first < out; first += vectors_of_block * lanes) {
        const int vectors = block_width(out - first) / lanes;
        for (int i = 0; i < in; i += 4) {
            const auto add = vectors == 4 ? accumulate_block<4>
                : vectors == 3            ? accumulate_block<3>
                : vectors == 2            ? accumulate_block<2>
                                          : accumulate_block<1>;
            add(left + i, in, right + first, out, count, sums + static_cast<long>(i) * out + first);
        }
    }
}

// Sums are read and written once for so many tiles.
constexpr int tiles_at_a_time = 48;

// Distances between neighbouring elements of the transforms: no multiple of 4096 bytes, as the same place of
// all is written together.
inline long element_stride(int rows, int channels) {
    return (static_cast<long>(rows) * channels + 1023) / 1024 * 1024 + 16;
}

int64_t scratch(const WinogradShape *shape) {
    return winograd_elements(shape->kernel) *
        (element_stride(tiles_at_a_time, shape->in_channels) +
         element_stride(tiles_at_a_time, shape->out_channels));
}

template <int kernel, typename Element>
void gather_tiles(
    const WinogradShape &shape, const Element *image, const Element *gradient, int height,
    int width, float *sums, float *scratch) {
    const int in = shape.in_channels, out = shape.out_channels;
    using T = Transform<kernel>;
    constexpr int output_tile = T::output_tile, elements = T::elements, margin = kernel / 2;
    const int across = (width + output_tile - 1) / output_tile;
    const int total = across * ((height + output_tile - 1) / output_tile);
    const long in_stride = element_stride(tiles_at_a_time, in);
    const long out_stride = element_stride(tiles_at_a_time, out);
    float *const images = scratch;
    float *const gradients = images + elements * in_stride;
    for (int first = 0; first < total; first += tiles_at_a_time) {
        const int count = smaller(tiles_at_a_time, total - first);
        for (int t = 0; t < count; t++) {
            const int top = (first + t) / across * output_tile, left = (first + t) % across * output_tile;
            transform_pixels<T::input_tile, T::transformed_width>(
                image, top - margin, left - margin, height, width, in,
                images + static_cast<long>(t) * in, in_stride, T::template input_transform<Vector>);
            transform_pixels<output_tile, T::transformed_width>(
                gradient, top, left, height, width, out, gradients + static_cast<long>(t) * out,
                out_stride, T::template gradient_transform<Vector>);
        }
        for (int p = 0; p < elements; p++) {
            accumulate(
                images + p * in_stride, in, gradients + p * out_stride, out, count,
                sums + static_cast<long>(p) * in * out);
        }
    }
}

template <typename Element>
void gather(
    const WinogradShape *shape, const void *image, const void *gradient, int height, int width,
    float *sums, float *scratch) {
    with_kernel(shape->kernel, [&](auto size) {
        gather_tiles<size.value>(
            *shape, static_cast<const Element *>(image), static_cast<const Element *>(gradient),
            height, width, sums, scratch);
    });
}

}  // namespace

const WinogradGradient WINOGRAD_GRADIENT = {
    scratch, {gather<float>, gather<uint16_t>}, finish};
