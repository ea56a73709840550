// SliceSeg.h: segments volumes and evaluates label maps, for any language that calls C.
//
// Link with libSliceSegC, which carries Swift's runtime along. A program begins with a model and a volume,
// gets a segmentation, and frees all three:
//
//     SliceSegModel *model; SliceSegVolume *scan; SliceSegSegmentation *result; SliceSegError *error;
//     if (sliceseg_model_load("brain-any", NULL, &model, &error) != SLICESEG_OK) {
//         fprintf(stderr, "%s\n", sliceseg_error_message(error));
//         ...
//     }
//
// Ownership: a handle belongs to the caller, who frees it exactly once by the function of its name; what a
// function takes is borrowed for the length of the call. A pointer that a handle gives out lives as long
// as the handle. Handles do not need each other after a call: a model may be freed before a segmentation.
//
// Errors: a call that can fail returns a status and, where that is not SLICESEG_OK and `error` is not NULL,
// sets `*error` to a handle that the caller frees; otherwise `*error` and results are left alone.
//
// Threads: every function may be called from any thread, several at once. A model segments one scan at a
// time; further calls with it wait for their turn. Handles must not be freed while another call uses them.
//
// Voxels lie with the first axis fastest, as in NIfTI. An affine is three rows of four numbers, from voxel
// indices to RAS+ millimetres.

#ifndef SLICESEG_H
#define SLICESEG_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __clang__
#pragma clang assume_nonnull begin
#define SLICESEG_NULLABLE _Nullable
#define SLICESEG_NONNULL _Nonnull
#else
#define SLICESEG_NULLABLE
#define SLICESEG_NONNULL
#endif

typedef enum {
    SLICESEG_OK = 0,
    SLICESEG_FAILED = 1,       // a file, the scan, or the machine
    SLICESEG_WRONG_USAGE = 2,  // an option or argument
    SLICESEG_STOPPED = 3,      // the caller's progress function asked for it
} SliceSegStatus;

typedef struct SliceSegError SliceSegError;
typedef struct SliceSegModel SliceSegModel;
typedef struct SliceSegVolume SliceSegVolume;
typedef struct SliceSegLabels SliceSegLabels;
typedef struct SliceSegSegmentation SliceSegSegmentation;

// A structure of a model, or as a segmentation has it.
typedef struct {
    int32_t label;             // in label maps
    const char *name;          // such as "Left-Hippocampus"; lives as long as its handle
    uint8_t red, green, blue;  // in pictures
    int64_t voxel_count;       // -1 of a model's
    double volume_cubic_millimeters;
    double mean_probability;  // over its own voxels; NaN where it is not known
} SliceSegStructure;

// Called on the calling thread with a stage, such as "conform" or "coronal", and the share of the work that
// is done, 0 to 1; "waiting" while another call uses the model. Any other result than 0 stops the work.
typedef int32_t (*SliceSegProgress)(
    const char *stage, double fraction, void *SLICESEG_NULLABLE context);

// The version of the library, such as "0.2.0"; constant.
const char *sliceseg_version(void);

// Sets how many threads networks are computed on, for the whole process; at first $OMP_NUM_THREADS or the
// machine's cores.
SliceSegStatus sliceseg_set_thread_count(
    int32_t count, SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);

// One sentence with a next step; its kind, such as "volume.truncated", which stays from version to version;
// the sentence without the next step; the next step, or NULL; and the file, or NULL.
const char *sliceseg_error_message(const SliceSegError *error);
const char *sliceseg_error_code(const SliceSegError *error);
const char *sliceseg_error_problem(const SliceSegError *error);
const char *SLICESEG_NULLABLE sliceseg_error_next_step(const SliceSegError *error);
const char *SLICESEG_NULLABLE sliceseg_error_path(const SliceSegError *error);
void sliceseg_error_free(SliceSegError *SLICESEG_NULLABLE error);

