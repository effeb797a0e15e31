#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define DEFAULT_MAX ((size_t)1 << 30) /* bytes; what no builder of this library needs to pass */

void ipfsa_buf_release(ipfsa_buf *buf) {
  ipfsa_free(buf->data);
  size_t max = buf->max;
  *buf = (ipfsa_buf){.max = max};
}

void ipfsa_buf_clear(ipfsa_buf *buf) {
  buf->len = 0;
  buf->failed = IPFSA_OK;
}

bool ipfsa_buf_reserve(ipfsa_buf *buf, size_t more) {
  if (buf->failed) return false;
  size_t need;
  if (__builtin_add_overflow(buf->len, more, &need) || need > (buf->max ? buf->max : DEFAULT_MAX)) {
    buf->failed = IPFSA_E_LIMIT;
    return false;
  }
  if (need <= buf->cap) return true;
  size_t cap = buf->cap < 64 ? 64 : buf->cap;
  while (cap < need) cap *= 2;
  uint8_t *data = ipfsa_realloc(buf->data, cap);
  if (!data) {
    buf->failed = IPFSA_E_NOMEM;
    return false;
  }
  buf->data = data;
  buf->cap = cap;
  return true;
}

void ipfsa_buf_append(ipfsa_buf *buf, const void *data, size_t len) {
  if (!ipfsa_buf_reserve(buf, len)) return;
  if (len) memcpy(buf->data + buf->len, data, len);
  buf->len += len;
}

void ipfsa_buf_append_bytes(ipfsa_buf *buf, ipfsa_bytes bytes) { ipfsa_buf_append(buf, bytes.data, bytes.len); }

void ipfsa_buf_u8(ipfsa_buf *buf, uint8_t byte) { ipfsa_buf_append(buf, &byte, 1); }

void ipfsa_buf_fill(ipfsa_buf *buf, uint8_t byte, size_t n) {
  if (!ipfsa_buf_reserve(buf, n)) return;
  if (n) memset(buf->data + buf->len, byte, n);
  buf->len += n;
}

static void put_be(ipfsa_buf *buf, uint64_t v, size_t n) {
  uint8_t out[8];
  for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
  ipfsa_buf_append(buf, out, n);
}

static void put_le(ipfsa_buf *buf, uint64_t v, size_t n) {
  uint8_t out[8];
  for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(v >> (8 * i));
  ipfsa_buf_append(buf, out, n);
}

void ipfsa_buf_u16be(ipfsa_buf *buf, uint16_t v) { put_be(buf, v, 2); }
void ipfsa_buf_u32be(ipfsa_buf *buf, uint32_t v) { put_be(buf, v, 4); }
void ipfsa_buf_u64be(ipfsa_buf *buf, uint64_t v) { put_be(buf, v, 8); }
void ipfsa_buf_u32le(ipfsa_buf *buf, uint32_t v) { put_le(buf, v, 4); }
void ipfsa_buf_u64le(ipfsa_buf *buf, uint64_t v) { put_le(buf, v, 8); }

void ipfsa_buf_str(ipfsa_buf *buf, const char *text) { ipfsa_buf_append(buf, text, strlen(text)); }

void ipfsa_buf_printf(ipfsa_buf *buf, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n >= 0 && ipfsa_buf_reserve(buf, (size_t)n + 1)) {
    vsnprintf((char *)buf->data + buf->len, (size_t)n + 1, format, again);
    buf->len += (size_t)n;
  }
  va_end(again);
}

const char *ipfsa_buf_cstr(ipfsa_buf *buf) {
  if (!ipfsa_buf_reserve(buf, 1)) return "";
  buf->data[buf->len] = '\0';
  return (const char *)buf->data;
}

ipfsa_status ipfsa_buf_status(const ipfsa_buf *buf, ipfsa_error *err) {
  if (buf->failed == IPFSA_OK) return IPFSA_OK;
  if (buf->failed == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  return ipfsa_fail(err, buf->failed, "output larger than its limit of %zu bytes", buf->max ? buf->max : DEFAULT_MAX);
}

uint8_t *ipfsa_buf_take(ipfsa_buf *buf, size_t *ret_len) {
  uint8_t *data = buf->data;
  if (ret_len) *ret_len = buf->len;
  *buf = (ipfsa_buf){.max = buf->max};
  return data;
}
