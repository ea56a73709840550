// OpenSSL's message digests, of which SHA-256 is used.
#include <openssl/evp.h>
