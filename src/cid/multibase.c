/* Multibase: a prefix character, then text in that base (multiformats/multibase: multibase.csv). */
#include "base/alloc.h"
#include "base/error.h"
#include "cid/cid.h"
#include "codec/basen.h"

#define LOWER32 "abcdefghijklmnopqrstuvwxyz234567"
#define UPPER32 "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#define LOWER32HEX "0123456789abcdefghijklmnopqrstuv"
#define UPPER32HEX "0123456789ABCDEFGHIJKLMNOPQRSTUV"
#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define BITS(alphabet, bits, pad, any_case) {IPFSA_BASEN_BITS, alphabet, bits, pad, any_case}
#define BIG(alphabet, any_case) {IPFSA_BASEN_BIG, alphabet, 0, false, any_case}

typedef struct multibase_entry {
  const char *name, *prefix;
  uint32_t code;
  ipfsa_basen base;
} multibase_entry;

/* Listed ones first, in the order of `cid bases`; then those that Kubo does not know. */
static const multibase_entry table[] = {
    {"identity", "", 0, {0}},
    {"base2", "0", '0', BITS("01", 1, false, false)},
    {"base32", "b", 'b', BITS(LOWER32, 5, false, true)},
    {"base32upper", "B", 'B', BITS(UPPER32, 5, false, true)},
    {"base32pad", "c", 'c', BITS(LOWER32, 5, true, true)},
    {"base32padupper", "C", 'C', BITS(UPPER32, 5, true, true)},
    {"base16", "f", 'f', BITS("0123456789abcdef", 4, false, true)},
    {"base16upper", "F", 'F', BITS("0123456789ABCDEF", 4, false, true)},
    {"base36", "k", 'k', BIG("0123456789abcdefghijklmnopqrstuvwxyz", true)},
    {"base36upper", "K", 'K', BIG("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", true)},
    {"base64", "m", 'm', BITS(BASE64, 6, false, false)},
    {"base64pad", "M", 'M', BITS(BASE64, 6, true, false)},
    {"base32hexpad", "t", 't', BITS(LOWER32HEX, 5, true, true)},
    {"base32hexpadupper", "T", 'T', BITS(UPPER32HEX, 5, true, true)},
    {"base64url", "u", 'u', BITS(BASE64URL, 6, false, false)},
    {"base64urlpad", "U", 'U', BITS(BASE64URL, 6, true, false)},
    {"base32hex", "v", 'v', BITS(LOWER32HEX, 5, false, true)},
    {"base32hexupper", "V", 'V', BITS(UPPER32HEX, 5, false, true)},
    {"base58btc", "z", 'z', BIG("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", false)},
    {"base58flickr", "Z", 'Z', BIG("123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ", false)},
    {"base256emoji", "\xf0\x9f\x9a\x80", 0x1f680, {IPFSA_BASEN_EMOJI, NULL, 0, false, false}},
#define N_LISTED 21
    {"base8", "7", '7', BITS("01234567", 3, false, false)},
    {"base10", "9", '9', BIG("0123456789", false)},
    {"base32z", "h", 'h', BITS("ybndrfg8ejkmcpqxot1uwisza345h769", 5, false, false)},
    {"base45", "R", 'R', {IPFSA_BASEN_45, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", 0, false, false}},
    {"proquint", "p", 'p', {IPFSA_BASEN_PROQUINT, NULL, 0, false, false}},
};
#define N_ALL (sizeof table / sizeof *table)

bool ipfsa_multibase_row(size_t i, ipfsa_table_row *ret) {
  if (i >= N_LISTED) return false;
  *ret = (ipfsa_table_row){table[i].name, table[i].code, true, table[i].prefix};
  return true;
}

static const multibase_entry *find_base(const char *name) {
  for (size_t i = 0; i < N_ALL; i++)
    if (strcmp(table[i].name, name) == 0) return &table[i];
  return NULL;
}

ipfsa_status ipfsa_multibase_encode(const char *name, ipfsa_bytes bytes, char **ret_text, ipfsa_error *err) {
  const multibase_entry *entry = find_base(name);
  if (!entry) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "unsupported multibase encoding: %s", name);
  if (entry->code == 0)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "the identity base is no text; take the bytes as they are");
  IPFSA_AUTO_BUF ipfsa_buf buf = {0};
  ipfsa_buf_str(&buf, entry->prefix);
  ipfsa_basen_encode(&entry->base, bytes, &buf);
  ipfsa_buf_u8(&buf, '\0');
  if (buf.failed == IPFSA_E_LIMIT)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "%zu bytes; %s takes at most %d", bytes.len, name, IPFSA_MAX_BIG_BASE);
  if (buf.failed == IPFSA_E_NOT_SUPPORTED)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "%s takes an even number of bytes, not %zu", name, bytes.len);
  ipfsa_status status = ipfsa_buf_status(&buf, err);
  if (status) return status;
  *ret_text = (char *)ipfsa_buf_take(&buf, NULL);
  return IPFSA_OK;
}

ipfsa_status ipfsa_multibase_decode(const char *text, size_t len, uint8_t **ret_data, size_t *ret_len, const char **ret_base,
                                    ipfsa_error *err) {
  if (len == 0) return ipfsa_fail(err, IPFSA_E_MALFORMED, "cannot decode multibase for zero length string");
  const multibase_entry *entry = text[0] == '\0' ? &table[0] : NULL;
  for (size_t i = 1; i < N_ALL && !entry; i++) {
    size_t n = strlen(table[i].prefix);
    if (n <= len && memcmp(table[i].prefix, text, n) == 0) entry = &table[i];
  }
  if (!entry) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, 0, "selected encoding not supported");
  size_t skip = entry->code ? strlen(entry->prefix) : 1;
  ipfsa_bytes body = ipfsa_bytes_of(text + skip, len - skip);
  IPFSA_AUTO_BUF ipfsa_buf buf = {0};
  ipfsa_status status = IPFSA_OK;
  if (entry->code) status = ipfsa_basen_decode(&entry->base, body, &buf, err);
  else ipfsa_buf_append_bytes(&buf, body);
  ipfsa_buf_u8(&buf, 0); /* an empty payload is a valid pointer too */
  if (status == IPFSA_OK) status = ipfsa_buf_status(&buf, err);
  if (status) return ipfsa_error_prefix(err, status, "%s", entry->name);
  if (ret_base) *ret_base = entry->name;
  *ret_data = ipfsa_buf_take(&buf, ret_len);
  *ret_len -= 1;
  return IPFSA_OK;
}

void ipfsa_text_free(char *text) { ipfsa_free(text); }
void ipfsa_data_free(uint8_t *data) { ipfsa_free(data); }
