// The Makefile compiles this file once for each instruction set, with WINOGRAD naming the
// table.
//
// Nothing here may come from a C++ library header; see simd.h.

#include "winograd/products.h"
#include "winograd/transforms.h"

#include <string.h>

namespace {

#ifdef __AVX512VNNI__
// A tile's channels are integers of this Euclidean length at each point, and the weights of an output
// channel such that the product of both lengths stays below 2^31, and so every sum of their products.
constexpr float tile_length = 32767;
constexpr double largest_sum = 2147483647;

// What rounding may add to the length of so many numbers.
inline double rounding_of(int count) { return __builtin_sqrt(count) / 2; }
#endif

// How many bytes of a block's transformed tiles and products should stay near the processor.
constexpr int64_t block_bytes = 1200 << 10;
constexpr int largest_block = 96;  // tiles

// MARK: Weights

// How many input channels products sum over.
inline int depth_of(int in) { return channels_per_product == 1 ? in : padded(in); }

#ifdef __AVX512VNNI__
// Which of `depth` input channels lies at a place, as round_column() interleaves them.
inline int channel_at(int place, long depth) {
    const int group = place / 32 * 32, within = place % 8;
    if (group + 32 > depth) return place;
    return group + place % 32 / 8 * 4 + within % 4 + (within < 4 ? 0 : 16);
}
#endif

// A vector of output channels at a time.
template <int kernel>
void pack_weights(
    const float *weights, int in, int out, int begin, int end, float *packed) {
    using T = Transform<kernel>;
    const WeightTransform<kernel> transform;
    const long depth = depth_of(in);
    Number *const numbers = reinterpret_cast<Number *>(packed);
#ifdef __AVX512VNNI__
    float *const factors = reinterpret_cast<float *>(numbers + T::elements * depth * out);
    const float length = static_cast<float>(largest_sum / tile_length - rounding_of(in));
#endif
    Vector *const transformed = new Vector[T::elements * depth]();
    for (int o = begin; o < end; o += lanes) {
        const int first = o / (vectors_of_block * lanes) * (vectors_of_block * lanes);
        const int width = block_width(out - first);
        for (int i = 0; i < in; i++) {
            Vector g[kernel * kernel];
            for (int lane = 0; lane < lanes; lane++) {
                const float *const values =
                    weights + (static_cast<long>(o + lane) * in + i) * kernel * kernel;
                for (int k = 0; k < kernel * kernel; k++) g[k][lane] = values[k];
            }
            transform(g, [&](int point, Vector value) { transformed[point * depth + i] = value; });
        }
        for (int p = 0; p < T::elements; p++) {
            const Vector *const values = transformed + p * depth;
            Number *target = numbers + p * depth * out + first * depth + (o - first) * channels_per_product;
#ifdef __AVX512VNNI__
            Vector squares = {}, most = {};
            for (int i = 0; i < in; i++) {
                squares += values[i] * values[i];
                const Vector size = values[i] < 0 ? -values[i] : values[i];
                most = size > most ? size : most;
            }
            const Vector by_length = length / (Vector)_mm512_maskz_sqrt_ps(0xffff, (__m512)squares);
            const Vector by_most = 32767 / most;
            Vector factor = by_length < by_most ? by_length : by_most;
            factor = squares > 0 ? factor : Vector{} + 1;
            store(1 / factor, factors + p * out + o);
            for (int i = 0; i < depth; i += channels_per_product) {
                const auto integers = [&](int at) {
                    const Vector scaled = values[channel_at(at, depth)] * factor;
                    return (Products)_mm512_maskz_cvtps_epi32(0xffff, (__m512)scaled);
                };
                *reinterpret_cast<Products *>(target) =
                    (integers(i) & 0xffff) | integers(i + 1) << 16;
                target += width * channels_per_product;
            }
#else
            for (int i = 0; i < in; i++) {
                store(values[i], target);
                target += width;
            }
#endif
        }
    }
    delete[] transformed;
}

void pack(
    const float *weights, int kernel, int in, int out, int first, int last, float *packed) {
    with_kernel(kernel, [&](auto size) {
        pack_weights<size.value>(weights, in, out, first, last, packed);
    });
}

// MARK: Images

// Where a convolution works, in single-precision numbers from the start; products come first. All elements
// of a tile lie together.
template <int kernel>
struct Layout {
    using T = Transform<kernel>;

    long channels;  // of the image, as whole vectors
    int block;  // tiles that are worked on together, a multiple of what products take at a time
    long rows;  // after the products, [block][elements][out]: a tile's rows, [transformed_width][channels][tile]
    long columns;  // two: [transformed_width][channels]
    long patch;  // a tile that leaves the image, or whose channels fill no vector
    long tiles;  // [block][elements][channels]
    long factors;  // [block][transformed_width][lanes], of integers
    long size;

