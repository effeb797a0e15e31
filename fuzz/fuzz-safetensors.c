/* Headers of safetensors: what is taken covers its bytes once, in order, and every name is found again. */
#include "base/error.h"
#include "checkpoint/safetensors.h"
#include "fuzz.h"

typedef struct memory {
  ipfsa_source base;
  const uint8_t *data;
} memory;

static ipfsa_status read_memory(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  (void)err;
  FUZZ_CHECK(off <= self->size_hint && len <= self->size_hint - off);
  if (len) memcpy(data, ((memory *)self)->data + off, len);
  return IPFSA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  memory m = {{.read_at = read_memory, .size_hint = size, .map_fd = -1}, data};
  ipfsa_tensors t = {0};
  ipfsa_pairs pairs = {0};
  ipfsa_error err = {0};
  uint64_t start = 0, at = 0;
  if (ipfsa_safetensors_parse(&m.base, size, &t, &start, &pairs, &err) != IPFSA_OK) {
    FUZZ_CHECK(!t.text && !t.items && !pairs.items && err.message[0]);
    return 0;
  }
  fuzz_accepted = 1;
  for (size_t i = 0; i < t.n; i++) {
    FUZZ_CHECK(t.items[i].begin == at && t.items[i].end >= at);
    FUZZ_CHECK(ipfsa_tensors_find(&t, ipfsa_tensors_name(&t, &t.items[i])) == &t.items[i]);
    at = t.items[i].end;
  }
  FUZZ_CHECK(start + at == size);
  ipfsa_tensors_release(&t);
  ipfsa_pairs_release(&pairs);
  return 0;
}
