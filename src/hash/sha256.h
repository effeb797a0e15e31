/* The sha2-256 kernels: one row each in sha256.c's table, each in a file of its own. A kernel takes states and whole 64-byte blocks. */
#ifndef IPFSA_HASH_SHA256_H
#define IPFSA_HASH_SHA256_H

#include "hash/hash.h"

#define IPFSA_SHA256_MAX_LANES 16
extern const uint32_t ipfsa_sha256_k[64];
extern const uint32_t ipfsa_sha256_iv[8];

/* Compresses n_blocks blocks into each of `lanes` states; lane i reads data[i]. Unused lanes point at any readable blocks. */
typedef void (*ipfsa_sha256_compress)(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);

void ipfsa_sha256_portable_1(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
#if defined(__x86_64__)
void ipfsa_sha256_shani_1(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
void ipfsa_sha256_shani_2(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
void ipfsa_sha256_shani_4(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
void ipfsa_sha256_shani_4vl(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
void ipfsa_sha256_avx2_8(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
void ipfsa_sha256_avx512_16(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
void ipfsa_sha256_avx512_16few(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks);
#endif

/* The closing blocks of a message whose last `used` bytes stand in block: 1 or 2. */
size_t ipfsa_sha256_pad(uint8_t block[128], size_t used, uint64_t n_bytes);
void ipfsa_sha256_store(const uint32_t state[8], uint8_t digest[32]);

#endif
