#include "checkpoint/window.h"

#include "base/alloc.h"
#include "base/error.h"

ipfsa_status ipfsa_window_open(ipfsa_source *source, uint64_t size, ipfsa_window *ret, ipfsa_error *err) {
  uint8_t *data = ipfsa_malloc(IPFSA_WINDOW_SIZE);
  if (!data) return ipfsa_fail_nomem(err);
  *ret = (ipfsa_window){.source = source, .size = size, .data = data};
  return IPFSA_OK;
}

void ipfsa_window_release(ipfsa_window *w) {
  ipfsa_free(w->data);
  *w = (ipfsa_window){0};
}

static ipfsa_status ends_early(const ipfsa_window *w, uint64_t n, const char *what, ipfsa_error *err) {
  return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_window_offset(w), "byte %llu: %s takes %llu bytes, the file has %llu more",
                       (unsigned long long)ipfsa_window_offset(w), what, (unsigned long long)n, (unsigned long long)ipfsa_window_left(w));
}

ipfsa_status ipfsa_window_take(ipfsa_window *w, uint64_t n, const char *what, ipfsa_bytes *ret, ipfsa_error *err) {
  if (n > ipfsa_window_left(w)) return ends_early(w, n, what, err);
  if (n > IPFSA_WINDOW_SIZE) return ipfsa_fail_at(err, IPFSA_E_LIMIT, ipfsa_window_offset(w), "%s takes %llu bytes", what, (unsigned long long)n);
  if (n > w->len - w->pos) { /* what is left moves to the front, the rest is read */
    size_t kept = w->len - w->pos;
    uint64_t left = ipfsa_window_left(w);
    memmove(w->data, w->data + w->pos, kept);
    w->at += w->pos;
    w->pos = 0;
    w->len = kept;
    size_t want = left < IPFSA_WINDOW_SIZE ? (size_t)left : IPFSA_WINDOW_SIZE;
    ipfsa_status status = w->source->read_at(w->source, w->data + kept, want - kept, w->at + kept, err);
    if (status) return status;
    w->len = want;
  }
  *ret = ipfsa_bytes_of(w->data + w->pos, (size_t)n);
  w->pos += (size_t)n;
  return IPFSA_OK;
}

ipfsa_status ipfsa_window_skip(ipfsa_window *w, uint64_t n, const char *what, ipfsa_error *err) {
  if (n > ipfsa_window_left(w)) return ends_early(w, n, what, err);
  if (n <= w->len - w->pos) w->pos += (size_t)n;
  else {
    w->at += w->pos + n;
    w->pos = w->len = 0;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_window_u32(ipfsa_window *w, const char *what, uint32_t *ret, ipfsa_error *err) {
  ipfsa_bytes b;
  ipfsa_status status = ipfsa_window_take(w, 4, what, &b, err);
  ipfsa_cursor c = ipfsa_cursor_over(b);
  if (status == IPFSA_OK) (void)ipfsa_cursor_u32le(&c, ret);
  return status;
}

ipfsa_status ipfsa_window_u64(ipfsa_window *w, const char *what, uint64_t *ret, ipfsa_error *err) {
  ipfsa_bytes b;
  ipfsa_status status = ipfsa_window_take(w, 8, what, &b, err);
  ipfsa_cursor c = ipfsa_cursor_over(b);
  if (status == IPFSA_OK) (void)ipfsa_cursor_u64le(&c, ret);
  return status;
}
