#include "CPNG.h"

#include <libdeflate.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CPNGStatus fail(CPNGStatus status, char *message, const char *text) {
    snprintf(message, CPNG_MESSAGE_SIZE, "%s", text);
    return status;
}

// Compresses bytes into a zlib stream that the caller frees, in no more memory than it needs; NULL without
// memory.
static uint8_t *compress(const uint8_t *plain, size_t plain_count, int level, size_t *count) {
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    if (compressor == NULL) return NULL;
    // A buffer of this size always suffices.
    const size_t bound = libdeflate_zlib_compress_bound(compressor, plain_count);
    uint8_t *bytes = malloc(bound);
    if (bytes != NULL) {
        *count = libdeflate_zlib_compress(compressor, plain, plain_count, bytes, bound);
        uint8_t *shrunk = realloc(bytes, *count);
        if (shrunk != NULL) bytes = shrunk;
    }
    libdeflate_free_compressor(compressor);
    return bytes;
}

// The file as libpng writes it.
typedef struct {
    uint8_t *bytes;
    size_t count;
    size_t capacity;
} File;

static void append(png_structp png, png_bytep bytes, size_t count) {
    File *file = png_get_io_ptr(png);
    if (count > file->capacity - file->count) png_error(png, "the file is longer than expected");
    memcpy(file->bytes + file->count, bytes, count);
    file->count += count;
}

static void no_flush(png_structp png) { (void)png; }

static void keep_message(png_structp png, png_const_charp text) {
    snprintf(png_get_error_ptr(png), CPNG_MESSAGE_SIZE, "%s", text);
    png_longjmp(png, 1);
}

static void no_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void store_big_endian(uint8_t *bytes, uint32_t value) {
    for (int index = 0; index < 4; index++) bytes[index] = (uint8_t)(value >> (24 - 8 * index));
}

// Has libpng write a picture whose pixels are compressed already.
static CPNGStatus write_chunks(
    uint32_t width, uint32_t height, const uint8_t *pixels, size_t pixel_count, File *file,
    char *message) {
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, message, keep_message, no_warning);
    if (png == NULL) return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, NULL);
        return CPNG_ERROR_LIBRARY;
    }
    png_set_write_fn(png, file, append, no_flush);
    // 8 bits a channel, red green blue, compression and filters of the standard, not interlaced.
    uint8_t header[13] = {[8] = 8, [9] = PNG_COLOR_TYPE_RGB};
    store_big_endian(header, width);
    store_big_endian(header + 4, height);
    png_write_sig(png);
    png_write_chunk(png, (png_const_bytep) "IHDR", header, sizeof header);
    png_write_chunk(png, (png_const_bytep) "IDAT", pixels, pixel_count);
    png_write_chunk(png, (png_const_bytep) "IEND", NULL, 0);
    png_destroy_write_struct(&png, NULL);
    return CPNG_OK;
}

CPNGStatus cpng_encode_rgb8(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t **bytes, size_t *count,
    char *message) {
    *bytes = NULL;
    *count = 0;
    message[0] = '\0';
    // One chunk holds all pixels: a gigabyte stays clear of its limit of 2^31.
    if (width == 0 || height == 0 || (uint64_t)width * height > (1u << 30) / 3) {
        return fail(CPNG_ERROR_INVALID_SIZE, message, "a side is 0 or the picture is too large");
    }
    // Each row less the one above (the standard's filter 2), as anatomy changes slowly.
    const size_t row = 3 * (size_t)width;
    uint8_t *filtered = malloc((row + 1) * height);
    if (filtered == NULL) return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *from = rgb + y * row;
        uint8_t *to = filtered + y * (row + 1);
        *to++ = PNG_FILTER_VALUE_UP;
        if (y == 0) {
            memcpy(to, from, row);
            continue;
        }
        const uint8_t *above = from - row;
        for (size_t x = 0; x < row; x++) to[x] = (uint8_t)(from[x] - above[x]);
    }
    // libdeflate at a low level takes half of zlib's time for smaller files.
    size_t pixel_count = 0;
    uint8_t *pixels = compress(filtered, (row + 1) * height, 2, &pixel_count);
    free(filtered);
    if (pixels == NULL) return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    // Signature, and three chunks of 12 bytes and their content.
    File file = {.capacity = 8 + 3 * 12 + 13 + pixel_count};
    file.bytes = malloc(file.capacity);
    const CPNGStatus status =
        file.bytes == NULL ? fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory")
                           : write_chunks(width, height, pixels, pixel_count, &file, message);
    free(pixels);
    if (status != CPNG_OK) {
        free(file.bytes);
        return status;
    }
    *bytes = file.bytes;
    *count = file.count;
    return CPNG_OK;
}

CPNGStatus cpng_decode_rgb8(
    const uint8_t *png, size_t png_count, uint32_t *width, uint32_t *height, uint8_t **rgb,
    size_t *count, char *message) {
    *rgb = NULL;
    *count = 0;
    *width = 0;
    *height = 0;
    message[0] = '\0';
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(&image, png, png_count)) {
        return fail(CPNG_ERROR_LIBRARY, message, image.message);
    }
    image.format = PNG_FORMAT_RGB;
    if ((uint64_t)image.width * image.height > (1u << 30) / 3) {
        png_image_free(&image);
        return fail(CPNG_ERROR_INVALID_SIZE, message, "the picture is too large");
    }
    size_t size = PNG_IMAGE_SIZE(image);
    uint8_t *buffer = malloc(size);
    if (buffer == NULL) {
        png_image_free(&image);
        return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    }
    png_color black = {0, 0, 0};
    if (!png_image_finish_read(&image, &black, buffer, 0, NULL)) {
        png_image_free(&image);
        free(buffer);
        return fail(CPNG_ERROR_LIBRARY, message, image.message);
    }
    *rgb = buffer;
    *count = size;
    *width = image.width;
    *height = image.height;
    return CPNG_OK;
}

CPNGStatus cpng_compress(
    const uint8_t *plain, size_t plain_count, uint8_t **bytes, size_t *count, char *message) {
    *bytes = NULL;
    *count = 0;
    message[0] = '\0';
    *bytes = compress(plain, plain_count, 6, count);
    if (*bytes == NULL) return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    return CPNG_OK;
}

void cpng_bytes_free(uint8_t *bytes) { free(bytes); }
