// CNIfTI.h: the only C header that Swift sees for NIfTI and MGH files.
//
// Four small parts:
//   streams   bytes from plain or gzip files, counted, with every failure told apart;
//   writers   bytes to plain or gzip files;
//   headers   NIfTI-1 and NIfTI-2 headers through libnifti: byte order, quaternions;
//   voxels    stored numbers of any scalar type to and from floats and labels.
//
// libnifti's own reader is not used: version 3.0.1 fills a short file with zeros and its writer
// reports nothing. Nor is znz, which hides zlib's error codes.
//
// Nothing here prints or keeps global state; calls on different objects may run in parallel.
#ifndef CNIFTI_H
#define CNIFTI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The outcome of a call.
typedef enum : int32_t {
    CNIFTI_OK = 0,
    CNIFTI_ERROR_SYSTEM = 1,      // the operating system refused; see the error number
    CNIFTI_ERROR_NOT_A_FILE = 2,  // a directory, a pipe, a device
    CNIFTI_ERROR_TRUNCATED = 3,   // the file ends early
    CNIFTI_ERROR_DAMAGED = 4,     // the compressed data is corrupt
    CNIFTI_ERROR_MEMORY = 5,      // memory is exhausted
    CNIFTI_ERROR_NOT_NIFTI = 6,   // neither header size nor magic fit
    CNIFTI_ERROR_ANALYZE = 7,     // an Analyze 7.5 header: the size fits, the magic does not
    CNIFTI_ERROR_VALUE = 8,       // a voxel cannot be a label or be stored in the type
    CNIFTI_ERROR_DATATYPE = 9,    // not a scalar type that is known here
} CNIfTIStatus;

// --- Streams -------------------------------------------------------------------------------

// A file that is open for reading. It belongs to the caller, who closes it once.
typedef struct CNIfTIStream CNIfTIStream;

// Opens a regular file to read it; gzip is recognised by content and undone.
// `error_number` receives errno where the status is CNIFTI_ERROR_SYSTEM.
CNIfTIStatus cnifti_stream_open(
    const char *_Nonnull path, CNIfTIStream *_Nullable *_Nonnull stream,
    int32_t *_Nonnull error_number);

// Size of the file on disk in bytes, as it was when it was opened.
int64_t cnifti_stream_file_size(const CNIfTIStream *_Nonnull stream);

// Whether the file is gzip.
bool cnifti_stream_is_compressed(const CNIfTIStream *_Nonnull stream);

// Reads up to `size` bytes; `count` receives how many came. CNIFTI_ERROR_TRUNCATED where the
// file ends before.
CNIfTIStatus cnifti_stream_read(
    CNIfTIStream *_Nonnull stream, void *_Nonnull bytes, size_t size, size_t *_Nonnull count,
    int32_t *_Nonnull error_number);

// Reads and drops `size` bytes.
CNIfTIStatus cnifti_stream_skip(
    CNIfTIStream *_Nonnull stream, int64_t size, int64_t *_Nonnull count,
    int32_t *_Nonnull error_number);

// Reads `size` bytes into memory that grows with what really comes, so that a header's claim
// alone allocates nothing large. The block belongs to the caller, who frees it with
// cnifti_block_free; `count` receives the bytes that came, also where the file ends early.
CNIfTIStatus cnifti_stream_read_block(
    CNIfTIStream *_Nonnull stream, size_t size, uint8_t *_Nullable *_Nonnull block,
    size_t *_Nonnull count, int32_t *_Nonnull error_number);

// Inflates a whole gzip file in one go, checksum included, wherever the stream stands. That takes
// half the time of reading on, and is done where the file is one member whose content has
// `smallest` bytes or at most 1 MiB more. Where it returns false nothing has changed: read on to
// learn what the file holds. The content belongs to the caller, who frees it with
// cnifti_block_free.
bool cnifti_stream_inflate_all(
    CNIfTIStream *_Nonnull stream, size_t smallest, uint8_t *_Nullable *_Nonnull content,
    size_t *_Nonnull count);

// Frees a block from cnifti_stream_read_block or cnifti_stream_inflate_all.
void cnifti_block_free(uint8_t *_Nullable block);

// Asks for large pages under fresh memory that is about to be filled: its first touch then costs a
// quarter. Without effect on small memory, or where the system has none.
void cnifti_prefer_large_pages(void *_Nonnull memory, size_t size);

// Checks gzip's checksum and length where the data that was read ends the file; at most 1 MiB
// of other data behind it is read over.
CNIfTIStatus cnifti_stream_check_end(CNIfTIStream *_Nonnull stream, int32_t *_Nonnull error_number);

// Closes and frees a stream, whatever state it is in.
void cnifti_stream_close(CNIfTIStream *_Nullable stream);

// --- Writers -------------------------------------------------------------------------------

// A file that is open for writing. It belongs to the caller, who finishes or closes it once.
typedef struct CNIfTIWriter CNIfTIWriter;

// Makes or empties a file to write it. `level` is gzip's 1 to 9, or 0 for a plain file; with
// `has_runs` gzip looks for repeated bytes only, which is faster and smaller for labels.
CNIfTIStatus cnifti_writer_create(
    const char *_Nonnull path, int32_t level, bool has_runs,
    CNIfTIWriter *_Nullable *_Nonnull writer, int32_t *_Nonnull error_number);

