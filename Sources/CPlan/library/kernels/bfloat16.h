// bfloat16: the upper half of a single-precision number. Nothing here may come from a C++ library header;
// see simd.h.

#ifndef BFLOAT16_H
#define BFLOAT16_H

#include <stdint.h>
#include <string.h>

struct BFloat16 {
    uint16_t bits;
};

namespace {

// The bits of single-precision numbers as bfloat16 has them, rounded to nearest, ties to even; NaN stays
// NaN. Of vectors; words are as wide as the numbers.
template <typename Words, typename Numbers>
inline Words bfloat16_bits(Numbers numbers) {
    const Words words = (Words)numbers;
    const Words rounded = (words + 0x7fff + ((words >> 16) & 1)) >> 16;
    return numbers != numbers ? Words{} + 0x7fc0 : rounded;
}

inline uint16_t bfloat16_bits(float number) {
    uint32_t word;
    memcpy(&word, &number, sizeof word);
    const uint32_t rounded = (word + 0x7fff + ((word >> 16) & 1)) >> 16;
    return static_cast<uint16_t>(number != number ? 0x7fc0 : rounded);
}

inline float value(float number) { return number; }

inline float value(BFloat16 number) {
    const uint32_t word = static_cast<uint32_t>(number.bits) << 16;
    float result;
    memcpy(&result, &word, sizeof result);
    return result;
}

inline void put(float *target, float number) { *target = number; }

inline void put(BFloat16 *target, float number) { target->bits = bfloat16_bits(number); }

}  // namespace

#endif
