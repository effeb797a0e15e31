/* Image manifests and indexes, with the config blob's parser over the same bytes. */
#include "base/bytes.h"
#include "container/manifest.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_manifest m = {0};
  ipfsa_text_list platforms = {0};
  char *description = NULL;
  if (ipfsa_manifest_parse(ipfsa_bytes_of(data, size), NULL, "linux/amd64", &m, NULL) == IPFSA_OK) {
    fuzz_accepted = 1;
    FUZZ_CHECK(!*m.next.digest || ipfsa_image_digest_is_valid(m.next.digest));
    FUZZ_CHECK(m.is_index || m.total_size >= m.next.size);
    FUZZ_CHECK(!m.description || strlen(m.description) <= IPFSA_MAX_DESCRIPTION);
  } else FUZZ_CHECK(!m.platforms.items && !m.description);
  (void)!ipfsa_image_config_parse(ipfsa_bytes_of(data, size), &platforms, &description, NULL);
  FUZZ_CHECK(platforms.n <= 1);
  ipfsa_manifest_release(&m);
  m.platforms = platforms;
  m.description = description;
  ipfsa_manifest_release(&m);
  return 0;
}
