/* WWW-Authenticate headers. */
#include "container/challenge.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char text[8192];
  ipfsa_challenge c;
  if (size >= sizeof text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  if (ipfsa_challenge_parse(text, &c, NULL) != IPFSA_OK) return 0;
  fuzz_accepted = 1;
  FUZZ_CHECK(c.scheme != IPFSA_CHALLENGE_OTHER);
  FUZZ_CHECK(memchr(c.realm, 0, sizeof c.realm) && memchr(c.service, 0, sizeof c.service) && memchr(c.scope, 0, sizeof c.scope));
  return 0;
}
