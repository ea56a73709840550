// CInterpolation.h: interpolates the scores of many classes at once and takes the argmax.
//
// In C for its instructions: half precision is widened eight numbers at a time where the processor
// can (F16C), which Swift cannot ask for at run time. Nothing here keeps state or allocates; calls
// on different slices may run in parallel, and the result does not depend on how slices are shared.
#ifndef CINTERPOLATION_H
#define CINTERPOLATION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The scores of every class in a grid of voxels.
typedef struct {
    // [place][class]: IEEE half precision, finite and not negative.
    const uint16_t *_Nonnull scores;
    // [z][y][x]: the place of each voxel's scores, and -1 where class 0 is certain; NULL where all voxels
    // have scores, in order.
    const int32_t *_Nullable places;
    // [z][y][x]: the argmax of the scores; ties go to the lowest class.
    const uint8_t *_Nonnull classes;
    int64_t size[3];
    int32_t class_count;  // 1 to 256
} CInterpolationSource;

// Where results are wanted: a grid, and the map from its voxel indices to those of the source,
// three rows of four.
typedef struct {
    int64_t size[3];
    double map[12];
} CInterpolationTarget;

// The class of the highest interpolated score at each voxel of the slices first to end - 1.
//
// Scores are interpolated linearly between the eight voxels around; beyond the centres of the
// outermost voxels these are repeated, and beyond their faces the class is 0. Of equal scores the
// first class wins. `result` is [z][y][x] of the whole target.
void cinterpolation_classes(
    const CInterpolationSource *_Nonnull source, const CInterpolationTarget *_Nonnull target,
    int64_t first_slice, int64_t end_slice, uint8_t *_Nonnull result);

// The interpolated scores of the classes first_class to end_class - 1 at each voxel of the slices
// first to end - 1, divided by the sum of all classes' and multiplied by `scale`, rounded to the
// nearest. Beyond the source's faces class 0 has it all. `result` is [class][z][y][x] of the whole
// target.
void cinterpolation_scores(
    const CInterpolationSource *_Nonnull source, const CInterpolationTarget *_Nonnull target,
    int64_t first_slice, int64_t end_slice, int32_t first_class, int32_t end_class, float scale,
    uint16_t *_Nonnull result);

#ifdef __cplusplus
}
#endif

#endif
