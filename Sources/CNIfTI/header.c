// NIfTI headers: libnifti's structures, byte swapping and quaternions.

#include "CNIfTI.h"

#include <float.h>
#include <math.h>
#include <nifti/nifti2_io.h>
#include <string.h>

_Static_assert(sizeof(nifti_1_header) == CNIFTI_HEADER_1_BYTES, "NIfTI-1 header");
_Static_assert(sizeof(nifti_2_header) == CNIFTI_HEADER_2_BYTES, "NIfTI-2 header");

static uint32_t swapped(uint32_t value) { return __builtin_bswap32(value); }

// Bytes 4 to 7 of a NIfTI-2 magic, as PNG's: they show that no transfer changed line ends.
static const char kLineEnds[4] = {'\r', '\n', '\032', '\n'};

// Copies a header and brings it into this machine's byte order.
static CNIfTIStatus load(
    const uint8_t *bytes, size_t count, nifti_1_header *one, nifti_2_header *two, int *version,
    bool *is_swapped) {
    uint32_t size = 0;
    if (count < sizeof size) return CNIFTI_ERROR_TRUNCATED;
    memcpy(&size, bytes, sizeof size);
    *is_swapped = size == swapped(CNIFTI_HEADER_1_BYTES) || size == swapped(CNIFTI_HEADER_2_BYTES);
    if (*is_swapped) size = swapped(size);
    if (size == CNIFTI_HEADER_1_BYTES) {
        if (count < sizeof *one) return CNIFTI_ERROR_TRUNCATED;
        memcpy(one, bytes, sizeof *one);
        if (memcmp(one->magic, "n+1", 4) != 0 && memcmp(one->magic, "ni1", 4) != 0)
            return CNIFTI_ERROR_ANALYZE;
        *version = 1;
        if (*is_swapped) nifti_swap_as_nifti1(one);
        return CNIFTI_OK;
    }
    if (size == CNIFTI_HEADER_2_BYTES) {
        if (count < sizeof *two) return CNIFTI_ERROR_TRUNCATED;
        memcpy(two, bytes, sizeof *two);
        if ((memcmp(two->magic, "n+2", 4) != 0 && memcmp(two->magic, "ni2", 4) != 0) ||
            memcmp(two->magic + 4, kLineEnds, sizeof kLineEnds) != 0)
            return CNIFTI_ERROR_NOT_NIFTI;
        *version = 2;
        if (*is_swapped) nifti_swap_as_nifti2(two);
        return CNIFTI_OK;
    }
    return CNIFTI_ERROR_NOT_NIFTI;
}

// Both structures name their fields alike.
#define COPY_FIELDS(header, source)                          \
    do {                                                     \
        for (int i = 0; i < 8; i++) {                        \
            (header)->dim[i] = (source).dim[i];              \
            (header)->pixdim[i] = (source).pixdim[i];        \
        }                                                    \
        (header)->is_single_file = (source).magic[1] == '+'; \
        (header)->datatype = (source).datatype;              \
        (header)->bits_per_voxel = (source).bitpix;          \
        (header)->data_offset = (double)(source).vox_offset; \
        (header)->slope = (source).scl_slope;                \
        (header)->intercept = (source).scl_inter;            \
        (header)->qform_code = (source).qform_code;          \
        (header)->sform_code = (source).sform_code;          \
        (header)->quaternion[0] = (source).quatern_b;        \
        (header)->quaternion[1] = (source).quatern_c;        \
        (header)->quaternion[2] = (source).quatern_d;        \
        (header)->offset[0] = (source).qoffset_x;            \
        (header)->offset[1] = (source).qoffset_y;            \
        (header)->offset[2] = (source).qoffset_z;            \
        for (int i = 0; i < 4; i++) {                        \
            (header)->srow[i] = (source).srow_x[i];          \
            (header)->srow[4 + i] = (source).srow_y[i];      \
            (header)->srow[8 + i] = (source).srow_z[i];      \
        }                                                    \
        (header)->intent_code = (source).intent_code;        \
        (header)->xyzt_units = (source).xyzt_units;          \
    } while (0)

CNIfTIStatus cnifti_header_parse(const uint8_t *bytes, size_t count, CNIfTIHeader *header) {
    nifti_1_header one;
    nifti_2_header two;
    int version = 0;
    bool is_swapped = false;
    memset(header, 0, sizeof *header);
    CNIfTIStatus status = load(bytes, count, &one, &two, &version, &is_swapped);
    if (status != CNIFTI_OK) return status;
    header->version = version;
    header->is_swapped = is_swapped;
    if (version == 1)
        COPY_FIELDS(header, one);
    else
        COPY_FIELDS(header, two);
    return CNIFTI_OK;
}

