// The one place that asks what the processor can: which of the loops that are compiled for several
// instruction sets run, and what LibTorch's convolutions find.

#ifndef DISPATCH_H
#define DISPATCH_H

#include "CTorch.h"
#include "kernels/direct_convolution.h"
#include "kernels/row_kernels.h"
#include "kernels/view_kernels.h"
#include "training/training_kernels.h"
#include "winograd/gradient.h"

struct InstructionSet {
    // Of plans in float32 and in bfloat16.
    const char *names[2];
    const RowKernels *kernels[2];
    const WinogradKernels *winograd[2];  // or null, where LibTorch's convolutions are faster
    const DirectKernels *direct;
    const ViewKernels *views;
    // Of trainable convolutions, of float32 and of bfloat16 images; null as above.
    const WinogradKernels *trainable[2];
    const WinogradGradient *gradient;
    const AllTrainingKernels *training;
};

// No more than these are used from now on; the loader calls it before anything else. Throws where the
// processor lacks them.
void bound_instruction_sets(CTorchKernels most);

bool has_instruction_set(CTorchKernels kind);

// Throws where the processor lacks what is asked for, or it lies above the bound.
const InstructionSet &instruction_set(CTorchKernels kind = CTORCH_KERNELS_BEST);

// What LibTorch's convolutions find: "AMX", "AVX512_BF16", "AVX512", "AVX2" or "".
const char *convolution_capability();

// Whether bfloat16 is multiplied in hardware.
bool has_bfloat16();

#endif
