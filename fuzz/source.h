/* The input as a source; reading outside of it is a finding. */
#ifndef IPFSA_FUZZ_SOURCE_H
#define IPFSA_FUZZ_SOURCE_H

#include "base/source.h"
#include "fuzz.h"

typedef struct fuzz_source {
  ipfsa_source base;
  const uint8_t *data;
} fuzz_source;

static inline ipfsa_status fuzz_source_read(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  (void)err;
  FUZZ_CHECK(off <= self->size_hint && len <= self->size_hint - off);
  if (len) memcpy(data, ((fuzz_source *)self)->data + off, len);
  return IPFSA_OK;
}

static inline fuzz_source fuzz_source_over(const uint8_t *data, size_t size) {
  return (fuzz_source){{.read_at = fuzz_source_read, .size_hint = size, .map_fd = -1}, data};
}

#endif
