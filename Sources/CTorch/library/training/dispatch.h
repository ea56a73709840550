// Which of the loops of training, compiled for several instruction sets, run on this processor.

#ifndef TRAINING_DISPATCH_H
#define TRAINING_DISPATCH_H

#include "training/gradient.h"
#include "training/training_kernels.h"
#include "winograd/winograd.h"

struct TrainingSet {
    // Of trainable convolutions, of float32 and of bfloat16 images; null where LibTorch's are faster.
    const WinogradKernels *winograd[2];
    const WinogradGradient *gradient;
    const AllTrainingKernels *kernels;
};

const TrainingSet &training_set();

#endif
