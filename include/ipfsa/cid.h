/* CIDs and multihashes: plain values, no node needed, any thread.
 * Sources: multiformats/multihash, multiformats/cid, multiformats/multibase, multiformats/multicodec. */
#ifndef IPFSA_CID_H
#define IPFSA_CID_H

#include <ipfsa/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_DIGEST 128     /* bytes; boxo verifcid and IPIP-512 */
#define IPFSA_MIN_DIGEST 20      /* bytes, identity excepted */
#define IPFSA_MAX_MULTIHASH 148  /* two varints of 9 + digest, rounded */
#define IPFSA_MAX_CID 168        /* bytes of a binary CID; boxo's limit on the wire */
#define IPFSA_MAX_CID_TEXT 1400  /* characters with terminator: base2 of 168 bytes and its prefix */

typedef enum ipfsa_codec {
  IPFSA_CODEC_CBOR = 0x51,
  IPFSA_CODEC_RAW = 0x55,
  IPFSA_CODEC_DAG_PB = 0x70,
  IPFSA_CODEC_DAG_CBOR = 0x71,
  IPFSA_CODEC_LIBP2P_KEY = 0x72,
  IPFSA_CODEC_GIT_RAW = 0x78,
  IPFSA_CODEC_DAG_JOSE = 0x85,
  IPFSA_CODEC_DAG_JSON = 0x129,
  IPFSA_CODEC_JSON = 0x200
} ipfsa_codec;

typedef enum ipfsa_hash {
  IPFSA_HASH_IDENTITY = 0x00,
  IPFSA_HASH_SHA1 = 0x11,
  IPFSA_HASH_SHA2_256 = 0x12,
  IPFSA_HASH_SHA2_512 = 0x13,
  IPFSA_HASH_SHA3_512 = 0x14,
  IPFSA_HASH_SHA3_384 = 0x15,
  IPFSA_HASH_SHA3_256 = 0x16,
  IPFSA_HASH_SHA3_224 = 0x17,
  IPFSA_HASH_SHAKE_256 = 0x19,
  IPFSA_HASH_KECCAK_224 = 0x1a,
  IPFSA_HASH_KECCAK_256 = 0x1b,
  IPFSA_HASH_KECCAK_384 = 0x1c,
  IPFSA_HASH_KECCAK_512 = 0x1d,
  IPFSA_HASH_BLAKE3 = 0x1e,
  IPFSA_HASH_DBL_SHA2_256 = 0x56,
  IPFSA_HASH_BLAKE2B_MIN = 0xb214, /* blake2b-160 */
  IPFSA_HASH_BLAKE2B_256 = 0xb220,
  IPFSA_HASH_BLAKE2B_MAX = 0xb240, /* blake2b-512 */
  IPFSA_HASH_BLAKE2S_MIN = 0xb254, /* blake2s-160 */
  IPFSA_HASH_BLAKE2S_MAX = 0xb260  /* blake2s-256 */
} ipfsa_hash;

typedef struct ipfsa_multihash {
  uint64_t code;
  uint8_t len; /* bytes of digest used */
  uint8_t digest[IPFSA_MAX_DIGEST];
} ipfsa_multihash;

typedef struct ipfsa_cid {
  uint64_t codec;
  uint8_t version; /* 0 or 1; a zeroed cid is "none": test with ipfsa_cid_is_none */
  bool defined;
  ipfsa_multihash mh;
} ipfsa_cid;

static inline bool ipfsa_cid_is_none(const ipfsa_cid *cid) { return !cid->defined; }

/* Same code and digest. The store's key. */
IPFSA_API bool ipfsa_multihash_equal(const ipfsa_multihash *a, const ipfsa_multihash *b);
/* Same version, codec and multihash. */
IPFSA_API bool ipfsa_cid_equal(const ipfsa_cid *a, const ipfsa_cid *b);
/* Builds a CID; version 0 is refused unless dag-pb + sha2-256 + 32 bytes. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_cid_make(unsigned version, uint64_t codec, const ipfsa_multihash *mh, ipfsa_cid *ret,
                                                  ipfsa_error *err);
/* The same CID as version 0 or 1; E_INVALID where version 0 cannot be. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_cid_to_version(const ipfsa_cid *cid, unsigned version, ipfsa_cid *ret, ipfsa_error *err);
/* Text in any multibase, or base58btc without prefix for version 0. Whole text, no path. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_cid_parse(const char *text, size_t len, ipfsa_cid *ret, ipfsa_error *err);
/* Default text: base58btc for v0; base32 for v1 (base36 for libp2p-key). Needs IPFSA_MAX_CID_TEXT bytes. */
IPFSA_API void ipfsa_cid_format(const ipfsa_cid *cid, char *ret_text);
/* Text in the named multibase ("base32", "base58btc", …); a v0 CID is turned into v1 by any base but base58btc.
 * E_NOT_SUPPORTED for an unknown base. Needs IPFSA_MAX_CID_TEXT bytes. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_cid_format_base(const ipfsa_cid *cid, const char *base, char *ret_text, ipfsa_error *err);
/* Binary: the whole of `bytes` must be one CID. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_cid_decode(ipfsa_bytes bytes, ipfsa_cid *ret, ipfsa_error *err);
/* Needs IPFSA_MAX_CID bytes; returns the length. */
IPFSA_API size_t ipfsa_cid_encode(const ipfsa_cid *cid, uint8_t *ret_bytes);
/* The allow-list and the digest bounds (content-addressing rules): E_DENIED with a sentence when it fails. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_cid_check_allowed(const ipfsa_cid *cid, ipfsa_error *err);

/* Names of the multicodec table; NULL when unknown / false when unknown. */
IPFSA_API const char *ipfsa_codec_to_string(uint64_t codec);
IPFSA_API bool ipfsa_codec_from_string(const char *name, uint64_t *ret);
IPFSA_API const char *ipfsa_hash_to_string(uint64_t code);
IPFSA_API bool ipfsa_hash_from_string(const char *name, uint64_t *ret); /* case-insensitive; "sha3" = sha3-512 */

/* Rows of the tables in code order, as `cid codecs`, `cid hashes`, `cid bases` list them; false past the end. */
typedef struct ipfsa_table_row {
  const char *name;
  uint64_t code;
  bool supported; /* this build can encode/compute it */
  const char *prefix; /* multibase only */
} ipfsa_table_row;
IPFSA_API bool ipfsa_codec_row(size_t i, ipfsa_table_row *ret);
IPFSA_API bool ipfsa_hash_row(size_t i, ipfsa_table_row *ret);
IPFSA_API bool ipfsa_multibase_row(size_t i, ipfsa_table_row *ret);

/* Multibase text (with its prefix) of bytes; *ret_text owned, terminated, free with ipfsa_text_free. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_multibase_encode(const char *base, ipfsa_bytes bytes, char **ret_text, ipfsa_error *err);
/* *ret_data owned, free with ipfsa_data_free; *ret_base (may be NULL) is the base's static name. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_multibase_decode(const char *text, size_t len, uint8_t **ret_data, size_t *ret_len,
                                                          const char **ret_base, ipfsa_error *err);
IPFSA_API void ipfsa_text_free(char *text);
IPFSA_API void ipfsa_data_free(uint8_t *data);

#ifdef __cplusplus
}
#endif
#endif
