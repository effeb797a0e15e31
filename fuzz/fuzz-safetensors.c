/* Headers of safetensors: what is taken covers its bytes once, in order, and every name is found again. */
#include "base/error.h"
#include "checkpoint/safetensors.h"
#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_source m = fuzz_source_over(data, size);
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
