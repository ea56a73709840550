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
#define CTORCH_API_VERSION 7

typedef struct CTorchTensorStorage *CTorchTensor;

typedef enum {
    CTORCH_OK = 0,
    CTORCH_ERROR_ARGUMENT = 1,  // the call itself is wrong: shapes, types, names
    CTORCH_ERROR_MEMORY = 2,    // memory of the device or the machine is used up
    CTORCH_ERROR_OTHER = 3,
} CTorchStatus;

// LibTorch's own numbers (c10::ScalarType).
typedef enum {
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

typedef enum { CTORCH_CPU = 0, CTORCH_CUDA = 1 } CTorchDeviceType;

typedef enum {
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

// A network compiled for one size of image; see plan_make.
typedef struct CTorchPlanStorage *CTorchPlan;

// Scratch memory of a plan for one image: height x width pixels of `channels` elements each, the
// channels of a pixel side by side. Where `holds_indices` is set the elements are bytes that say
// which of the four pixels of a pooling window was the largest; otherwise they are of the plan's
// type. Buffers whose times of use do not overlap share memory.
typedef struct {
    int32_t channels;
    int32_t height;
    int32_t width;
    bool holds_indices;
} CTorchPlanBuffer;

// Some neighbouring channels of a buffer; `buffer` is -1 for none.
typedef struct {
    int32_t buffer;
    int32_t channel;
    int32_t channels;
} CTorchPlanPlace;

typedef enum {
    // The image, converted, with zeros below and to the right of it -> target.
    CTORCH_STEP_INPUT = 0,
    // sources[0], a whole buffer -> target, a whole buffer that no other step writes. Stride 1,
    // padded to keep the size; `weight` [out, in, k, k], `bias`; then `slope`.
    CTORCH_STEP_CONVOLVE,
    // The sources side by side, each unpooled where it has indices -> target, each value scaled,
    // shifted, and multiplied by `slope` where it is negative; and pooled where `pooled` is given.
    CTORCH_STEP_CONCATENATE,
    // sources[0] at twice the size, by linear interpolation between pixel centres, or each pixel four
    // times -> target.
    CTORCH_STEP_UPSAMPLE_BILINEAR,
    CTORCH_STEP_UPSAMPLE_NEAREST,
    // sources[0], whose four quarters of channels are the pixels of a 2x2 square -> target.
    CTORCH_STEP_DEPTH_TO_SPACE,
    // Squeeze & excitation of the scaled and shifted sources[0] -> target; pooled where `pooled`
    // is given. `reduce_…` and `expand_…` for the channels, `spatial_…` for the pixels, both or
    // one of them.
    CTORCH_STEP_RECALIBRATE,
    // A 1x1 convolution of sources[0], in single precision -> the logits. `weight`, `bias`.
    CTORCH_STEP_CLASSIFY,
} CTorchStepKind;

typedef enum {
    CTORCH_COMBINE_ADDITION = 0,
    CTORCH_COMBINE_MAXIMUM,
    CTORCH_COMBINE_PRODUCT,
    CTORCH_COMBINE_CONCATENATION,  // the target has twice the channels
} CTorchCombination;

#define CTORCH_STEP_SOURCES 4

// A step of a plan. Tensors are float32 on the CPU and may be released after plan_make.
typedef struct {
    CTorchStepKind kind;
    CTorchPlanPlace sources[CTORCH_STEP_SOURCES];
    int32_t source_indices[CTORCH_STEP_SOURCES];  // buffers to unpool by, or -1
    int32_t source_count;
    CTorchPlanPlace target;
    CTorchPlanPlace pooled;  // 2x2 maxima of the target
    int32_t indices;         // a buffer for where they were, or -1
    double slope;            // 1 for none, 0 for ReLU
    // Of a convolution in 8-bit integers: what its input is cut off at and rounded between. Equal for
    // one in the plan's own type.
    double low, high;
    CTorchCombination combination;
    CTorchTensor CTORCH_NULLABLE weight;
    CTorchTensor CTORCH_NULLABLE bias;
    CTorchTensor CTORCH_NULLABLE scale;
    CTorchTensor CTORCH_NULLABLE shift;
    CTorchTensor CTORCH_NULLABLE reduce_weight;
    CTorchTensor CTORCH_NULLABLE reduce_bias;
    CTorchTensor CTORCH_NULLABLE expand_weight;
    CTorchTensor CTORCH_NULLABLE expand_bias;
    CTorchTensor CTORCH_NULLABLE spatial_weight;
    CTorchTensor CTORCH_NULLABLE spatial_bias;
} CTorchPlanStep;

// The distances in a volume's storage, in voxels, from a voxel to the next slice's, row's and column's.
typedef struct CTorchSliceStrides {
    int64_t slice, row, column;
} CTorchSliceStrides;

// Which compilation of the plans' own loops is used.
typedef enum {
    CTORCH_KERNELS_BEST = -1,  // of those that this processor can run
    CTORCH_KERNELS_BASELINE = 0,
    CTORCH_KERNELS_AVX2 = 1,
    CTORCH_KERNELS_AVX512 = 2,
    CTORCH_KERNELS_AVX512VNNI = 3,
} CTorchKernels;

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

    // Packs the weights of a network for images of one size. `type` is BFLOAT16 or FLOAT32.
    CTorchStatus (*plan_make)(
        const CTorchPlanBuffer *buffers, int32_t buffer_count, const CTorchPlanStep *steps,
        int32_t step_count, CTorchElementType type, CTorchKernels kernels,
        CTorchPlan CTORCH_NULLABLE *CTORCH_NONNULL result);
    void (*plan_release)(CTorchPlan CTORCH_NULLABLE plan);
    // Computes the logits [N, height, width, classes] of images [N, channels, height, width], both
    // float32. Images are dealt to the threads one by one and each is computed by a single thread:
    // the result does not depend on how many of either there are.
    CTorchStatus (*plan_run)(
        CTorchPlan plan, CTorchTensor images, CTorchTensor CTORCH_NULLABLE *CTORCH_NONNULL logits);
    // Computes images on the calling thread and adds to `counts` [convolutions][65536] how often each
    // bfloat16 number, by its bits, stands in the input of each convolution.
    CTorchStatus (*plan_observe)(CTorchPlan plan, CTorchTensor images, int64_t *counts);
    // The instruction set of the plan's own loops; how many of its convolutions run in 8-bit integers,
    // on packed weights and by Winograd's algorithm; and the bytes of scratch memory for each thread.
    const char *CTORCH_NONNULL (*CTORCH_NONNULL plan_kernels)(CTorchPlan plan);
    int32_t (*plan_integer_count)(CTorchPlan plan);
    int32_t (*plan_packed_count)(CTorchPlan plan);
    int32_t (*plan_winograd_count)(CTorchPlan plan);
    int64_t (*plan_byte_count)(CTorchPlan plan);
    // Adds `weight` times the softmax of the logits [N, K, H, W] of slices from `first_slice` on to the
    // volume's sums, float16 with `classes` numbers a voxel (where not NULL), and writes each voxel's
    // argmax over the outputs to `labels` (where not NULL; ties: the lowest index). Class c gets what
    // output `output_of_class[c]` has. On the CPU.
    CTorchStatus (*accumulate_views)(
        CTorchTensor logits, CTorchTensor CTORCH_NULLABLE sums,
        const CTorchSliceStrides *CTORCH_NONNULL strides, int64_t first_slice,
        const int32_t *CTORCH_NONNULL output_of_class, int32_t classes, double weight,
        uint8_t *CTORCH_NULLABLE labels, int64_t voxel_count);
    // The argmax over the classes of each voxel's sums (ties: the lowest index).
    CTorchStatus (*argmax_views)(
        CTorchTensor sums, uint8_t *CTORCH_NONNULL labels, int64_t voxel_count);
    // What LibTorch's convolutions find: "AMX", "AVX512_BF16", "AVX512", "AVX2" or "".
    const char *CTORCH_NONNULL (*CTORCH_NONNULL convolution_capability)(void);
    // Whether bfloat16 is multiplied in hardware.
    bool (*has_bfloat16)(void);
    // Whether plans can be made with such kernels.
    bool (*has_kernels)(CTorchKernels kernels);
    // The highest kernels that are used from now on; `ctorch_load` calls it with what SLICESEG_KERNELS
    // names. An error where the processor cannot run them.
    CTorchStatus (*bound_kernels)(CTorchKernels most);
} CTorchAPI;

// Opens libCTorch and returns its functions, or NULL; then `*error` is one sentence that lives
// until the next call. Looks at `path` where that is not NULL, otherwise at $SLICESEG_CTORCH, beside
// the running program, in ../lib of it, and in `.deps/lib` of each folder above it.
// The first success is kept; later calls return it.
//
// $SLICESEG_KERNELS may be `baseline`, `avx2`, `avx512` or `avx512vnni`: no higher instruction set is
// used then, in the kernels of this package and in LibTorch's, as on a processor that has none.
const CTorchAPI *CTORCH_NULLABLE
ctorch_load(const char *CTORCH_NULLABLE path, const char *CTORCH_NULLABLE *CTORCH_NULLABLE error);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif

#endif
