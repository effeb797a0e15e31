/* The cursor: the only way this library parses bytes from outside. A getter either succeeds and moves on, or fails,
 * leaves the cursor where it was and touches nothing. Threads: one at a time per cursor. */
#ifndef IPFSA_BASE_BYTES_H
#define IPFSA_BASE_BYTES_H

#include <ipfsa/base.h>
#include <string.h>

static inline ipfsa_bytes ipfsa_bytes_of(const void *data, size_t len) {
  return (ipfsa_bytes){(const uint8_t *)data, len};
}
static inline ipfsa_bytes ipfsa_bytes_str(const char *text) { return ipfsa_bytes_of(text, strlen(text)); }
static inline bool ipfsa_bytes_equal(ipfsa_bytes a, ipfsa_bytes b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
int ipfsa_bytes_compare(ipfsa_bytes a, ipfsa_bytes b); /* bytewise, a prefix sorts first */

typedef struct ipfsa_cursor {
  const uint8_t *start, *pos, *end;
} ipfsa_cursor;

static inline ipfsa_cursor ipfsa_cursor_over(ipfsa_bytes b) {
  static const uint8_t none = 0;
  const uint8_t *p = b.data ? b.data : &none;
  return (ipfsa_cursor){p, p, p + (b.data ? b.len : 0)};
}
static inline size_t ipfsa_cursor_left(const ipfsa_cursor *c) { return (size_t)(c->end - c->pos); }
static inline size_t ipfsa_cursor_offset(const ipfsa_cursor *c) { return (size_t)(c->pos - c->start); }
static inline bool ipfsa_cursor_peek(const ipfsa_cursor *c, uint8_t *ret) {
  if (c->pos == c->end) return false;
  *ret = *c->pos;
  return true;
}
static inline bool ipfsa_cursor_u8(ipfsa_cursor *c, uint8_t *ret) {
  if (c->pos == c->end) return false;
  *ret = *c->pos++;
  return true;
}
/* A slice of exactly n bytes, borrowed from the input. n may be any value from outside. */
static inline bool ipfsa_cursor_take(ipfsa_cursor *c, uint64_t n, ipfsa_bytes *ret) {
  if (n > ipfsa_cursor_left(c)) return false;
  *ret = ipfsa_bytes_of(c->pos, (size_t)n);
  c->pos += n;
  return true;
}
static inline bool ipfsa_cursor_skip(ipfsa_cursor *c, uint64_t n) {
  ipfsa_bytes ignored;
  return ipfsa_cursor_take(c, n, &ignored);
}
bool ipfsa_cursor_u16be(ipfsa_cursor *c, uint16_t *ret);
bool ipfsa_cursor_u32be(ipfsa_cursor *c, uint32_t *ret);
bool ipfsa_cursor_u64be(ipfsa_cursor *c, uint64_t *ret);
bool ipfsa_cursor_u32le(ipfsa_cursor *c, uint32_t *ret);
bool ipfsa_cursor_u64le(ipfsa_cursor *c, uint64_t *ret);

#endif
