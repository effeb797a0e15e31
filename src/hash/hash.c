#include "hash/hash.h"

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "hash/other.h"

/* libcrypto's own objects: fetched implicitly once by it, shared by all threads. */
static const EVP_MD *evp_of(uint64_t code) {
  switch (code) {
  case IPFSA_HASH_SHA1: return EVP_sha1();
  case IPFSA_HASH_SHA2_256:
  case IPFSA_HASH_DBL_SHA2_256: return EVP_sha256();
  case IPFSA_HASH_SHA2_512: return EVP_sha512();
  case IPFSA_HASH_SHA3_224: return EVP_sha3_224();
  case IPFSA_HASH_SHA3_256: return EVP_sha3_256();
  case IPFSA_HASH_SHA3_384: return EVP_sha3_384();
  case IPFSA_HASH_SHA3_512: return EVP_sha3_512();
  case IPFSA_HASH_SHAKE_256: return EVP_shake256();
  default: return NULL;
  }
}

size_t ipfsa_hash_size(uint64_t code) {
  switch (code) {
  case IPFSA_HASH_IDENTITY: return SIZE_MAX;
  case IPFSA_HASH_SHA1: return 20;
  case IPFSA_HASH_SHA3_224:
  case IPFSA_HASH_KECCAK_224: return 28;
  case IPFSA_HASH_SHA2_256:
  case IPFSA_HASH_DBL_SHA2_256:
  case IPFSA_HASH_SHA3_256:
  case IPFSA_HASH_KECCAK_256:
  case IPFSA_HASH_BLAKE3: return 32;
  case IPFSA_HASH_SHA3_384:
  case IPFSA_HASH_KECCAK_384: return 48;
  case IPFSA_HASH_SHA2_512:
  case IPFSA_HASH_SHA3_512:
  case IPFSA_HASH_SHAKE_256:
  case IPFSA_HASH_KECCAK_512: return 64;
  default: break;
  }
  if (code > 0xb200 && code <= IPFSA_HASH_BLAKE2B_MAX) return code - 0xb200;
  if (code > 0xb240 && code <= IPFSA_HASH_BLAKE2S_MAX) return code - 0xb240;
  return 0;
}

static ipfsa_status digest_evp(uint64_t code, size_t len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret, ipfsa_error *err) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  if (!ctx) return ipfsa_fail_nomem(err);
  bool ok = EVP_DigestInit_ex(ctx, evp_of(code), NULL) == 1;
  for (size_t i = 0; ok && i < n_parts; i++)
    if (parts[i].len) ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
  if (ok && code == IPFSA_HASH_SHAKE_256) ok = EVP_DigestFinalXOF(ctx, ret, len) == 1;
  else if (ok) ok = EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
  EVP_MD_CTX_free(ctx);
  return ok ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_NOMEM, "libcrypto could not compute a %s digest", ipfsa_hash_to_string(code));
}

static void digest_sha256(const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret) {
  ipfsa_sha256_stream stream;
  ipfsa_sha256_init(&stream);
  for (size_t i = 0; i < n_parts; i++) ipfsa_sha256_update(&stream, parts[i].data, parts[i].len);
  ipfsa_sha256_final(&stream, ret);
}

/* Writes the natural (or, for XOFs, the asked) number of bytes; `ret` has room for 128. */
static ipfsa_status compute(uint64_t code, size_t len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret, ipfsa_error *err) {
  size_t natural = ipfsa_hash_size(code);
  if (code > 0xb240 && code <= IPFSA_HASH_BLAKE2S_MAX) ipfsa_blake2s(natural, parts, n_parts, ret);
  else if (code > 0xb200 && code <= IPFSA_HASH_BLAKE2B_MAX) ipfsa_blake2b(natural, parts, n_parts, ret);
  else if (code >= IPFSA_HASH_KECCAK_224 && code <= IPFSA_HASH_KECCAK_512) ipfsa_keccak(natural, parts, n_parts, ret);
  else if (code == IPFSA_HASH_BLAKE3) ipfsa_blake3(len, parts, n_parts, ret);
  else if (code == IPFSA_HASH_SHA2_256) digest_sha256(parts, n_parts, ret);
  else if (code == IPFSA_HASH_DBL_SHA2_256) {
    uint8_t once[32];
    digest_sha256(parts, n_parts, once);
    digest_sha256(&(ipfsa_bytes){once, 32}, 1, ret);
  } else return digest_evp(code, len, parts, n_parts, ret, err);
  return IPFSA_OK;
}

static ipfsa_status digest_identity(const ipfsa_bytes *parts, size_t n_parts, ipfsa_multihash *ret, ipfsa_error *err) {
  size_t len = 0;
  for (size_t i = 0; i < n_parts; i++) len += parts[i].len;
  if (len > IPFSA_MAX_DIGEST)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "digest too large: identity digest got %zu bytes, maximum %d", len, IPFSA_MAX_DIGEST);
  memset(ret, 0, sizeof *ret);
  for (size_t i = 0; i < n_parts; i++) {
    if (parts[i].len) memcpy(ret->digest + ret->len, parts[i].data, parts[i].len);
    ret->len = (uint8_t)(ret->len + parts[i].len);
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_hash_digest(uint64_t code, size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, ipfsa_multihash *ret,
                               ipfsa_error *err) {
  size_t natural = ipfsa_hash_size(code);
  if (natural == 0)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "unknown multihash code %llu (0x%llx): no such hash registered",
                      (unsigned long long)code, (unsigned long long)code);
  if (code == IPFSA_HASH_IDENTITY) return digest_identity(parts, n_parts, ret, err);
  bool xof = code == IPFSA_HASH_BLAKE3 || code == IPFSA_HASH_SHAKE_256;
  size_t len = digest_len ? digest_len : natural;
  if (len > (xof ? (size_t)IPFSA_MAX_DIGEST : natural))
    return ipfsa_fail(err, IPFSA_E_LIMIT, "a %s digest has at most %zu bytes, not %zu", ipfsa_hash_to_string(code),
                      xof ? (size_t)IPFSA_MAX_DIGEST : natural, len);
  ipfsa_multihash mh;
  memset(&mh, 0, sizeof mh);
  ipfsa_status status = compute(code, len, parts, n_parts, mh.digest, err);
  if (status) return status;
  mh.code = code;
  mh.len = (uint8_t)len;
  memset(mh.digest + len, 0, sizeof mh.digest - len);
  *ret = mh;
  return IPFSA_OK;
}

ipfsa_status ipfsa_hash_verify(const ipfsa_multihash *mh, const ipfsa_bytes *parts, size_t n_parts, ipfsa_error *err) {
  ipfsa_multihash got;
  ipfsa_status status = ipfsa_hash_digest(mh->code, mh->code == IPFSA_HASH_IDENTITY ? 0 : mh->len, parts, n_parts, &got, err);
  if (status == IPFSA_OK && got.len == mh->len && memcmp(got.digest, mh->digest, mh->len) == 0) return IPFSA_OK;
  if (status && mh->code != IPFSA_HASH_IDENTITY) return status;
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "the data does not match its %s digest", ipfsa_hash_to_string(mh->code));
}
