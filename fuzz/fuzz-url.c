/* URLs of outgoing requests, and references joined to them. What is accepted is accepted again in the form that libcurl gets, as the same origin. */
#include "fuzz.h"
#include "http/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char text[IPFSA_MAX_URL + 2], origin[IPFSA_MAX_ORIGIN];
  ipfsa_origin o, again, base;
  ipfsa_buf joined = {0};
  if (size >= sizeof text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  FUZZ_CHECK(ipfsa_url_parse("https://r.example:8443", &base, NULL, NULL) == IPFSA_OK);
  if (ipfsa_url_join(&base, "/v2/x/tags/list?n=1", text, &joined, NULL) == IPFSA_OK)
    FUZZ_CHECK(ipfsa_url_parse(ipfsa_buf_cstr(&joined), &again, NULL, NULL) == IPFSA_OK);
  ipfsa_buf_release(&joined);
  if (ipfsa_url_parse(text, &o, NULL, NULL) != IPFSA_OK) return 0;
  fuzz_accepted = 1;
  ipfsa_origin_format(&o, origin);
  FUZZ_CHECK(ipfsa_url_parse(origin, &again, NULL, NULL) == IPFSA_OK && ipfsa_origin_equal(&o, &again));
  FUZZ_CHECK(ipfsa_origin_is_private(&o) == ipfsa_origin_is_private(&again));
  return 0;
}
