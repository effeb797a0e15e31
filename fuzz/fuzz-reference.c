/* Image references. What parses must come back from both of its written forms, and only once in each. */
#include "container/reference.h"
#include "fuzz.h"

static void check_form(const ipfsa_reference *r, void (*format)(const ipfsa_reference *, ipfsa_buf *)) {
  ipfsa_buf text = {0}, again = {0};
  ipfsa_reference back;
  format(r, &text);
  FUZZ_CHECK(!text.failed);
  FUZZ_CHECK(ipfsa_reference_parse(ipfsa_buf_cstr(&text), text.len, &back, NULL) == IPFSA_OK);
  FUZZ_CHECK(ipfsa_reference_same_name(r, &back) && strcmp(r->digest, back.digest) == 0);
  FUZZ_CHECK(strcmp(*r->tag || *r->digest ? r->tag : "latest", back.tag) == 0);
  format(&back, &again);
  FUZZ_CHECK(text.len == again.len && memcmp(text.data, again.data, text.len) == 0);
  ipfsa_buf_release(&text);
  ipfsa_buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_reference r;
  if (ipfsa_reference_parse((const char *)data, size, &r, NULL) != IPFSA_OK) return 0;
  fuzz_accepted = 1;
  FUZZ_CHECK(ipfsa_image_path_is_valid(r.path) && *r.host);
  if (strlen(r.host) + strlen(r.path) + 1 <= IPFSA_MAX_REPOSITORY) { /* an implied host makes the written name longer */
    check_form(&r, ipfsa_reference_canonical);
    check_form(&r, ipfsa_reference_familiar);
  }
  return 0;
}
