// The Makefile compiles this file once for each instruction set, with ROW_KERNELS naming the table; the
// compiler makes vectors of the loops.

#include "kernels/row_kernels.h"

#include "CPlan.h"

#include "kernels/bfloat16.h"
#include "kernels/sixteen.h"

#include <string.h>

namespace {

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
void concatenate(
    const RowSource *sources, int count, int odd, int width, const float *scale,
    const float *shift, float slope, void *target, long stride) {
    int first = 0;
    for (int s = 0; s < count; s++) {
        const RowSource source = sources[s];
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
void upsample_bilinear(
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
void upsample_nearest(
    const void *source, long stride, int channels, int width, void *target, long target_stride) {
    for (int x = 0; x < 2 * width; x++) {
        memcpy(
            static_cast<T *>(target) + x * target_stride,
            static_cast<const T *>(source) + (x >> 1) * stride, channels * sizeof(T));
    }
}

template <typename T>
void depth_to_space(
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

template <typename T>
void add(
    const RowSource *sources, int count, int width, const float *factors, float slope,
    void *target, long stride) {
    const int channels = sources[0].channels;
    for (int x = 0; x < width; x++) {
        T *__restrict out = static_cast<T *>(target) + x * stride;
        const T *in[CPLAN_STEP_SOURCES];
        for (int s = 0; s < count; s++) in[s] = static_cast<const T *>(sources[s].row) + x * sources[s].stride;
        if (count == 2 && factors == nullptr) {
            for (int c = 0; c < channels; c++) {
                put(out + c, activated(value(in[0][c]) + value(in[1][c]), slope));
            }
            continue;
        }
        for (int c = 0; c < channels; c++) {
            float sum = 0;
            for (int s = 0; s < count; s++) {
                sum += value(in[s][c]) * (factors == nullptr ? 1 : factors[s * channels + c]);
            }
            put(out + c, activated(sum, slope));
        }
    }
}

template <typename T>
void pool_windows(
    const void *const *rows, int count, long stride, int channels, int width, int kernel,
    int step, int padding, int pooling, float *numbers, void *target, int target_width,
    long target_stride) {
    for (int x = 0; x < target_width; x++) {
        const int begin = x * step - padding;
        const int first = begin < 0 ? 0 : begin, last = begin + kernel > width ? width : begin + kernel;
        float *__restrict weights = numbers + channels;
        for (int c = 0; c < channels; c++) {
            numbers[c] = pooling == CPLAN_POOL_MAXIMUM ? -__builtin_inff() : 0;
        }
        for (int c = 0; c < channels; c++) weights[c] = 0;
        for (int y = 0; y < count; y++) {
            for (int tap = first; tap < last; tap++) {
                const T *in = static_cast<const T *>(rows[y]) + tap * stride;
                if (pooling == CPLAN_POOL_WEIGHTED) {
                    for (int c = 0; c < channels; c++) {
                        const float v = value(in[c]);
                        const float weight = (v > 0 ? v : 0) + 1e-30F;
                        weights[c] += weight;
                        numbers[c] += v * weight;
                    }
                } else if (pooling == CPLAN_POOL_MEAN) {
                    for (int c = 0; c < channels; c++) numbers[c] += value(in[c]);
                } else {
                    for (int c = 0; c < channels; c++) {
                        const float v = value(in[c]);
                        numbers[c] = v > numbers[c] ? v : numbers[c];
                    }
                }
            }
        }
        const float size = static_cast<float>(count * (last - first));
        T *__restrict out = static_cast<T *>(target) + x * target_stride;
        for (int c = 0; c < channels; c++) {
            const float whole = pooling == CPLAN_POOL_MAXIMUM ? 1
                : pooling == CPLAN_POOL_MEAN                  ? size
                                                              : weights[c];
            put(out + c, numbers[c] / whole);
        }
    }
}

template <typename T>
constexpr RowKernels kernels() {
    return {input<T>,           concatenate<T>,      quantize<T>,       pool<T>,
            upsample_bilinear<T>, upsample_nearest<T>, depth_to_space<T>, squeeze<T>,
            excite<T>,          add<T>,              pool_windows<T>,   classify<T>};
}

}  // namespace

extern const RowKernels ROW_KERNELS[2] = {kernels<float>(), kernels<BFloat16>()};
