// CPlan.h: compiled networks on the processor, and what joins their slices to a volume.
//
// The implementation is a shared library of its own, libSliceSegPlan, built from `library/` and opened
// at run time by `cplan_load`. It needs no LibTorch. What crosses the border is plain C: one table of
// functions, buffers of the caller, opaque handles, status codes and the text of the last error.
//
// Ownership: a plan belongs to the caller, who releases it exactly once. Arguments are borrowed for the
// length of the call.

#ifndef CPLAN_H
#define CPLAN_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __clang__
#pragma clang assume_nonnull begin
#define CPLAN_NULLABLE _Nullable
#define CPLAN_NONNULL _Nonnull
#else
#define CPLAN_NULLABLE
#define CPLAN_NONNULL
#endif

// A change of this table's layout or meaning changes this number; loading checks it.
#define CPLAN_API_VERSION 4

typedef enum : int32_t {
    CPLAN_OK = 0,
    CPLAN_ERROR_ARGUMENT = 1,  // the call itself is wrong: sizes, kernels
    CPLAN_ERROR_MEMORY = 2,    // the machine's memory is used up
    CPLAN_ERROR_OTHER = 3,
} CPlanStatus;

// A network compiled for one size of image; see plan_make.
typedef struct CPlanStorage *CPlan;

// Scratch memory of a plan for one image: height x width pixels of `channels` elements each, the
// channels of a pixel side by side. Where `holds_indices` is set the elements are bytes that say
// which of the four pixels of a pooling window was the largest; otherwise they are of the plan's
// type. Buffers whose times of use do not overlap share memory.
typedef struct {
    int32_t channels;
    int32_t height;
    int32_t width;
    bool holds_indices;
} CPlanBuffer;

// Some neighbouring channels of a buffer; `buffer` is -1 for none.
typedef struct {
    int32_t buffer;
    int32_t channel;
    int32_t channels;
} CPlanPlace;

typedef enum : int32_t {
    // The image, converted, with zeros below and to the right of it -> target.
    CPLAN_STEP_INPUT = 0,
    // sources[0], a whole buffer -> target, a whole buffer that no other step writes. `weight`
    // [out, in / groups, kernel, kernel], `bias`; then `slope`.
    CPLAN_STEP_CONVOLVE,
    // The sources side by side, each unpooled where it has indices -> target, each value scaled,
    // shifted, and multiplied by `slope` where it is negative; and pooled where `pooled` is given.
    CPLAN_STEP_CONCATENATE,
    // sources[0] at twice the size, by linear interpolation between pixel centres, or each pixel four
    // times -> target.
    CPLAN_STEP_UPSAMPLE_BILINEAR,
    CPLAN_STEP_UPSAMPLE_NEAREST,
    // sources[0], whose four quarters of channels are the pixels of a 2x2 square -> target.
    CPLAN_STEP_DEPTH_TO_SPACE,
    // Squeeze & excitation of the scaled and shifted sources[0] -> target; pooled where `pooled`
    // is given. `reduce_…` and `expand_…` for the channels, `spatial_…` for the pixels, both or
    // one of them.
    CPLAN_STEP_RECALIBRATE,
    // The sum of the sources, multiplied by `slope` where it is negative -> target.
    CPLAN_STEP_ADD,
    // Windows of sources[0] of `kernel` pixels, `stride` apart, which reach `padding` pixels beyond the
    // image, reduced as `pooling` says; what lies beyond counts for nothing -> target.
    CPLAN_STEP_POOL,
    // The sources mixed channel by channel -> target: with the mean over the image of their sum, the
    // shares are softmax over the sources of `expand_…` ReLU(`reduce_…` mean), of which `expand_…`
    // holds the channels of one source after the other.
    CPLAN_STEP_SELECT,
    // A 1x1 convolution of sources[0], in single precision -> the logits. `weight` [out, in], `bias`.
    CPLAN_STEP_CLASSIFY,
    // A fully connected layer of the mean of sources[0] over the image, in single precision -> the logits
    // of the image as a whole. `weight` [out, in], `bias`.
    CPLAN_STEP_CLASSIFY_IMAGE,
} CPlanStepKind;

typedef enum : int32_t {
    CPLAN_COMBINE_ADDITION = 0,
    CPLAN_COMBINE_MAXIMUM,
    CPLAN_COMBINE_PRODUCT,
    CPLAN_COMBINE_CONCATENATION,  // the target has twice the channels
} CPlanCombination;

typedef enum : int32_t {
    CPLAN_POOL_MAXIMUM = 0,
    CPLAN_POOL_MEAN,
    // The mean by the values themselves, where they are positive (arXiv:1301.3557).
    CPLAN_POOL_WEIGHTED,
} CPlanPooling;

#define CPLAN_STEP_SOURCES 8

