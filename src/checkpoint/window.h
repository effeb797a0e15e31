/* A source read from front to back through a window, so that what is skipped is never read and what is long is never held. Threads: one at a time. */
#ifndef IPFSA_CHECKPOINT_WINDOW_H
#define IPFSA_CHECKPOINT_WINDOW_H

#include "base/bytes.h"
#include "base/source.h"

#define IPFSA_WINDOW_SIZE (128u << 10) /* bytes; more than the longest thing that is taken at once (a GGUF key) */

typedef struct ipfsa_window {
  ipfsa_source *source;
  uint64_t size; /* of the source */
  uint64_t at;   /* of data[0] */
  size_t pos, len;
  uint8_t *data;
} ipfsa_window;

ipfsa_status ipfsa_window_open(ipfsa_source *source, uint64_t size, ipfsa_window *ret, ipfsa_error *err);
void ipfsa_window_release(ipfsa_window *w);
static inline uint64_t ipfsa_window_offset(const ipfsa_window *w) { return w->at + w->pos; }
static inline uint64_t ipfsa_window_left(const ipfsa_window *w) { return w->size - w->at - w->pos; }
/* Exactly n ≤ IPFSA_WINDOW_SIZE bytes, borrowed until the next call. E_MALFORMED with what ends early. */
ipfsa_status ipfsa_window_take(ipfsa_window *w, uint64_t n, const char *what, ipfsa_bytes *ret, ipfsa_error *err);
ipfsa_status ipfsa_window_skip(ipfsa_window *w, uint64_t n, const char *what, ipfsa_error *err);
ipfsa_status ipfsa_window_u32(ipfsa_window *w, const char *what, uint32_t *ret, ipfsa_error *err);
ipfsa_status ipfsa_window_u64(ipfsa_window *w, const char *what, uint64_t *ret, ipfsa_error *err);

#endif
