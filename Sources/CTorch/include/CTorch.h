// CTorch.h: the only header through which Swift sees LibTorch.
//
// The implementation is a shared library of its own, libCTorch, built from `library/` against any
// LibTorch (CPU or CUDA) and opened at run time by `ctorch_load`. What crosses the border is plain
// C: one table of functions, opaque handles, status codes and the text of the last error.
//
// Ownership: every CTorchTensor that a function hands out belongs to the caller, who releases it
// exactly once. Arguments are borrowed for the length of the call.

#ifndef CTORCH_H
#define CTORCH_H

#include "CPlan.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __clang__
#pragma clang assume_nonnull begin
#define CTORCH_NULLABLE _Nullable
#define CTORCH_NONNULL _Nonnull
#else
#define CTORCH_NULLABLE
#define CTORCH_NONNULL
#endif

// A change of this table's layout or meaning changes this number; loading checks it.
#define CTORCH_API_VERSION 8

typedef struct CTorchTensorStorage *CTorchTensor;

typedef enum : int32_t {
    CTORCH_OK = 0,
    CTORCH_ERROR_ARGUMENT = 1,  // the call itself is wrong: shapes, types, names
    CTORCH_ERROR_MEMORY = 2,    // memory of the device or the machine is used up
    CTORCH_ERROR_OTHER = 3,
} CTorchStatus;

// LibTorch's own numbers (c10::ScalarType).
typedef enum : int32_t {
    CTORCH_UINT8 = 0,
    CTORCH_INT8 = 1,
    CTORCH_INT16 = 2,
    CTORCH_INT32 = 3,
    CTORCH_INT64 = 4,
    CTORCH_FLOAT16 = 5,
    CTORCH_FLOAT32 = 6,
    CTORCH_FLOAT64 = 7,
    CTORCH_BOOL = 11,
    CTORCH_BFLOAT16 = 15,
} CTorchElementType;

typedef enum : int32_t { CTORCH_CPU = 0, CTORCH_CUDA = 1 } CTorchDeviceType;

typedef enum : int32_t {
    CTORCH_VALUE_NONE = 0,
    CTORCH_VALUE_TENSOR,
    CTORCH_VALUE_INTEGER,
    CTORCH_VALUE_REAL,
    CTORCH_VALUE_BOOLEAN,
    CTORCH_VALUE_STRING,
    CTORCH_VALUE_INTEGERS,
    CTORCH_VALUE_REALS,
    CTORCH_VALUE_TENSORS,
    CTORCH_VALUE_DEVICE,  // `integer` is the device type, `count` its index
} CTorchValueKind;

// An argument or a result of an operator.
typedef struct {
    CTorchValueKind kind;
    int64_t integer;
    double real;
    CTorchTensor CTORCH_NULLABLE tensor;
    const char *CTORCH_NULLABLE string;
    const void *CTORCH_NULLABLE list;  // int64_t, double or CTorchTensor elements
    int64_t count;
} CTorchValue;

typedef struct {
    int32_t version;

    // The text of the last error on this thread, until the next call on it.
    const char *CTORCH_NONNULL (*CTORCH_NONNULL last_error)(void);

    // Calls an operator of LibTorch by its schema's name ("aten::conv2d") and overload ("" for
    // none). Arguments stand in the schema's order; those left out at the end take its defaults.
    // Lists of tensors in the result are flattened; an undefined tensor comes back as NONE.
    CTorchStatus (*call)(
        const char *name, const char *overload, const CTorchValue *CTORCH_NULLABLE arguments,
        int32_t argument_count, CTorchValue *results, int32_t capacity, int32_t *result_count);

    // Copies `bytes` (dense, row-major) into a new tensor.
    CTorchStatus (*tensor_make)(
        const void *bytes, CTorchElementType type, const int64_t *CTORCH_NULLABLE shape,
        int32_t rank, CTorchDeviceType device, int32_t device_index,
        CTorchTensor CTORCH_NULLABLE *CTORCH_NONNULL result);
    void (*tensor_release)(CTorchTensor CTORCH_NULLABLE tensor);
    // Tensors handed out and not yet released.
    int64_t (*tensor_live_count)(void);

    int32_t (*tensor_rank)(CTorchTensor tensor);
    int64_t (*tensor_size)(CTorchTensor tensor, int32_t dimension);
    CTorchElementType (*tensor_type)(CTorchTensor tensor);
    CTorchDeviceType (*tensor_device)(CTorchTensor tensor, int32_t *index);
    // The elements of a dense, row-major tensor in CPU memory, valid while the tensor lives.
    CTorchStatus (*tensor_data)(
        CTorchTensor tensor, void *CTORCH_NULLABLE *CTORCH_NULLABLE data, int64_t *byte_count);

    CTorchStatus (*set_requires_gradient)(CTorchTensor tensor, bool required);
    // The accumulated gradient, or NULL where there is none.
    CTorchStatus (*gradient)(
        CTorchTensor tensor, CTorchTensor CTORCH_NULLABLE *CTORCH_NONNULL result);
    CTorchStatus (*clear_gradient)(CTorchTensor tensor);
    // Adds d tensor / d leaf to each leaf's gradient and frees the graph; `tensor` is a scalar.
    CTorchStatus (*backward)(CTorchTensor tensor);

    // Each returns what was set before, on this thread.
    bool (*set_gradient_mode)(bool enabled);
    bool (*set_autocast)(CTorchDeviceType device, bool enabled, CTorchElementType type);
    void (*clear_autocast_cache)(void);

    CTorchStatus (*set_seed)(uint64_t seed);
    // The state of a device's random generator as a UINT8 tensor.
    CTorchStatus (*random_state)(
        CTorchDeviceType device, int32_t index,
        CTorchTensor CTORCH_NULLABLE *CTORCH_NONNULL result);
    CTorchStatus (*set_random_state)(CTorchDeviceType device, int32_t index, CTorchTensor state);

    CTorchStatus (*set_thread_count)(int32_t count);
    int32_t (*thread_count)(void);
    int32_t (*cuda_device_count)(void);
    // Memory that is free on a device, 0 where it cannot tell; and gives back what is kept for later.
    int64_t (*free_memory)(CTorchDeviceType type, int32_t index);
    void (*release_memory)(CTorchDeviceType type);
    // "2.13.0", and the instruction set that LibTorch's own kernels use, such as "AVX512".
    const char *CTORCH_NONNULL (*CTORCH_NONNULL torch_version)(void);
    const char *CTORCH_NONNULL (*CTORCH_NONNULL cpu_capability)(void);

    // LibTorch's convolutions for plans; they live as long as the process.
    const CPlanConvolutions *CTORCH_NONNULL (*CTORCH_NONNULL plan_convolutions)(void);
    // The highest kernels that are used from now on; `ctorch_load` calls it with what SLICESEG_KERNELS
    // names. An error where the processor cannot run them.
    CTorchStatus (*bound_kernels)(CPlanKernels most);
} CTorchAPI;

// Opens libCTorch and returns its functions, or NULL; then `*error` is one sentence that lives
// until the next call. Looks at `path` where that is not NULL, otherwise at $SLICESEG_CTORCH, beside
// the running program, in ../lib of it, and in `.deps/lib` of each folder above it.
// The first success is kept; later calls return it.
//
// What `cplan_bound` finds bounds LibTorch's kernels as well.
const CTorchAPI *CTORCH_NULLABLE
ctorch_load(const char *CTORCH_NULLABLE path, const char *CTORCH_NULLABLE *CTORCH_NULLABLE error);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif

#endif
