#include "CInterpolation.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MOST_CLASSES = 256 };

// The voxels around a point, with their weights; those of weight 0 are left out.
typedef struct {
    int count;
    int64_t voxels[8];
    float weights[8];
} Neighbors;

// A coordinate freed of rounding: within a millionth of an integer it becomes that integer.
static inline double snapped(double coordinate) {
    double nearest = nearbyint(coordinate);
    return fabs(coordinate - nearest) < 1e-6 ? nearest : coordinate;
}

// Splits a coordinate along one axis into a voxel and the weight of the next one. Returns false
// beyond the outer faces of the first and the last voxel, and for what is no number.
static inline int split(double coordinate, int64_t count, int64_t *lower, float *weight) {
    if (!(coordinate >= -0.5 - 1e-6 && coordinate <= (double)count - 0.5 + 1e-6)) return 0;
    double inside = snapped(coordinate);
    double last = (double)(count - 1);
    inside = inside < 0 ? 0 : inside > last ? last : inside;
    *lower = (int64_t)inside;
    *weight = (float)(inside - (double)*lower);
    return 1;
}

static inline int find_neighbors(
    const CInterpolationSource *source, double x, double y, double z, Neighbors *result) {
    int64_t i, j, k;
    float wx, wy, wz;
    if (!split(x, source->size[0], &i, &wx) || !split(y, source->size[1], &j, &wy) ||
        !split(z, source->size[2], &k, &wz))
        return 0;
    int64_t row = source->size[0], slice = source->size[0] * source->size[1];
    int64_t corner = i + row * j + slice * k;
    int count = 0;
    for (int dz = 0; dz < 2; dz++) {
        float in_z = dz ? wz : 1 - wz;
        if (in_z == 0) continue;
        for (int dy = 0; dy < 2; dy++) {
            float in_y = in_z * (dy ? wy : 1 - wy);
            if (in_y == 0) continue;
            for (int dx = 0; dx < 2; dx++) {
                float weight = in_y * (dx ? wx : 1 - wx);
                if (weight == 0) continue;
                result->voxels[count] = corner + dx + dy * row + dz * slice;
                result->weights[count++] = weight;
            }
        }
    }
    result->count = count;
    return 1;
}

// Exact for the finite numbers that are not negative, subnormal ones included.
static inline float widened(uint16_t half) {
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value * 0x1p112f;
}

// The weighted sums of each class's scores at some places.
typedef void Summation(
    const uint16_t *scores, int32_t class_count, const Neighbors *places, float *sums);

static void sum_portably(
    const uint16_t *scores, int32_t class_count, const Neighbors *places, float *sums) {
    memset(sums, 0, (size_t)class_count * sizeof *sums);
    for (int n = 0; n < places->count; n++) {
        const uint16_t *row = scores + places->voxels[n] * class_count;
        for (int32_t c = 0; c < class_count; c++) {
            sums[c] += places->weights[n] * widened(row[c]);
        }
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma,f16c"))) static void sum_by_eights(
    const uint16_t *scores, int32_t class_count, const Neighbors *places, float *sums) {
    int32_t c = 0;
    while (c < class_count) {
        // The last eight overlap those before, so that nothing beyond the voxel is read.
        if (c > class_count - 8) c = class_count - 8;
        __m256 sum = _mm256_setzero_ps();
        for (int n = 0; n < places->count; n++) {
            const uint16_t *row = scores + places->voxels[n] * class_count + c;
            __m256 values = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)row));
            sum = _mm256_fmadd_ps(_mm256_set1_ps(places->weights[n]), values, sum);
        }
        _mm256_storeu_ps(sums + c, sum);
        c += 8;
    }
}
#endif

