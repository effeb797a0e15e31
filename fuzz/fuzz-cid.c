/* CIDs, the input taken as bytes and as text. Accepted: it is one or the other. */
#include "cid/cid.h"
#include "fuzz.h"

static void check_text_forms(const ipfsa_cid *cid) {
  static const char *const bases[] = {"base32", "base58btc", "base36", "base16upper", "base64url", "base2"};
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_cid back, v1;
  ipfsa_cid_format(cid, text);
  FUZZ_CHECK(ipfsa_cid_parse(text, strlen(text), &back, NULL) == IPFSA_OK && ipfsa_cid_equal(cid, &back));
  FUZZ_CHECK(ipfsa_cid_to_version(cid, 1, &v1, NULL) == IPFSA_OK);
  for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
    FUZZ_CHECK(ipfsa_cid_format_base(&v1, bases[i], text, NULL) == IPFSA_OK);
    FUZZ_CHECK(ipfsa_cid_parse(text, strlen(text), &back, NULL) == IPFSA_OK && ipfsa_cid_equal(&v1, &back));
  }
}

static void check_binary_form(const ipfsa_cid *cid) {
  uint8_t out[IPFSA_MAX_CID];
  ipfsa_cid back;
  size_t n = ipfsa_cid_encode(cid, out);
  FUZZ_CHECK(n <= IPFSA_MAX_CID && n == ipfsa_cid_size(cid));
  FUZZ_CHECK(ipfsa_cid_decode(ipfsa_bytes_of(out, n), &back, NULL) == IPFSA_OK && ipfsa_cid_equal(cid, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_cid cid;
  if (ipfsa_cid_decode(ipfsa_bytes_of(data, size), &cid, NULL) == IPFSA_OK) {
    fuzz_accepted = 1;
    uint8_t out[IPFSA_MAX_CID];
    size_t n = ipfsa_cid_encode(&cid, out);
    FUZZ_CHECK(n == size && memcmp(out, data, n) == 0);
    check_text_forms(&cid);
  }
  if (ipfsa_cid_parse((const char *)data, size, &cid, NULL) == IPFSA_OK) {
    fuzz_accepted = 1;
    check_binary_form(&cid);
    check_text_forms(&cid);
  }
  return 0;
}