    explicit Layout(const WinogradLayer &layer) : channels(padded(layer.in_channels)) {
        const int out = layer.out_channels;
        const int step = out < 64 ? rows_at_a_time(out) : out % 64 == 0 ? rows_at_a_time(64) : 24;
        const int64_t bytes = T::elements * (sizeof(Number) * channels + sizeof(Product) * out);
        const int count = smaller(largest_block, static_cast<int>(block_bytes / bytes));
        block = larger(step, count / step * step);
        rows = static_cast<long>(block) * T::elements * out;
        columns = rows + T::transformed_width * T::input_tile * channels;
        patch = columns + 2 * T::transformed_width * channels;
        tiles = patch + T::input_tile * T::input_tile * channels;
        factors = tiles + static_cast<long>(block) * T::elements * channels / channels_per_product;
        size = factors + (channels_per_product == 2 ? static_cast<long>(block) * T::transformed_width * lanes : 0);
    }
};

int64_t scratch(const WinogradLayer *layer) {
    return with_kernel(
        layer->kernel, [&](auto kernel) { return Layout<kernel.value>(*layer).size; });
}

#ifdef __AVX512VNNI__
// Each lane of the result is the sum of all lanes of one of the vectors.
inline Vector sums_of_lanes(Vector (&v)[lanes]) {
    constexpr Words lower[4] = {
        {0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30},
        {0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29},
        {0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27},
        {0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23},
    };
#pragma GCC unroll 4
    for (int level = 0; level < 4; level++) {
        const int step = 1 << level;
#pragma GCC unroll 8
        for (int k = 0; k < lanes; k += 2 * step) {
            v[k] = __builtin_shuffle(v[k], v[k + step], lower[level]) +
                __builtin_shuffle(v[k], v[k + step], lower[level] + step);
        }
    }
    return v[0];
}

// Of [transformed_width][channels], to every `transformed_width`th of [elements][channels].
template <int transformed_width>
inline void round_column(
    const float *column, long channels, const Vector &scales, Number *target) {
    const auto integers = [](const float *values, float scale) {
        return _mm512_maskz_cvtps_epi32(0xffff, (__m512)(load(values) * scale));
    };
    for (int y = 0; y < transformed_width; y++) {
        const float *const values = column + y * channels;
        Number *const numbers = target + y * transformed_width * channels;
        long c = 0;
        for (; c + 2 * lanes <= channels; c += 2 * lanes) {
            _mm512_storeu_si512(
                numbers + c, _mm512_maskz_packs_epi32(
                                 0xffffffff, integers(values + c, scales[y]),
                                 integers(values + c + lanes, scales[y])));
        }
        if (c < channels) {
            _mm256_storeu_si256(
                reinterpret_cast<__m256i *>(numbers + c),
                _mm512_maskz_cvtsepi32_epi16(0xffff, integers(values + c, scales[y])));
        }
    }
}
#endif

// Transforms a tile, as [elements][channels]. Where numbers are integers, the channels of a point get a
// common factor, which is written to `factors`.
template <int kernel, typename Element>
void transform_input_tile(
    const Layout<kernel> &layout, float *scratch,
    const Element *const (&source)[Transform<kernel>::input_tile], long stride, Number *target,
    [[maybe_unused]] float *factors) {
    using T = Transform<kernel>;
    constexpr int tile = T::input_tile, transformed_width = T::transformed_width;
    const long channels = layout.channels;
    float *const rows = scratch + layout.rows;
#ifdef __AVX512VNNI__
    // Less what rounding adds, and by how much the reciprocal roots may be too large.
    const float longest = static_cast<float>(
        (tile_length - rounding_of(static_cast<int>(channels))) * (1 - 1.0 / 8192));
    float *const columns = scratch + layout.columns;
    Vector scales[2];
    const auto round = [&](int x) {
        round_column<transformed_width>(
            columns + x % 2 * transformed_width * channels, channels, scales[x % 2], target + x * channels);
    };
#endif
    for (long c = 0; c < channels; c += lanes) {
        for (int y = 0; y < tile; y++) {
            Vector d[tile], f[transformed_width];
            for (int x = 0; x < tile; x++) d[x] = load(source[y] + x * stride + c);
            T::input_transform(d, f);
            for (int x = 0; x < transformed_width; x++) {
                store(f[x], rows + (x * channels + c) * tile + y * lanes);
            }
        }
    }
    for (int x = 0; x < transformed_width; x++) {
#ifdef __AVX512VNNI__
        float *const column = columns + x % 2 * transformed_width * channels;
        Vector squares[lanes] = {};
#endif
        for (long c = 0; c < channels; c += lanes) {
            Vector d[tile], f[transformed_width];
            for (int y = 0; y < tile; y++) {
                d[y] = load(rows + (x * channels + c) * tile + y * lanes);
            }
            T::input_transform(d, f);
            for (int y = 0; y < transformed_width; y++) {
#ifdef __AVX512VNNI__
                squares[y] += f[y] * f[y];
                store(f[y], column + y * channels + c);
#else
                store(f[y], target + (y * transformed_width + x) * channels + c);
#endif
            }
        }
#ifdef __AVX512VNNI__
        // One column later, as the roots take their time.
        if (x > 0) round(x - 1);
        const Vector sums = sums_of_lanes(squares);
        scales[x % 2] =
            sums > 0 ? (Vector)_mm512_maskz_rsqrt14_ps(0xffff, (__m512)sums) * longest : Vector{};
        store(sums > 0 ? 1 / scales[x % 2] : Vector{}, factors + x * lanes);
#endif
    }
#ifdef __AVX512VNNI__
    round(transformed_width - 1);
#endif
}

// Whether all pixels of a tile are the same.
template <int tile, typename Element>
bool is_uniform(const Element *const (&rows)[tile], long stride, int channels) {
    for (int y = 0; y < tile; y++) {
        for (int x = 0; x < tile; x++) {
            if (memcmp(rows[y] + x * stride, rows[0], sizeof(Element) * channels) != 0) return false;
        }
    }
    return true;
}

// One vector of output channels from `c` on. All pixels of a uniform tile get the first one's values.
// Else rounding, which differs from place to place in a tile, would decide where the maximum of an
// image's flat parts is unpooled to.
template <int kernel, typename Element>
void transform_output_tile(
    const WinogradLayer &layer, int c, const Product *products,
    [[maybe_unused]] const float *weight_factors, [[maybe_unused]] const float *tile_factors,
    bool is_uniform, int height, int width, Element *target, long row_stride, long pixel_stride) {
    using T = Transform<kernel>;
    constexpr int transformed_width = T::transformed_width, output_tile = T::output_tile;
    Vector columns[output_tile][transformed_width];
    for (int y = 0; y < transformed_width; y++) {
        Vector row[transformed_width], values[output_tile];
        for (int x = 0; x < transformed_width; x++) {
            const long point = y * transformed_width + x;
            row[x] = __builtin_convertvector(
                *reinterpret_cast<const Products *>(products + point * layer.out_channels + c),
                Vector);
            if constexpr (channels_per_product == 2) {
                row[x] *= load(weight_factors + point * layer.out_channels + c) *
                    tile_factors[x * lanes + y];
            }
        }
        T::output_transform(row, values);
        for (int x = 0; x < output_tile; x++) columns[x][y] = values[x];
    }
    const Vector bias = load(layer.bias + c);
    const int count = smaller(lanes, layer.stored_channels - c);
    for (int x = 0; x < width; x++) {
        Vector values[output_tile];
        T::output_transform(columns[is_uniform ? 0 : x], values);
        for (int y = 0; y < height; y++) {
            const Vector value = values[is_uniform ? 0 : y] + bias;
            const Vector lower = value * layer.slope;
            const Vector result = value < 0 ? lower : value;
            Element *const place = target + y * row_stride + x * pixel_stride + c;
            if (count == lanes) {
                store(result, place);
            } else {
                Element some[lanes];
                store(result, some);
                memcpy(place, some, sizeof(Element) * count);
            }
        }
    }
}

// A convolution of an image, tile by tile.
template <int kernel, typename Element>
class Convolution {
    using T = Transform<kernel>;
    static constexpr int tile = T::input_tile, output_tile = T::output_tile;
    static constexpr int margin = kernel / 2;

