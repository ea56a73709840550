// Writing plain files and gzip files of one member.
//
// Volumes are mostly background, and deflate spends most of its time on those zeros. Here a run of
// zeros is written as ready-made pieces of deflate, each compressed once. Before and behind such a
// run the deflater forgets what it has seen (Z_FULL_FLUSH), so that no piece refers to another one.

#include "CNIfTI.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    kOutputBytes = 256 * 1024,
    kSmallZeros = 4 * 1024,
    kLargeZeros = 64 * 1024,
    kPackedZerosBytes = 512,
    kLargestTransfer = 1 << 30,  // deflate counts in unsigned int
    kGzipWindow = -15,           // 32 KiB, without a header of zlib's
    kMemoryLevel = 9,
};

// Zeros as deflate that ends on a whole byte and is not the last block.
typedef struct {
    size_t count;
    uint8_t bytes[kPackedZerosBytes];
} PackedZeros;

struct CNIfTIWriter {
    int descriptor;
    bool is_compressed;
    bool has_history;  // the deflater holds what no flush has ended
    int error_number;  // of the first write that failed
    z_stream deflater;
    uint32_t checksum;
    uint32_t size;  // of the content, modulo 2^32, as gzip has it
    PackedZeros small_zeros;
    PackedZeros large_zeros;
    size_t pending;  // bytes of `output` that wait
    uint8_t output[kOutputBytes];
};

static const uint8_t kZeros[kLargeZeros];

// A writer that failed once stays failed.
static void fail(CNIfTIWriter *writer, int error_number) {
    if (!writer->error_number) writer->error_number = error_number;
}

