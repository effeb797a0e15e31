/* The configuration: what is read can be shown, and what can be changed reads back as changed. */
#include "base/alloc.h"
#include "config/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_config *config = NULL, *again = NULL;
  char *text = NULL;
  if (size > 4096 || ipfsa_config_parse((const char *)data, size, "input", &config, NULL) != IPFSA_OK) return 0;
  fuzz_accepted = 1;
  FUZZ_CHECK(ipfsa_config_show(config, false, &text, NULL) == IPFSA_OK);
  FUZZ_CHECK(ipfsa_config_parse(text, strlen(text), "shown", &again, NULL) == IPFSA_OK);
  FUZZ_CHECK(ipfsa_config_int(config, "import.cid_version") == ipfsa_config_int(again, "import.cid_version"));
  ipfsa_free(text);
  ipfsa_config_free(again);
  if (ipfsa_config_set_json(config, "import.cid_version", "1", NULL) == IPFSA_OK) {
    size_t len = 0;
    const char *changed = ipfsa_config_text(config, &len);
    FUZZ_CHECK(ipfsa_config_parse(changed, len, "changed", &again, NULL) == IPFSA_OK);
    FUZZ_CHECK(ipfsa_config_int(again, "import.cid_version") == 1);
    ipfsa_config_free(again);
  }
  ipfsa_config_free(config);
  return 0;
}
