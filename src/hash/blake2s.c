/* BLAKE2s, unkeyed, digest of any length up to 32 bytes. Source: RFC 7693. */
#include <stdint.h>

static const uint32_t iv[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

#define BLAKE2_WORD uint32_t
#define BLAKE2_ROUNDS 10
#define BLAKE2_TURNS {16, 12, 8, 7}
#define BLAKE2_NAME ipfsa_blake2s
#include "hash/blake2_body.h"
