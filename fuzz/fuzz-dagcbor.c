/* dagcbor: what is read is written back; the canonical form is its own image. */
#include "base/buf.h"
#include "fuzz.h"
#include "ipld/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_value value = {0}, again = {0};
  ipfsa_buf out = {0}, twice = {0};
  if (ipfsa_value_decode(IPFSA_CODEC_DAG_CBOR, ipfsa_bytes_of(data, size), &value, NULL) != IPFSA_OK) return 0;
  fuzz_accepted = 1;
  FUZZ_CHECK(ipfsa_value_encode(IPFSA_CODEC_DAG_CBOR, &value, 0, &out, NULL) == IPFSA_OK);
  FUZZ_CHECK(out.len == size && memcmp(out.data, data, size) == 0); /* strict: one form only */
  FUZZ_CHECK(ipfsa_value_decode(IPFSA_CODEC_DAG_CBOR, ipfsa_buf_bytes(&out), &again, NULL) == IPFSA_OK);
  FUZZ_CHECK(ipfsa_value_encode(IPFSA_CODEC_DAG_CBOR, &again, 0, &twice, NULL) == IPFSA_OK);
  FUZZ_CHECK(out.len == twice.len && memcmp(out.data, twice.data, out.len) == 0);
  ipfsa_value_release(&value);
  ipfsa_value_release(&again);
  ipfsa_buf_release(&out);
  ipfsa_buf_release(&twice);
  return 0;
}
