/* BLAKE2b, unkeyed, digest of any length up to 64 bytes. Source: RFC 7693. */
#include <stdint.h>

static const uint64_t iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

#define BLAKE2_WORD uint64_t
#define BLAKE2_ROUNDS 12
#define BLAKE2_TURNS {32, 24, 16, 63}
#define BLAKE2_NAME ipfsa_blake2b
#include "hash/blake2_body.h"
