// The loops of view aggregation, compiled once for each instruction set.

#ifndef VIEW_KERNELS_H
#define VIEW_KERNELS_H

#include <stdint.h>

struct ViewKernels {
    // Adds `weight` times the softmax of each of `count` pixels' logits to the fp16 sums of its voxel
    // (where not null), and writes the argmax over the outputs (where not null; ties: the lowest index).
    // Class c gets what output `output_of_class[c]` has; that list is as long as the next multiple of 16.
    // A pixel has `outputs` logits, at most 256. The first pixel is that of the voxel `voxel`; steps are
    // from a pixel to the next. `places`, where not null, has each voxel's place among those with sums,
    // and -1 for one without, whose label is 0.
    void (*accumulate)(
        const float *logits, long logits_step, int outputs, int count,
        const int32_t *output_of_class, int classes, float weight, uint16_t *sums,
        const int32_t *places, uint8_t *labels, long voxel, long voxel_step);

    // The argmax of each pixel's sums (ties: the lowest index).
    void (*argmax)(const uint16_t *sums, int classes, long count, uint8_t *labels);

    // A pixel's sums become the mean of themselves and of another's, whose class c is
    // `class_of_other[c]`.
    void (*average)(
        uint16_t *sums, const uint16_t *other, const int32_t *class_of_other, int classes);
};

extern const ViewKernels view_kernels_baseline;
#ifdef __x86_64__
extern const ViewKernels view_kernels_avx2;
extern const ViewKernels view_kernels_avx512;
#endif

#endif
