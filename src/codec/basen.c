#include "codec/basen.h"

#include <ctype.h>

#include "base/error.h"
#include "codec/emoji.h"

#define NO_DIGIT 255

/* Digit of every byte value; NO_DIGIT where the character is not in the alphabet. */
static void digits_of(const ipfsa_basen *base, uint8_t table[256]) {
  memset(table, NO_DIGIT, 256);
  for (unsigned i = 0; base->alphabet[i]; i++) {
    unsigned char c = (unsigned char)base->alphabet[i];
    table[c] = (uint8_t)i;
    if (base->any_case && isalpha(c)) table[isupper(c) ? tolower(c) : toupper(c)] = (uint8_t)i;
  }
}

static ipfsa_status bad_character(ipfsa_error *err, size_t offset, uint8_t c) {
  return ipfsa_fail_at(err, IPFSA_E_MALFORMED, offset, "character %zu (0x%02x) is not in the alphabet of this base", offset, c);
}

/* Characters of a padded group: the least common multiple of 8 and bits, in characters. */
static size_t group_of(unsigned bits) { return bits == 6 ? 4 : bits == 5 ? 8 : bits == 3 ? 8 : 1; }

static void encode_bits(const ipfsa_basen *base, ipfsa_bytes in, ipfsa_buf *out) {
  unsigned held = 0, value = 0, mask = (1u << base->bits) - 1;
  size_t start = out->len;
  for (size_t i = 0; i < in.len; i++) {
    value = value << 8 | in.data[i];
    for (held += 8; held >= base->bits; held -= base->bits)
      ipfsa_buf_u8(out, (uint8_t)base->alphabet[value >> (held - base->bits) & mask]);
    value &= (1u << held) - 1;
  }
  if (held) ipfsa_buf_u8(out, (uint8_t)base->alphabet[value << (base->bits - held) & mask]);
  if (base->pad)
    while ((out->len - start) % group_of(base->bits) && !out->failed) ipfsa_buf_u8(out, '=');
}

static ipfsa_status decode_bits(const ipfsa_basen *base, ipfsa_bytes text, ipfsa_buf *out, ipfsa_error *err) {
  uint8_t table[256];
  digits_of(base, table);
  size_t len = text.len;
  if (base->pad) {
    if (len % group_of(base->bits)) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, len, "padding is missing at the end");
    while (len && text.data[len - 1] == '=') len--;
  }
  unsigned held = 0, value = 0;
  for (size_t i = 0; i < len; i++) {
    uint8_t digit = table[text.data[i]];
    if (digit == NO_DIGIT) return bad_character(err, i, text.data[i]);
    value = value << base->bits | digit;
    held += base->bits;
    if (held < 8) continue;
    held -= 8;
    ipfsa_buf_u8(out, (uint8_t)(value >> held));
    value &= (1u << held) - 1;
  }
  if (held >= base->bits) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, len, "one character too many at the end");
  if (value) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, len, "the unused bits at the end are not zero");
  size_t bytes = len * base->bits / 8, chars = (bytes * 8 + base->bits - 1) / base->bits;
  size_t group = group_of(base->bits);
  if (base->pad && (chars + group - 1) / group * group != text.len)
    return ipfsa_fail_at(err, IPFSA_E_MALFORMED, len, "wrong padding at the end");
  return IPFSA_OK;
}

/* Rewrites digits (most significant first) from base `from` to base `to`; returns how many digits stand at the end of `ret`. */
static size_t convert(const uint8_t *digits, size_t n, unsigned from, unsigned to, uint8_t *ret, size_t cap) {
  size_t used = 0;
  for (size_t i = 0; i < n; i++) {
    unsigned carry = digits[i];
    size_t j = 0;
    for (; (j < used || carry) && j < cap; j++) {
      unsigned v = ret[cap - 1 - j] * from + carry;
      ret[cap - 1 - j] = (uint8_t)(v % to);
      carry = v / to;
    }
    used = j;
  }
  return used;
}

static void encode_big(const ipfsa_basen *base, ipfsa_bytes in, ipfsa_buf *out) {
  uint8_t digits[IPFSA_MAX_BIG_BASE * 3] = {0}; /* base 10 needs 2.41 digits a byte */
  if (in.len > IPFSA_MAX_BIG_BASE) {
    out->failed = IPFSA_E_LIMIT;
    return;
  }
  size_t zeros = 0;
  while (zeros < in.len && in.data[zeros] == 0) zeros++;
  ipfsa_buf_fill(out, (uint8_t)base->alphabet[0], zeros);
  size_t n = convert(in.data + zeros, in.len - zeros, 256, (unsigned)strlen(base->alphabet), digits, sizeof digits);
  for (size_t i = sizeof digits - n; i < sizeof digits; i++) ipfsa_buf_u8(out, (uint8_t)base->alphabet[digits[i]]);
}

static ipfsa_status decode_big(const ipfsa_basen *base, ipfsa_bytes text, ipfsa_buf *out, ipfsa_error *err) {
  uint8_t table[256], digits[IPFSA_MAX_BIG_BASE], bytes[IPFSA_MAX_BIG_BASE] = {0};
  digits_of(base, table);
  if (text.len > IPFSA_MAX_BIG_BASE)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "text of %zu characters; this base takes at most %d", text.len, IPFSA_MAX_BIG_BASE);
  size_t zeros = 0;
  for (size_t i = 0; i < text.len; i++) {
    digits[i] = table[text.data[i]];
    if (digits[i] == NO_DIGIT) return bad_character(err, i, text.data[i]);
    if (zeros == i && digits[i] == 0) zeros++;
  }
  ipfsa_buf_fill(out, 0, zeros);
  size_t n = convert(digits + zeros, text.len - zeros, (unsigned)strlen(base->alphabet), 256, bytes, sizeof bytes);
  ipfsa_buf_append(out, bytes + sizeof bytes - n, n);
  return IPFSA_OK;
}

