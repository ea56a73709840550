// The Makefile compiles this file once for each instruction set, with WINOGRAD_GRADIENT naming the
// table.

#include "winograd_gradient.h"

#include "winograd_tiles.h"

#include <string.h>

namespace {

// MARK: Weights

struct Matrix {
    float at[tile][5];
};

Matrix single_precision_matrix(int kernel) {
    double exact[tile][5];
    weight_matrix(kernel, exact);
    Matrix matrix;
    for (int p = 0; p < tile; p++) {
        for (int k = 0; k < kernel; k++) matrix.at[p][k] = static_cast<float>(exact[p][k]);
    }
    return matrix;
}

template <int kernel>
void pack_channels(
    const float *weights, int in, int out, bool is_backward, int first, int last, float *packed) {
    const Matrix matrix = single_precision_matrix(kernel);
    // What the packed convolution takes and gives.
    const int from = is_backward ? out : in, to = is_backward ? in : out;
    for (int i = first; i < last; i++) {
        for (int o = 0; o < to; o += lanes) {
            Vector g[kernel * kernel];
            for (int lane = 0; lane < lanes; lane++) {
                const int w_out = is_backward ? i : o + lane, w_in = is_backward ? o + lane : i;
                const float *const values =
                    weights + (static_cast<long>(w_out) * in + w_in) * kernel * kernel;
                for (int k = 0; k < kernel * kernel; k++) {
                    g[k][lane] = values[is_backward ? kernel * kernel - 1 - k : k];
                }
            }
            const int block = o / (vectors_of_block * lanes) * (vectors_of_block * lanes);
            float *const target = packed + static_cast<long>(block) * from +
                static_cast<long>(i) * block_width(to - block) + o - block;
            for (int p = 0; p < tile; p++) {
                Vector row[kernel];
                for (int x = 0; x < kernel; x++) {
                    row[x] = g[x] * matrix.at[p][0];
                    for (int y = 1; y < kernel; y++) row[x] += g[y * kernel + x] * matrix.at[p][y];
                }
                for (int q = 0; q < tile; q++) {
                    Vector sum = row[0] * matrix.at[q][0];
                    for (int x = 1; x < kernel; x++) sum += row[x] * matrix.at[q][x];
                    store(sum, target + static_cast<long>(p * tile + q) * from * to);
                }
            }
        }
    }
}

void pack(
    const float *weights, const WinogradShape *shape, int is_backward, int first, int last,
    float *packed) {
    const auto work = shape->kernel == 3 ? pack_channels<3> : pack_channels<5>;
    work(weights, shape->in_channels, shape->out_channels, is_backward != 0, first, last, packed);
}

template <int kernel>
void finish_channels(
    const float *sums, int in, int out, int first, int last, float *weights) {
    const Matrix matrix = single_precision_matrix(kernel);
    for (int i = first; i < last; i++) {
        for (int o = 0; o < out; o += lanes) {
            Vector rows[kernel][tile];
            for (int q = 0; q < tile; q++) {
                Vector column[tile];
                for (int p = 0; p < tile; p++) {
                    column[p] =
                        load(sums + (static_cast<long>(p * tile + q) * in + i) * out + o);
                }
                for (int y = 0; y < kernel; y++) {
                    rows[y][q] = column[0] * matrix.at[0][y];
                    for (int p = 1; p < tile; p++) rows[y][q] += column[p] * matrix.at[p][y];
                }
            }
            for (int y = 0; y < kernel; y++) {
                for (int x = 0; x < kernel; x++) {
                    Vector sum = rows[y][0] * matrix.at[0][x];
                    for (int q = 1; q < tile; q++) sum += rows[y][q] * matrix.at[q][x];
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
    const auto work = shape->kernel == 3 ? finish_channels<3> : finish_channels<5>;
    work(sums, shape->in_channels, shape->out_channels, first, last, weights);
}

// MARK: Tiles

// A y Aᵀ in one direction: the polynomial of `size` coefficients at the points.
template <int size>
inline void expand(const Vector (&y)[size], Vector (&p)[tile]) {
    Vector even1 = y[0] + y[2], odd1 = y[1] + y[3];
    Vector even2 = y[0] + y[2] * 4.0F, odd2 = y[1] * 2.0F + y[3] * 8.0F;
    Vector even3 = y[0] + y[2] * 0.25F, odd3 = y[1] * 0.5F + y[3] * 0.125F;
    if constexpr (size == 6) {
        even1 += y[4];
        odd1 += y[5];
        even2 += y[4] * 16.0F;
        odd2 += y[5] * 32.0F;
        even3 += y[4] * 0.0625F;
        odd3 += y[5] * 0.03125F;
    }
    p[0] = y[0];
    p[1] = even1 + odd1;
    p[2] = even1 - odd1;
    p[3] = even2 + odd2;
    p[4] = even2 - odd2;
    p[5] = even3 + odd3;
    p[6] = even3 - odd3;
    p[7] = y[size - 1];
}

// A pixel's channels from `c` on, or zeros outside of the image.
template <typename Element>
inline Vector pixel(
    const Element *image, int y, int x, int height, int width, int channels, int c) {
    if (y < 0 || x < 0 || y >= height || x >= width) return Vector{};
    return load(image + (static_cast<long>(y) * width + x) * channels + c);
}

template <typename Element>
void take_image(
    const Element *image, int top, int left, int height, int width, int channels, float *target,
    long stride) {
    for (int c = 0; c < channels; c += lanes) {
        Vector rows[tile][tile];
        for (int y = 0; y < tile; y++) {
            for (int x = 0; x < tile; x++) {
                rows[y][x] = pixel(image, top + y, left + x, height, width, channels, c);
            }
            transform_input(rows[y]);
        }
        for (int x = 0; x < tile; x++) {
            Vector column[tile];
            for (int y = 0; y < tile; y++) column[y] = rows[y][x];
            transform_input(column);
            for (int y = 0; y < tile; y++) store(column[y], target + (y * tile + x) * stride + c);
        }
    }
}

template <int size, typename Element>
void take_gradient(
    const Element *image, int top, int left, int height, int width, int channels, float *target,
    long stride) {
    for (int c = 0; c < channels; c += lanes) {
        Vector rows[size][tile];
        for (int y = 0; y < size; y++) {
            Vector row[size];
            for (int x = 0; x < size; x++) {
                row[x] = pixel(image, top + y, left + x, height, width, channels, c);
            }
            expand(row, rows[y]);
        }
        for (int x = 0; x < tile; x++) {
            Vector column[size];
            for (int y = 0; y < size; y++) column[y] = rows[y][x];
            Vector whole[tile];
            expand(column, whole);
            for (int y = 0; y < tile; y++) store(whole[y], target + (y * tile + x) * stride + c);
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

int64_t scratch(const WinogradShape *shape) {
    return points * (point_stride(tiles_at_a_time, shape->in_channels) +
                     point_stride(tiles_at_a_time, shape->out_channels));
}

template <int size, typename Element>
void gather_tiles(
    const WinogradShape &shape, const Element *image, const Element *gradient, int height,
    int width, float *sums, float *scratch) {
    const int in = shape.in_channels, out = shape.out_channels;
    const int margin = shape.kernel / 2;
    const int across = (width + size - 1) / size;
    const int total = across * ((height + size - 1) / size);
    const long in_stride = point_stride(tiles_at_a_time, in);
    const long out_stride = point_stride(tiles_at_a_time, out);
    float *const images = scratch;
    float *const gradients = images + points * in_stride;
    for (int first = 0; first < total; first += tiles_at_a_time) {
        const int count = smaller(tiles_at_a_time, total - first);
        for (int t = 0; t < count; t++) {
            const int top = (first + t) / across * size, left = (first + t) % across * size;
            take_image(
                image, top - margin, left - margin, height, width, in,
                images + static_cast<long>(t) * in, in_stride);
            take_gradient<size>(
                gradient, top, left, height, width, out, gradients + static_cast<long>(t) * out,
                out_stride);
        }
        for (int p = 0; p < points; p++) {
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
    const auto *values = static_cast<const Element *>(image);
    const auto *slopes = static_cast<const Element *>(gradient);
    if (shape->kernel == 3) {
        gather_tiles<6>(*shape, values, slopes, height, width, sums, scratch);
    } else {
        gather_tiles<4>(*shape, values, slopes, height, width, sums, scratch);
    }
}

}  // namespace

const WinogradGradient WINOGRAD_GRADIENT = {
    pack, scratch, {gather<float>, gather<uint16_t>}, finish};
