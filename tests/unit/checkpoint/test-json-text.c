#include "../support.h"

#include "checkpoint/json_text.h"

static bool skips(const char *text, unsigned depth) {
  char copy[512];
  size_t n = strlen(text);
  memcpy(copy, text, n);
  ipfsa_json_text t = ipfsa_json_text_over((uint8_t *)copy, n);
  return ipfsa_json_text_skip(&t, depth) && ipfsa_json_text_next(&t) == 0 && ipfsa_cursor_left(&t.c) == 0;
}

static void values_are_passed_over(void **state) {
  (void)state;
  const char *good[] = {"1", "-0", "-1.5e+9", "0.25", "1E3", "true", "false", "null", "\"a\\u0041\"", "[]", "{}", " [1, {\"a\":[true,null]} ,\"x\"] ", "{\"a\":1,\"b\":{}}"};
  const char *bad[] = {"", "01", "-", "1.", "1e", ".5", "+1", "tru", "nul", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "[", "{", "]", "[1}", "{\"a\":1]", "\"", "\"\\x\"", "\"\\u12\"", "1 2", "\x01"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    if (!skips(good[i], 8)) fail_msg("refused: %s", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (skips(bad[i], 8)) fail_msg("taken: %s", bad[i]);
}

static void depth_is_bounded(void **state) {
  (void)state;
  assert_true(skips("[[[1]]]", 3));
  assert_false(skips("[[[[1]]]]", 3));
  assert_false(skips("[[[[]]]]", 3));
  assert_true(skips("{\"a\":[{}]}", 3));
  assert_false(skips("1", 0) == false);
}

static void texts_are_unescaped(void **state) {
  (void)state;
  struct { const char *in, *out; } good[] = {{"\"\"", ""}, {"\"a/b\"", "a/b"}, {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"}, {"\"\\u00e9\\u20ac\"", "é€"}, {"\"x\\ud83d\\ude00y\"", "x😀y"}};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    char copy[64];
    size_t n = strlen(good[i].in);
    memcpy(copy, good[i].in, n);
    ipfsa_json_text t = ipfsa_json_text_over((uint8_t *)copy, n);
    ipfsa_bytes text;
    assert_true(ipfsa_json_text_string(&t, &text));
    assert_int_equal(text.len, strlen(good[i].out));
    assert_memory_equal(text.data, good[i].out, text.len);
  }
  const char *bad[] = {"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"", "\"\\ud83dx\"", "\"a\nb\"", "\"\\u00g0\"", "\"abc", "\"\\", "\"\\u00"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (skips(bad[i], 8)) fail_msg("taken: %s", bad[i]);
}

static void numbers_are_whole(void **state) {
  (void)state;
  struct { const char *in; uint64_t out; } good[] = {{"0", 0}, {" 7]", 7}, {"18446744073709551615", UINT64_MAX}, {"10", 10}};
  const char *bad[] = {"18446744073709551616", "-1", "-0", "1.0", "1e3", "00", "01", "x", "", "99999999999999999999999"};
  uint64_t v = 0;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    char copy[64];
    memcpy(copy, good[i].in, strlen(good[i].in));
    ipfsa_json_text t = ipfsa_json_text_over((uint8_t *)copy, strlen(good[i].in));
    assert_true(ipfsa_json_text_unsigned(&t, &v));
    assert_true(v == good[i].out);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char copy[64];
    memcpy(copy, bad[i], strlen(bad[i]));
    ipfsa_json_text t = ipfsa_json_text_over((uint8_t *)copy, strlen(bad[i]));
    if (ipfsa_json_text_unsigned(&t, &v)) fail_msg("taken: %s", bad[i]);
    assert_non_null(t.why);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_passed_over), cmocka_unit_test(depth_is_bounded), cmocka_unit_test(texts_are_unescaped),
                                     cmocka_unit_test(numbers_are_whole)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