    const WinogradLayer &layer;
    const Layout<kernel> layout;
    float *const scratch;
    const Element *const source;
    const long source_stride;
    const int height, width;
    Element *const target;
    const long target_stride;
    const int across = (width + output_tile - 1) / output_tile;  // tiles
    const int depth = depth_of(layer.in_channels);
    const long tile_numbers = T::elements * layout.channels;
    const long tile_products = static_cast<long>(T::elements) * layer.out_channels;
    Product *const products = reinterpret_cast<Product *>(scratch);
    Element *const patch = reinterpret_cast<Element *>(scratch + layout.patch);
    Number *const tiles = reinterpret_cast<Number *>(scratch + layout.tiles);
    float *const factors = scratch + layout.factors;

    // Tiles that wait for their products.
    int pending = 0;
    int places[largest_block];
    bool uniform[largest_block];

    // The place of a uniform tile that has been worked on, and what all of its pixels were.
    int cached_tile = -1;
    const Element *cached_pixel = nullptr;

public:
    Convolution(
        const WinogradLayer &layer, const Element *source, long source_stride, int height, int width,
        Element *target, long target_stride, float *scratch)
        : layer(layer), layout(layer), scratch(scratch), source(source),
          source_stride(source_stride), height(height), width(width), target(target),
          target_stride(target_stride) {
        memset(patch, 0, sizeof(Element) * tile * tile * layout.channels);
    }

