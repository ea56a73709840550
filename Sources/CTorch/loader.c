// Finds and opens libCTorch. It is opened at run time, not linked, so that the package builds with
// no path to LibTorch in it, commands that need no network start without loading one, and the
// library can be exchanged for one built against another LibTorch.

#define _GNU_SOURCE
#include "CTorch.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const CTorchAPI *loaded;
static char message[3 * PATH_MAX];

// What bounds the kernels of this package bounds, through what they read as they are loaded, LibTorch's own
// and the libraries in it.
static void bound_libraries(CPlanKernels most) {
    static const char *const names[][3] = {
        [CPLAN_KERNELS_BASELINE] = {"SSE41", "default", "SSE4_2"},
        [CPLAN_KERNELS_AVX2] = {"AVX2", "avx2", "AVX2"},
        [CPLAN_KERNELS_AVX512] = {"AVX512_CORE", "avx512", "AVX512"},
        [CPLAN_KERNELS_AVX512VNNI] = {"AVX512_CORE_VNNI", "avx512", "AVX512"},
    };
    if (most == CPLAN_KERNELS_BEST) return;
    setenv("ONEDNN_MAX_CPU_ISA", names[most][0], 1);
    setenv("ATEN_CPU_CAPABILITY", names[most][1], 1);
    setenv("MKL_ENABLE_INSTRUCTIONS", names[most][2], 1);
}

static const CTorchAPI *open_library(const char *found, CPlanKernels most) {
    // Threads that wait must sleep: where several programs share the cores, spinning ones hold up the
    // very threads they wait for. OpenMP reads this as it is loaded.
    setenv("OMP_WAIT_POLICY", "passive", 0);
    bound_libraries(most);
    void *library = dlopen(found, RTLD_NOW | RTLD_GLOBAL);
    typedef const CTorchAPI *(*Entry)(int32_t);
    Entry entry = library != NULL ? (Entry)dlsym(library, "ctorch_api") : NULL;
    if (entry == NULL) {
        snprintf(
            message, sizeof message,
            "the network engine '%s' cannot be loaded (%s); run 'make torch' again", found,
            dlerror());
        return NULL;
    }
    const CTorchAPI *api = entry(CTORCH_API_VERSION);
    if (api == NULL) {
        snprintf(
            message, sizeof message,
            "the network engine '%s' was built for another version of this program; run "
            "'make torch' again",
            found);
    } else if (api->bound_kernels(most) != CTORCH_OK) {
        snprintf(
            message, sizeof message,
            "this processor cannot run the kernels that SLICESEG_KERNELS names, '%s'; set it to "
            "lower ones, or to nothing",
            getenv("SLICESEG_KERNELS"));
        api = NULL;
    }
    return api;
}

const CTorchAPI *ctorch_load(const char *path, const char **error) {
    pthread_mutex_lock(&lock);
    if (loaded == NULL) {
        char found[PATH_MAX];
        bool known = true;
        if (path != NULL) {
            snprintf(found, sizeof found, "%s", path);
        } else {
            known = cplan_find("SLICESEG_CTORCH", "libCTorch.so", found, sizeof found);
        }
        CPlanKernels most;
        const char *wrong;
        if (!known) {
            snprintf(
                message, sizeof message,
                "training, GPUs and networks without a compiled plan need LibTorch, and "
                "libCTorch.so was not "
                "found beside the program or in .deps/lib; run 'make torch', or name it in "
                "SLICESEG_CTORCH");
        } else if (!cplan_bound(&most, &wrong)) {
            snprintf(message, sizeof message, "%s", wrong);
        } else {
            loaded = open_library(found, most);
        }
    }
    const CTorchAPI *result = loaded;
    if (error != NULL) *error = result == NULL ? message : NULL;
    pthread_mutex_unlock(&lock);
    return result;
}
