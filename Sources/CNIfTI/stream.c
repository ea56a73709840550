// Reading over zlib's gz functions, which read plain files too and take several gzip members behind
// each other for one. A gzip file of one member is inflated by libdeflate in one go, which takes half
// the time.

#include "CNIfTI.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct CNIfTIStream {
    gzFile file;
    int descriptor;  // of `file`, which closes it
    int64_t file_size;
    bool is_compressed;
};

enum {
    kBufferBytes = 256 * 1024,
    kLargestTransfer = 1 << 30,  // gzread counts in int
    kFirstBlockBytes = 64 * 1024 * 1024,
    kTailBytes = 1024 * 1024,
    kLargePageBytes = 2 * 1024 * 1024,
};

CNIfTIStatus cnifti_stream_open(const char *path, CNIfTIStream **stream, int32_t *error_number) {
    *stream = NULL;
    // Without O_NONBLOCK a pipe without a writer would hang here.
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        *error_number = errno;
        return CNIFTI_ERROR_SYSTEM;
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        *error_number = errno;
        close(descriptor);
        return CNIFTI_ERROR_SYSTEM;
    }
    if (!S_ISREG(status.st_mode)) {
        close(descriptor);
        return CNIFTI_ERROR_NOT_A_FILE;
    }
    unsigned char start[2] = {0, 0};
    bool is_compressed = pread(descriptor, start, sizeof start, 0) == (ssize_t)sizeof start &&
                         start[0] == 0x1f && start[1] == 0x8b;
    CNIfTIStream *made = calloc(1, sizeof *made);
    gzFile file = made ? gzdopen(descriptor, "rb") : NULL;
    if (!file) {
        close(descriptor);
        free(made);
        return CNIFTI_ERROR_MEMORY;
    }
    gzbuffer(file, kBufferBytes);
    made->file = file;
    made->descriptor = descriptor;
    made->file_size = status.st_size;
    made->is_compressed = is_compressed;
    *stream = made;
    return CNIFTI_OK;
}

int64_t cnifti_stream_file_size(const CNIfTIStream *stream) { return stream->file_size; }

bool cnifti_stream_is_compressed(const CNIfTIStream *stream) { return stream->is_compressed; }

// What zlib says about the last call that brought less than it was asked for.
static CNIfTIStatus failure(gzFile file, int saved_errno, int32_t *error_number) {
    int code = Z_OK;
    gzerror(file, &code);
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
    case Z_BUF_ERROR:  // "unexpected end of file"
        return CNIFTI_ERROR_TRUNCATED;
    case Z_ERRNO: *error_number = saved_errno; return CNIFTI_ERROR_SYSTEM;
    case Z_MEM_ERROR: return CNIFTI_ERROR_MEMORY;
    default: return CNIFTI_ERROR_DAMAGED;
    }
}

CNIfTIStatus cnifti_stream_read(
    CNIfTIStream *stream, void *bytes, size_t size, size_t *count, int32_t *error_number) {
    *count = 0;
    while (*count < size) {
        size_t wanted = size - *count;
        if (wanted > kLargestTransfer) wanted = kLargestTransfer;
        errno = 0;
        int got = gzread(stream->file, (uint8_t *)bytes + *count, (unsigned)wanted);
        if (got > 0) *count += (size_t)got;
        if (got < (int)wanted && *count < size) return failure(stream->file, errno, error_number);
    }
    return CNIFTI_OK;
}

CNIfTIStatus cnifti_stream_skip(
    CNIfTIStream *stream, int64_t size, int64_t *count, int32_t *error_number) {
    uint8_t dropped[16 * 1024];
    *count = 0;
    while (*count < size) {
        int64_t wanted = size - *count;
        if (wanted > (int64_t)sizeof dropped) wanted = sizeof dropped;
        size_t got = 0;
        CNIfTIStatus status =
            cnifti_stream_read(stream, dropped, (size_t)wanted, &got, error_number);
        *count += (int64_t)got;
        if (status != CNIFTI_OK) return status;
    }
    return CNIFTI_OK;
}

