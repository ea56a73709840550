#include "CPNG.h"

#include <libdeflate.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CPNGStatus fail(CPNGStatus status, char *message, const char *text) {
    snprintf(message, CPNG_MESSAGE_SIZE, "%s", text);
    return status;
}

CPNGStatus cpng_encode_rgb8(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t **bytes, size_t *count,
    char *message) {
    *bytes = NULL;
    *count = 0;
    message[0] = '\0';
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_RGB;
    // A third of the time for a file that is a tenth larger.
    image.flags = PNG_IMAGE_FLAG_FAST;
    // libpng counts rows and buffers in 32 bits; a gigabyte of pixels stays clear of its limits.
    if (width == 0 || height == 0 || (uint64_t)width * height > (1u << 30) / 3) {
        return fail(CPNG_ERROR_INVALID_SIZE, message, "a side is 0 or the picture is too large");
    }
    // One compression into a buffer that always suffices, instead of a first one to measure.
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    uint8_t *buffer = malloc(size);
    if (buffer == NULL) {
        return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    }
    if (!png_image_write_to_memory(&image, buffer, &size, 0, rgb, 0, NULL)) {
        free(buffer);
        return fail(CPNG_ERROR_LIBRARY, message, image.message);
    }
    uint8_t *shrunk = realloc(buffer, size);
    *bytes = shrunk != NULL ? shrunk : buffer;
    *count = size;
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
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    if (compressor == NULL) return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    const size_t bound = libdeflate_zlib_compress_bound(compressor, plain_count);
    uint8_t *buffer = malloc(bound);
    if (buffer == NULL) {
        libdeflate_free_compressor(compressor);
        return fail(CPNG_ERROR_OUT_OF_MEMORY, message, "out of memory");
    }
    const size_t size = libdeflate_zlib_compress(compressor, plain, plain_count, buffer, bound);
    libdeflate_free_compressor(compressor);
    if (size == 0) {
        free(buffer);
        return fail(CPNG_ERROR_LIBRARY, message, "libdeflate could not compress");
    }
    uint8_t *shrunk = realloc(buffer, size);
    *bytes = shrunk != NULL ? shrunk : buffer;
    *count = size;
    return CPNG_OK;
}

void cpng_bytes_free(uint8_t *bytes) { free(bytes); }