// A step of a plan. Weights are row-major and may be released after plan_make.
typedef struct {
    CPlanStepKind kind;
    CPlanPlace sources[CPLAN_STEP_SOURCES];
    int32_t source_indices[CPLAN_STEP_SOURCES];  // buffers to unpool by, or -1
    int32_t source_count;
    CPlanPlace target;
    CPlanPlace pooled;  // 2x2 maxima of the target
    int32_t indices;    // a buffer for where they were, or -1
    double slope;       // 1 for none, 0 for ReLU
    // Of a convolution, with `padding` zeros around its input: kernel, stride, dilation and groups. Of a
    // pooling the first two and `padding`.
    int32_t kernel, stride, dilation, padding, groups;
    // Of a convolution in 8-bit integers: what its input is cut off at and rounded between. Equal for
    // one in the plan's own type.
    double low, high;
    int32_t hidden;   // of a recalibration or selection: rows of `reduce_weight`
    int32_t classes;  // of the logits
    CPlanCombination combination;
    CPlanPooling pooling;
    const float *CPLAN_NULLABLE weight;
    const float *CPLAN_NULLABLE bias;
    const float *CPLAN_NULLABLE scale;
    const float *CPLAN_NULLABLE shift;
    const float *CPLAN_NULLABLE reduce_weight;
    const float *CPLAN_NULLABLE reduce_bias;
    const float *CPLAN_NULLABLE expand_weight;
    const float *CPLAN_NULLABLE expand_bias;
    const float *CPLAN_NULLABLE spatial_weight;
    const float *CPLAN_NULLABLE spatial_bias;
} CPlanStep;

// The distances in a volume's storage, in voxels, from a voxel to the next slice's, row's and column's.
typedef struct CPlanSliceStrides {
    int64_t slice, row, column;
} CPlanSliceStrides;

// Which compilation of the loops is used.
typedef enum : int32_t {
    CPLAN_KERNELS_BEST = -1,  // of those that this processor can run
    CPLAN_KERNELS_BASELINE = 0,
    CPLAN_KERNELS_AVX2 = 1,
    CPLAN_KERNELS_AVX512 = 2,
    CPLAN_KERNELS_AVX512VNNI = 3,
} CPlanKernels;

typedef struct CPlanConvolutionStorage *CPlanConvolution;

// A convolution of stride 1 that keeps the size, for another library.
typedef struct {
    const float *weight;  // [out, in, kernel, kernel]
    const float *bias;
    int32_t out_channels, in_channels, kernel;
    double slope;
    bool is_bfloat16;  // rather than float32: the image where it is not of integers, and the result
    // Where the image is of bytes: scale * (byte - zero).
    bool is_in_integers;
    float scale;
    int32_t zero;
    int32_t height, width;  // about those of the images
} CPlanConvolutionLayer;

// Another library's convolutions, for those of a plan that it has faster ones of.
typedef struct {
    // NULL where it has none, or none that is exact.
    CPlanConvolution CPLAN_NULLABLE (*CPLAN_NONNULL make)(const CPlanConvolutionLayer *layer);
    void (*CPLAN_NONNULL release)(CPlanConvolution convolution);
    // From here on results are bytes: scale * (byte - zero).
    void (*CPLAN_NONNULL give_bytes)(CPlanConvolution convolution, float scale, int32_t zero);
    // Convolves an image, the channels of a pixel side by side, on this thread alone. Returns the owner
    // of `*result`, or NULL with a sentence in `*error`.
    void *CPLAN_NULLABLE (*CPLAN_NONNULL run)(
        CPlanConvolution convolution, const void *image, int32_t height, int32_t width,
        void *CPLAN_NULLABLE *CPLAN_NONNULL result,
        const char *CPLAN_NULLABLE *CPLAN_NONNULL error);
    void (*CPLAN_NONNULL release_result)(void *owner);
    // Around what a thread convolves; `end` gets what `begin` returned.
    void *CPLAN_NONNULL (*CPLAN_NONNULL begin)(void);
    void (*CPLAN_NONNULL end)(void *scope);
} CPlanConvolutions;

