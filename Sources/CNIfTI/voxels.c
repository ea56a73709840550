// Stored numbers of every scalar datatype of NIfTI to and from floats and labels.
//
// One loop per datatype, so that the compiler can vectorise it. 128-bit floats are left out: under
// one code, machines store different formats, and nothing in a file tells which.

#include "CNIfTI.h"

#include <math.h>
#include <nifti/nifti1.h>
#include <string.h>

// X(datatype, C type, unsigned type of the same width, swap)
#define SCALARS(X)                                      \
    X(DT_UINT8, uint8_t, uint8_t, keep)                 \
    X(DT_INT8, int8_t, uint8_t, keep)                   \
    X(DT_INT16, int16_t, uint16_t, __builtin_bswap16)   \
    X(DT_UINT16, uint16_t, uint16_t, __builtin_bswap16) \
    X(DT_INT32, int32_t, uint32_t, __builtin_bswap32)   \
    X(DT_UINT32, uint32_t, uint32_t, __builtin_bswap32) \
    X(DT_INT64, int64_t, uint64_t, __builtin_bswap64)   \
    X(DT_UINT64, uint64_t, uint64_t, __builtin_bswap64) \
    X(DT_FLOAT32, float, uint32_t, __builtin_bswap32)   \
    X(DT_FLOAT64, double, uint64_t, __builtin_bswap64)

static inline uint8_t keep(uint8_t bits) { return bits; }

// Declares `number` as the stored number at an index.
#define LOAD(type, bits_type, swap, index)                      \
    bits_type bits;                                             \
    type number;                                                \
    memcpy(&bits, stored + (index) * sizeof bits, sizeof bits); \
    if (is_swapped) bits = swap(bits);                          \
    memcpy(&number, &bits, sizeof number)

// Stores a number at an index.
#define STORE(type, bits_type, swap, index, value)                  \
    do {                                                            \
        type number = (type)(value);                                \
        bits_type bits = 0;                                         \
        memcpy(&bits, &number, sizeof bits);                        \
        if (is_swapped) bits = swap(bits);                          \
        memcpy(stored + (index) * sizeof bits, &bits, sizeof bits); \
    } while (0)

size_t cnifti_datatype_size(int32_t datatype) {
    switch (datatype) {
#define SIZE(code, type, bits_type, swap) \
    case code: return sizeof(type);
        SCALARS(SIZE)
#undef SIZE
    default: return 0;
    }
}

CNIfTIStatus cnifti_decode_floats(
    const uint8_t *stored, size_t count, int32_t datatype, bool is_swapped, double slope,
    double intercept, float *values, size_t *nan_count, size_t *infinite_count) {
    size_t not_numbers = 0;
    size_t infinite = 0;
    bool is_scaled = slope != 1 || intercept != 0;
    switch (datatype) {
#define DECODE(code, type, bits_type, swap)                                                        \
    case code:                                                                                     \
        for (size_t i = 0; i < count; i++) {                                                       \
            LOAD(type, bits_type, swap, i);                                                        \
            float value = is_scaled ? (float)((double)number * slope + intercept) : (float)number; \
            values[i] = value;                                                                     \
            not_numbers += value != value;                                                         \
            infinite += fabsf(value) == INFINITY;                                                  \
        }                                                                                          \
        break;
        SCALARS(DECODE)
#undef DECODE
    default: return CNIFTI_ERROR_DATATYPE;
    }
    *nan_count = not_numbers;
    *infinite_count = infinite;
    return CNIFTI_OK;
}

// How many labels are decoded before it is asked whether all of them were labels: without a way out
// of the loop, the compiler can vectorise it.
enum { kLabelsAtOnce = 4096 };

// How far from an integer a label may lie: programs that resample or scale label maps as floats
// leave 3.0000004, and none that means 3.5 comes this near.
static const double kLabelTolerance = 1e-3;

// Adds a number that is no label to a census.
static void add_bad(CNIfTILabelCensus *census, size_t index, double value) {
    if (census->bad_count++ == 0) {
        census->first_bad_index = index;
        census->first_bad_value = value;
    }
    if (value != value) {
        census->nan_count++;
        return;
    }
    if (value < census->smallest_bad_value) census->smallest_bad_value = value;
    if (value > census->largest_bad_value) census->largest_bad_value = value;
}

