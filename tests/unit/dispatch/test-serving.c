/* What starts a server in a container. */
#include <errno.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/fault.h"
#include "dispatch/serving.h"

static const char *const kinds[] = {"llamacpp", "ollama", "vllm", "sglang", "triton", "mlserver"};

static void words_of_a_line(void **state) {
  (void)state;
  for (unsigned n_words = IPFSA_MAX_SERVING_WORDS; n_words <= IPFSA_MAX_SERVING_WORDS + 1; n_words++) {
    IPFSA_AUTO_BUF ipfsa_buf line = {0};
    ipfsa_serving_words words = {0};
    ipfsa_error err = {0};
    for (unsigned i = 0; i < n_words; i++) ipfsa_buf_printf(&line, "%sw%u", i ? " " : "", i);
    ipfsa_status status = ipfsa_serving_split(ipfsa_buf_cstr(&line), "/p", "n", words.command, &words.n_command, &err);
    assert_int_equal(status, n_words > IPFSA_MAX_SERVING_WORDS ? IPFSA_E_LIMIT : IPFSA_OK);
    assert_int_equal(words.n_command, IPFSA_MAX_SERVING_WORDS);
    assert_string_equal(words.command[IPFSA_MAX_SERVING_WORDS - 1], "w15");
    assert_true(!status || strstr(err.message, "over 16 words"));
    ipfsa_serving_words_release(&words);
  }
}

static void place_and_name_are_filled_in(void **state) {
  (void)state;
  ipfsa_error err = {0};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    const ipfsa_serving *serving = ipfsa_serving_find(kinds[i]);
    ipfsa_serving_words words = {0};
    unsigned n_names = 0;
    assert_ok(ipfsa_serving_words_make(serving, "/models/a b %N", "org/m", &words, &err));
    assert_in_range(words.n_command, 1, IPFSA_MAX_SERVING_WORDS / 2); /* the header says how long the longest is */
    for (size_t k = 0; k < words.n_command; k++) {
      assert_null(strstr(words.command[k], "%P"));
      n_names += strstr(words.command[k], "org/m") != NULL;
    }
    assert_true(n_names == 1 || strcmp(kinds[i], "ollama") == 0 || strcmp(kinds[i], "mlserver") == 0);
    ipfsa_serving_words_release(&words);
  }
  ipfsa_serving_words words = {0};
  assert_ok(ipfsa_serving_words_make(ipfsa_serving_find("vllm"), "/models/a b %N", "org/m", &words, &err));
  assert_string_equal(words.command[0], "/models/a b %N"); /* one word, filled in once */
  ipfsa_serving_words_release(&words);
}

static void memory_runs_out(void **state) {
  (void)state;
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    ipfsa_serving_words words = {0};
    ipfsa_error err = {0};
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, ENOMEM});
    ipfsa_status status = ipfsa_serving_words_make(ipfsa_serving_find("sglang"), "/models", "m", &words, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
    assert_true(!fired || (words.n_entrypoint == 0 && words.n_command == 0));
    ipfsa_serving_words_release(&words);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(words_of_a_line), cmocka_unit_test(place_and_name_are_filled_in), cmocka_unit_test(memory_runs_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
