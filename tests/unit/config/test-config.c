#include <errno.h>

#include "support.h"

#include <ipfsa/config.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "config/config.h"
#include "config/schema.h"
#include "json_memory.h"

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

static void test_lists(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_config *config = parse("[docker]\nregistries = [\n  \"a.example\", # first\n  'b.example:5000',\n]\n");
  char **list = NULL;
  size_t n = 7;
  assert_ok(ipfsa_config_list(config, "docker.registries", &list, &n, &err));
  assert_int_equal(n, 2);
  assert_string_equal(list[0], "a.example");
  assert_string_equal(list[1], "b.example:5000");
  ipfsa_config_list_free(list, n);
  ipfsa_config_free(config);

  config = parse("");
  list = NULL;
  assert_ok(ipfsa_config_list(config, "docker.registries", &list, &n, &err));
  assert_null(list);
  assert_int_equal(n, 0);
  assert_ok(ipfsa_config_set_json(config, "docker.registries", "[ \"x\" ,\"y\"]", &err));
  assert_text(config, "[docker]\nregistries = [\"x\", \"y\"]\n");
  assert_ok(ipfsa_config_set_json(config, "docker.registries", "[]", &err));
  assert_text(config, "[docker]\nregistries = []\n");
  char *json = NULL;
  assert_ok(ipfsa_config_get_json(config, "marketplace.sources", &json, &err));
  assert_string_equal(json, "[\"curated\", \"local\", \"engine\", \"registries\"]");
  ipfsa_free(json);
  static const char *const wrong[] = {"\"a\"", "[1]", "[\"\"]", "{\"a\":1}", "[[\"a\"]]", "true"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_status(ipfsa_config_set_json(config, "docker.registries", wrong[i], &err), IPFSA_E_INVALID);
  ipfsa_config_free(config);
}

/* IPFSA_MAX_CONFIG_LIST texts are a list, one more is not; and every allocation on the way to it may fail. */
static void test_lists_have_a_limit(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char text[16 + 4 * (IPFSA_MAX_CONFIG_LIST + 1)] = "[";
  for (int i = 0; i < IPFSA_MAX_CONFIG_LIST; i++) strcat(text, i ? ",\"a\"" : "\"a\"");
  size_t len = strlen(text);
  ipfsa_config *config = parse("");
  strcpy(text + len, "]");
  assert_ok(ipfsa_config_set_json(config, "docker.registries", text, &err));
  strcpy(text + len, ",\"a\"]");
  assert_status(ipfsa_config_set_json(config, "docker.registries", text, &err), IPFSA_E_LIMIT);
  for (uint64_t nth = 1;; nth++) {
    char **list = NULL;
    size_t n = 0;
    ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = nth, .mode = IPFSA_FAULT_FAIL});
    ipfsa_status status = ipfsa_config_list(config, "docker.registries", &list, &n, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (!fired) {
      assert_int_equal(n, IPFSA_MAX_CONFIG_LIST);
      ipfsa_config_list_free(list, n);
      break;
    }
    assert_int_equal(status, IPFSA_E_NOMEM);
    assert_null(list);
  }
  ipfsa_config_free(config);
}

typedef struct toml_change {
  const char *before, *name, *value, *after; /* after NULL: refused */
} toml_change;

static void test_one_key_of_a_text(void **state) {
  (void)state;
  static const toml_change changes[] = {
      {"", "cache.path", "\"/tmp\"", "[cache]\npath = \"/tmp\"\n"},
      {"# mine\n[cache] # here\nsize = 1 # small\n", "cache.size", "2", "# mine\n[cache] # here\nsize = 2 # small\n"},
      {"[endpoints.local]\nport = 1\n", "endpoints.local.port", NULL, "[endpoints.local]\n"},
      {"[a]\nx = [\n 1,\n]\n", "a.x", "3", NULL},
      {"[a", "a.x", "3", NULL},
      {"[a]\nx = 1\n", "a.x", "one", NULL},
      {"", "a.x", "1\n[b]", NULL},
      {"", "x", "1", NULL},
      {"", "a.x y", "1", NULL},
      {"", "a..x", "1", NULL},
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    const toml_change *t = &changes[i];
    char *text = NULL;
    ipfsa_error err = {0};
    ipfsa_status status = ipfsa_toml_set(t->before, strlen(t->before), t->name, t->value, &text, &err);
    if (t->after) {
      assert_int_equal(status, IPFSA_OK);
      assert_string_equal(text, t->after);
    } else {
      assert_true(status == IPFSA_E_MALFORMED || status == IPFSA_E_INVALID);
      assert_null(text);
    }
    ipfsa_text_free(text);
  }
}

