// The one place that asks what the processor can: which of the loops that are compiled for several
// instruction sets run.

#ifndef DISPATCH_H
#define DISPATCH_H

#include "CPlan.h"
#include "kernels/direct_convolution.h"
#include "kernels/float_convolution.h"
#include "kernels/row_kernels.h"
#include "kernels/view_kernels.h"
#include "winograd/winograd.h"

struct InstructionSet {
    // Of plans in float32 and in bfloat16.
    const char *names[2];
    const RowKernels *kernels[2];
    const WinogradKernels *winograd[2];  // or null
    const FloatConvolution *floats;
    const DirectKernels *direct;
    const ViewKernels *views;
};

// No more than these are used from now on; the loader calls it before anything else. Throws where the
// processor lacks them.
void bound_instruction_sets(CPlanKernels most);

bool has_instruction_set(CPlanKernels kind);

// Throws where the processor lacks what is asked for, or it lies above the bound.
const InstructionSet &instruction_set(CPlanKernels kind = CPLAN_KERNELS_BEST);

// The kind that "best" stands for.
CPlanKernels resolved(CPlanKernels kind);

// What the processor has for convolutions: "AMX", "AVX512_BF16", "AVX512", "AVX2" or "".
const char *convolution_capability();

// Whether bfloat16 is multiplied in hardware.
bool has_bfloat16();

// Whether it multiplies matrices of bfloat16.
bool has_matrices();

#endif
