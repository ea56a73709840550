// The Makefile compiles this file once for each instruction set, with VIEW_KERNELS naming the table.

#include "kernels/view_kernels.h"

#include "kernels/sixteen.h"

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace {

// The first `count` of up to 16 numbers; what fills the vector is `rest`.
inline Sixteen load_some(const float *source, int count, float rest) {
    Sixteen result = rest - (Sixteen){};
#ifdef __AVX512F__
    const __mmask16 mask = static_cast<__mmask16>(count >= 16 ? 0xffff : (1 << count) - 1);
    result = (Sixteen)_mm512_mask_loadu_ps((__m512)result, mask, source);
#else
    memcpy(&result, source, (count < 16 ? count : 16) * sizeof(float));
#endif
    return result;
}

// Half-precision (fp16) numbers from 0 to 65504; zeros fill the vector.
inline Sixteen load_some(const uint16_t *source, int count) {
#ifdef __AVX512F__
    const __mmask16 mask = static_cast<__mmask16>(count >= 16 ? 0xffff : (1 << count) - 1);
    return (Sixteen)_mm512_maskz_cvtph_ps(mask, _mm256_maskz_loadu_epi16(mask, source));
#else
    alignas(32) uint16_t fp16[16] = {};
    memcpy(fp16, source, (count < 16 ? count : 16) * sizeof(uint16_t));
    alignas(64) float numbers[16];
#ifdef __F16C__
    for (int i = 0; i < 16; i += 8) {
        _mm256_store_ps(
            numbers + i,
            _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i *>(fp16 + i))));
    }
#else
    // The same bits with the larger bias of single precision's exponents.
    for (int i = 0; i < 16; i++) {
        const uint32_t bits = static_cast<uint32_t>(fp16[i]) << 13;
        float small;
        memcpy(&small, &bits, sizeof small);
        numbers[i] = small * 0x1p112f;
    }
#endif
    Sixteen result;
    memcpy(&result, numbers, sizeof result);
    return result;
#endif
}

inline void store_some(Sixteen value, int count, uint16_t *target) {
#ifdef __AVX512F__
    const __mmask16 mask = static_cast<__mmask16>(count >= 16 ? 0xffff : (1 << count) - 1);
    _mm256_mask_storeu_epi16(
        target, mask,
        _mm512_maskz_cvtps_ph(mask, (__m512)value, _MM_FROUND_TO_NEAREST_INT));
#else
    alignas(64) float numbers[16];
    memcpy(numbers, &value, sizeof numbers);
    alignas(32) uint16_t fp16[16];
#ifdef __F16C__
    for (int i = 0; i < 16; i += 8) {
        _mm_store_si128(
            reinterpret_cast<__m128i *>(fp16 + i),
            _mm256_cvtps_ph(_mm256_load_ps(numbers + i), _MM_FROUND_TO_NEAREST_INT));
    }
#else
    for (int i = 0; i < 16; i++) {
        const float small = numbers[i] * 0x1p-112f;
        uint32_t bits;
        memcpy(&bits, &small, sizeof bits);
        fp16[i] = static_cast<uint16_t>((bits + 0xfff + ((bits >> 13) & 1)) >> 13);
    }
#endif
    memcpy(target, fp16, (count < 16 ? count : 16) * sizeof(uint16_t));
#endif
}

inline int smaller_of(int a, int b) { return a < b ? a : b; }

inline Sixteen greater(Sixteen a, Sixteen b) { return a > b ? a : b; }

inline float largest(Sixteen numbers) {
    numbers = greater(
        numbers, __builtin_shuffle(
                     numbers, (Integers){8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7}));
    numbers = greater(
        numbers, __builtin_shuffle(
                     numbers, (Integers){4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11}));
    const float a = numbers[0] > numbers[1] ? numbers[0] : numbers[1];
    const float b = numbers[2] > numbers[3] ? numbers[2] : numbers[3];
    return a > b ? a : b;
}

// Where a number is first among the first `count`, and 0 where it is not: what is no number equals
// nothing, and what fills the last vector is largest where all else is minus infinity.
template <int vectors>
inline uint8_t first_of(const Sixteen (&numbers)[vectors], float wanted, int count) {
    for (int v = 0; v < vectors; v++) {
#ifdef __AVX512F__
        const unsigned found = _mm512_cmpeq_ps_mask((__m512)numbers[v], _mm512_set1_ps(wanted));
        if (found != 0) {
            const int place = v * 16 + __builtin_ctz(found);
            return static_cast<uint8_t>(place < count ? place : 0);
        }
#else
        for (int k = 0; k < 16; k++) {
            const int place = v * 16 + k;
            if (numbers[v][k] == wanted) return static_cast<uint8_t>(place < count ? place : 0);
        }
#endif
    }
    return 0;
}

