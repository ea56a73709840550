// Streams over zlib's gz functions, which read plain files too and take several gzip members
// behind each other for one.

#include "CNIfTI.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct CNIfTIStream {
    gzFile file;
    int64_t file_size;
    bool is_compressed;
};

enum {
    kBufferBytes = 256 * 1024,
    kLargestTransfer = 1 << 30,  // gzread and gzwrite count in int
    kFirstBlockBytes = 64 * 1024 * 1024,
    kTailBytes = 1024 * 1024,
};

static CNIfTIStatus wrap(
    int descriptor, const char *mode, CNIfTIStream **stream, int32_t *error_number) {
    CNIfTIStream *made = calloc(1, sizeof *made);
    gzFile file = made ? gzdopen(descriptor, mode) : NULL;
    if (!file) {
        close(descriptor);
        free(made);
        *error_number = ENOMEM;
        return CNIFTI_ERROR_MEMORY;
    }
    gzbuffer(file, kBufferBytes);
    made->file = file;
    *stream = made;
    return CNIFTI_OK;
}

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
    bool is_compressed = pread(descriptor, start, sizeof start, 0) == (ssize_t)sizeof start
        && start[0] == 0x1f && start[1] == 0x8b;
    CNIfTIStatus wrapped = wrap(descriptor, "rb", stream, error_number);
    if (wrapped != CNIFTI_OK) return wrapped;
    (*stream)->file_size = status.st_size;
    (*stream)->is_compressed = is_compressed;
    return CNIFTI_OK;
}

CNIfTIStatus cnifti_stream_create(
    const char *path, int32_t level, CNIfTIStream **stream, int32_t *error_number) {
    *stream = NULL;
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        *error_number = errno;
        return CNIFTI_ERROR_SYSTEM;
    }
    char mode[4] = {'w', 'b', 'T', 0};  // T: plain
    if (level > 0) mode[2] = (char)('0' + (level > 9 ? 9 : level));
    return wrap(descriptor, mode, stream, error_number);
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
    case Z_ERRNO:
        *error_number = saved_errno;
        return CNIFTI_ERROR_SYSTEM;
    case Z_MEM_ERROR:
        return CNIFTI_ERROR_MEMORY;
    default:
        return CNIFTI_ERROR_DAMAGED;
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
        size_t got = 0;
        status = cnifti_stream_read(stream, memory + *count, capacity - *count, &got, error_number);
        *count += got;
        if (status != CNIFTI_OK) break;
    }
    *block = memory;
    return status;
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

CNIfTIStatus cnifti_stream_write(
    CNIfTIStream *stream, const void *bytes, size_t size, int32_t *error_number) {
    size_t done = 0;
    while (done < size) {
        size_t wanted = size - done;
        if (wanted > kLargestTransfer) wanted = kLargestTransfer;
        errno = 0;
        int written = gzwrite(stream->file, (const uint8_t *)bytes + done, (unsigned)wanted);
        if (written <= 0) {
            *error_number = errno ? errno : EIO;
            return CNIFTI_ERROR_SYSTEM;
        }
        done += (size_t)written;
    }
    return CNIFTI_OK;
}

CNIfTIStatus cnifti_stream_finish(CNIfTIStream *stream, int32_t *error_number) {
    errno = 0;
    int code = gzclose(stream->file);
    int saved_errno = errno;
    free(stream);
    if (code == Z_OK) return CNIFTI_OK;
    *error_number = saved_errno ? saved_errno : EIO;
    return CNIFTI_ERROR_SYSTEM;
}

void cnifti_stream_close(CNIfTIStream *stream) {
    if (!stream) return;
    gzclose(stream->file);
    free(stream);
}
