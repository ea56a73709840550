// The functions of CTorch.h that join the views of a volume.

#ifndef VOTES_H
#define VOTES_H

#include "CTorch.h"

CTorchStatus votes_add(
    CTorchTensor logits, CTorchTensor sums, const CTorchSliceStrides *strides, int64_t first_slice,
    const int32_t *output_of_class, int32_t classes, double weight, uint8_t *likeliest,
    int64_t voxel_count);
CTorchStatus votes_elect(CTorchTensor sums, uint8_t *elected, int64_t voxel_count);

#endif
