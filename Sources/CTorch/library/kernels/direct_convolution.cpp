// The Makefile compiles this file once for each instruction set, with DIRECT_CONVOLUTION naming the
// table.

#include "kernels/direct_convolution.h"

#include "kernels/simd.h"

namespace {

typedef int32_t Sums __attribute__((vector_size(lanes * 4)));

// Pixels whose sums stay in registers at once.
#if defined(__AVX512F__)
constexpr int pixels_of_block = 6;
#else
constexpr int pixels_of_block = 4;
#endif

// Input channels lie two by two.
inline int depth_of(int in) { return (in + 1) / 2 * 2; }

// MARK: Weights

int64_t packed_count(int kernel, int in, int out) {
    return static_cast<int64_t>(kernel) * kernel * depth_of(in) * direct_padded(out);
}

// To [blocks of output channels][kernel][kernel][pairs of input channels][channels of the block][2].
void pack(const int8_t *weights, int kernel, int in, int out, int16_t *packed) {
    const int all = direct_padded(out), taps = kernel * kernel;
    for (int first = 0; first < all; first += vectors_of_block * lanes) {
        const int width = block_width(all - first);
        for (int tap = 0; tap < taps; tap++) {
            for (int i = 0; i < depth_of(in); i += 2) {
                for (int o = first; o < first + width; o++) {
                    for (int half = 0; half < 2; half++) {
                        const bool is_real = o < out && i + half < in;
                        *packed++ = is_real
                            ? weights[(static_cast<long>(o) * in + i + half) * taps + tap]
                            : int16_t{0};
                    }
                }
            }
        }
    }
}

// MARK: Products

// Adds the products of two channels' integers with each output channel's two weights.
inline Sums sum_of(Sums sum, Sums weights, const int16_t *values) {
#if defined(__x86_64__)
    int both;
    memcpy(&both, values, sizeof both);
#endif
#if defined(__AVX512VNNI__)
    return (Sums)_mm512_dpwssd_epi32(
        (__m512i)sum, (__m512i)weights, _mm512_set1_epi32(both));
#elif defined(__AVX512BW__)
    return sum + (Sums)_mm512_madd_epi16((__m512i)weights, _mm512_set1_epi32(both));
#elif defined(__AVX2__)
    return sum + (Sums)_mm256_madd_epi16((__m256i)weights, _mm256_set1_epi32(both));
#elif defined(__x86_64__)
    return sum + (Sums)_mm_madd_epi16((__m128i)weights, _mm_set1_epi32(both));
#else
    return sum + (weights << 16 >> 16) * values[0] + (weights >> 16) * values[1];
#endif
}

inline void put(Vector value, const DirectLayer &, float *target) { store(value, target); }
inline void put(Vector value, const DirectLayer &, uint16_t *target) { store(value, target); }

inline void put(Vector value, const DirectLayer &layer, uint8_t *target) {
    value = value * layer.result_factor + layer.result_zero;
    value = value > 0 ? value : Vector{};
    value = value < 255 ? value : Vector{} + 255;
    for (int lane = 0; lane < lanes; lane++) {
        target[lane] = static_cast<uint8_t>(__builtin_rintf(value[lane]));
    }
}

// The results of `pixels` pixels for `vectors` vectors of output channels from `first` on, of which
// `count` pixels are written. `rows` are those of the source under the kernel.
template <int pixels, int vectors, typename Result>
inline void convolve_block(
    const DirectLayer &layer, const int16_t *const *rows, int depth, const int16_t *weights,
    int first, int count, Result *target, long target_stride) {
    Sums sums[pixels][vectors] = {};
    const int taps = layer.kernel * depth;
    for (int y = 0; y < layer.kernel; y++) {
        // Neighbouring pixels lie side by side, and so do the taps of a row.
        const int16_t *const row = rows[y];
        for (int k = 0; k < taps; k += 2) {
            Sums factors[vectors];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                memcpy(&factors[v], weights + v * lanes * 2, sizeof factors[v]);
            }
#pragma GCC unroll 16
            for (int p = 0; p < pixels; p++) {
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) {
                    sums[p][v] = sum_of(sums[p][v], factors[v], row + p * depth + k);
                }
            }
            weights += vectors * lanes * 2;
        }
    }
    for (int v = 0; v < vectors; v++) {
        const int channel = first + v * lanes;
        const Vector factor = load(layer.factors + channel), bias = load(layer.bias + channel);
        const int channels = smaller(lanes, layer.out_channels - channel);
        if (channels <= 0) return;
        for (int p = 0; p < count; p++) {
            const Vector value = __builtin_convertvector(sums[p][v], Vector) * factor + bias;
            const Vector lower = value * layer.slope;
            const Vector result = value < 0 ? lower : value;
            Result *const place = target + p * target_stride + channel;
            if (channels == lanes) {
                put(result, layer, place);
            } else {
                Result some[lanes];
                put(result, layer, some);
                memcpy(place, some, channels * sizeof(Result));
            }
        }
    }
}

