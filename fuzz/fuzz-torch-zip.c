/* The zip of torch.save: what is taken lies inside the file, apart, and every name is found again. */
#include "base/error.h"
#include "checkpoint/torch.h"
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
  ipfsa_error err = {0};
  uint64_t at = 0;
  if (ipfsa_torch_parse(&m.base, size, &t, &err) != IPFSA_OK) {
    FUZZ_CHECK(!t.text && !t.items && err.message[0]);
    return 0;
  }
  fuzz_accepted = 1;
  for (size_t i = 0; i < t.n; i++) {
    FUZZ_CHECK(t.items[i].begin >= at && t.items[i].end >= t.items[i].begin && t.items[i].end <= size);
    FUZZ_CHECK(ipfsa_tensors_find(&t, ipfsa_tensors_name(&t, &t.items[i])) == &t.items[i]);
    at = t.items[i].end;
  }
  ipfsa_tensors_release(&t);
  return 0;
}
