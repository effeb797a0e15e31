#include "base/bytes.h"

int ipfsa_bytes_compare(ipfsa_bytes a, ipfsa_bytes b) {
  size_t n = a.len < b.len ? a.len : b.len;
  int order = n ? memcmp(a.data, b.data, n) : 0;
  if (order) return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

static bool take_be(ipfsa_cursor *c, size_t n, uint64_t *ret) {
  ipfsa_bytes b;
  if (!ipfsa_cursor_take(c, n, &b)) return false;
  uint64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v << 8 | b.data[i];
  *ret = v;
  return true;
}

static bool take_le(ipfsa_cursor *c, size_t n, uint64_t *ret) {
  ipfsa_bytes b;
  if (!ipfsa_cursor_take(c, n, &b)) return false;
  uint64_t v = 0;
  for (size_t i = n; i-- > 0;) v = v << 8 | b.data[i];
  *ret = v;
  return true;
}

bool ipfsa_cursor_u16be(ipfsa_cursor *c, uint16_t *ret) {
  uint64_t v;
  if (!take_be(c, 2, &v)) return false;
  *ret = (uint16_t)v;
  return true;
}

bool ipfsa_cursor_u32be(ipfsa_cursor *c, uint32_t *ret) {
  uint64_t v;
  if (!take_be(c, 4, &v)) return false;
  *ret = (uint32_t)v;
  return true;
}

bool ipfsa_cursor_u64be(ipfsa_cursor *c, uint64_t *ret) { return take_be(c, 8, ret); }

bool ipfsa_cursor_u32le(ipfsa_cursor *c, uint32_t *ret) {
  uint64_t v;
  if (!take_le(c, 4, &v)) return false;
  *ret = (uint32_t)v;
  return true;
}

bool ipfsa_cursor_u64le(ipfsa_cursor *c, uint64_t *ret) { return take_le(c, 8, ret); }
