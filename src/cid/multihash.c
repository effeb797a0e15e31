#include "base/error.h"
#include "cid/cid.h"
#include "codec/varint.h"

bool ipfsa_multihash_equal(const ipfsa_multihash *a, const ipfsa_multihash *b) {
  return a->code == b->code && a->len == b->len && memcmp(a->digest, b->digest, a->len) == 0;
}

size_t ipfsa_multihash_encode(const ipfsa_multihash *mh, uint8_t *ret) {
  size_t n = ipfsa_varint_encode(mh->code, ret);
  n += ipfsa_varint_encode(mh->len, ret + n);
  memcpy(ret + n, mh->digest, mh->len);
  return n + mh->len;
}

void ipfsa_buf_multihash(ipfsa_buf *buf, const ipfsa_multihash *mh) {
  uint8_t out[IPFSA_MAX_MULTIHASH];
  ipfsa_buf_append(buf, out, ipfsa_multihash_encode(mh, out));
}

ipfsa_status ipfsa_cursor_multihash(ipfsa_cursor *c, ipfsa_multihash *ret, ipfsa_error *err) {
  ipfsa_cursor at = *c;
  uint64_t code, len;
  ipfsa_bytes digest;
  if (!ipfsa_cursor_varint(&at, &code) || !ipfsa_cursor_varint(&at, &len))
    return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_cursor_offset(&at), "multihash: code or length is no varint");
  if (len > IPFSA_MAX_DIGEST)
    return ipfsa_fail_at(err, IPFSA_E_LIMIT, ipfsa_cursor_offset(&at), "multihash: digest of %llu bytes; at most %d are taken",
                         (unsigned long long)len, IPFSA_MAX_DIGEST);
  if (!ipfsa_cursor_take(&at, len, &digest))
    return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_cursor_offset(&at), "multihash: digest is cut short (%zu of %llu bytes)",
                         ipfsa_cursor_left(&at), (unsigned long long)len);
  memset(ret, 0, sizeof *ret);
  ret->code = code;
  ret->len = (uint8_t)len;
  memcpy(ret->digest, digest.data, digest.len);
  *c = at;
  return IPFSA_OK;
}

/* boxo: verifcid/. identity 0..128 bytes (IPIP-512), all else 20..128. */
ipfsa_status ipfsa_multihash_check_allowed(const ipfsa_multihash *mh, ipfsa_error *err) {
  if (!ipfsa_hash_to_string(mh->code))
    return ipfsa_fail(err, IPFSA_E_DENIED, "potentially insecure hash functions not allowed (multihash code 0x%llx)",
                      (unsigned long long)mh->code);
  if (mh->code == IPFSA_HASH_IDENTITY) return IPFSA_OK; /* the struct holds no more than 128 */
  if (mh->len < IPFSA_MIN_DIGEST)
    return ipfsa_fail(err, IPFSA_E_DENIED, "digest too small: %s digest got %u bytes, minimum %d",
                      ipfsa_hash_to_string(mh->code), mh->len, IPFSA_MIN_DIGEST);
  return IPFSA_OK;
}
