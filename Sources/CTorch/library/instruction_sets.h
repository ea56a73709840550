// Which of the loops that are compiled for several instruction sets this processor runs.

#ifndef INSTRUCTION_SETS_H
#define INSTRUCTION_SETS_H

#include "CTorch.h"
#include "plan_kernels.h"
#include "winograd_gradient.h"

struct InstructionSet {
    // Of plans in float32 and in bfloat16.
    const char *names[2];
    const PlanKernels *kernels[2];
    const WinogradKernels *winograd[2];  // or null, where LibTorch's convolutions are faster
    // Of the convolutions that learn, of float32 and of bfloat16 images; null as above.
    const WinogradKernels *learning[2];
    const WinogradGradient *gradient;
};

// Throws where the processor lacks what is asked for.
const InstructionSet &instruction_set(CTorchKernels kind = CTORCH_KERNELS_BEST);

#endif
