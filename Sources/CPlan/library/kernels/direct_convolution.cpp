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

// Where the processor sums products of bytes, input channels lie four by four and pixels are the bytes that
// they are; else they lie two by two, and pixels are 16-bit integers less what stands for 0.
#ifdef __AVX512VNNI__
typedef uint8_t Pixel;
typedef int8_t Weight;
constexpr int channels_of_product = 4;
#else
typedef int16_t Pixel;
typedef int16_t Weight;
constexpr int channels_of_product = 2;
#endif

inline int depth_of(int in) {
    return (in + channels_of_product - 1) / channels_of_product * channels_of_product;
}

// MARK: Weights

int64_t packed_count(int kernel, int in, int out) {
    const int64_t weights = static_cast<int64_t>(kernel) * kernel * depth_of(in) * direct_padded(out);
    return weights * static_cast<int64_t>(sizeof(Weight));
}

// To [blocks of output channels][kernel][kernel][groups of input channels][channels of the block][group].
void pack(const int8_t *weights, int kernel, int in, int out, int zero, void *target, int32_t *starts) {
    Weight *packed = static_cast<Weight *>(target);
    for (int o = 0; o < direct_padded(out); o++) {
        int32_t sum = 0;
        for (long k = 0; o < out && k < static_cast<long>(in) * kernel * kernel; k++) {
            sum += weights[static_cast<long>(o) * in * kernel * kernel + k];
        }
        // Of pixels as they are, all products have `zero` too many of the weight.
        starts[o] = channels_of_product == 4 ? -zero * sum : 0;
    }
    const int all = direct_padded(out), taps = kernel * kernel;
    for (int first = 0; first < all; first += vectors_of_block * lanes) {
        const int width = block_width(all - first);
        for (int tap = 0; tap < taps; tap++) {
            for (int i = 0; i < depth_of(in); i += channels_of_product) {
                for (int o = first; o < first + width; o++) {
                    for (int part = 0; part < channels_of_product; part++) {
                        const bool is_real = o < out && i + part < in;
                        *packed++ = is_real
                            ? weights[(static_cast<long>(o) * in + i + part) * taps + tap]
                            : Weight{0};
                    }
                }
            }
        }
    }
}

// MARK: Products

// Adds the products of some channels' integers with each output channel's weights for them.
inline Sums sum_of(Sums sum, Sums weights, const Pixel *values) {
#if defined(__x86_64__)
    int both;
    memcpy(&both, values, sizeof both);
#endif
#if defined(__AVX512VNNI__)
    return (Sums)_mm512_dpbusd_epi32(
        (__m512i)sum, _mm512_set1_epi32(both), (__m512i)weights);
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
    const DirectLayer &layer, const Pixel *const *rows, int depth, const Weight *weights,
    int first, int count, Result *target, long target_stride) {
    Sums sums[pixels][vectors];
    for (int v = 0; v < vectors; v++) {
        Sums start;
        memcpy(&start, layer.starts + first + v * lanes, sizeof start);
        for (int p = 0; p < pixels; p++) sums[p][v] = start;
    }
    const int taps = layer.kernel * depth;
    for (int y = 0; y < layer.kernel; y++) {
        // Neighbouring pixels lie side by side, and so do the taps of a row.
        const Pixel *const row = rows[y];
        for (int k = 0; k < taps; k += channels_of_product) {
            Sums factors[vectors];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                memcpy(&factors[v], weights + v * lanes * channels_of_product, sizeof factors[v]);
            }
#pragma GCC unroll 16
            for (int p = 0; p < pixels; p++) {
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) {
                    sums[p][v] = sum_of(sums[p][v], factors[v], row + p * depth + k);
                }
            }
            weights += vectors * lanes * channels_of_product;
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

// Rows of the source that are kept, each with a margin of what stands for 0 on both sides and what the last block of
// pixels reads beyond.
inline long row_size(const DirectLayer &layer, int width) {
    return (static_cast<long>(width) + layer.kernel - 1 + pixels_of_block) *
        depth_of(layer.in_channels);
}

int64_t scratch(const DirectLayer *layer, int width) {
    return layer->kernel * row_size(*layer, width) * static_cast<int64_t>(sizeof(Pixel));
}

// What stands for 0 in a row that is kept.
inline int zero_of_row(const DirectLayer &layer) { return channels_of_product == 4 ? layer.zero : 0; }

void clear_row(const DirectLayer &layer, long size, Pixel *row) {
    for (long i = 0; i < size; i++) row[i] = static_cast<Pixel>(zero_of_row(layer));
}

void take_row(const DirectLayer &layer, const uint8_t *source, int width, Pixel *row) {
    const int in = layer.in_channels, depth = depth_of(in);
    const int difference = layer.zero - zero_of_row(layer);
    row += layer.kernel / 2 * depth;
    if (depth == in) {
        for (long i = 0; i < static_cast<long>(width) * in; i++) {
            row[i] = static_cast<Pixel>(source[i] - difference);
        }
        return;
    }
    for (int x = 0; x < width; x++) {
        for (int c = 0; c < in; c++) {
            row[static_cast<long>(x) * depth + c] =
                static_cast<Pixel>(source[static_cast<long>(x) * in + c] - difference);
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
    Pixel *const kept = static_cast<Pixel *>(scratch);
    clear_row(layer, kernel * size, kept);
    const Pixel *rows[largest_direct_kernel];
    for (int y = -margin; y < height; y++) {
        // Row y + margin takes the place of the one that no later row needs.
        Pixel *const newest = kept + (y + 2 * margin) % kernel * size;
        if (y + margin < height) {
            take_row(
                layer, source + static_cast<long>(y + margin) * width * layer.in_channels, width,
                newest);
        } else {
            clear_row(layer, size, newest);
        }
        if (y < 0) continue;
        for (int k = 0; k < kernel; k++) rows[k] = kept + (y + k) % kernel * size;
        // A row above the image is one that has not been taken yet, and stands for zeros still.
        const Weight *weights = static_cast<const Weight *>(layer.weights);
        for (int first = 0; first < all; first += vectors_of_block * lanes) {
            const int block = block_width(all - first);
            for (int x = 0; x < width; x += pixels_of_block) {
                const Pixel *starts[largest_direct_kernel];
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
