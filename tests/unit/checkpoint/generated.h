/* A source of any size that takes no memory: records made when they are read, zeros between them. */
#ifndef IPFSA_TESTS_CHECKPOINT_GENERATED_H
#define IPFSA_TESTS_CHECKPOINT_GENERATED_H

#include <string.h>

#include "base/error.h"
#include "base/source.h"

#define GENERATED_WIDTH 256 /* bytes of a record, at most */

/* n records of `width` bytes from `at` on, in steps of `step`: those of `bytes`, or made one by one. */
typedef struct generated_region {
  uint64_t at, n, width, step;
  void (*make)(uint64_t i, uint8_t *ret); /* into GENERATED_WIDTH zeros */
  const void *bytes;
} generated_region;

typedef struct generated_source {
  ipfsa_source base;
  generated_region regions[8];
  size_t n;
} generated_source;

static inline void overlay(const uint8_t *from, uint64_t at, uint64_t width, uint8_t *data, size_t len, uint64_t off) {
  uint64_t begin = at > off ? at : off, end = at + width < off + len ? at + width : off + len;
  if (begin < end) memcpy(data + (begin - off), from + (begin - at), (size_t)(end - begin));
}

static inline void read_region(const generated_region *r, uint8_t *data, size_t len, uint64_t off) {
  uint64_t first = off > r->at ? (off - r->at) / r->step : 0;
  for (uint64_t i = first; i < r->n && r->at + i * r->step < off + len; i++) {
    uint8_t room[GENERATED_WIDTH] = {0};
    if (r->make) r->make(i, room);
    overlay(r->make ? room : r->bytes, r->at + i * r->step, r->width, data, len, off);
  }
}

static inline ipfsa_status read_generated(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  const generated_source *g = (generated_source *)self;
  if (off > self->size_hint || len > self->size_hint - off) return ipfsa_fail(err, IPFSA_E_CHANGED, "read past the end: %zu at %llu", len, (unsigned long long)off);
  if (len) memset(data, 0, len);
  for (size_t i = 0; i < g->n; i++) read_region(&g->regions[i], data, len, off);
  return IPFSA_OK;
}

static inline generated_source generated_of(uint64_t size) { return (generated_source){.base = {.read_at = read_generated, .size_hint = size, .map_fd = -1}}; }

/* step 0: one behind the other. */
static inline void generated_add(generated_source *g, uint64_t at, uint64_t n, uint64_t width, uint64_t step, void (*make)(uint64_t, uint8_t *)) {
  g->regions[g->n++] = (generated_region){at, n, width, step ? step : width, make, NULL};
}

static inline void generated_add_bytes(generated_source *g, uint64_t at, const void *bytes, size_t len) {
  g->regions[g->n++] = (generated_region){at, 1, len, len, NULL, bytes};
}

static inline void put_le(uint8_t *at, uint64_t v, size_t n) {
  for (size_t i = 0; i < n; i++) at[i] = (uint8_t)(v >> 8 * i);
}

#endif