typedef struct {
    int32_t version;

    // The text of the last error on this thread, until the next call on it.
    const char *CPLAN_NONNULL (*CPLAN_NONNULL last_error)(void);

    // The threads that images and voxels are dealt to; at first $OMP_NUM_THREADS, or one for each core
    // that this process may use.
    CPlanStatus (*set_thread_count)(int32_t count);
    int32_t (*thread_count)(void);
    // Gives memory that is free back to the system.
    void (*release_memory)(void);

    // Packs the weights of a network for images of one size, in float32 or bfloat16. What `others` have
    // is convolved by them; they outlive the plan.
    CPlanStatus (*plan_make)(
        const CPlanBuffer *buffers, int32_t buffer_count, const CPlanStep *steps,
        int32_t step_count, bool is_bfloat16, CPlanKernels kernels,
        const CPlanConvolutions *CPLAN_NULLABLE others, CPlan CPLAN_NULLABLE *CPLAN_NONNULL result);
    void (*plan_release)(CPlan CPLAN_NULLABLE plan);
    // Computes the logits [count, height, width, classes], or [count, classes] where images are classified
    // as a whole, of images [count, channels, height, width].
    // Images are dealt to the threads one by one and each is computed by a single thread: the result
    // does not depend on how many of either there are.
    CPlanStatus (*plan_run)(
        CPlan plan, const float *images, int64_t count, int32_t channels, int32_t height,
        int32_t width, float *logits);
    // Computes images on the calling thread and adds to `counts` [convolutions][65536] how often each
    // bfloat16 number, by its bits, stands in the input of each convolution.
    CPlanStatus (*plan_observe)(
        CPlan plan, const float *images, int64_t count, int32_t channels, int32_t height,
        int32_t width, int64_t *counts);
    // The classes; the instruction set of the plan's loops; how many of its convolutions run in 8-bit
    // integers, as sums on packed weights and by Winograd's algorithm; and the bytes of scratch memory
    // for each thread.
    int32_t (*plan_class_count)(CPlan plan);
    const char *CPLAN_NONNULL (*CPLAN_NONNULL plan_kernels)(CPlan plan);
    int32_t (*plan_integer_count)(CPlan plan);
    int32_t (*plan_packed_count)(CPlan plan);
    int32_t (*plan_winograd_count)(CPlan plan);
    int64_t (*plan_byte_count)(CPlan plan);

    // Adds `weight` times the softmax of the logits [count, height, width, outputs] of slices from
    // `first_slice` on to the volume's sums, float16 with `classes` numbers a voxel (where not NULL), and
    // writes each voxel's argmax over the outputs to `labels` (where not NULL; ties: the lowest index).
    // Class c gets what output `output_of_class[c]` has. `places` has each voxel's place among those with
    // sums, and -1 for one without, whose label is 0; NULL: all have sums, in order.
    CPlanStatus (*accumulate_views)(
        const float *logits, int64_t count, int64_t height, int64_t width, int64_t outputs,
        uint16_t *CPLAN_NULLABLE sums, const int32_t *CPLAN_NULLABLE places,
        const CPlanSliceStrides *strides, int64_t first_slice, const int32_t *output_of_class,
        int32_t classes, double weight, uint8_t *CPLAN_NULLABLE labels, int64_t voxel_count);
    // The argmax over the classes of each voxel's sums (ties: the lowest index).
    CPlanStatus (*argmax_views)(
        const uint16_t *sums, int32_t classes, uint8_t *labels, int64_t voxel_count);
    // Sums [size[0], size[1], size[2], classes] become the mean of themselves and of those of the image
    // that is mirrored along `axis`, where class c is `mirrored_class[c]`.
    CPlanStatus (*average_mirrored)(
        uint16_t *sums, const uint16_t *mirrored, const int64_t *size, int32_t axis,
        const int32_t *mirrored_class, int32_t classes);

    // What the processor has for convolutions: "AMX", "AVX512_BF16", "AVX512", "AVX2" or "".
    const char *CPLAN_NONNULL (*CPLAN_NONNULL convolution_capability)(void);
    // Whether bfloat16 is multiplied in hardware.
    bool (*has_bfloat16)(void);
    // Whether plans can be made with such kernels.
    bool (*has_kernels)(CPlanKernels kernels);
    // The highest kernels that are used from now on; `cplan_load` calls it with what SLICESEG_KERNELS
    // names. An error where the processor cannot run them.
    CPlanStatus (*bound_kernels)(CPlanKernels most);
} CPlanAPI;

// Opens libSliceSegPlan and returns its functions, or NULL; then `*error` is one sentence that lives
// until the next call. Looks at $SLICESEG_PLAN, beside the library or program that this code is linked
// into and beside the running program, in ../lib of them, and in `.deps/lib` of each folder above them.
// The first success is kept; later calls return it.
const CPlanAPI *CPLAN_NULLABLE cplan_load(const char *CPLAN_NULLABLE *CPLAN_NULLABLE error);

// The highest kernels that $SLICESEG_KERNELS lets plans use, `baseline`, `avx2`, `avx512` or
// `avx512vnni`, as on a processor that has no higher ones; the best where it is not set. False where it
// names none; then `*error` is a sentence of constant life.
bool cplan_bound(CPlanKernels *most, const char *CPLAN_NULLABLE *CPLAN_NONNULL error);

// Writes the path of a library of the package, of at most `capacity` bytes: the one that the environment's
// `variable` names, else the one of that name where `cplan_load` looks.
bool cplan_find(const char *variable, const char *name, char *path, int32_t capacity);

// Finds a file by its path from the folder of the library or program that this code is linked into, else from
// that of the running program, and writes its path.
bool cplan_find_beside(const char *name, char *path, int32_t capacity);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif

#endif
