// The functions of CTorch.h that aggregate the views of a volume.

#ifndef VIEW_AGGREGATION_H
#define VIEW_AGGREGATION_H

#include "CTorch.h"

CTorchStatus accumulate_views(
    CTorchTensor logits, CTorchTensor sums, const CTorchSliceStrides *strides, int64_t first_slice,
    const int32_t *output_of_class, int32_t classes, double weight, uint8_t *labels,
    int64_t voxel_count);
CTorchStatus argmax_views(CTorchTensor sums, uint8_t *labels, int64_t voxel_count);

#endif
