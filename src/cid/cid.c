#include "cid/cid.h"

#include "base/alloc.h"
#include "base/error.h"
#include "codec/varint.h"
#include "hash/hash.h"

bool ipfsa_cid_equal(const ipfsa_cid *a, const ipfsa_cid *b) {
  return a->defined == b->defined && a->version == b->version && a->codec == b->codec &&
         ipfsa_multihash_equal(&a->mh, &b->mh);
}

static bool can_be_v0(uint64_t codec, const ipfsa_multihash *mh) {
  return codec == IPFSA_CODEC_DAG_PB && mh->code == IPFSA_HASH_SHA2_256 && mh->len == 32;
}

ipfsa_status ipfsa_cid_make(unsigned version, uint64_t codec, const ipfsa_multihash *mh, ipfsa_cid *ret, ipfsa_error *err) {
  if (version > 1) return ipfsa_fail(err, IPFSA_E_INVALID, "unknown CID version: %u", version);
  if (version == 0 && codec != IPFSA_CODEC_DAG_PB)
    return ipfsa_fail(err, IPFSA_E_INVALID, "can't convert non-dag-pb nodes to cidv0");
  if (version == 0 && !can_be_v0(codec, mh))
    return ipfsa_fail(err, IPFSA_E_INVALID, "CIDv0 only supports sha2-256 of 32 bytes");
  ipfsa_multihash copy = *mh;
  *ret = (ipfsa_cid){.codec = codec, .version = (uint8_t)version, .defined = true, .mh = copy};
  return IPFSA_OK;
}

ipfsa_status ipfsa_cid_to_version(const ipfsa_cid *cid, unsigned version, ipfsa_cid *ret, ipfsa_error *err) {
  return ipfsa_cid_make(version, cid->codec, &cid->mh, ret, err);
}

size_t ipfsa_cid_encode(const ipfsa_cid *cid, uint8_t *ret) {
  size_t n = 0;
  if (cid->version == 1) {
    ret[n++] = 1;
    n += ipfsa_varint_encode(cid->codec, ret + n);
  }
  return n + ipfsa_multihash_encode(&cid->mh, ret + n);
}

size_t ipfsa_cid_size(const ipfsa_cid *cid) {
  size_t mh = ipfsa_varint_size(cid->mh.code) + ipfsa_varint_size(cid->mh.len) + cid->mh.len;
  return cid->version == 0 ? mh : 1 + ipfsa_varint_size(cid->codec) + mh;
}

void ipfsa_buf_cid(ipfsa_buf *buf, const ipfsa_cid *cid) {
  uint8_t out[IPFSA_MAX_CID];
  ipfsa_buf_append(buf, out, ipfsa_cid_encode(cid, out));
}

static bool starts_v0(const ipfsa_cursor *c) {
  return ipfsa_cursor_left(c) >= 34 && c->pos[0] == 0x12 && c->pos[1] == 0x20;
}

ipfsa_status ipfsa_cursor_cid(ipfsa_cursor *c, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_cursor at = *c;
  ipfsa_multihash mh;
  uint64_t version = 0, codec = IPFSA_CODEC_DAG_PB;
  if (!starts_v0(&at)) {
    if (!ipfsa_cursor_varint(&at, &version))
      return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_cursor_offset(c), "invalid cid: cid too short");
    if (version != 1)
      return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_cursor_offset(c), "invalid cid: expected 1 as the cid version number, got %llu",
                           (unsigned long long)version);
    if (!ipfsa_cursor_varint(&at, &codec))
      return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_cursor_offset(&at), "invalid cid: its codec is no varint");
  }
  ipfsa_status status = ipfsa_cursor_multihash(&at, &mh, err);
  if (status) return ipfsa_error_prefix(err, status, "invalid cid");
  if ((size_t)(at.pos - c->pos) > IPFSA_MAX_CID)
    return ipfsa_fail_at(err, IPFSA_E_LIMIT, ipfsa_cursor_offset(c), "invalid cid: over %d bytes", IPFSA_MAX_CID);
  *ret = (ipfsa_cid){.codec = codec, .version = (uint8_t)version, .defined = true, .mh = mh};
  *c = at;
  return IPFSA_OK;
}

ipfsa_status ipfsa_cid_decode(ipfsa_bytes bytes, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(bytes);
  ipfsa_cid cid;
  ipfsa_status status = ipfsa_cursor_cid(&c, &cid, err);
  if (status) return status;
  if (ipfsa_cursor_left(&c))
    return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_cursor_offset(&c), "invalid cid: trailing bytes in data buffer passed to cid Cast");
  *ret = cid;
  return IPFSA_OK;
}

/* "Qm" and 46 characters: base58btc of a sha2-256 multihash, without a multibase prefix. */
static ipfsa_status parse_v0(const char *text, ipfsa_cid *ret, ipfsa_error *err) {
  char prefixed[48] = "z";
  memcpy(prefixed + 1, text, 46);
  uint8_t *data = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_multibase_decode(prefixed, 47, &data, &len, NULL, err);
  if (status) return ipfsa_error_prefix(err, status, "invalid cid");
  if (len == 34 && data[0] == 0x12 && data[1] == 0x20) status = ipfsa_cid_decode(ipfsa_bytes_of(data, len), ret, err);
  else status = ipfsa_fail(err, IPFSA_E_MALFORMED, "invalid cid: no sha2-256 multihash of 34 bytes");
  ipfsa_free(data);
  return status;
}