// Loads a shipped model by its name, or any by its folder. `options` is NULL or ends with NULL and has texts
// NAME=VALUE, where names and values are those of segment-brain: planes=coronal,axial, device=cpu,
// precision=fp32, batch-size=8, interpolation=cubic, tta=flip; and probabilities=true keeps those of all
// classes.
SliceSegStatus sliceseg_model_load(
    const char *name, const char *SLICESEG_NULLABLE const *SLICESEG_NULLABLE options,
    SliceSegModel *SLICESEG_NULLABLE *SLICESEG_NONNULL model,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
void sliceseg_model_free(SliceSegModel *SLICESEG_NULLABLE model);
// The name, the licence of the weights, and the structures in the order of the classes 1, 2, ….
const char *sliceseg_model_name(const SliceSegModel *model);
const char *sliceseg_model_licence(const SliceSegModel *model);
int32_t sliceseg_model_structure_count(const SliceSegModel *model);
SliceSegStructure sliceseg_model_structure(const SliceSegModel *model, int32_t index);

// Reads a scan, NIfTI or MGH; of a 4-D one volume `number` counted from 0, or -1 where it has a single one.
SliceSegStatus sliceseg_volume_read(
    const char *path, int32_t number, SliceSegVolume *SLICESEG_NULLABLE *SLICESEG_NONNULL volume,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
// Copies size[0] * size[1] * size[2] intensities.
SliceSegStatus sliceseg_volume_make(
    const float *voxels, const int64_t *size, const double *affine,
    SliceSegVolume *SLICESEG_NULLABLE *SLICESEG_NONNULL volume,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
void sliceseg_volume_free(SliceSegVolume *SLICESEG_NULLABLE volume);

// Segments a scan. The labels lie on its own grid.
SliceSegStatus sliceseg_segment(
    SliceSegModel *model, const SliceSegVolume *scan, SliceSegProgress SLICESEG_NULLABLE progress,
    void *SLICESEG_NULLABLE context,
    SliceSegSegmentation *SLICESEG_NULLABLE *SLICESEG_NONNULL segmentation,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
void sliceseg_segmentation_free(SliceSegSegmentation *SLICESEG_NULLABLE segmentation);
// The grid: three numbers, and twelve.
void sliceseg_segmentation_grid(
    const SliceSegSegmentation *segmentation, int64_t *size, double *affine);
// The labels, size[0] * size[1] * size[2] of them, in the memory of the segmentation.
const uint16_t *sliceseg_segmentation_labels(const SliceSegSegmentation *segmentation);
// The model's structures with their volumes.
int32_t sliceseg_segmentation_structure_count(const SliceSegSegmentation *segmentation);
SliceSegStructure sliceseg_segmentation_structure(
    const SliceSegSegmentation *segmentation, int32_t index);
// The precision and the path of computation.
const char *sliceseg_segmentation_computation(const SliceSegSegmentation *segmentation);
// Writes the probabilities of a class in parts of 65535 on the scan's grid to `voxels`: class 0 is background,
// then follow the structures. Fails where the model was loaded without probabilities=true.
SliceSegStatus sliceseg_segmentation_probabilities(
    const SliceSegSegmentation *segmentation, int32_t class_number, uint16_t *voxels,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
// Writes the labels as segment-brain does: the format follows from the ending, .nii, .nii.gz, .mgz or .mgh, the
// header from the scan's file.
SliceSegStatus sliceseg_segmentation_write(
    const SliceSegSegmentation *segmentation, const char *path,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);

// Reads a label map; a table of names is taken from the dseg.tsv beside it or from its header.
SliceSegStatus sliceseg_labels_read(
    const char *path, SliceSegLabels *SLICESEG_NULLABLE *SLICESEG_NONNULL labels,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
// Copies size[0] * size[1] * size[2] labels.
SliceSegStatus sliceseg_labels_make(
    const uint16_t *voxels, const int64_t *size, const double *affine,
    SliceSegLabels *SLICESEG_NULLABLE *SLICESEG_NONNULL labels,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
void sliceseg_labels_free(SliceSegLabels *SLICESEG_NULLABLE labels);

// Measures a prediction against its reference by a convention, "surface-distance", "monai" or "nnunet". `*json`
// is what `sliceseg evaluate` writes to summary.json for this one case; the caller frees it by
// sliceseg_text_free.
SliceSegStatus sliceseg_evaluate(
    const SliceSegLabels *prediction, const SliceSegLabels *reference, const char *convention,
    double tolerance_millimeters, char *SLICESEG_NULLABLE *SLICESEG_NONNULL json,
    SliceSegError *SLICESEG_NULLABLE *SLICESEG_NULLABLE error);
void sliceseg_text_free(char *SLICESEG_NULLABLE text);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif

#endif
