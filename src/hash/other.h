/* The functions that libcrypto does not offer in the form multihash needs. Digest of parts hashed as one; nothing can fail. */
#ifndef IPFSA_HASH_OTHER_H
#define IPFSA_HASH_OTHER_H

#include "base/bytes.h"

void ipfsa_keccak(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret);  /* 28, 32, 48 or 64 */
void ipfsa_blake2b(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret); /* 1..64 */
void ipfsa_blake2s(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret); /* 1..32 */
void ipfsa_blake3(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret);  /* any length: XOF */

#endif
