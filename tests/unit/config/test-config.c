#include "support.h"

#include "base/alloc.h"
#include "config/config.h"

static ipfsa_config *parse(const char *text) {
  ipfsa_error err = {0};
  ipfsa_config *config = NULL;
  assert_ok(ipfsa_config_parse(text, strlen(text), "test", &config, &err));
  return config;
}

static void assert_text(const ipfsa_config *config, const char *expected) {
  size_t len = 0;
  const char *text = ipfsa_config_text(config, &len);
  assert_int_equal(len, strlen(expected));
  assert_memory_equal(text, expected, len);
}

static void test_set_in_odd_forms_changes_nothing(void **state) {
  (void)state;
  static const char *const texts[] = {"import.cid_version = 0\n", "import = { cid_version = 0 }\n", "[import]\n\"cid_version\" = 0\n",
                                      "[general]\nnote = \"\"\"\n[import]\ncid_version = 0\n\"\"\"\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ipfsa_error err = {0};
    ipfsa_config *config = parse(texts[i]);
    assert_status(ipfsa_config_set_json(config, "import.cid_version", "1", &err), IPFSA_E_NOT_SUPPORTED);
    assert_text(config, texts[i]);
    assert_int_equal(ipfsa_config_int(config, "import.cid_version"), 0);
    assert_status(ipfsa_config_apply_profile(config, "unixfs-v1-2025", &err), IPFSA_E_NOT_SUPPORTED);
    assert_text(config, texts[i]);
    ipfsa_config_free(config);
  }
}

static void test_profile_is_all_or_nothing(void **state) {
  (void)state;
  static const char text[] = "[import]\ncid_version = 0\n\"dag_layout\" = \"trickle\"\n";
  ipfsa_error err = {0};
  ipfsa_config *config = parse(text);
  assert_status(ipfsa_config_apply_profile(config, "unixfs-v1-2025", &err), IPFSA_E_NOT_SUPPORTED);
  assert_text(config, text);
  assert_int_equal(ipfsa_config_int(config, "import.cid_version"), 0);
  ipfsa_config_free(config);
  config = parse("");
  assert_ok(ipfsa_config_apply_profile(config, "unixfs-v1-2025", &err));
  assert_int_equal(ipfsa_config_int(config, "import.file_max_links"), 1024);
  ipfsa_config_free(config);
}

static void test_wrong_values(void **state) {
  (void)state;
  static const char *const texts[] = {"[store]\nmax_size = 1.5\n", "[import]\nfile_max_links = \"200\"\n", "[import]\nchunker = \"size-0\"\n",
                                      "[import]\nchunker = \"size-99999999999\"\n", "[import]\nfile_max_links = 65537\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ipfsa_error err = {0};
    ipfsa_config *config = NULL;
    assert_status(ipfsa_config_parse(texts[i], strlen(texts[i]), "test", &config, &err), IPFSA_E_INVALID);
    assert_null(config);
  }
}

static void test_nul_is_an_error(void **state) {
  (void)state;
  static const char text[] = "[general]\nnote = \"a\\u0000b\"\n[import]\ncid_version = 1\n";
  ipfsa_error err = {0};
  ipfsa_config *config = NULL;
  assert_status(ipfsa_config_parse(text, sizeof text - 1, "test", &config, &err), IPFSA_E_MALFORMED);
}

static void test_show_escapes(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_config *config = parse("[cache]\npath = \"a\\\"b\\\\c\"\n");
  char *shown = NULL;
  assert_ok(ipfsa_config_show(config, false, &shown, &err));
  assert_non_null(strstr(shown, "path = \"a\\\"b\\\\c\"\n"));
  ipfsa_config *again = parse(shown);
  assert_string_equal(ipfsa_config_string(again, "cache.path"), "a\"b\\c");
  ipfsa_config_free(again);
  ipfsa_free(shown);
  ipfsa_config_free(config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_set_in_odd_forms_changes_nothing), cmocka_unit_test(test_profile_is_all_or_nothing),
      cmocka_unit_test(test_wrong_values),                     cmocka_unit_test(test_nul_is_an_error),
      cmocka_unit_test(test_show_escapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
