// The functions of CTorch.h that make and run plans.

#ifndef PLAN_H
#define PLAN_H

#include "CTorch.h"

CTorchStatus plan_make(
    const CTorchPlanBuffer *buffers, int32_t buffer_count, const CTorchPlanStep *steps,
    int32_t step_count, CTorchElementType type, CTorchKernels kernels, CTorchPlan *result);
void plan_release(CTorchPlan plan);
CTorchStatus plan_run(CTorchPlan plan, CTorchTensor images, CTorchTensor *logits);
CTorchStatus plan_observe(CTorchPlan plan, CTorchTensor images, int64_t *counts);
const char *plan_kernels(CTorchPlan plan);
int32_t plan_integer_count(CTorchPlan plan);
int32_t plan_packed_count(CTorchPlan plan);
int32_t plan_winograd_count(CTorchPlan plan);
int64_t plan_byte_count(CTorchPlan plan);

#endif
