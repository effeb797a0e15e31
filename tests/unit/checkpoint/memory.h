/* A source over memory that counts what is read. */
#ifndef IPFSA_TESTS_CHECKPOINT_MEMORY_H
#define IPFSA_TESTS_CHECKPOINT_MEMORY_H

#include "base/error.h"
#include "base/source.h"

typedef struct memory_source {
  ipfsa_source base;
  const uint8_t *data;
  uint64_t n_read;
} memory_source;

static inline ipfsa_status read_memory(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  memory_source *m = (memory_source *)self;
  if (off > self->size_hint || len > self->size_hint - off) return ipfsa_fail(err, IPFSA_E_CHANGED, "read past the end: %zu at %llu", len, (unsigned long long)off);
  if (len) memcpy(data, m->data + off, len);
  m->n_read += len;
  return IPFSA_OK;
}

static inline memory_source memory_of(const void *data, size_t len) {
  return (memory_source){{.read_at = read_memory, .size_hint = len, .map_fd = -1}, data, 0};
}

#endif