CNIfTIStatus cnifti_decode_labels(
    const uint8_t *stored, size_t count, int32_t datatype, bool is_swapped, double slope,
    double intercept, uint16_t *labels, CNIfTILabelCensus *census) {
    bool is_scaled = slope != 1 || intercept != 0;
    *census = (CNIfTILabelCensus){.smallest_bad_value = INFINITY, .largest_bad_value = -INFINITY};
    switch (datatype) {
/* A type of 16 bits or fewer has no fractions, and what is above 65535 is not in it. */
#define IS_SMALL(type) (sizeof(type) <= 2)
#define DECODE(code, type, bits_type, swap)                                             \
    case code:                                                                          \
        for (size_t start = 0; start < count; start += kLabelsAtOnce) {                 \
            size_t end = count - start < kLabelsAtOnce ? count : start + kLabelsAtOnce; \
            unsigned bad = 0;                                                           \
            if (IS_SMALL(type) && !is_scaled) {                                         \
                for (size_t i = start; i < end; i++) {                                  \
                    LOAD(type, bits_type, swap, i);                                     \
                    bad |= number < 0;                                                  \
                    labels[i] = (uint16_t)number;                                       \
                }                                                                       \
                if (!bad) continue;                                                     \
            }                                                                           \
            for (size_t i = start; i < end; i++) {                                      \
                LOAD(type, bits_type, swap, i);                                         \
                double value = (double)number;                                          \
                if (is_scaled) value = value * slope + intercept;                       \
                /* NaN fails the first test; only then is the conversion defined. */    \
                bool fits = value > -0.5 && value < 65535.5;                            \
                uint16_t label = fits ? (uint16_t)(value + 0.5) : 0;                    \
                fits = fits && fabs(value - label) <= kLabelTolerance;                  \
                labels[i] = fits ? label : 0;                                           \
                census->rounded_count += fits && value != label;                        \
                if (!fits) add_bad(census, i, value);                                   \
            }                                                                           \
        }                                                                               \
        break;
        SCALARS(DECODE)
#undef DECODE
#undef IS_SMALL
    default: return CNIFTI_ERROR_DATATYPE;
    }
    return census->bad_count == 0 ? CNIFTI_OK : CNIFTI_ERROR_VALUE;
}

// Whether a rounded value can be converted to an integer datatype. The limits of 64 bits are
// powers of two, so that they are exact in double.
static bool fits_integer(double value, int32_t datatype) {
    switch (datatype) {
    case DT_UINT8: return value >= 0 && value <= UINT8_MAX;
    case DT_INT8: return value >= INT8_MIN && value <= INT8_MAX;
    case DT_INT16: return value >= INT16_MIN && value <= INT16_MAX;
    case DT_UINT16: return value >= 0 && value <= UINT16_MAX;
    case DT_INT32: return value >= INT32_MIN && value <= INT32_MAX;
    case DT_UINT32: return value >= 0 && value <= UINT32_MAX;
    case DT_INT64: return value >= -0x1p63 && value < 0x1p63;
    case DT_UINT64: return value >= 0 && value < 0x1p64;
    default: return true;
    }
}

CNIfTIStatus cnifti_encode_floats(
    const float *values, size_t count, int32_t datatype, bool is_swapped, uint8_t *stored,
    size_t *bad_index) {
    bool is_float = datatype == DT_FLOAT32 || datatype == DT_FLOAT64;
    switch (datatype) {
#define ENCODE(code, type, bits_type, swap)                        \
    case code:                                                     \
        for (size_t i = 0; i < count; i++) {                       \
            double value = is_float ? values[i] : rint(values[i]); \
            if (!fits_integer(value, code)) {                      \
                *bad_index = i;                                    \
                return CNIFTI_ERROR_VALUE;                         \
            }                                                      \
            STORE(type, bits_type, swap, i, value);                \
        }                                                          \
        break;
        SCALARS(ENCODE)
#undef ENCODE
    default: return CNIFTI_ERROR_DATATYPE;
    }
    return CNIFTI_OK;
}

CNIfTIStatus cnifti_encode_labels(
    const uint16_t *labels, size_t count, int32_t datatype, bool is_swapped, uint8_t *stored,
    size_t *bad_index) {
    // One look for the largest, so that the loops below store without checking.
    uint16_t largest = 0;
    for (size_t i = 0; i < count; i++) largest = labels[i] > largest ? labels[i] : largest;
    if (!fits_integer(largest, datatype)) {
        size_t i = 0;
        while (fits_integer(labels[i], datatype)) i++;
        *bad_index = i;
        return CNIFTI_ERROR_VALUE;
    }
    switch (datatype) {
#define ENCODE(code, type, bits_type, swap)                                            \
    case code:                                                                         \
        for (size_t i = 0; i < count; i++) STORE(type, bits_type, swap, i, labels[i]); \
        break;
        SCALARS(ENCODE)
#undef ENCODE
    default: return CNIFTI_ERROR_DATATYPE;
    }
    return CNIFTI_OK;
}
