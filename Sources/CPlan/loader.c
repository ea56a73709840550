// Finds and opens libSliceSegPlan. Its loops are compiled for several instruction sets, which the
// package's own build cannot do; a program then needs no path to it.

#define _GNU_SOURCE
#include "CPlan.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const CPlanAPI *loaded;
static char message[3 * PATH_MAX];

// Looks beside a program or library, then in `.deps/lib` of the folders above it. `origin` is cut short.
static bool find_around(char *origin, const char *name, char *path, int32_t capacity) {
    for (int above = 0; above < 8; above++) {
        char *slash = strrchr(origin, '/');
        if (slash == NULL) return false;
        *slash = '\0';
        static const char *const places[] = {"", "../lib/", ".deps/lib/"};
        for (int place = above == 0 ? 0 : 2; place < 3; place++) {
            int written = snprintf(path, capacity, "%s/%s%s", origin, places[place], name);
            if (written < capacity && access(path, R_OK) == 0) return true;
        }
    }
    return false;
}

// The file that this code lies in, a library or the program, and the running program: the process may be an
// interpreter, or the dynamic linker that was told to run the program. A program's own file is told by the
// name that it was called by, which has no folder where it was found on the PATH.
static bool find_origin(int number, char *origin) {
    if (number == 0) {
        Dl_info self;
        return dladdr(&loaded, &self) != 0 && self.dli_fname != NULL &&
               strchr(self.dli_fname, '/') != NULL && realpath(self.dli_fname, origin) != NULL;
    }
    ssize_t length = readlink("/proc/self/exe", origin, PATH_MAX - 1);
    if (length <= 0) return false;
    origin[length] = '\0';
    return true;
}

bool cplan_find(const char *variable, const char *name, char *path, int32_t capacity) {
    const char *chosen = getenv(variable);
    if (chosen != NULL && chosen[0] != '\0') {
        snprintf(path, capacity, "%s", chosen);
        return true;
    }
    char origin[PATH_MAX];
    for (int number = 0; number < 2; number++) {
        if (find_origin(number, origin) && find_around(origin, name, path, capacity)) return true;
    }
    return false;
}

bool cplan_find_beside(const char *name, char *path, int32_t capacity) {
    char origin[PATH_MAX];
    for (int number = 0; number < 2; number++) {
        if (!find_origin(number, origin)) continue;
        char *slash = strrchr(origin, '/');
        if (slash == NULL) continue;
        *slash = '\0';
        int written = snprintf(path, capacity, "%s/%s", origin, name);
        if (written < capacity && access(path, R_OK) == 0) return true;
    }
    return false;
}

bool cplan_bound(CPlanKernels *most, const char **error) {
    static const struct {
        const char *name;
        CPlanKernels kernels;
    } bounds[] = {
        {"baseline", CPLAN_KERNELS_BASELINE},
        {"avx2", CPLAN_KERNELS_AVX2},
        {"avx512", CPLAN_KERNELS_AVX512},
        {"avx512vnni", CPLAN_KERNELS_AVX512VNNI},
    };
    *most = CPLAN_KERNELS_BEST;
    const char *chosen = getenv("SLICESEG_KERNELS");
    if (chosen == NULL || chosen[0] == '\0') return true;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        if (strcmp(chosen, bounds[i].name) != 0) continue;
        *most = bounds[i].kernels;
        return true;
    }
    static char sentence[PATH_MAX];
    snprintf(
        sentence, sizeof sentence,
        "SLICESEG_KERNELS is '%s', which names no kernels; set it to baseline, avx2, avx512 or "
        "avx512vnni, or to nothing",
        chosen);
    *error = sentence;
    return false;
}

static const CPlanAPI *open_library(const char *path, CPlanKernels most) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    typedef const CPlanAPI *(*Entry)(int32_t);
    Entry entry = library != NULL ? (Entry)dlsym(library, "cplan_api") : NULL;
    if (entry == NULL) {
        snprintf(
            message, sizeof message,
            "the library of compiled networks '%s' cannot be loaded (%s); run 'make setup' again",
            path, dlerror());
        return NULL;
    }
    const CPlanAPI *api = entry(CPLAN_API_VERSION);
    if (api == NULL) {
        snprintf(
            message, sizeof message,
            "the library of compiled networks '%s' was built for another version of this program; "
            "run 'make setup' again",
            path);
    } else if (api->bound_kernels(most) != CPLAN_OK) {
        snprintf(
            message, sizeof message,
            "this processor cannot run the kernels that SLICESEG_KERNELS names, '%s'; set it to "
            "lower ones, or to nothing",
            getenv("SLICESEG_KERNELS"));
        api = NULL;
    }
    return api;
}

const CPlanAPI *cplan_load(const char **error) {
    pthread_mutex_lock(&lock);
    if (loaded == NULL) {
        char found[PATH_MAX];
        CPlanKernels most;
        const char *wrong;
        if (!cplan_find("SLICESEG_PLAN", "libSliceSegPlan.so", found, sizeof found)) {
            snprintf(
                message, sizeof message,
                "the library of compiled networks libSliceSegPlan.so was not found beside the "
                "program or in .deps/lib; run 'make setup', or name it in SLICESEG_PLAN");
        } else if (!cplan_bound(&most, &wrong)) {
            snprintf(message, sizeof message, "%s", wrong);
        } else {
            loaded = open_library(found, most);
        }
    }
    const CPlanAPI *result = loaded;
    if (error != NULL) *error = result == NULL ? message : NULL;
    pthread_mutex_unlock(&lock);
    return result;
}
