/* GGUF: what is taken lies inside the file, apart, in order, and every name is found again. */
#include "base/error.h"
#include "checkpoint/gguf.h"
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
  ipfsa_gguf g = {0};
  ipfsa_pairs pairs = {0};
  ipfsa_error err = {0};
  uint64_t at = 0;
  if (ipfsa_gguf_parse(&m.base, size, &g, &pairs, &err) != IPFSA_OK) {
    FUZZ_CHECK(!g.tensors.text && !g.tensors.items && !pairs.items && err.message[0]);
    return 0;
  }
  fuzz_accepted = 1;
  for (size_t i = 0; i < g.tensors.n; i++) {
    const ipfsa_tensor_record *r = &g.tensors.items[i];
    FUZZ_CHECK(r->begin >= at && r->end >= r->begin && r->begin % g.alignment == 0 && g.data + r->end <= size);
    FUZZ_CHECK(ipfsa_tensors_find(&g.tensors, ipfsa_tensors_name(&g.tensors, r)) == r);
    at = r->end;
  }
  ipfsa_tensors_release(&g.tensors);
  ipfsa_pairs_release(&pairs);
  return 0;
}
