// The functions of CPlan.h that make and run plans.

#ifndef PLAN_H
#define PLAN_H

#include "CPlan.h"

CPlanStatus plan_make(
    const CPlanBuffer *buffers, int32_t buffer_count, const CPlanStep *steps, int32_t step_count,
    bool is_bfloat16, CPlanKernels kernels, const CPlanConvolutions *others, CPlan *result);
void plan_release(CPlan plan);
CPlanStatus plan_run(
    CPlan plan, const float *images, int64_t count, int32_t channels, int32_t height, int32_t width,
    float *logits);
CPlanStatus plan_observe(
    CPlan plan, const float *images, int64_t count, int32_t channels, int32_t height, int32_t width,
    int64_t *counts);
int32_t plan_class_count(CPlan plan);
const char *plan_kernels(CPlan plan);
int32_t plan_integer_count(CPlan plan);
int32_t plan_packed_count(CPlan plan);
int32_t plan_winograd_count(CPlan plan);
int64_t plan_byte_count(CPlan plan);

#endif