static Summation *chosen_summation(int32_t class_count) {
#if defined(__x86_64__)
    if (class_count >= 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c"))
        return sum_by_eights;
#endif
    (void)class_count;
    return sum_portably;
}

// The weighted sums of each class's scores in some voxels.
static inline void add_up(
    Summation *sum, const CInterpolationSource *source, const Neighbors *neighbors, float *sums) {
    if (source->places == NULL) {
        sum(source->scores, source->class_count, neighbors, sums);
        return;
    }
    Neighbors places;
    float certain = 0;
    places.count = 0;
    for (int n = 0; n < neighbors->count; n++) {
        int64_t place = source->places[neighbors->voxels[n]];
        if (place < 0) {
            certain += neighbors->weights[n];
        } else {
            places.voxels[places.count] = place;
            places.weights[places.count++] = neighbors->weights[n];
        }
    }
    sum(source->scores, source->class_count, &places, sums);
    sums[0] += certain;
}

// The source coordinates of the first voxel in a row.
static inline void begin_row(
    const CInterpolationTarget *target, int64_t j, int64_t k, double start[3]) {
    for (int axis = 0; axis < 3; axis++) {
        const double *row = target->map + 4 * axis;
        start[axis] = row[1] * (double)j + row[2] * (double)k + row[3];
    }
}

void cinterpolation_classes(
    const CInterpolationSource *source, const CInterpolationTarget *target, int64_t first_slice,
    int64_t end_slice, uint8_t *result) {
    Summation *sum = chosen_summation(source->class_count);
    const double *map = target->map;
    float sums[MOST_CLASSES];
    for (int64_t k = first_slice; k < end_slice; k++) {
        for (int64_t j = 0; j < target->size[1]; j++) {
            double start[3];
            begin_row(target, j, k, start);
            uint8_t *line = result + target->size[0] * (j + target->size[1] * k);
            for (int64_t i = 0; i < target->size[0]; i++) {
                Neighbors neighbors;
                double step = (double)i;
                if (!find_neighbors(
                        source, start[0] + step * map[0], start[1] + step * map[4],
                        start[2] + step * map[8], &neighbors)) {
                    line[i] = 0;
                    continue;
                }
                uint8_t class = source->classes[neighbors.voxels[0]];
                int differs = 0;
                for (int n = 1; n < neighbors.count; n++) {
                    differs |= source->classes[neighbors.voxels[n]] ^ class;
                }
                if (differs) {
                    // What wins in all voxels around wins between them, so only borders are left.
                    add_up(sum, source, &neighbors, sums);
                    int32_t best = 0;
                    for (int32_t c = 1; c < source->class_count; c++) {
                        if (sums[c] > sums[best]) best = c;
                    }
                    class = (uint8_t)best;
                }
                line[i] = class;
            }
        }
    }
}

void cinterpolation_scores(
    const CInterpolationSource *source, const CInterpolationTarget *target, int64_t first_slice,
    int64_t end_slice, int32_t first_class, int32_t end_class, float scale, uint16_t *result) {
    Summation *sum = chosen_summation(source->class_count);
    const double *map = target->map;
    int64_t class_stride = target->size[0] * target->size[1] * target->size[2];
    float sums[MOST_CLASSES];
    for (int64_t k = first_slice; k < end_slice; k++) {
        for (int64_t j = 0; j < target->size[1]; j++) {
            double start[3];
            begin_row(target, j, k, start);
            uint16_t *line = result + target->size[0] * (j + target->size[1] * k);
            for (int64_t i = 0; i < target->size[0]; i++) {
                Neighbors neighbors;
                double step = (double)i;
                float total = 0;
                if (find_neighbors(
                        source, start[0] + step * map[0], start[1] + step * map[4],
                        start[2] + step * map[8], &neighbors)) {
                    add_up(sum, source, &neighbors, sums);
                    for (int32_t c = 0; c < source->class_count; c++) total += sums[c];
                }
                if (!(total > 0)) {
                    memset(sums, 0, (size_t)source->class_count * sizeof *sums);
                    sums[0] = total = 1;
                }
                for (int32_t c = first_class; c < end_class; c++) {
                    line[i + (c - first_class) * class_stride] =
                        (uint16_t)(sums[c] / total * scale + 0.5f);
                }
            }
        }
    }
}
