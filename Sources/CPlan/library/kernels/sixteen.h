// Vectors of 16 numbers, which the compiler takes apart where the instruction set has shorter ones. Nothing
// here may come from a C++ library header; see simd.h.

#ifndef SIXTEEN_H
#define SIXTEEN_H

#include "kernels/bfloat16.h"

#include <stdint.h>
#include <string.h>

namespace {

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

}  // namespace

#endif
