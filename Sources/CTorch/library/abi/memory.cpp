#include "abi/memory.h"

#include "abi/internal.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/library.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

#include <cstring>

int32_t cuda_device_count() {
    int32_t count = 0;
    guarded([&] {
        if (at::hasCUDA()) count = at::detail::getCUDAHooks().deviceCount();
    });
    return count;
}

int64_t free_memory(CTorchDeviceType type, int32_t index) {
    int64_t free = 0;
    guarded([&] {
        if (type != CTORCH_CUDA || index >= cuda_device_count()) return;
        const auto device = static_cast<c10::DeviceIndex>(index);
        c10::DeviceAllocator *const allocator = c10::getDeviceAllocator(c10::kCUDA);
        if (!allocator->initialized()) at::globalContext().lazyInitDevice(c10::kCUDA);
        // What the allocator keeps for later tensors is free as well.
        const auto stats = allocator->getDeviceStats(device);
        free = static_cast<int64_t>(allocator->getMemoryInfo(device).first) +
            stats.reserved_bytes[0].current - stats.allocated_bytes[0].current;
    });
    return free;
}

namespace {

#ifdef __linux__
// Unmaps LibTorch's code: most of it is only looked at as it starts, and would count as this process's
// memory for good. What runs again comes back from the system's cache. Code is never written to, so that
// nothing is lost.
int release_code(dl_phdr_info *library, size_t, void *) {
    if (std::strstr(library->dlpi_name, "libtorch") == nullptr) return 0;
    const auto page = static_cast<ElfW(Addr)>(sysconf(_SC_PAGESIZE));
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) &part = library->dlpi_phdr[i];
        if (part.p_type != PT_LOAD || part.p_flags != (PF_R | PF_X)) continue;
        const ElfW(Addr) start = (library->dlpi_addr + part.p_vaddr + page - 1) / page * page;
        const ElfW(Addr) end = (library->dlpi_addr + part.p_vaddr + part.p_memsz) / page * page;
        madvise(reinterpret_cast<void *>(start), end - start, MADV_DONTNEED);
    }
    return 0;
}
#endif

// A step frees and asks for the same blocks again and again. By default each large one goes back to
// the system and comes again as pages that it must fill with zeros first.
void keep_freed_memory() {
#if defined(__GLIBC__)
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

}  // namespace

void release_memory(CTorchDeviceType type) {
    guarded([&] {
        if (type == CTORCH_CUDA && cuda_device_count() > 0) {
            c10::getDeviceAllocator(c10::kCUDA)->emptyCache();
        }
#ifdef __GLIBC__
        if (type == CTORCH_CPU) malloc_trim(0);
#endif
#ifdef __linux__
        if (type == CTORCH_CPU) dl_iterate_phdr(release_code, nullptr);
#endif
    });
}

TORCH_LIBRARY_FRAGMENT(sliceseg, library) {
    library.def("keep_freed_memory() -> ()", keep_freed_memory);
}