/* However long it is, all of it must be letters, digits, "_" and "-". */
static void test_names_of_endpoints(void **state) {
  (void)state;
  for (size_t len = 1; len < 200; len += 13) {
    char name[260], plain[220];
    ipfsa_error err = {0};
    ipfsa_config *config = parse("");
    memset(plain, 'a', len);
    plain[len] = '\0';
    for (const char *end = "!=]-"; *end; end++) {
      snprintf(name, sizeof name, "endpoints.%s%c.kind", plain, *end);
      ipfsa_status status = ipfsa_config_set_string(config, name, "path", &err);
      assert_int_equal(status, *end == '-' ? IPFSA_OK : IPFSA_E_NOT_FOUND);
    }
    char **names = NULL;
    size_t n = 0;
    assert_ok(ipfsa_config_endpoints(config, &names, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(strlen(names[0]), len + 1);
    ipfsa_config_list_free(names, n);
    ipfsa_config_free(config);
  }
}

/* All that goes through jansson's writer, under allocators of the program's own. */
static void test_values_as_json(void **state) {
  (void)state;
  static const char *const values[][3] = {{"docker.registries", "[ \"a.example\",\"b\"]", "[\"a.example\", \"b\"]"}, {"import.cid_version", "1", "1"}, {"general.debug", "true", "true"},
                                          {"general.log_level", "\"DEBUG\"", "\"DEBUG\""}, {"Import.CidVersion", "0", "0"}};
  ipfsa_error err = {0};
  ipfsa_config *config = parse("[other]\nkey = [1, 2]\n");
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char *text = NULL;
    assert_ok(ipfsa_config_set_json(config, values[i][0], values[i][1], &err));
    assert_ok(ipfsa_config_get_json(config, values[i][0], &text, &err));
    assert_string_equal(text, values[i][2]);
    ipfsa_text_free(text);
  }
  char *all = NULL;
  assert_ok(ipfsa_config_get_json(config, "other", &all, &err));
  ipfsa_text_free(all);
  assert_status(ipfsa_config_set_json(config, "import.cid_version", "1 2", &err), IPFSA_E_INVALID);
  assert_non_null(strstr(err.message, "is no JSON"));
  ipfsa_config_free(config);
}

/* What is shown reads back: a size in quotation marks may begin with zeros, a number of TOML may not. */
static void test_sizes_with_zeros(void **state) {
  (void)state;
  static const char *const texts[][2] = {{"\"09\"", "9"}, {"\"0\"", "0"}, {"\"000\"", "0"}, {"\"00010\"", "10"}, {"\"010KiB\"", "010KiB"}, {"0", "0"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char toml[64], *shown = NULL;
    ipfsa_error err = {0};
    ipfsa_config *again = NULL;
    snprintf(toml, sizeof toml, "[store]\nmax_size = %s\n", texts[i][0]);
    ipfsa_config *config = parse(toml);
    assert_string_equal(ipfsa_config_string(config, "store.max_size"), texts[i][1]);
    assert_ok(ipfsa_config_show(config, false, &shown, &err));
    assert_ok(ipfsa_config_parse(shown, strlen(shown), "shown", &again, &err));
    assert_string_equal(ipfsa_config_string(again, "store.max_size"), texts[i][1]);
    assert_ok(ipfsa_config_set_string(again, "store.max_size", "07", &err));
    assert_string_equal(ipfsa_config_string(again, "store.max_size"), "7");
    ipfsa_text_free(shown);
    ipfsa_config_free(again);
    ipfsa_config_free(config);
  }
}

/* A value that could not be written is no request to take the old one away. */
static void test_memory_runs_out(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    ipfsa_error err = {0};
    ipfsa_config *config = parse("[import]\ncid_version = 1\n[docker]\nregistries = [\"a\"]\n");
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, ENOMEM});
    ipfsa_status status = ipfsa_config_set_json(config, "import.cid_version", "0", &err);
    if (status == IPFSA_OK) status = ipfsa_config_set_json(config, "docker.registries", "[\"b\"]", &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
    assert_true(!fired || ipfsa_config_int(config, "import.cid_version") == 1 || strstr(ipfsa_config_string(config, "docker.registries"), "a"));
    ipfsa_config_free(config);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_set_in_odd_forms_changes_nothing), cmocka_unit_test(test_profile_is_all_or_nothing),
      cmocka_unit_test(test_wrong_values),                     cmocka_unit_test(test_nul_is_an_error),
      cmocka_unit_test(test_show_escapes),                     cmocka_unit_test(test_lists),
      cmocka_unit_test(test_lists_have_a_limit),           cmocka_unit_test(test_one_key_of_a_text),
      cmocka_unit_test(test_values_as_json),                   cmocka_unit_test(test_memory_runs_out),
      cmocka_unit_test(test_names_of_endpoints),               cmocka_unit_test(test_sizes_with_zeros),
  };
  return cmocka_run_group_tests(tests, json_memory_own, json_memory_is_back);
}