/* RFC 9285: two bytes as three characters, least significant first; a last single byte as two. */
static void encode_45(const ipfsa_basen *base, ipfsa_bytes in, ipfsa_buf *out) {
  for (size_t i = 0; i < in.len; i += 2) {
    bool pair = i + 1 < in.len;
    unsigned v = pair ? (unsigned)in.data[i] << 8 | in.data[i + 1] : in.data[i];
    for (int k = 0; k < (pair ? 3 : 2); k++, v /= 45) ipfsa_buf_u8(out, (uint8_t)base->alphabet[v % 45]);
  }
}

static ipfsa_status decode_45(const ipfsa_basen *base, ipfsa_bytes text, ipfsa_buf *out, ipfsa_error *err) {
  uint8_t table[256];
  digits_of(base, table);
  if (text.len % 3 == 1) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, text.len, "one character too many at the end");
  for (size_t i = 0; i < text.len; i += 3) {
    size_t n = text.len - i < 3 ? 2 : 3;
    unsigned v = 0;
    for (size_t k = n; k-- > 0;) {
      uint8_t digit = table[text.data[i + k]];
      if (digit == NO_DIGIT) return bad_character(err, i + k, text.data[i + k]);
      v = v * 45 + digit;
    }
    if (v > (n == 3 ? 0xffffu : 0xffu)) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, i, "group at character %zu is too large", i);
    if (n == 3) ipfsa_buf_u8(out, (uint8_t)(v >> 8));
    ipfsa_buf_u8(out, (uint8_t)v);
  }
  return IPFSA_OK;
}

static const char proquint_consonants[] = "bdfghjklmnprstvz", proquint_vowels[] = "aiou";

/* Sixteen bits as consonant-vowel-consonant-vowel-consonant, words joined by "-". */
static void encode_proquint(ipfsa_bytes in, ipfsa_buf *out) {
  if (in.len % 2) {
    out->failed = IPFSA_E_NOT_SUPPORTED; /* defined for pairs of bytes only */
    return;
  }
  ipfsa_buf_str(out, "ro-");
  for (size_t i = 0; i < in.len; i += 2) {
    unsigned v = (unsigned)in.data[i] << 8 | in.data[i + 1];
    if (i) ipfsa_buf_u8(out, '-');
    ipfsa_buf_u8(out, (uint8_t)proquint_consonants[v >> 12 & 15]);
    ipfsa_buf_u8(out, (uint8_t)proquint_vowels[v >> 10 & 3]);
    ipfsa_buf_u8(out, (uint8_t)proquint_consonants[v >> 6 & 15]);
    ipfsa_buf_u8(out, (uint8_t)proquint_vowels[v >> 4 & 3]);
    ipfsa_buf_u8(out, (uint8_t)proquint_consonants[v & 15]);
  }
}

static ipfsa_status decode_proquint(ipfsa_bytes text, ipfsa_buf *out, ipfsa_error *err) {
  if (text.len < 3 || memcmp(text.data, "ro-", 3) != 0 || (text.len > 3 && (text.len - 3) % 6 != 5))
    return ipfsa_fail_at(err, IPFSA_E_MALFORMED, 0, "a proquint reads \"pro-\" and words of five letters");
  for (size_t i = 3; i < text.len; i += 6) {
    unsigned v = 0;
    for (size_t k = 0; k < 5; k++) {
      const char *set = k % 2 ? proquint_vowels : proquint_consonants;
      const char *at = text.data[i + k] ? strchr(set, text.data[i + k]) : NULL;
      if (!at) return bad_character(err, i + k, text.data[i + k]);
      v = v << (k % 2 ? 2 : 4) | (unsigned)(at - set);
    }
    if (i + 5 < text.len && text.data[i + 5] != '-') return bad_character(err, i + 5, text.data[i + 5]);
    ipfsa_buf_u16be(out, (uint16_t)v);
  }
  return IPFSA_OK;
}

void ipfsa_basen_encode(const ipfsa_basen *base, ipfsa_bytes in, ipfsa_buf *out) {
  switch (base->kind) {
  case IPFSA_BASEN_BITS: encode_bits(base, in, out); break;
  case IPFSA_BASEN_BIG: encode_big(base, in, out); break;
  case IPFSA_BASEN_45: encode_45(base, in, out); break;
  case IPFSA_BASEN_PROQUINT: encode_proquint(in, out); break;
  case IPFSA_BASEN_EMOJI:
    for (size_t i = 0; i < in.len; i++) ipfsa_buf_str(out, ipfsa_emoji_at(in.data[i]));
    break;
  }
}

static ipfsa_status decode_emoji(ipfsa_bytes text, ipfsa_buf *out, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(text);
  while (ipfsa_cursor_left(&c)) {
    size_t at = ipfsa_cursor_offset(&c);
    uint8_t byte;
    if (!ipfsa_emoji_next(&c, &byte)) return bad_character(err, at, text.data[at]);
    ipfsa_buf_u8(out, byte);
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_basen_decode(const ipfsa_basen *base, ipfsa_bytes text, ipfsa_buf *out, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  switch (base->kind) {
  case IPFSA_BASEN_BITS: status = decode_bits(base, text, out, err); break;
  case IPFSA_BASEN_BIG: status = decode_big(base, text, out, err); break;
  case IPFSA_BASEN_45: status = decode_45(base, text, out, err); break;
  case IPFSA_BASEN_PROQUINT: status = decode_proquint(text, out, err); break;
  case IPFSA_BASEN_EMOJI: status = decode_emoji(text, out, err); break;
  }
  return status ? status : ipfsa_buf_status(out, err);
}
