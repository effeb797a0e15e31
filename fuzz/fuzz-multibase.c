/* Multibase text. What decodes must encode again, in the same base, to text that gives the same bytes. */
#include <ipfsa/cid.h>

#include "fuzz.h"

/* One text for one string of bytes: no second case, no other spelling. */
static int is_canonical(const char *base) {
  static const char *const names[] = {"base2", "base8", "base10", "base32z", "base45", "base58btc", "base58flickr", "base64",
                                      "base64pad", "base64url", "base64urlpad", "proquint", "base256emoji"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], base) == 0) return 1;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *base = NULL, *again_base = NULL;
  uint8_t *bytes = NULL, *again = NULL;
  size_t n = 0, n_again = 0;
  char *text = NULL;
  if (ipfsa_multibase_decode((const char *)data, size, &bytes, &n, &base, NULL) != IPFSA_OK) {
    FUZZ_CHECK(bytes == NULL && base == NULL);
    return 0;
  }
  fuzz_accepted = 1;
  FUZZ_CHECK(n <= size);
  ipfsa_status status = ipfsa_multibase_encode(base, (ipfsa_bytes){bytes, n}, &text, NULL);
  if (status == IPFSA_OK) {
    size_t len = strlen(text);
    FUZZ_CHECK(!is_canonical(base) || (len == size && memcmp(text, data, len) == 0));
    FUZZ_CHECK(ipfsa_multibase_decode(text, len, &again, &n_again, &again_base, NULL) == IPFSA_OK);
    FUZZ_CHECK(again_base == base && n_again == n && memcmp(again, bytes, n) == 0);
  } else {
    FUZZ_CHECK(status == IPFSA_E_NOT_SUPPORTED && strcmp(base, "identity") == 0);
  }
  ipfsa_data_free(bytes);
  ipfsa_data_free(again);
  ipfsa_text_free(text);
  return 0;
}
