// Memory of devices and of the process.

#ifndef MEMORY_H
#define MEMORY_H

#include "CTorch.h"

int32_t cuda_device_count();
int64_t free_memory(CTorchDeviceType type, int32_t index);
void release_memory(CTorchDeviceType type);

#endif
