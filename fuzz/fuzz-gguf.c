/* GGUF: what is taken lies inside the file, apart, in order, and every name is found again. */
#include "base/error.h"
#include "checkpoint/gguf.h"
#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_source m = fuzz_source_over(data, size);
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
