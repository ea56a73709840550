// The functions of CPlan.h that aggregate the views of a volume.

#ifndef VIEW_AGGREGATION_H
#define VIEW_AGGREGATION_H

#include "CPlan.h"

CPlanStatus accumulate_views(
    const float *logits, int64_t count, int64_t height, int64_t width, int64_t outputs,
    uint16_t *sums, const int32_t *places, const CPlanSliceStrides *strides, int64_t first_slice,
    const int32_t *output_of_class, int32_t classes, double weight, uint8_t *labels,
    int64_t voxel_count);
CPlanStatus argmax_views(
    const uint16_t *sums, int32_t classes, uint8_t *labels, int64_t voxel_count);
CPlanStatus average_mirrored(
    uint16_t *sums, const uint16_t *mirrored, const int64_t *size, int32_t axis,
    const int32_t *mirrored_class, int32_t classes);

#endif