ipfsa_status ipfsa_cid_parse(const char *text, size_t len, ipfsa_cid *ret, ipfsa_error *err) {
  if (len == 46 && text[0] == 'Q' && text[1] == 'm') return parse_v0(text, ret, err);
  if (len < 2) return ipfsa_fail(err, IPFSA_E_MALFORMED, "invalid cid: cid too short");
  if (len >= IPFSA_MAX_CID_TEXT)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "invalid cid: text of %zu characters; at most %d are taken", len, IPFSA_MAX_CID_TEXT - 1);
  uint8_t *data = NULL;
  size_t n = 0;
  ipfsa_status status = ipfsa_multibase_decode(text, len, &data, &n, NULL, err);
  if (status) return ipfsa_error_prefix(err, status, "invalid cid");
  if (n > 0 && data[0] == 0x12)
    status = ipfsa_fail(err, IPFSA_E_MALFORMED, "invalid cid: a version 0 CID has no multibase prefix");
  else
    status = ipfsa_cid_decode(ipfsa_bytes_of(data, n), ret, err);
  ipfsa_free(data);
  return status;
}

/* Bases of powers of two and base58/36 of at most IPFSA_MAX_CID bytes: memory aside, encoding cannot fail. The default forms are
 * written without allocating, so that formatting never fails. */
static void format_base32(const uint8_t *data, size_t len, char *ret) {
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned held = 0, value = 0;
  *ret++ = 'b';
  for (size_t i = 0; i < len; i++) {
    value = value << 8 | data[i];
    for (held += 8; held >= 5; held -= 5) *ret++ = alphabet[value >> (held - 5) & 31];
    value &= (1u << held) - 1;
  }
  if (held) *ret++ = alphabet[value << (5 - held) & 31];
  *ret = '\0';
}

/* One big integer in a base below 256, leading zero bytes kept; digits are made from the end. */
static void format_big(const char *alphabet, unsigned base, const uint8_t *data, size_t len, char *ret) {
  uint8_t digits[IPFSA_MAX_CID * 2];
  size_t n = 0, zeros = 0;
  while (zeros < len && data[zeros] == 0) zeros++;
  for (size_t i = zeros; i < len; i++) {
    unsigned carry = data[i];
    for (size_t j = 0; j < n; j++) {
      carry += (unsigned)digits[j] << 8;
      digits[j] = (uint8_t)(carry % base);
      carry /= base;
    }
    for (; carry; carry /= base) digits[n++] = (uint8_t)(carry % base);
  }
  for (; zeros; zeros--) *ret++ = alphabet[0];
  while (n) *ret++ = alphabet[digits[--n]];
  *ret = '\0';
}

void ipfsa_cid_format(const ipfsa_cid *cid, char *ret_text) {
  uint8_t data[IPFSA_MAX_CID];
  size_t len = ipfsa_cid_encode(cid, data);
  if (cid->version == 0) {
    format_big("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 58, data, len, ret_text);
  } else if (cid->codec == IPFSA_CODEC_LIBP2P_KEY) {
    ret_text[0] = 'k';
    format_big("0123456789abcdefghijklmnopqrstuvwxyz", 36, data, len, ret_text + 1);
  } else {
    format_base32(data, len, ret_text);
  }
}

ipfsa_status ipfsa_cid_format_base(const ipfsa_cid *cid, const char *base, char *ret_text, ipfsa_error *err) {
  if (cid->version == 0 && strcmp(base, "base58btc") == 0) {
    ipfsa_cid_format(cid, ret_text);
    return IPFSA_OK;
  }
  ipfsa_cid v1 = *cid;
  v1.version = 1;
  uint8_t data[IPFSA_MAX_CID];
  char *text = NULL;
  ipfsa_status status = ipfsa_multibase_encode(base, ipfsa_bytes_of(data, ipfsa_cid_encode(&v1, data)), &text, err);
  if (status) return status;
  snprintf(ret_text, IPFSA_MAX_CID_TEXT, "%s", text);
  ipfsa_free(text);
  return IPFSA_OK;
}

ipfsa_status ipfsa_cid_check_allowed(const ipfsa_cid *cid, ipfsa_error *err) {
  return ipfsa_multihash_check_allowed(&cid->mh, err);
}

ipfsa_status ipfsa_cid_of_block(unsigned version, uint64_t codec, uint64_t hash, size_t digest_len, ipfsa_bytes data,
                                ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_multihash mh;
  ipfsa_status status = ipfsa_hash_digest(hash, digest_len, &data, 1, &mh, err);
  return status ? status : ipfsa_cid_make(version, codec, &mh, ret, err);
}

ipfsa_status ipfsa_cid_verify(const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_error *err) {
  ipfsa_status status = ipfsa_hash_verify(&cid->mh, &data, 1, err);
  if (status != IPFSA_E_CORRUPT) return status;
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_cid_format(cid, text);
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "block of %zu bytes does not hash to its CID %.200s", data.len, text);
}
