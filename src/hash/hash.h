/* The multihash functions: one shot, streaming, and batches of sha2-256. Threads: any (a hasher: one at a time). */
#ifndef IPFSA_HASH_HASH_H
#define IPFSA_HASH_HASH_H

#include <ipfsa/cid.h> /* codes and ipfsa_multihash only */

/* Natural digest size of a code in bytes, 0 when the code is unknown or cannot be computed. identity: SIZE_MAX. */
size_t ipfsa_hash_size(uint64_t code);

/* Digest of up to 3 concatenated parts (zeroed parts are skipped). digest_len 0 = natural size; shorter truncates;
 * longer only for blake3 and shake-256 (XOF). identity over IPFSA_MAX_DIGEST bytes → E_LIMIT
 * "digest too large: identity digest got N bytes, maximum 128". */
ipfsa_status ipfsa_hash_digest(uint64_t code, size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, ipfsa_multihash *ret,
                               ipfsa_error *err);
/* Does the data have this multihash? E_CORRUPT when not. Truncated digests compare their prefix. */
ipfsa_status ipfsa_hash_verify(const ipfsa_multihash *mh, const ipfsa_bytes *parts, size_t n_parts, ipfsa_error *err);

/* Streaming sha2-256, for whole files (CAR checksums and the like). */
typedef struct ipfsa_sha256_stream {
  uint32_t state[8];
  uint8_t block[64];
  uint64_t n_bytes;
} ipfsa_sha256_stream;
void ipfsa_sha256_init(ipfsa_sha256_stream *s);
void ipfsa_sha256_update(ipfsa_sha256_stream *s, const void *data, size_t len);
void ipfsa_sha256_final(ipfsa_sha256_stream *s, uint8_t digest[32]);

/* Many independent messages at once: the hot path. Each message is three parts hashed as one. Fills the lanes of the chosen
 * kernel in any order; best with 16 or more jobs of like length. Cannot fail, allocates nothing. */
typedef struct ipfsa_sha256_job {
  ipfsa_bytes parts[3]; /* prefix, data, suffix; empty ones are skipped */
  uint8_t *digest;      /* 32 bytes, written */
} ipfsa_sha256_job;
void ipfsa_sha256_batch(const ipfsa_sha256_job *jobs, size_t n_jobs);

/* murmur3_x64_128 seed 0, the first 64 bits as a big-endian byte string (HAMT names). */
void ipfsa_murmur3_hamt(ipfsa_bytes data, uint8_t ret[8]);

#endif
