#include "codec/varint.h"

size_t ipfsa_varint_size(uint64_t v) {
  size_t n = 1;
  while (v >>= 7) n++;
  return n;
}

size_t ipfsa_varint_encode(uint64_t v, uint8_t *ret) {
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) ret[n++] = (uint8_t)(v | 0x80);
  ret[n++] = (uint8_t)v;
  return n;
}

void ipfsa_buf_varint(ipfsa_buf *buf, uint64_t v) {
  uint8_t out[IPFSA_MAX_VARINT];
  ipfsa_buf_append(buf, out, ipfsa_varint_encode(v, out));
}

/* Reads base-128 groups, at most max_bytes of them; the tenth may hold one bit only. */
static bool read_groups(ipfsa_cursor *c, size_t max_bytes, bool minimal, uint64_t *ret) {
  ipfsa_cursor at = *c;
  uint64_t v = 0;
  for (size_t i = 0; i < max_bytes; i++) {
    uint8_t byte;
    if (!ipfsa_cursor_u8(&at, &byte)) return false;
    if (i == 9 && byte > 1) return false;
    v |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte & 0x80) continue;
    if (minimal && byte == 0 && i > 0) return false;
    *c = at;
    *ret = v;
    return true;
  }
  return false;
}

bool ipfsa_cursor_varint(ipfsa_cursor *c, uint64_t *ret) { return read_groups(c, 9, true, ret); }

bool ipfsa_cursor_pb_varint(ipfsa_cursor *c, uint64_t *ret) { return read_groups(c, 10, false, ret); }