static void send(CNIfTIWriter *writer, const uint8_t *bytes, size_t size) {
    while (size > 0 && !writer->error_number) {
        size_t wanted = size > kLargestTransfer ? kLargestTransfer : size;
        ssize_t sent = write(writer->descriptor, bytes, wanted);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) {
            fail(writer, sent < 0 ? errno : EIO);
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void flush(CNIfTIWriter *writer) {
    send(writer, writer->output, writer->pending);
    writer->pending = 0;
}

static void append(CNIfTIWriter *writer, const uint8_t *bytes, size_t size) {
    if (size > sizeof writer->output - writer->pending) flush(writer);
    if (size > sizeof writer->output) {
        send(writer, bytes, size);
        return;
    }
    memcpy(writer->output + writer->pending, bytes, size);
    writer->pending += size;
}

// Compresses bytes, or ends what was compressed.
static void deflate_bytes(CNIfTIWriter *writer, const uint8_t *bytes, size_t size, int flush_kind) {
    z_stream *deflater = &writer->deflater;
    do {
        size_t wanted = size > kLargestTransfer ? kLargestTransfer : size;
        deflater->next_in = (Bytef *)bytes;
        deflater->avail_in = (uInt)wanted;
        int kind = wanted == size ? flush_kind : Z_NO_FLUSH;
        int code;
        do {
            if (writer->pending == sizeof writer->output) flush(writer);
            uInt room = (uInt)(sizeof writer->output - writer->pending);
            deflater->next_out = writer->output + writer->pending;
            deflater->avail_out = room;
            code = deflate(deflater, kind);
            writer->pending += room - deflater->avail_out;
        } while (deflater->avail_out == 0 && !writer->error_number);
        if (code == Z_STREAM_ERROR) fail(writer, EIO);
        bytes += wanted;
        size -= wanted;
    } while (size > 0 && !writer->error_number);
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void deflate_zeros(CNIfTIWriter *writer, size_t size) {
    if (writer->has_history) deflate_bytes(writer, NULL, 0, Z_FULL_FLUSH);
    writer->has_history = false;
    for (; size >= kLargeZeros; size -= kLargeZeros)
        append(writer, writer->large_zeros.bytes, writer->large_zeros.count);
    for (; size >= kSmallZeros; size -= kSmallZeros)
        append(writer, writer->small_zeros.bytes, writer->small_zeros.count);
}

static bool pack_zeros(PackedZeros *packed, size_t size) {
    z_stream deflater;
    memset(&deflater, 0, sizeof deflater);
    if (deflateInit2(&deflater, 9, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return false;
    deflater.next_in = (Bytef *)kZeros;
    deflater.avail_in = (uInt)size;
    deflater.next_out = packed->bytes;
    deflater.avail_out = sizeof packed->bytes;
    bool is_whole = deflate(&deflater, Z_FULL_FLUSH) == Z_OK && deflater.avail_out > 0;
    packed->count = sizeof packed->bytes - deflater.avail_out;
    deflateEnd(&deflater);
    return is_whole;
}

CNIfTIStatus cnifti_writer_create(
    const char *path, int32_t level, bool has_runs, CNIfTIWriter **writer, int32_t *error_number) {
    *writer = NULL;
    CNIfTIWriter *made = calloc(1, sizeof *made);
    if (!made) {
        *error_number = ENOMEM;
        return CNIFTI_ERROR_MEMORY;
    }
    made->is_compressed = level > 0;
    if (made->is_compressed) {
        int strategy = has_runs ? Z_RLE : Z_DEFAULT_STRATEGY;
        int code = deflateInit2(
            &made->deflater, level > 9 ? 9 : level, Z_DEFLATED, kGzipWindow, kMemoryLevel,
            strategy);
        if (code != Z_OK || !pack_zeros(&made->small_zeros, kSmallZeros) ||
            !pack_zeros(&made->large_zeros, kLargeZeros)) {
            deflateEnd(&made->deflater);
            free(made);
            *error_number = ENOMEM;
            return CNIFTI_ERROR_MEMORY;
        }
    }
    made->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (made->descriptor < 0) {
        *error_number = errno;
        if (made->is_compressed) deflateEnd(&made->deflater);
        free(made);
        return CNIFTI_ERROR_SYSTEM;
    }
    // RFC 1952: magic, deflate, no flags, no time, no extra flags, Unix.
    static const uint8_t kGzipHeader[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    if (made->is_compressed) append(made, kGzipHeader, sizeof kGzipHeader);
    *writer = made;
    return CNIFTI_OK;
}

CNIfTIStatus cnifti_writer_write(
    CNIfTIWriter *writer, const void *bytes, size_t size, int32_t *error_number) {
    const uint8_t *rest = bytes;
    if (!writer->is_compressed) {
        append(writer, rest, size);
    } else {
        writer->checksum = libdeflate_crc32(writer->checksum, rest, size);
        writer->size += (uint32_t)size;
        while (size > 0 && !writer->error_number) {
            size_t zeros = 0;
            while (size - zeros >= kSmallZeros && is_zero(rest + zeros, kSmallZeros))
                zeros += kSmallZeros;
            if (zeros > 0) deflate_zeros(writer, zeros);
            rest += zeros;
            size -= zeros;
            size_t others = 0;
            while (size - others >= kSmallZeros && !is_zero(rest + others, kSmallZeros))
                others += kSmallZeros;
            if (size - others < kSmallZeros) others = size;
            deflate_bytes(writer, rest, others, Z_NO_FLUSH);
            writer->has_history = true;
            rest += others;
            size -= others;
        }
    }
    if (!writer->error_number) return CNIFTI_OK;
    *error_number = writer->error_number;
    return CNIFTI_ERROR_SYSTEM;
}

CNIfTIStatus cnifti_writer_finish(CNIfTIWriter *writer, int32_t *error_number) {
    if (writer->is_compressed) {
        deflate_bytes(writer, NULL, 0, Z_FINISH);
        uint8_t end[8];
        for (int i = 0; i < 4; i++) {
            end[i] = (uint8_t)(writer->checksum >> 8 * i);
            end[4 + i] = (uint8_t)(writer->size >> 8 * i);
        }
        append(writer, end, sizeof end);
    }
    flush(writer);
    if (close(writer->descriptor) != 0) fail(writer, errno);
    writer->descriptor = -1;
    int failure = writer->error_number;
    cnifti_writer_close(writer);
    if (!failure) return CNIFTI_OK;
    *error_number = failure;
    return CNIFTI_ERROR_SYSTEM;
}

void cnifti_writer_close(CNIfTIWriter *writer) {
    if (!writer) return;
    if (writer->descriptor >= 0) close(writer->descriptor);
    if (writer->is_compressed) deflateEnd(&writer->deflater);
    free(writer);
}