CNIfTIStatus cnifti_stream_read_block(
    CNIfTIStream *stream, size_t size, uint8_t **block, size_t *count, int32_t *error_number) {
    *block = NULL;
    *count = 0;
    uint8_t *memory = NULL;
    size_t capacity = 0;
    CNIfTIStatus status = CNIFTI_OK;
    while (*count < size || !memory) {
        size_t next = capacity == 0 ? kFirstBlockBytes : capacity > size / 2 ? size : 2 * capacity;
        if (next > size) next = size;
        uint8_t *grown = realloc(memory, next ? next : 1);
        if (!grown) {
            status = CNIFTI_ERROR_MEMORY;
            break;
        }
        memory = grown;
        capacity = next;
        cnifti_prefer_large_pages(memory, capacity);
        size_t got = 0;
        status = cnifti_stream_read(stream, memory + *count, capacity - *count, &got, error_number);
        *count += got;
        if (status != CNIFTI_OK) break;
    }
    *block = memory;
    return status;
}

void cnifti_prefer_large_pages(void *memory, size_t size) {
    uintptr_t start = ((uintptr_t)memory + kLargePageBytes - 1) & ~(uintptr_t)(kLargePageBytes - 1);
    uintptr_t end = ((uintptr_t)memory + size) & ~(uintptr_t)(kLargePageBytes - 1);
    if (start >= end) return;
    // A refusal is no trouble: the memory works as before.
    (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
}

// Reads bytes of the file as they stand, without moving the stream.
static bool read_raw(const CNIfTIStream *stream, uint8_t *bytes, int64_t size, int64_t offset) {
    while (size > 0) {
        size_t wanted = size > kLargestTransfer ? kLargestTransfer : (size_t)size;
        ssize_t got = pread(stream->descriptor, bytes, wanted, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        bytes += got;
        offset += got;
        size -= got;
    }
    return true;
}

bool cnifti_stream_inflate_all(
    CNIfTIStream *stream, size_t smallest, uint8_t **content, size_t *count) {
    *content = NULL;
    *count = 0;
    // A member has a header of 10 bytes and ends with its checksum and content's size.
    uint8_t end[4];
    if (!stream->is_compressed || stream->file_size < 18) return false;
    if (!read_raw(stream, end, sizeof end, stream->file_size - (int64_t)sizeof end)) return false;
    size_t size =
        (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
    if (size < smallest || size - smallest > kTailBytes) return false;
    uint8_t *packed = malloc((size_t)stream->file_size);
    uint8_t *memory = malloc(size ? size : 1);
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    bool is_sound = false;
    if (memory) cnifti_prefer_large_pages(memory, size);
    if (packed && memory && inflater && read_raw(stream, packed, stream->file_size, 0)) {
        size_t used = 0;
        size_t made = 0;
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(
            inflater, packed, (size_t)stream->file_size, memory, size, &used, &made);
        is_sound =
            result == LIBDEFLATE_SUCCESS && used == (size_t)stream->file_size && made == size;
    }
    if (inflater) libdeflate_free_decompressor(inflater);
    free(packed);
    if (!is_sound) {
        free(memory);
        return false;
    }
    *content = memory;
    *count = size;
    return true;
}

void cnifti_block_free(uint8_t *block) { free(block); }

CNIfTIStatus cnifti_stream_check_end(CNIfTIStream *stream, int32_t *error_number) {
    if (!stream->is_compressed) return CNIFTI_OK;
    int64_t count = 0;
    CNIfTIStatus status = cnifti_stream_skip(stream, kTailBytes, &count, error_number);
    if (status != CNIFTI_ERROR_TRUNCATED) return status;
    // The end was reached: a sound one, or one in the middle of a gzip member.
    int code = Z_OK;
    gzerror(stream->file, &code);
    return code == Z_BUF_ERROR ? CNIFTI_ERROR_TRUNCATED : CNIFTI_OK;
}

void cnifti_stream_close(CNIfTIStream *stream) {
    if (!stream) return;
    gzclose(stream->file);
    free(stream);
}