    void run(int first, int last) {
        const int end = across * ((last + output_tile - 1) / output_tile);
        for (int place = across * (first / output_tile); place < end; place++) {
            add_tile(place);
            if (pending == layout.block) flush();
        }
        flush();
    }

private:
    void add_tile(int place) {
        const int in = layer.in_channels;
        const int top = place / across * output_tile - margin, left = place % across * output_tile - margin;
        const Element *rows[tile];
        long stride = source_stride;
        const bool is_inside = top >= 0 && left >= 0 && top + tile <= height && left + tile <= width;
        if (is_inside && layout.channels == in) {
            for (int y = 0; y < tile; y++) {
                rows[y] = source + (static_cast<long>(top + y) * width + left) * source_stride;
            }
        } else {
            stride = layout.channels;
            if (!is_inside) memset(patch, 0, sizeof(Element) * tile * tile * stride);
            const int x0 = larger(left, 0), x1 = smaller(left + tile, width);
            for (int y = 0; y < tile; y++) {
                rows[y] = patch + y * tile * stride;
                if (top + y < 0 || top + y >= height) continue;
                for (int x = x0; x < x1; x++) {
                    memcpy(
                        patch + (y * tile + x - left) * stride,
                        source + (static_cast<long>(top + y) * width + x) * source_stride,
                        sizeof(Element) * in);
                }
            }
        }
        const bool is_flat = is_uniform(rows, stride, in);
        if (is_flat && cached_tile >= 0 &&
            memcmp(rows[0], cached_pixel, sizeof(Element) * in) == 0) {
            copy_cached(place);
            return;
        }
        places[pending] = place;
        uniform[pending] = is_flat;
        transform_input_tile(
            layout, scratch, rows, stride, tiles + pending * tile_numbers,
            factors + pending * T::transformed_width * lanes);
        pending++;
    }

    // Multiplies what waits, and writes the results.
    void flush() {
        const int out = layer.out_channels;
        const Number *const weights = reinterpret_cast<const Number *>(layer.weights);
        const float *const weight_factors =
            reinterpret_cast<const float *>(weights + static_cast<long>(T::elements) * depth * out);
        for (int p = 0; p < T::elements; p++) {
            multiply(
                tiles + p * layout.channels, tile_numbers,
                weights + static_cast<long>(p) * depth * out, pending, depth, out,
                products + static_cast<long>(p) * out, tile_products);
        }
        // Tile by tile, the factors of a vector's weights stay near.
        for (int c = 0; c < layer.stored_channels; c += lanes) {
            for (int t = 0; t < pending; t++) {
                transform_output_tile<kernel>(
                    layer, c, products + t * tile_products, weight_factors,
                    factors + t * T::transformed_width * lanes, uniform[t], rows_of(places[t]),
                    columns_of(places[t]), pixel(places[t]),
                    static_cast<long>(width) * target_stride, target_stride);
            }
        }
        for (int t = 0; t < pending; t++) {
            if (!uniform[t]) continue;
            const long top = places[t] / across * output_tile, left = places[t] % across * output_tile;
            cached_tile = places[t];
            cached_pixel = source + (top * width + left) * source_stride;
        }
        pending = 0;
    }

    // A tile's results are those of one that holds the same pixels.
    void copy_cached(int place) const {
        const Element *const cached = pixel(cached_tile);
        for (int y = 0; y < rows_of(place); y++) {
            for (int x = 0; x < columns_of(place); x++) {
                memcpy(
                    pixel(place) + (static_cast<long>(y) * width + x) * target_stride, cached,
                    sizeof(Element) * layer.stored_channels);
            }
        }
    }

    int rows_of(int place) const { return smaller(output_tile, height - place / across * output_tile); }
    int columns_of(int place) const { return smaller(output_tile, width - place % across * output_tile); }
    Element *pixel(int place) const {
        const long y = place / across * output_tile, x = place % across * output_tile;
        return target + (y * width + x) * target_stride;
    }
};

template <typename Element>
void convolve(
    const WinogradLayer *layer, const void *source, long source_stride, int height, int width,
    int first, int last, void *target, long target_stride, float *scratch) {
    with_kernel(layer->kernel, [&](auto size) {
        Convolution<size.value, Element>(
            *layer, static_cast<const Element *>(source), source_stride, height, width,
            static_cast<Element *>(target), target_stride, scratch)
            .run(first, last);
    });
}

}  // namespace

extern const WinogradKernels WINOGRAD = {pack, scratch, {convolve<float>, convolve<uint16_t>}};
