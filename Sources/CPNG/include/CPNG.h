// CPNG.h: the only C header that Swift sees for PNG pictures.
//
// libpng reports errors by jumps and through fields of structs that also hold its private state;
// neither can be used from Swift. Here one call encodes a picture, one decodes it, and one
// compresses plain bytes. Pixels are compressed by libdeflate, chunks written by libpng. Each call
// returns a status and, when it is not CPNG_OK, a message in the caller's buffer.
#ifndef CPNG_H
#define CPNG_H

#include <stddef.h>
#include <stdint.h>

// Size of the message buffers, with the closing zero.
#define CPNG_MESSAGE_SIZE 128

typedef enum : int32_t {
    CPNG_OK = 0,
    CPNG_ERROR_INVALID_SIZE = 1,  // a side is 0, or the picture is too large to encode
    CPNG_ERROR_OUT_OF_MEMORY = 2,
    CPNG_ERROR_LIBRARY = 3,  // libpng refused; the message says why
} CPNGStatus;

// Encodes `width` x `height` pixels of red, green, blue bytes, rows from the top, as a PNG file.
// On CPNG_OK the caller owns `*bytes` and frees it once with cpng_bytes_free; otherwise `*bytes`
// is NULL and there is nothing to free.
CPNGStatus cpng_encode_rgb8(
    const uint8_t *_Nonnull rgb, uint32_t width, uint32_t height,
    uint8_t *_Nullable *_Nonnull bytes, size_t *_Nonnull count,
    char message[_Nonnull CPNG_MESSAGE_SIZE]);

// Decodes a PNG file of any kind into red, green, blue bytes, rows from the top; transparent
// pixels are laid over black. Ownership as above.
CPNGStatus cpng_decode_rgb8(
    const uint8_t *_Nonnull png, size_t png_count, uint32_t *_Nonnull width,
    uint32_t *_Nonnull height, uint8_t *_Nullable *_Nonnull rgb, size_t *_Nonnull count,
    char message[_Nonnull CPNG_MESSAGE_SIZE]);

// Compresses bytes into a zlib stream (RFC 1950), as the pixels of a PNG file are; a browser
// decodes it as "deflate". Ownership as above.
CPNGStatus cpng_compress(
    const uint8_t *_Nonnull plain, size_t plain_count, uint8_t *_Nullable *_Nonnull bytes,
    size_t *_Nonnull count, char message[_Nonnull CPNG_MESSAGE_SIZE]);

// Frees what the calls above returned; NULL is allowed.
void cpng_bytes_free(uint8_t *_Nullable bytes);

#endif
