// The Makefile compiles this file once for each instruction set, with FLOAT_CONVOLUTION naming the table.

#include "kernels/float_convolution.h"

#include "kernels/simd.h"

namespace {

// Pixels whose sums stay in registers at once, beside so many vectors of output channels.
constexpr int pixels_beside(int vectors) {
#if defined(__AVX512F__)
    return vectors == 4 ? 6 : vectors == 3 ? 8 : 12;
#elif defined(__AVX2__)
    return vectors == 2 ? 6 : 12;
#else
    return 4;
#endif
}
constexpr int most_pixels = 12;

// How many numbers of a matrix's rows should stay near the processor.
constexpr int near_numbers = 1 << 15;

inline int group_in(const FloatLayer &layer) { return layer.in_channels / layer.groups; }
inline int group_out(const FloatLayer &layer) { return layer.out_channels / layer.groups; }

// MARK: Weights

int64_t packed_count(const FloatLayer *layer) {
    return static_cast<int64_t>(layer->groups) * layer->kernel * layer->kernel * group_in(*layer) *
        float_padded(group_out(*layer));
}

// To [groups][blocks of output channels][kernel][kernel][in / groups][channels of the block].
void pack(const FloatLayer *layer, const float *weights, float *packed) {
    const int in = group_in(*layer), out = group_out(*layer), all = float_padded(out);
    const int taps = layer->kernel * layer->kernel;
    for (int group = 0; group < layer->groups; group++) {
        for (int first = 0; first < all; first += vectors_of_block * lanes) {
            const int width = block_width(all - first);
            for (int tap = 0; tap < taps; tap++) {
                for (int i = 0; i < in; i++) {
                    for (int o = first; o < first + width; o++) {
                        *packed++ = o < out
                            ? weights[((static_cast<long>(group) * out + o) * in + i) * taps + tap]
                            : 0;
                    }
                }
            }
        }
    }
}

// MARK: Sums

// What a sum goes over: of each row `runs` runs of `length` numbers, `run_step` numbers apart.
struct Runs {
    int rows, runs, length;
    long run_step, pixel_step;
};

template <int pixels, int vectors, typename Result>
inline void convolve_block(
    const FloatLayer &layer, const Runs &runs, const float *const *rows, const float *weights,
    const float *bias, int channels, Result *target, long target_stride) {
    Vector sums[pixels][vectors];
    for (int v = 0; v < vectors; v++) {
        const Vector start = load(bias + v * lanes);
        for (int p = 0; p < pixels; p++) sums[p][v] = start;
    }
    for (int y = 0; y < runs.rows; y++) {
        for (int run = 0; run < runs.runs; run++) {
            const float *const values = rows[y] + run * runs.run_step;
            for (int k = 0; k < runs.length; k++) {
                Vector factors[vectors];
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) factors[v] = load(weights + v * lanes);
#pragma GCC unroll 16
                for (int p = 0; p < pixels; p++) {
                    const float value = values[p * runs.pixel_step + k];
#pragma GCC unroll 4
                    for (int v = 0; v < vectors; v++) sums[p][v] += factors[v] * value;
                }
                weights += vectors * lanes;
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        const int count = smaller(lanes, channels - v * lanes);
        if (count <= 0) return;
        for (int p = 0; p < pixels; p++) {
            const Vector lower = sums[p][v] * layer.slope;
            const Vector result = sums[p][v] < 0 ? lower : sums[p][v];
            Result *const place = target + p * target_stride + v * lanes;
            if (count == lanes) {
                store(result, place);
            } else {
                Result some[lanes];
                store(result, some);
                memcpy(place, some, count * sizeof(Result));
            }
        }
    }
}

// `width` pixels side by side for a vector or more of output channels. The last ones are computed once
// more where they fill no block.
template <int vectors, typename Result>
void convolve_pixels(
    const FloatLayer &layer, const Runs &runs, const float *const *rows, const float *weights,
    const float *bias, int channels, int width, Result *target, long target_stride) {
    constexpr int pixels = pixels_beside(vectors);
    const float *starts[largest_float_kernel];
    for (int x = 0; x < width;) {
        const bool fills = width >= pixels;
        const int at = fills ? smaller(x, width - pixels) : x;
        for (int y = 0; y < runs.rows; y++) starts[y] = rows[y] + at * runs.pixel_step;
        if (fills) {
            convolve_block<pixels, vectors>(
                layer, runs, starts, weights, bias, channels, target + at * target_stride,
                target_stride);
            x = at + pixels;
        } else {
            convolve_block<1, vectors>(
                layer, runs, starts, weights, bias, channels, target + at * target_stride,
                target_stride);
            x++;
        }
    }
}

// A row of pixels, all output channels of all groups.
template <typename Result>
void convolve_row(
    const FloatLayer &layer, const Runs &runs, const float *const *rows, int width, Result *target,
    long target_stride) {
    const int in = group_in(layer), out = group_out(layer), all = float_padded(out);
    const float *weights = layer.weights;
    for (int group = 0; group < layer.groups; group++) {
        const float *starts[largest_float_kernel];
        for (int y = 0; y < runs.rows; y++) starts[y] = rows[y] + group * in;
        for (int first = 0; first < all; first += vectors_of_block * lanes) {
            const int block = block_width(all - first);
            const float *const bias = layer.bias + static_cast<long>(group) * all + first;
            Result *const results = target + static_cast<long>(group) * out + first;
            const auto pixels = block / lanes == 1 ? convolve_pixels<1, Result>
#if defined(__AVX512F__)
                : block / lanes == 3 ? convolve_pixels<3, Result>
                : block / lanes == 4 ? convolve_pixels<4, Result>
#endif
                                     : convolve_pixels<2, Result>;
            pixels(
                layer, runs, starts, weights, bias, out - first, width, results, target_stride);
            weights += static_cast<long>(layer.kernel) * layer.kernel * in * block;
        }
    }
}

// MARK: Images

inline bool is_product(const FloatLayer &layer) {
    return layer.kernel == 1 && layer.stride == 1 && layer.padding == 0 && layer.groups == 1;
}

// Pixels of a product of matrices that are worked on together.
inline int pixels_near(const FloatLayer &layer) {
    return larger(most_pixels, near_numbers / layer.in_channels);
}

// Rows of the source that are kept, with margins of zeros.
inline int kept_rows(const FloatLayer &layer) { return layer.dilation * (layer.kernel - 1) + 1; }

inline long row_size(const FloatLayer &layer, int width) {
    return (static_cast<long>(width) + 2 * layer.padding) * layer.in_channels;
}

int64_t scratch(const FloatLayer *layer, int width) {
    if (is_product(*layer)) return static_cast<int64_t>(pixels_near(*layer)) * layer->in_channels;
    // A row of zeros beside those that are kept.
    return (kept_rows(*layer) + 1) * row_size(*layer, width);
}

inline const float *as_floats(const float *source, long, float *) { return source; }

inline const float *as_floats(const uint16_t *source, long count, float *floats) {
    long i = 0;
    for (; i + lanes <= count; i += lanes) store(load(source + i), floats + i);
    for (; i < count; i++) floats[i] = value(BFloat16{source[i]});
    return floats;
}

template <typename Element>
void multiply(
    const FloatLayer &layer, const Element *source, long count, Element *target,
    long target_stride, float *scratch) {
    const Runs runs = {1, 1, layer.in_channels, 0, layer.in_channels};
    const int step = pixels_near(layer);
    for (long first = 0; first < count; first += step) {
        const int pixels = static_cast<int>(count - first < step ? count - first : step);
        const float *const row = as_floats(
            source + first * layer.in_channels, static_cast<long>(pixels) * layer.in_channels, scratch);
        convolve_row(layer, runs, &row, pixels, target + first * target_stride, target_stride);
    }
}

template <typename Element>
void convolve(
    const FloatLayer *given, const void *source, int height, int width, void *target,
    long target_stride, float *scratch) {
    const FloatLayer &layer = *given;
    const Element *const image = static_cast<const Element *>(source);
    Element *const results = static_cast<Element *>(target);
    if (is_product(layer)) {
        multiply(
            layer, image, static_cast<long>(height) * width, results, target_stride, scratch);
        return;
    }
    const int in = layer.in_channels, kept = kept_rows(layer);
    const long size = row_size(layer, width), row = static_cast<long>(width) * in;
    memset(scratch, 0, (kept + 1) * size * sizeof(float));
    const float *const zeros = scratch + kept * size;
    // Without gaps and groups, the taps of a row lie side by side.
    const bool is_dense = layer.dilation == 1 && layer.groups == 1;
    const Runs runs = {
        layer.kernel, is_dense ? 1 : layer.kernel, is_dense ? layer.kernel * in : group_in(layer),
        static_cast<long>(layer.dilation) * in, static_cast<long>(layer.stride) * in};
    const int rows_of_results = float_result_size(given, height);
    const int width_of_results = float_result_size(given, width);
    int taken = 0;  // rows of the source
    for (int y = 0; y < rows_of_results; y++) {
        const int top = y * layer.stride - layer.padding;
        const int end = smaller(top + kept, height);
        for (taken = larger(taken, larger(top, 0)); taken < end; taken++) {
            float *const place = scratch + taken % kept * size + static_cast<long>(layer.padding) * in;
            const float *const floats = as_floats(image + taken * row, row, place);
            if (floats != place) memcpy(place, floats, row * sizeof(float));
        }
        const float *rows[largest_float_kernel];
        for (int k = 0; k < layer.kernel; k++) {
            const int at = top + k * layer.dilation;
            rows[k] = at < 0 || at >= height ? zeros : scratch + at % kept * size;
        }
        convolve_row(
            layer, runs, rows, width_of_results,
            results + static_cast<long>(y) * width_of_results * target_stride, target_stride);
    }
}

}  // namespace

extern const FloatConvolution FLOAT_CONVOLUTION = {
    packed_count, pack, scratch, {convolve<float>, convolve<uint16_t>}};
