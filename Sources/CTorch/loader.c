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
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const CTorchAPI *loaded;
static char message[3 * PATH_MAX];

static bool find_library(char *found) {
    const char *chosen = getenv("SLICESEG_CTORCH");
    if (chosen != NULL && chosen[0] != '\0') {
        snprintf(found, PATH_MAX, "%s", chosen);
        return true;
    }
    char folder[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length <= 0) return false;
    folder[length] = '\0';
    for (int above = 0; above < 8; above++) {
        char *slash = strrchr(folder, '/');
        if (slash == NULL) return false;
        *slash = '\0';
        static const char *const places[] = {
            "libCTorch.so", "../lib/libCTorch.so", ".deps/lib/libCTorch.so"};
        for (int place = above == 0 ? 0 : 2; place < 3; place++) {
            int written = snprintf(found, PATH_MAX, "%s/%s", folder, places[place]);
            if (written < PATH_MAX && access(found, R_OK) == 0) return true;
        }
    }
    return false;
}

// No higher kernels than $SLICESEG_KERNELS names are used: it bounds those of this package, and, through
// what they read as they are loaded, LibTorch's own and the libraries in it.
static bool read_bound(CTorchKernels *most) {
    static const struct {
        const char *name;
        CTorchKernels kernels;
        const char *onednn, *aten, *mkl;
    } bounds[] = {
        {"baseline", CTORCH_KERNELS_BASELINE, "SSE41", "default", "SSE4_2"},
        {"avx2", CTORCH_KERNELS_AVX2, "AVX2", "avx2", "AVX2"},
        {"avx512", CTORCH_KERNELS_AVX512, "AVX512_CORE", "avx512", "AVX512"},
        {"avx512vnni", CTORCH_KERNELS_AVX512VNNI, "AVX512_CORE_VNNI", "avx512", "AVX512"},
    };
    *most = CTORCH_KERNELS_BEST;
    const char *chosen = getenv("SLICESEG_KERNELS");
    if (chosen == NULL || chosen[0] == '\0') return true;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        if (strcmp(chosen, bounds[i].name) != 0) continue;
        *most = bounds[i].kernels;
        setenv("ONEDNN_MAX_CPU_ISA", bounds[i].onednn, 1);
        setenv("ATEN_CPU_CAPABILITY", bounds[i].aten, 1);
        setenv("MKL_ENABLE_INSTRUCTIONS", bounds[i].mkl, 1);
        return true;
    }
    snprintf(
        message, sizeof message,
        "SLICESEG_KERNELS is '%s', which names no kernels; set it to baseline, avx2, avx512 or "
        "avx512vnni, or to nothing",
        chosen);
    return false;
}

static const CTorchAPI *open_library(const char *found, CTorchKernels most) {
    // Threads that wait must sleep: where several programs share the cores, spinning ones hold up the
    // very threads they wait for. OpenMP reads this as it is loaded.
    setenv("OMP_WAIT_POLICY", "passive", 0);
    void *library = dlopen(found, RTLD_NOW | RTLD_GLOBAL);
    typedef const CTorchAPI *(*Entry)(int32_t);
    Entry entry = library != NULL ? (Entry)dlsym(library, "ctorch_api") : NULL;
    if (entry == NULL) {
        snprintf(
            message, sizeof message,
            "the network engine '%s' cannot be loaded (%s); run 'make setup' again", found,
            dlerror());
        return NULL;
    }
    const CTorchAPI *api = entry(CTORCH_API_VERSION);
    if (api == NULL) {
        snprintf(
            message, sizeof message,
            "the network engine '%s' was built for another version of this program; run "
            "'make setup' again",
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
            known = find_library(found);
        }
        CTorchKernels most;
        if (!known) {
            snprintf(
                message, sizeof message,
                "the network engine libCTorch.so was not found beside the program or in .deps/lib; "
                "run 'make setup', or name it in SLICESEG_CTORCH");
        } else if (read_bound(&most)) {
            loaded = open_library(found, most);
        }
    }
    const CTorchAPI *result = loaded;
    if (error != NULL) *error = result == NULL ? message : NULL;
    pthread_mutex_unlock(&lock);
    return result;
}