// Writes bytes.
CNIfTIStatus cnifti_writer_write(
    CNIfTIWriter *_Nonnull writer, const void *_Nonnull bytes, size_t size,
    int32_t *_Nonnull error_number);

// Writes what is pending, and closes and frees the writer whatever the status.
CNIfTIStatus cnifti_writer_finish(CNIfTIWriter *_Nonnull writer, int32_t *_Nonnull error_number);

// Closes and frees a writer, whatever state it is in.
void cnifti_writer_close(CNIfTIWriter *_Nullable writer);

// --- Headers -------------------------------------------------------------------------------

enum {
    CNIFTI_HEADER_1_BYTES = 348,  // a NIfTI-1 header
    CNIFTI_HEADER_2_BYTES = 540,  // a NIfTI-2 header
};

// The fields of a NIfTI-1 or NIfTI-2 header that are used here, in this machine's byte order.
typedef struct {
    int32_t version;      // 1 or 2
    bool is_swapped;      // the file has the other byte order
    bool is_single_file;  // voxels follow in the same file; else in an .img file
    int64_t dim[8];       // dim[0] is the number of axes
    int32_t datatype;     // NIfTI's code
    int32_t bits_per_voxel;
    double data_offset;  // vox_offset as it stands
    double slope;        // scl_slope as it stands
    double intercept;    // scl_inter as it stands
    double pixdim[8];
    int32_t qform_code;
    int32_t sform_code;
    double quaternion[3];  // b, c, d
    double offset[3];      // qoffset x, y, z
    double srow[12];       // the rows of the sform
    int32_t intent_code;
    int32_t xyzt_units;
} CNIfTIHeader;

// Reads a header of `count` bytes.
CNIfTIStatus cnifti_header_parse(
    const uint8_t *_Nonnull bytes, size_t count, CNIfTIHeader *_Nonnull header);

// The qform: 12 elements, row by row, through libnifti. A quaternion whose b, c, d are longer
// than 1, or as good as 1 in single precision, is scaled to length 1: a half turn, as nibabel has
// it.
void cnifti_header_qform(const CNIfTIHeader *_Nonnull header, double *_Nonnull affine);

// Makes a NIfTI-1 header of a 3-D image in this machine's byte order: the affine (12 elements)
// as sform and, unless it is sheared, also as qform, both with code 1 (scanner).
void cnifti_header_make(
    const int64_t *_Nonnull size, const double *_Nonnull affine, uint8_t *_Nonnull bytes);

// Turns the header of a scan into that of a 3-D image on the same grid, in one file and in this
// machine's byte order. The fields of the geometry keep their bits: the first three of dim,
// pixdim, both codes, quaternion, offsets, srows and units. Those of scaling, display range,
// timing and names are reset. `extension_bytes` is the size of the header extensions to come.
CNIfTIStatus cnifti_header_adapt(
    uint8_t *_Nonnull bytes, size_t count, int32_t datatype, int32_t intent_code,
    int32_t extension_bytes);

// --- Voxels --------------------------------------------------------------------------------

// Bytes of a voxel of a scalar datatype; 0 for all others.
size_t cnifti_datatype_size(int32_t datatype);

// Turns stored numbers into `stored * slope + intercept`, computed in double. `nan_count`
// receives how many are not a number, `infinite_count` how many are infinite as floats.
CNIfTIStatus cnifti_decode_floats(
    const uint8_t *_Nonnull stored, size_t count, int32_t datatype, bool is_swapped, double slope,
    double intercept, float *_Nonnull values, size_t *_Nonnull nan_count,
    size_t *_Nonnull infinite_count);

// What was met among numbers that should be labels.
typedef struct {
    size_t rounded_count;  // labels but for rounding: at most 1/1000 from an integer
    size_t bad_count;      // no labels, all the following are of them
    size_t nan_count;      // not a number
    size_t first_bad_index;
    double first_bad_value;
    double smallest_bad_value;  // of those that are numbers
    double largest_bad_value;
} CNIfTILabelCensus;

// Turns stored numbers into labels: the nearest integer where one in 0...65535 lies within 1/1000,
// else 0. CNIFTI_ERROR_VALUE where a number is no label; `census` then says which are not.
CNIfTIStatus cnifti_decode_labels(
    const uint8_t *_Nonnull stored, size_t count, int32_t datatype, bool is_swapped, double slope,
    double intercept, uint16_t *_Nonnull labels, CNIfTILabelCensus *_Nonnull census);

// Stores numbers as a datatype; integers are rounded to the nearest, halves to even.
// CNIFTI_ERROR_VALUE where one is outside the type or not a number in an integer type;
// `bad_index` then says which.
CNIfTIStatus cnifti_encode_floats(
    const float *_Nonnull values, size_t count, int32_t datatype, bool is_swapped,
    uint8_t *_Nonnull stored, size_t *_Nonnull bad_index);

// Stores labels as a datatype. CNIFTI_ERROR_VALUE where one is outside the type.
CNIfTIStatus cnifti_encode_labels(
    const uint16_t *_Nonnull labels, size_t count, int32_t datatype, bool is_swapped,
    uint8_t *_Nonnull stored, size_t *_Nonnull bad_index);

#ifdef __cplusplus
}
#endif

#endif
