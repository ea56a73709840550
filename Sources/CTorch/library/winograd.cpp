// The Makefile compiles this file once for each instruction set, with WINOGRAD_KERNELS naming the
// table.
//
// As in plan_kernels.cpp nothing here may come from a C++ library header.

#include "winograd.h"

#include "winograd_tiles.h"

#include <string.h>

#ifdef __AVX512VNNI__
#include <immintrin.h>
#endif

namespace {

// What tiles and weights are after their transforms. Where the processor sums products of 16-bit
// integers, twice as many at once as of single-precision numbers, they are integers: at each point a
// tile's channels have a common factor, and so have the weights of an output channel.
#ifdef __AVX512VNNI__
typedef int16_t Number;
typedef int32_t Product;
typedef int32_t Products __attribute__((vector_size(lanes * 4)));
constexpr int pair = 2;  // numbers that are multiplied and added at once
#else
typedef float Number;
typedef float Product;
typedef Vector Products;
constexpr int pair = 1;
#endif

#ifdef __AVX512VNNI__
// The largest of a tile's integers at a point. Half of 31 bits: what rounding a tile and rounding
// weights of 64 channels add is about the same.
constexpr float largest_number = 11585;
#endif

// MARK: Weights

// How many input channels products sum over.
inline int depth_of(int in) { return pair == 1 ? in : padded(in); }

// Where the weight of a point, an input and an output channel lies.
inline long place(int point, int i, int o, int in, int out) {
    const int first = o / (vectors_of_block * lanes) * (vectors_of_block * lanes);
    const int width = block_width(out - first);
    const int depth = depth_of(in);
    return static_cast<long>(point) * depth * out + static_cast<long>(first) * depth +
        static_cast<long>(i / pair) * width * pair + (o - first) * pair + i % pair;
}

void pack(const float *weights, int kernel, int in, int out, float *packed) {
    double matrix[tile][5];
    weight_matrix(kernel, matrix);
    Number *const numbers = reinterpret_cast<Number *>(packed);
#ifdef __AVX512VNNI__
    memset(packed, 0, sizeof(Number) * points * depth_of(in) * out);
    float *const factors = packed + static_cast<long>(points) * depth_of(in) / 2 * out;
#endif
    double *const transformed = new double[static_cast<long>(in) * points];
    for (int o = 0; o < out; o++) {
        for (int i = 0; i < in; i++) {
            const float *g = weights + (static_cast<long>(o) * in + i) * kernel * kernel;
            double rows[tile][5];
            for (int p = 0; p < tile; p++) {
                for (int x = 0; x < kernel; x++) {
                    rows[p][x] = 0;
                    for (int y = 0; y < kernel; y++) rows[p][x] += matrix[p][y] * g[y * kernel + x];
                }
            }
            for (int p = 0; p < tile; p++) {
                for (int q = 0; q < tile; q++) {
                    double sum = 0;
                    for (int x = 0; x < kernel; x++) sum += rows[p][x] * matrix[q][x];
                    transformed[static_cast<long>(p * tile + q) * in + i] = sum;
                }
            }
        }
        for (int p = 0; p < points; p++) {
            const double *const values = transformed + static_cast<long>(p) * in;
#ifdef __AVX512VNNI__
            // As large as they may be for the sum of products never to leave 32 bits.
            double total = 0, most = 0;
            for (int i = 0; i < in; i++) {
                const double size = values[i] < 0 ? -values[i] : values[i];
                total += size;
                most = size > most ? size : most;
            }
            double factor = total == 0 ? 1 : (2147483647.0 / largest_number - in) / total;
            if (factor * most > 32767) factor = 32767 / most;
            for (int i = 0; i < in; i++) {
                numbers[place(p, i, o, in, out)] =
                    static_cast<Number>(__builtin_rint(values[i] * factor));
            }
            factors[p * out + o] = static_cast<float>(1 / factor);
#else
            for (int i = 0; i < in; i++) {
                numbers[place(p, i, o, in, out)] = static_cast<Number>(values[i]);
            }
#endif
        }
    }
    delete[] transformed;
}

// MARK: Products

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
    for (int k = 0; k < depth; k += pair) {
        Products factors[vectors];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            factors[v] = *reinterpret_cast<const Products *>(right + v * lanes * pair);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            const Number *const values = left + r * left_stride + k;
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sums[r][v] = sum_of(sums[r][v], factors[v], values);
        }
        right += vectors * lanes * pair;
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

// At one point: [count][in] by [in][out], the rows of the former `left_stride` apart. Rows are written
// up to the next multiple of rows_at_a_time().
void multiply(
    const Number *left, long left_stride, const Number *right, int count, int in, int out,
    Product *product) {
    for (int first = 0; first < out; first += vectors_of_block * lanes) {
        const int width = block_width(out - first);
        const Number *block = right + static_cast<long>(first) * in;
        switch (width / lanes) {
#if defined(__AVX512F__)
        case 4:
            multiply_rows<rows_at_a_time(64), 4>(
                left, left_stride, block, in, product + first, out, count);
            break;
        case 3:
            multiply_rows<rows_at_a_time(48), 3>(
                left, left_stride, block, in, product + first, out, count);
            break;
        case 2:
            multiply_rows<rows_at_a_time(32), 2>(
                left, left_stride, block, in, product + first, out, count);
            break;
        default:
            multiply_rows<rows_at_a_time(16), 1>(
                left, left_stride, block, in, product + first, out, count);
#else
        default:
            multiply_rows<6, 2>(left, left_stride, block, in, product + first, out, count);
#endif
        }
    }
}

// MARK: Images

// Tiles that are worked on together, a multiple of what products take at a time.
int tiles_of_block(const WinogradLayer &layer) {
    const int step = layer.out_channels < 64 ? rows_at_a_time(layer.out_channels)
        : layer.out_channels % 64 == 0      ? rows_at_a_time(64)
                                            : 24;
    const int64_t bytes =
        points * (sizeof(Number) * static_cast<int64_t>(padded(layer.in_channels)) +
                  sizeof(Product) * layer.out_channels);
    return larger(step, smaller(largest_block, static_cast<int>(block_bytes / bytes)) / step * step);
}

int64_t scratch(const WinogradLayer *layer) {
    const int rows = tiles_of_block(*layer);
    const int64_t whole = padded(layer->in_channels);
    // Tiles, products and a patch; for integers also a tile before it is rounded, and factors.
    return points *
        (point_stride(rows, static_cast<int>(whole)) + point_stride(rows, layer->out_channels) +
         whole + (pair == 2 ? whole + rows : 0));
}

#ifdef __AVX512VNNI__
inline int32_t largest_of(Products numbers) {
    constexpr Products orders[4] = {
        {8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7},
        {4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11},
        {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13},
        {1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14},
    };
    for (const Products &order : orders) {
        const Products others = __builtin_shuffle(numbers, order);
        numbers = others > numbers ? others : numbers;
    }
    return numbers[0];
}

// Rounds each point's values to integers, whose common factor is written to `factors`. `most` has
// the bits of the largest absolute values.
void round_tile(
    const float *values, int channels, const Products (&most)[points], Number *target,
    long target_stride, float *factors) {
    for (int p = 0; p < points; p++) {
        // Without the sign, larger bits are a larger number, and the largest those of no number.
        const int32_t bits = largest_of(most[p]);
        float size;
        memcpy(&size, &bits, sizeof size);
        const float scale = size > 0 ? largest_number / size : 0;
        factors[p] = size / largest_number;
        for (int c = 0; c < channels; c += lanes) {
            const Vector value =
                *reinterpret_cast<const Vector *>(values + static_cast<long>(p) * channels + c);
            _mm256_storeu_si256(
                reinterpret_cast<__m256i *>(target + p * target_stride + c),
                _mm512_maskz_cvtsepi32_epi16(
                    0xffff, _mm512_maskz_cvtps_epi32(0xffff, (__m512)(value * scale))));
        }
    }
}
#endif

// Where numbers are integers, writes the factors of their points and works in `values`.
template <typename Element>
void take_tile(
    const Element *const (&source)[tile], long stride, int channels, Number *target,
    long target_stride, [[maybe_unused]] float *factors, [[maybe_unused]] float *values) {
#ifdef __AVX512VNNI__
    Products most[points] = {};
    float *const transformed = values;
    const long transformed_stride = channels;
#else
    float *const transformed = target;
    const long transformed_stride = target_stride;
#endif
    for (int c = 0; c < channels; c += lanes) {
        Vector rows[tile][tile];
        for (int y = 0; y < tile; y++) {
            for (int x = 0; x < tile; x++) rows[y][x] = load(source[y] + x * stride + c);
            transform_input(rows[y]);
        }
        for (int x = 0; x < tile; x++) {
            Vector column[tile];
            for (int y = 0; y < tile; y++) column[y] = rows[y][x];
            transform_input(column);
            for (int y = 0; y < tile; y++) {
                const int point = y * tile + x;
                *reinterpret_cast<Vector *>(transformed + point * transformed_stride + c) =
                    column[y];
#ifdef __AVX512VNNI__
                const Products size = (Products)column[y] & 0x7fffffff;
                most[point] = size > most[point] ? size : most[point];
#endif
            }
        }
    }
#ifdef __AVX512VNNI__
    round_tile(values, channels, most, target, target_stride, factors);
#endif
}

// Whether all pixels of a tile are the same.
template <typename Element>
bool is_uniform(const Element *const (&rows)[tile], long stride, int channels) {
    for (int y = 0; y < tile; y++) {
        for (int x = 0; x < tile; x++) {
            if (memcmp(rows[y] + x * stride, rows[0], sizeof(Element) * channels) != 0) return false;
        }
    }
    return true;
}

// All pixels of a uniform tile get the first one's values. Else rounding, which differs from place to
// place in a tile, would decide where the maximum of an image's flat parts is unpooled to.
template <int size, typename Element>
void give_tile(
    const Product *products, long stride, [[maybe_unused]] const float *weight_factors,
    [[maybe_unused]] const float *tile_factors, const WinogradLayer &layer, bool is_uniform,
    int height, int width, Element *target, long row_stride, long pixel_stride) {
    for (int c = 0; c < layer.out_channels; c += lanes) {
        Vector rows[tile][size];
        for (int y = 0; y < tile; y++) {
            Vector row[tile];
            for (int x = 0; x < tile; x++) {
                const int point = y * tile + x;
                row[x] = __builtin_convertvector(
                    *reinterpret_cast<const Products *>(products + point * stride + c), Vector);
                if constexpr (pair == 2) {
                    row[x] *= load(weight_factors + point * layer.out_channels + c) *
                        tile_factors[point];
                }
            }
            transform_output(row, rows[y]);
        }
        const Vector bias = load(layer.bias + c);
        for (int x = 0; x < width; x++) {
            Vector column[tile];
            for (int y = 0; y < tile; y++) column[y] = rows[y][is_uniform ? 0 : x];
            Vector values[size];
            transform_output(column, values);
            for (int y = 0; y < height; y++) {
                const Vector value = values[is_uniform ? 0 : y] + bias;
                const Vector lower = value * layer.slope;
                store(value < 0 ? lower : value, target + y * row_stride + x * pixel_stride + c);
            }
        }
    }
}

template <int size, typename Element>
void convolve_tiles(
    const WinogradLayer &layer, const Element *source, long source_stride, int height, int width,
    Element *target, long target_stride, float *scratch) {
    const int margin = layer.kernel / 2;
    const int across = (width + size - 1) / size;
    const int total = across * ((height + size - 1) / size);
    const int block = tiles_of_block(layer);
    const int in = layer.in_channels, out = layer.out_channels, whole = padded(in);
    const long in_stride = point_stride(block, whole);
    const long out_stride = point_stride(block, out);
    Product *const products = reinterpret_cast<Product *>(scratch);
    Number *const inputs = reinterpret_cast<Number *>(products + points * out_stride);
    // A tile that leaves the image, or whose channels fill no vector, is completed with zeros here.
    Element *const patch = reinterpret_cast<Element *>(inputs + points * in_stride);
    memset(patch, 0, sizeof(Element) * points * whole);
    const Number *const weights = reinterpret_cast<const Number *>(layer.weights);
    const float *const weight_factors = reinterpret_cast<const float *>(
        weights + static_cast<long>(points) * depth_of(in) * out);
    float *const values = reinterpret_cast<float *>(patch) + points * whole;
    float *const tile_factors = values + points * whole;
    bool uniform[largest_block];

    for (int first = 0; first < total; first += block) {
        const int count = smaller(block, total - first);
        for (int t = 0; t < count; t++) {
            const int top = (first + t) / across * size - margin;
            const int left = (first + t) % across * size - margin;
            const Element *rows[tile];
            long stride = source_stride;
            const bool is_inside =
                top >= 0 && left >= 0 && top + tile <= height && left + tile <= width;
            if (is_inside && whole == in) {
                for (int y = 0; y < tile; y++) {
                    rows[y] = source + (static_cast<long>(top + y) * width + left) * source_stride;
                }
            } else {
                stride = whole;
                if (!is_inside) memset(patch, 0, sizeof(Element) * points * whole);
                const int x0 = larger(left, 0), x1 = smaller(left + tile, width);
                for (int y = 0; y < tile; y++) {
                    rows[y] = patch + static_cast<long>(y) * tile * whole;
                    if (top + y < 0 || top + y >= height) continue;
                    for (int x = x0; x < x1; x++) {
                        memcpy(
                            patch + (static_cast<long>(y) * tile + x - left) * whole,
                            source + (static_cast<long>(top + y) * width + x) * source_stride,
                            sizeof(Element) * in);
                    }
                }
            }
            uniform[t] = is_uniform(rows, stride, in);
            take_tile(
                rows, stride, whole, inputs + static_cast<long>(t) * whole, in_stride,
                tile_factors + t * points, values);
        }
        for (int p = 0; p < points; p++) {
            multiply(
                inputs + p * in_stride, whole,
                weights + static_cast<long>(p) * depth_of(in) * out, count, depth_of(in), out,
                products + p * out_stride);
        }
        for (int t = 0; t < count; t++) {
            const int top = (first + t) / across * size;
            const int left = (first + t) % across * size;
            give_tile<size>(
                products + static_cast<long>(t) * out, out_stride, weight_factors,
                tile_factors + t * points, layer, uniform[t], smaller(size, height - top),
                smaller(size, width - left),
                target + (static_cast<long>(top) * width + left) * target_stride,
                static_cast<long>(width) * target_stride, target_stride);
        }
    }
}

template <typename Element>
void convolve(
    const WinogradLayer *layer, const void *source, long source_stride, int height, int width,
    void *target, long target_stride, float *scratch) {
    const auto *from = static_cast<const Element *>(source);
    auto *to = static_cast<Element *>(target);
    if (layer->kernel == 3) {
        convolve_tiles<6>(*layer, from, source_stride, height, width, to, target_stride, scratch);
    } else {
        convolve_tiles<4>(*layer, from, source_stride, height, width, to, target_stride, scratch);
    }
}

}  // namespace

const WinogradKernels WINOGRAD_KERNELS = {pack, scratch, {convolve<float>, convolve<uint16_t>}};
