// The loops of plan_kernels.h. The Makefile compiles this file once for each instruction set, with
// PLAN_KERNELS naming the table; the compiler makes vectors of them.
//
// Nothing here may come from a C++ library header: a template that this file instantiates for
// AVX-512 could be the copy that the linker keeps for everyone.

#include "plan_kernels.h"

#include <string.h>

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace {

// The upper half of a single-precision number.
struct BFloat16 {
    uint16_t bits;
};

inline float value(float x) { return x; }

inline float value(BFloat16 x) {
    const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

inline void put(float *target, float x) { *target = x; }

// Rounds to the nearest, of two equally near to the even one.
inline void put(BFloat16 *target, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    target->bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

typedef float Sixteen __attribute__((vector_size(64), aligned(4)));
typedef int32_t Integers __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

inline Sixteen sixteen(const float *source) {
    Sixteen result;
    memcpy(&result, source, sizeof result);
    return result;
}

inline Sixteen sixteen(const BFloat16 *source) {
    Halves halves;
    memcpy(&halves, source, sizeof halves);
    return (Sixteen)(__builtin_convertvector(halves, Integers) << 16);
}

inline float sum_of(Sixteen numbers) {
    numbers += __builtin_shuffle(
        numbers, (Integers){8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7});
    numbers += __builtin_shuffle(
        numbers, (Integers){4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11});
    return numbers[0] + numbers[1] + (numbers[2] + numbers[3]);
}

// e to the power of x for |x| <= 87, to two units in the last place: 2^n times a polynomial
// (Cephes' expf).
inline float exponential(float x) {
    const float n = __builtin_floorf(x * 1.44269504088896341f + 0.5f);
    const float r = x - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

inline float logistic(float x) {
    x = x < -80 ? -80 : x > 80 ? 80 : x;
    return 1 / (1 + exponential(-x));
}

template <typename T>
void input(
    const float *planes, long plane, int channels, int width, int padded, void *target,
    long stride) {
    T *out = static_cast<T *>(target);
    for (int c = 0; c < channels; c++) {
        for (int x = 0; x < width; x++) put(out + x * stride + c, planes[c * plane + x]);
        for (int x = width; x < padded; x++) put(out + x * stride + c, 0);
    }
}

inline float activated(float x, float slope) { return x < 0 ? x * slope : x; }

template <typename T>
void join(
    const PlanSource *sources, int count, int odd, int width, const float *scale,
    const float *shift, float slope, void *target, long stride) {
    int first = 0;
    for (int s = 0; s < count; s++) {
        const PlanSource source = sources[s];
        const T *from = static_cast<const T *>(source.row);
        T *__restrict out = static_cast<T *>(target) + first;
        const int channels = source.channels;
        const float *a = scale == nullptr ? nullptr : scale + first;
        const float *b = scale == nullptr ? nullptr : shift + first;
        for (int x = 0; x < width; x++) {
            T *__restrict pixel = out + x * stride;
            if (source.indices == nullptr) {
                const T *in = from + x * source.stride;
                if (scale == nullptr && slope == 1) {
                    memcpy(pixel, in, channels * sizeof(T));
                } else if (scale == nullptr) {
                    for (int c = 0; c < channels; c++) put(pixel + c, activated(value(in[c]), slope));
                } else {
                    for (int c = 0; c < channels; c++) {
                        put(pixel + c, activated(value(in[c]) * a[c] + b[c], slope));
                    }
                }
            } else {
                const T *in = from + (x >> 1) * source.stride;
                const uint8_t *index = source.indices + (x >> 1) * channels;
                const uint8_t here = static_cast<uint8_t>(2 * odd + (x & 1));
                if (scale == nullptr) {
                    for (int c = 0; c < channels; c++) {
                        const float v = value(in[c]);
                        put(pixel + c, activated(index[c] == here ? v : 0, slope));
                    }
                } else {
                    for (int c = 0; c < channels; c++) {
                        const float v = value(in[c]);
                        const float kept = index[c] == here ? v : 0;
                        put(pixel + c, activated(kept * a[c] + b[c], slope));
                    }
                }
            }
        }
        first += channels;
    }
}

template <typename T>
void quantize(const void *source, long count, float factor, int zero, uint8_t *target) {
    const auto *from = static_cast<const T *>(source);
    // Added to a small number this leaves the rounded number in the lower bits.
    constexpr float magic = 12582912;  // 1.5 x 2^23
    const float start = static_cast<float>(zero);
    long i = 0;
    for (; i + 16 <= count; i += 16) {
        Sixteen x = sixteen(from + i) * factor + start;
        x = x < 0.0F ? Sixteen{} : x;
        x = x > 255.0F ? Sixteen{} + 255.0F : x;
        const Bytes bytes = __builtin_convertvector((Integers)(x + magic), Bytes);
        memcpy(target + i, &bytes, sizeof bytes);
    }
    for (; i < count; i++) {
        float x = value(from[i]) * factor + start;
        x = x < 0 ? 0 : x > 255 ? 255 : x;
        target[i] = static_cast<uint8_t>(__builtin_rintf(x));
    }
}

template <typename T>
void pool(
    const void *upper, const void *lower, long stride, int channels, int width, void *target,
    long target_stride, uint8_t *indices) {
    for (int x = 0; x < width; x++) {
        const T *__restrict a = static_cast<const T *>(upper) + 2 * x * stride;
        const T *__restrict b = a + stride;
        const T *__restrict c = static_cast<const T *>(lower) + 2 * x * stride;
        const T *__restrict d = c + stride;
        T *__restrict out = static_cast<T *>(target) + x * target_stride;
        if (indices == nullptr) {
            for (int i = 0; i < channels; i++) {
                float best = value(a[i]);
                best = value(b[i]) > best ? value(b[i]) : best;
                best = value(c[i]) > best ? value(c[i]) : best;
                best = value(d[i]) > best ? value(d[i]) : best;
                put(out + i, best);
            }
        } else {
            uint8_t *__restrict index = indices + x * channels;
            int i = 0;
            for (; i + 16 <= channels; i += 16) {
                Sixteen best = sixteen(a + i);
                Integers where = {};
                const T *const others[3] = {b, c, d};
                for (int k = 0; k < 3; k++) {
                    const Sixteen other = sixteen(others[k] + i);
                    where = other > best ? k + 1 - (Integers){} : where;
                    best = other > best ? other : best;
                }
                for (int k = 0; k < 16; k++) put(out + i + k, best[k]);
                const Bytes bytes = __builtin_convertvector(where, Bytes);
                memcpy(index + i, &bytes, sizeof bytes);
            }
            for (; i < channels; i++) {
                float best = value(a[i]);
                uint32_t where = 0;
                where = value(b[i]) > best ? 1 : where;
                best = value(b[i]) > best ? value(b[i]) : best;
                where = value(c[i]) > best ? 2 : where;
                best = value(c[i]) > best ? value(c[i]) : best;
                where = value(d[i]) > best ? 3 : where;
                best = value(d[i]) > best ? value(d[i]) : best;
                put(out + i, best);
                index[i] = static_cast<uint8_t>(where);
            }
        }
    }
}

template <typename T>
void interpolate(
    const void *first, const void *second, float fraction, long stride, int channels, int width,
    float *blend, void *target, long target_stride) {
    const float other = 1 - fraction;
    for (int x = 0; x < width; x++) {
        const T *__restrict a = static_cast<const T *>(first) + x * stride;
        const T *__restrict b = static_cast<const T *>(second) + x * stride;
        float *__restrict out = blend + x * channels;
        for (int c = 0; c < channels; c++) out[c] = other * value(a[c]) + fraction * value(b[c]);
    }
    for (int x = 0; x < width; x++) {
        const float *__restrict here = blend + x * channels;
        const float *__restrict left = blend + (x > 0 ? x - 1 : 0) * channels;
        const float *__restrict right = blend + (x + 1 < width ? x + 1 : x) * channels;
        T *__restrict even = static_cast<T *>(target) + 2 * x * target_stride;
        T *__restrict uneven = even + target_stride;
        for (int c = 0; c < channels; c++) put(even + c, 0.25f * left[c] + 0.75f * here[c]);
        for (int c = 0; c < channels; c++) put(uneven + c, 0.75f * here[c] + 0.25f * right[c]);
    }
}

template <typename T>
void repeat(
    const void *source, long stride, int channels, int width, void *target, long target_stride) {
    for (int x = 0; x < 2 * width; x++) {
        memcpy(
            static_cast<T *>(target) + x * target_stride,
            static_cast<const T *>(source) + (x >> 1) * stride, channels * sizeof(T));
    }
}

template <typename T>
void spread(
    const void *source, long stride, int channels, int width, int odd, void *target,
    long target_stride) {
    for (int x = 0; x < 2 * width; x++) {
        memcpy(
            static_cast<T *>(target) + x * target_stride,
            static_cast<const T *>(source) + (x >> 1) * stride + (2 * odd + (x & 1)) * channels,
            channels * sizeof(T));
    }
}

// `PIXELS` pixels at a time, so that sums and weights are seldom fetched.
template <typename T, int PIXELS>
inline void squeeze_block(
    const T *source, long stride, int channels, float *sums, const float *weights, float *gates) {
    Sixteen dots[PIXELS] = {};
    float rests[PIXELS] = {};
    int c = 0;
    for (; c + 16 <= channels; c += 16) {
        Sixteen values[PIXELS];
        for (int p = 0; p < PIXELS; p++) values[p] = sixteen(source + p * stride + c);
        if (sums != nullptr) {
            Sixteen total = sixteen(sums + c);
            for (int p = 0; p < PIXELS; p++) total += values[p];
            memcpy(sums + c, &total, sizeof total);
        }
        if (gates != nullptr) {
            const Sixteen w = sixteen(weights + c);
            for (int p = 0; p < PIXELS; p++) dots[p] += values[p] * w;
        }
    }
    for (; c < channels; c++) {
        for (int p = 0; p < PIXELS; p++) {
            const float v = value(source[p * stride + c]);
            if (sums != nullptr) sums[c] += v;
            if (gates != nullptr) rests[p] += v * weights[c];
        }
    }
    if (gates == nullptr) return;
    for (int p = 0; p < PIXELS; p++) gates[p] = sum_of(dots[p]) + rests[p];
}

template <typename T>
void squeeze(
    const void *source, long stride, int channels, int width, float *sums, const float *weights,
    float bias, float *gates) {
    const T *from = static_cast<const T *>(source);
    int x = 0;
    for (; x + 4 <= width; x += 4) {
        squeeze_block<T, 4>(
            from + x * stride, stride, channels, sums, weights, gates == nullptr ? gates : gates + x);
    }
    for (; x < width; x++) {
        squeeze_block<T, 1>(
            from + x * stride, stride, channels, sums, weights, gates == nullptr ? gates : gates + x);
    }
    if (gates != nullptr) {
        for (x = 0; x < width; x++) gates[x] = logistic(gates[x] + bias);
    }
}

template <typename T, typename Combine>
inline void excite_each(
    const void *source, long stride, int channels, int width, const float *scale,
    const float *shift, void *target, long target_stride, Combine combine) {
    for (int x = 0; x < width; x++) {
        const T *__restrict in = static_cast<const T *>(source) + x * stride;
        T *__restrict out = static_cast<T *>(target) + x * target_stride;
        if (scale == nullptr) {
            for (int c = 0; c < channels; c++) put(out + c, combine(value(in[c]), c, x));
        } else {
            for (int c = 0; c < channels; c++) {
                put(out + c, combine(value(in[c]) * scale[c] + shift[c], c, x));
            }
        }
    }
}

template <typename T>
void excite(
    const void *source, long stride, int channels, int width, const float *scale,
    const float *shift, const float *factors, const float *gates, int combination, void *target,
    long target_stride) {
    const auto by_channel = [factors](float v, int c, int) { return v * factors[c]; };
    const auto by_pixel = [gates](float v, int, int x) { return v * gates[x]; };
    if (gates == nullptr) {
        excite_each<T>(
            source, stride, channels, width, scale, shift, target, target_stride, by_channel);
    } else if (factors == nullptr) {
        excite_each<T>(
            source, stride, channels, width, scale, shift, target, target_stride, by_pixel);
    } else if (combination == 0) {
        excite_each<T>(
            source, stride, channels, width, scale, shift, target, target_stride,
            [factors, gates](float v, int c, int x) { return v * (factors[c] + gates[x]); });
    } else if (combination == 1) {
        excite_each<T>(
            source, stride, channels, width, scale, shift, target, target_stride,
            [factors, gates](float v, int c, int x) {
                const float a = v * factors[c];
                const float b = v * gates[x];
                return a > b ? a : b;
            });
    } else if (combination == 2) {
        excite_each<T>(
            source, stride, channels, width, scale, shift, target, target_stride,
            [factors, gates](float v, int c, int x) { return v * factors[c] * (v * gates[x]); });
    } else {
        excite_each<T>(
            source, stride, channels, width, scale, shift, target, target_stride, by_channel);
        excite_each<T>(
            source, stride, channels, width, scale, shift, static_cast<T *>(target) + channels,
            target_stride, by_pixel);
    }
}

// `PIXELS` pixels and 16 * VECTORS classes from `first` on, so that the sums stay in registers.
template <int PIXELS, int VECTORS, typename T>
inline void classify_block(
    const T *source, long stride, int channels, const float *weights, const float *bias, int first,
    int classes, int padded_classes, float *logits) {
    Sixteen sums[PIXELS][VECTORS];
    for (int v = 0; v < VECTORS; v++) {
        for (int p = 0; p < PIXELS; p++) sums[p][v] = sixteen(bias + first + 16 * v);
    }
    for (int c = 0; c < channels; c++) {
        Sixteen w[VECTORS];
        for (int v = 0; v < VECTORS; v++) {
            w[v] = sixteen(weights + static_cast<long>(c) * padded_classes + first + 16 * v);
        }
#pragma GCC unroll 8
        for (int p = 0; p < PIXELS; p++) {
            const float x = value(source[p * stride + c]);
            for (int v = 0; v < VECTORS; v++) sums[p][v] += x * w[v];
        }
    }
    for (int p = 0; p < PIXELS; p++) {
        for (int v = 0; v < VECTORS; v++) {
            const int left = classes - first - 16 * v;
            memcpy(
                logits + static_cast<long>(p) * classes + first + 16 * v, &sums[p][v],
                (left < 16 ? left : 16) * sizeof(float));
        }
    }
}

template <int PIXELS, typename T>
inline void classify_pixels(
    const T *source, long stride, int channels, const float *weights, const float *bias,
    int classes, int padded_classes, float *logits) {
    int first = 0;
    for (; first + 32 <= padded_classes; first += 32) {
        classify_block<PIXELS, 2>(
            source, stride, channels, weights, bias, first, classes, padded_classes, logits);
    }
    if (first < padded_classes) {
        classify_block<PIXELS, 1>(
            source, stride, channels, weights, bias, first, classes, padded_classes, logits);
    }
}

template <typename T>
void classify(
    const void *source, long stride, int channels, int width, const float *weights,
    const float *bias, int classes, int padded_classes, float *logits) {
    const T *from = static_cast<const T *>(source);
    int x = 0;
    for (; x + 8 <= width; x += 8) {
        classify_pixels<8>(
            from + x * stride, stride, channels, weights, bias, classes, padded_classes,
            logits + static_cast<long>(x) * classes);
    }
    for (; x < width; x++) {
        classify_pixels<1>(
            from + x * stride, stride, channels, weights, bias, classes, padded_classes,
            logits + static_cast<long>(x) * classes);
    }
}

// MARK: Votes

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

// Half-precision numbers from 0 to 65504; zeros fill the vector.
inline Sixteen load_some(const uint16_t *source, int count) {
#ifdef __AVX512F__
    const __mmask16 mask = static_cast<__mmask16>(count >= 16 ? 0xffff : (1 << count) - 1);
    return (Sixteen)_mm512_maskz_cvtph_ps(mask, _mm256_maskz_loadu_epi16(mask, source));
#else
    alignas(32) uint16_t halves[16] = {};
    memcpy(halves, source, (count < 16 ? count : 16) * sizeof(uint16_t));
    alignas(64) float numbers[16];
#ifdef __F16C__
    for (int i = 0; i < 16; i += 8) {
        _mm256_store_ps(
            numbers + i,
            _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i *>(halves + i))));
    }
#else
    // The same bits with the larger bias of single precision's exponents.
    for (int i = 0; i < 16; i++) {
        const uint32_t bits = static_cast<uint32_t>(halves[i]) << 13;
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
    alignas(32) uint16_t halves[16];
#ifdef __F16C__
    for (int i = 0; i < 16; i += 8) {
        _mm_store_si128(
            reinterpret_cast<__m128i *>(halves + i),
            _mm256_cvtps_ph(_mm256_load_ps(numbers + i), _MM_FROUND_TO_NEAREST_INT));
    }
#else
    for (int i = 0; i < 16; i++) {
        const float small = numbers[i] * 0x1p-112f;
        uint32_t bits;
        memcpy(&bits, &small, sizeof bits);
        halves[i] = static_cast<uint16_t>((bits + 0xfff + ((bits >> 13) & 1)) >> 13);
    }
#endif
    memcpy(target, halves, (count < 16 ? count : 16) * sizeof(uint16_t));
#endif
}

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

// Where a number is first; it is there.
template <int vectors>
inline uint8_t first_of(const Sixteen (&numbers)[vectors], float wanted) {
    for (int v = 0; v < vectors; v++) {
#ifdef __AVX512F__
        const unsigned found = _mm512_cmpeq_ps_mask((__m512)numbers[v], _mm512_set1_ps(wanted));
        if (found != 0) return static_cast<uint8_t>(v * 16 + __builtin_ctz(found));
#else
        for (int k = 0; k < 16; k++) {
            if (numbers[v][k] == wanted) return static_cast<uint8_t>(v * 16 + k);
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
void vote_pixels(
    const float *logits, long logits_step, int outputs, int count,
    const int32_t *output_of_class, int classes, float weight, uint16_t *sums, long sums_step,
    uint8_t *likeliest, long likeliest_step) {
    for (int x = 0; x < count; x++) {
        const float *const given = logits + x * logits_step;
        Sixteen numbers[vectors];
        // What fills the last vector is never the likeliest and has no probability.
        for (int v = 0; v < vectors; v++) {
            const int left = outputs - v * 16;
            numbers[v] = load_some(given + v * 16, left > 0 ? left : 0, -1e30f);
        }
        Sixteen most = numbers[0];
        for (int v = 1; v < vectors; v++) most = greater(most, numbers[v]);
        const float top = largest(most);
        if (likeliest != nullptr) likeliest[x * likeliest_step] = first_of(numbers, top);
        if (sums == nullptr) continue;
        Sixteen parts[vectors];
        Sixteen total = {};
        for (int v = 0; v < vectors; v++) {
            parts[v] = exponential_of_negative(numbers[v] - top);
            total += parts[v];
        }
        const float factor = weight / sum_of(total);
        uint16_t *const place = sums + x * sums_step;
        for (int c = 0; c < classes; c += 16) {
            const int left = classes - c;
            const Sixteen vote = chosen(parts, output_of_class + c);
            store_some(load_some(place + c, left) + vote * factor, left, place + c);
        }
    }
}

// With no more vectors than the outputs fill.
void vote(
    const float *logits, long logits_step, int outputs, int count,
    const int32_t *output_of_class, int classes, float weight, uint16_t *sums, long sums_step,
    uint8_t *likeliest, long likeliest_step) {
    const auto pixels = outputs <= 16 ? vote_pixels<1>
        : outputs <= 32               ? vote_pixels<2>
        : outputs <= 64               ? vote_pixels<4>
                                      : vote_pixels<16>;
    pixels(
        logits, logits_step, outputs, count, output_of_class, classes, weight, sums, sums_step,
        likeliest, likeliest_step);
}

template <int vectors>
void elect_voxels(const uint16_t *sums, int classes, long count, uint8_t *elected) {
    for (long i = 0; i < count; i++) {
        Sixteen totals[vectors];
        Sixteen most = {};
        for (int v = 0; v < vectors; v++) {
            const int left = classes - v * 16;
            totals[v] = load_some(sums + i * classes + v * 16, left > 0 ? left : 0);
            most = greater(most, totals[v]);
        }
        elected[i] = first_of(totals, largest(most));
    }
}

void elect(const uint16_t *sums, int classes, long count, uint8_t *elected) {
    const auto voxels = classes <= 16 ? elect_voxels<1>
        : classes <= 32               ? elect_voxels<2>
        : classes <= 64               ? elect_voxels<4>
                                      : elect_voxels<16>;
    voxels(sums, classes, count, elected);
}

template <typename T>
constexpr PlanKernels kernels() {
    return {input<T>,  join<T>,   quantize<T>, pool<T>,     interpolate<T>, repeat<T>,
            spread<T>, squeeze<T>, excite<T>,   classify<T>, vote,           elect};
}

}  // namespace

extern "C" __attribute__((visibility("hidden"))) constexpr PlanKernels PLAN_KERNELS[2] = {
    kernels<float>(), kernels<BFloat16>()};