void cnifti_header_qform(const CNIfTIHeader *header, double *affine) {
    double b = header->quaternion[0], c = header->quaternion[1], d = header->quaternion[2];
    double square = b * b + c * c + d * d;
    // libnifti's own limit is a third of this one; between the two the angle is rounding noise.
    if (fabs(1 - square) < 3 * FLT_EPSILON) {
        double length = sqrt(square);
        b /= length;
        c /= length;
        d /= length;
    }
    nifti_dmat44 matrix = nifti_quatern_to_dmat44(
        b, c, d, header->offset[0], header->offset[1], header->offset[2], header->pixdim[1],
        header->pixdim[2], header->pixdim[3], header->pixdim[0] < 0 ? -1.0 : 1.0);
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++) affine[4 * row + column] = matrix.m[row][column];
}

void cnifti_header_make(const int64_t *size, const double *affine, uint8_t *bytes) {
    nifti_1_header header;
    memset(&header, 0, sizeof header);
    header.sizeof_hdr = CNIFTI_HEADER_1_BYTES;
    header.regular = 'r';
    header.dim[0] = 3;
    for (int i = 1; i < 8; i++) header.dim[i] = i <= 3 ? (short)size[i - 1] : 1;
    for (int i = 4; i < 8; i++) header.pixdim[i] = 1;
    header.xyzt_units = NIFTI_UNITS_MM;
    memcpy(header.magic, "n+1", 4);

    header.sform_code = NIFTI_XFORM_SCANNER_ANAT;
    nifti_dmat44 matrix;
    memset(&matrix, 0, sizeof matrix);
    matrix.m[3][3] = 1;
    for (int column = 0; column < 4; column++) {
        header.srow_x[column] = (float)affine[column];
        header.srow_y[column] = (float)affine[4 + column];
        header.srow_z[column] = (float)affine[8 + column];
        for (int row = 0; row < 3; row++) matrix.m[row][column] = affine[4 * row + column];
    }

    double b, c, d, x, y, z, dx, dy, dz, qfac;
    nifti_dmat44_to_quatern(matrix, &b, &c, &d, &x, &y, &z, &dx, &dy, &dz, &qfac);
    header.pixdim[0] = (float)qfac;
    header.pixdim[1] = (float)dx;
    header.pixdim[2] = (float)dy;
    header.pixdim[3] = (float)dz;
    // A qform holds no shear: give one only where it says the same as the sform.
    nifti_dmat44 rigid = nifti_quatern_to_dmat44(b, c, d, x, y, z, dx, dy, dz, qfac);
    bool is_rigid = true;
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++)
            if (!(fabs(rigid.m[row][column] - matrix.m[row][column]) < 1e-5)) is_rigid = false;
    if (is_rigid) {
        header.qform_code = NIFTI_XFORM_SCANNER_ANAT;
        header.quatern_b = (float)b;
        header.quatern_c = (float)c;
        header.quatern_d = (float)d;
        header.qoffset_x = (float)x;
        header.qoffset_y = (float)y;
        header.qoffset_z = (float)z;
    }
    memcpy(bytes, &header, sizeof header);
}

#define ADAPT_FIELDS(header, type, intent, offset, letter)           \
    do {                                                             \
        (header).dim[0] = 3;                                         \
        for (int i = 4; i < 8; i++) (header).dim[i] = 1;             \
        (header).datatype = (int16_t)(type);                         \
        (header).bitpix = (int16_t)(8 * cnifti_datatype_size(type)); \
        (header).vox_offset = (offset) + extension_bytes;            \
        (header).scl_slope = 1;                                      \
        (header).scl_inter = 0;                                      \
        (header).cal_min = 0;                                        \
        (header).cal_max = 0;                                        \
        (header).slice_start = 0;                                    \
        (header).slice_end = 0;                                      \
        (header).slice_code = 0;                                     \
        (header).slice_duration = 0;                                 \
        (header).toffset = 0;                                        \
        (header).intent_code = (intent);                             \
        (header).intent_p1 = 0;                                      \
        (header).intent_p2 = 0;                                      \
        (header).intent_p3 = 0;                                      \
        memset((header).intent_name, 0, sizeof(header).intent_name); \
        memset((header).descrip, 0, sizeof(header).descrip);         \
        memset((header).aux_file, 0, sizeof(header).aux_file);       \
        memcpy((header).magic, "n+" letter, 4);                      \
    } while (0)

CNIfTIStatus cnifti_header_adapt(
    uint8_t *bytes, size_t count, int32_t datatype, int32_t intent_code, int32_t extension_bytes) {
    nifti_1_header one;
    nifti_2_header two;
    int version = 0;
    bool is_swapped = false;
    CNIfTIStatus status = load(bytes, count, &one, &two, &version, &is_swapped);
    if (status != CNIFTI_OK) return status;
    if (version == 1) {
        memset(one.data_type, 0, sizeof one.data_type);
        memset(one.db_name, 0, sizeof one.db_name);
        one.glmin = 0;
        one.glmax = 0;
        // The header, then four bytes that say whether extensions follow.
        ADAPT_FIELDS(one, datatype, (short)intent_code, CNIFTI_HEADER_1_BYTES + 4, "1");
        memcpy(bytes, &one, sizeof one);
    } else {
        ADAPT_FIELDS(two, datatype, intent_code, CNIFTI_HEADER_2_BYTES + 4, "2");
        memcpy(bytes, &two, sizeof two);
    }
    return CNIFTI_OK;
}