// MARK: Images

// Rows of the source that are kept, each with a margin of zeros on both sides and what the last block of
// pixels reads beyond.
inline long row_size(const DirectLayer &layer, int width) {
    return (static_cast<long>(width) + layer.kernel - 1 + pixels_of_block) *
        depth_of(layer.in_channels);
}

int64_t scratch(const DirectLayer *layer, int width) {
    return layer->kernel * row_size(*layer, width) * static_cast<int64_t>(sizeof(int16_t));
}

// Less what stands for 0, so that what lies outside of the image is 0.
void take_row(const DirectLayer &layer, const uint8_t *source, int width, int16_t *row) {
    const int in = layer.in_channels, depth = depth_of(in);
    row += layer.kernel / 2 * depth;
    for (int x = 0; x < width; x++) {
        for (int c = 0; c < in; c++) {
            row[static_cast<long>(x) * depth + c] =
                static_cast<int16_t>(source[static_cast<long>(x) * in + c] - layer.zero);
        }
    }
}

template <typename Result>
void convolve(
    const DirectLayer *given, const uint8_t *source, int height, int width, void *target,
    long target_stride, void *scratch) {
    const DirectLayer &layer = *given;
    const int kernel = layer.kernel, margin = kernel / 2, depth = depth_of(layer.in_channels);
    const int all = direct_padded(layer.out_channels);
    const long size = row_size(layer, width);
    int16_t *const kept = static_cast<int16_t *>(scratch);
    memset(kept, 0, kernel * size * sizeof(int16_t));
    const int16_t *rows[largest_direct_kernel];
    for (int y = -margin; y < height; y++) {
        // Row y + margin takes the place of the one that no later row needs.
        int16_t *const newest = kept + (y + 2 * margin) % kernel * size;
        if (y + margin < height) {
            take_row(
                layer, source + static_cast<long>(y + margin) * width * layer.in_channels, width,
                newest);
        } else {
            memset(newest, 0, size * sizeof(int16_t));
        }
        if (y < 0) continue;
        for (int k = 0; k < kernel; k++) rows[k] = kept + (y + k) % kernel * size;
        // A row above the image is one that has not been taken yet, and still zeros.
        const int16_t *weights = layer.weights;
        for (int first = 0; first < all; first += vectors_of_block * lanes) {
            const int block = block_width(all - first);
            for (int x = 0; x < width; x += pixels_of_block) {
                const int16_t *starts[largest_direct_kernel];
                for (int k = 0; k < kernel; k++) starts[k] = rows[k] + static_cast<long>(x) * depth;
                Result *const results = static_cast<Result *>(target) +
                    (static_cast<long>(y) * width + x) * target_stride;
                const int count = smaller(pixels_of_block, width - x);
                switch (block / lanes) {
#if defined(__AVX512F__)
                case 4:
                    convolve_block<pixels_of_block, 4>(
                        layer, starts, depth, weights, first, count, results, target_stride);
                    break;
                case 3:
                    convolve_block<pixels_of_block, 3>(
                        layer, starts, depth, weights, first, count, results, target_stride);
                    break;
                case 1:
                    convolve_block<pixels_of_block, 1>(
                        layer, starts, depth, weights, first, count, results, target_stride);
                    break;
#endif
                default:
                    convolve_block<pixels_of_block, 2>(
                        layer, starts, depth, weights, first, count, results, target_stride);
                }
            }
            weights += static_cast<long>(kernel) * kernel * depth * block;
        }
    }
}

}  // namespace

extern const DirectKernels DIRECT_CONVOLUTION = {
    packed_count, pack, scratch, {convolve<float>, convolve<uint16_t>, convolve<uint8_t>}};
