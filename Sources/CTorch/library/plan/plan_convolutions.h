// LibTorch's convolutions for plans, on weights that are packed once.

#ifndef PLAN_CONVOLUTIONS_H
#define PLAN_CONVOLUTIONS_H

#include "CPlan.h"

const CPlanConvolutions *plan_convolutions();

#endif
