/* The zip of torch.save: what is taken lies inside the file, apart, and every name is found again. */
#include "base/error.h"
#include "checkpoint/torch.h"
#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_source m = fuzz_source_over(data, size);
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