// As exponential(), for 16 numbers that are not positive; below -80 it is 0.
inline Sixteen exponential_of_negative(Sixteen x) {
    const Sixteen bounded = greater(x, -80 - (Sixteen){});
    const Integers n = __builtin_convertvector(bounded * 1.44269504088896341f - 0.5f, Integers);
    const Sixteen whole = __builtin_convertvector(n, Sixteen);
    const Sixteen r = bounded - whole * 0.693359375f - whole * -2.12194440e-4f;
    Sixteen p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    const Sixteen value = p * (Sixteen)((n + 127) << 23);
    return x < -80 ? (Sixteen){} : value;
}

// The numbers at 16 positions.
template <int vectors>
inline Sixteen chosen(const Sixteen (&numbers)[vectors], const int32_t *positions) {
    Integers at;
    memcpy(&at, positions, sizeof at);
    if constexpr (vectors == 1) return __builtin_shuffle(numbers[0], at);
    if constexpr (vectors == 2) return __builtin_shuffle(numbers[0], numbers[1], at);
    Sixteen result = {};
    for (int k = 0; k < 16; k++) result[k] = numbers[at[k] / 16][at[k] % 16];
    return result;
}

template <int vectors>
void accumulate_pixels(
    const float *logits, long logits_step, int outputs, int count,
    const int32_t *output_of_class, int classes, float weight, uint16_t *sums,
    const int32_t *places, uint8_t *labels, long voxel, long voxel_step) {
    for (int x = 0; x < count; x++, voxel += voxel_step) {
        const long place = places == nullptr ? voxel : places[voxel];
        if (place < 0) {
            if (labels != nullptr) labels[voxel] = 0;
            continue;
        }
        const float *const given = logits + x * logits_step;
        Sixteen numbers[vectors];
        // What fills the last vector is never the argmax and has no probability.
        for (int v = 0; v < vectors; v++) {
            const int left = outputs - v * 16;
            numbers[v] = load_some(given + v * 16, left > 0 ? left : 0, -1e30f);
        }
        Sixteen most = numbers[0];
        for (int v = 1; v < vectors; v++) most = greater(most, numbers[v]);
        const float top = largest(most);
        if (labels != nullptr) labels[voxel] = first_of(numbers, top, outputs);
        if (sums == nullptr) continue;
        Sixteen parts[vectors];
        Sixteen total = {};
        for (int v = 0; v < vectors; v++) {
            parts[v] = exponential_of_negative(numbers[v] - top);
            total += parts[v];
        }
        const float factor = weight / sum_of(total);
        uint16_t *const own = sums + place * classes;
        for (int c = 0; c < classes; c += 16) {
            const int left = classes - c;
            const Sixteen part = chosen(parts, output_of_class + c);
            store_some(load_some(own + c, left) + part * factor, left, own + c);
        }
    }
}

// With no more vectors than the outputs fill.
void accumulate(
    const float *logits, long logits_step, int outputs, int count,
    const int32_t *output_of_class, int classes, float weight, uint16_t *sums,
    const int32_t *places, uint8_t *labels, long voxel, long voxel_step) {
    const auto pixels = outputs <= 16 ? accumulate_pixels<1>
        : outputs <= 32               ? accumulate_pixels<2>
        : outputs <= 64               ? accumulate_pixels<4>
                                      : accumulate_pixels<16>;
    pixels(
        logits, logits_step, outputs, count, output_of_class, classes, weight, sums, places, labels,
        voxel, voxel_step);
}

template <int vectors>
void argmax_voxels(const uint16_t *sums, int classes, long count, uint8_t *labels) {
    for (long i = 0; i < count; i++) {
        Sixteen totals[vectors];
        Sixteen most = {};
        for (int v = 0; v < vectors; v++) {
            const int left = classes - v * 16;
            totals[v] = load_some(sums + i * classes + v * 16, left > 0 ? left : 0);
            most = greater(most, totals[v]);
        }
        labels[i] = first_of(totals, largest(most), classes);
    }
}

void argmax(const uint16_t *sums, int classes, long count, uint8_t *labels) {
    const auto voxels = classes <= 16 ? argmax_voxels<1>
        : classes <= 32               ? argmax_voxels<2>
        : classes <= 64               ? argmax_voxels<4>
                                      : argmax_voxels<16>;
    voxels(sums, classes, count, labels);
}

void average(uint16_t *sums, const uint16_t *other, const int32_t *class_of_other, int classes) {
    for (int c = 0; c < classes; c += 16) {
        const int left = smaller_of(16, classes - c);
        uint16_t chosen_sums[16] = {};
        for (int k = 0; k < left; k++) chosen_sums[k] = other[class_of_other[c + k]];
        store_some(
            (load_some(sums + c, left) + load_some(chosen_sums, left)) * 0.5f, left, sums + c);
    }
}

}  // namespace

extern const ViewKernels VIEW_KERNELS = {accumulate, argmax, average};
