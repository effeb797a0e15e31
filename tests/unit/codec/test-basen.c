#include "codec/basen.h"

#include "../support.h"
#include "base/alloc.h"
#include "codec/emoji.h"

static const ipfsa_basen base58 = {IPFSA_BASEN_BIG, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 0, false, false};
static const ipfsa_basen base45 = {IPFSA_BASEN_45, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", 0, false, false};
static const ipfsa_basen base32 = {IPFSA_BASEN_BITS, "abcdefghijklmnopqrstuvwxyz234567", 5, false, true};
static const ipfsa_basen base32pad = {IPFSA_BASEN_BITS, "abcdefghijklmnopqrstuvwxyz234567", 5, true, true};
static const ipfsa_basen base8 = {IPFSA_BASEN_BITS, "01234567", 3, false, false};
static const ipfsa_basen proquint = {IPFSA_BASEN_PROQUINT, NULL, 0, false, false};

static void encodes(const ipfsa_basen *base, ipfsa_bytes in, const char *expected) {
  ipfsa_error err = {0};
  ipfsa_buf text = {0}, back = {0};
  ipfsa_basen_encode(base, in, &text);
  assert_string_equal(ipfsa_buf_cstr(&text), expected);
  assert_ok(ipfsa_basen_decode(base, ipfsa_buf_bytes(&text), &back, &err));
  assert_true(ipfsa_bytes_equal(ipfsa_buf_bytes(&back), in));
  ipfsa_buf_release(&text);
  ipfsa_buf_release(&back);
}

static ipfsa_status decodes(const ipfsa_basen *base, const char *text, ipfsa_error *err) {
  ipfsa_buf out = {0};
  ipfsa_status status = ipfsa_basen_decode(base, ipfsa_bytes_str(text), &out, err);
  ipfsa_buf_release(&out);
  return status;
}

/* RFC 4648 section 10 (in lower case) and RFC 9285 section 4.3. */
static void published_examples(void **state) {
  (void)state;
  static const char *const rfc4648[][2] = {{"", ""}, {"f", "my======"}, {"fo", "mzxq===="}, {"foo", "mzxw6==="},
                                           {"foob", "mzxw6yq="}, {"fooba", "mzxw6ytb"}, {"foobar", "mzxw6ytboi======"}};
  for (size_t i = 0; i < 7; i++) encodes(&base32pad, ipfsa_bytes_str(rfc4648[i][0]), rfc4648[i][1]);
  encodes(&base45, ipfsa_bytes_str("AB"), "BB8");
  encodes(&base45, ipfsa_bytes_str("Hello!!"), "%69 VD92EX0");
  encodes(&base45, ipfsa_bytes_str("base-45"), "UJCLQE7W581");
  encodes(&base45, ipfsa_bytes_str("ietf!"), "QED8WEX0");
  encodes(&proquint, ipfsa_bytes_of("\x7f\0\0\1", 4), "ro-lusab-babad");
  encodes(&base58, ipfsa_bytes_of("\0\0\1", 3), "112");
  encodes(&base58, ipfsa_bytes_of("", 0), "");
}

static void malformed_text(void **state) {
  (void)state;
  ipfsa_error err = {0};
  assert_status(decodes(&base32, "mz", &err), IPFSA_E_MALFORMED);         /* trailing bit set */
  assert_status(decodes(&base32, "a", &err), IPFSA_E_MALFORMED);          /* no whole byte */
  assert_status(decodes(&base32, "mzx", &err), IPFSA_E_MALFORMED);        /* one character too many */
  assert_status(decodes(&base32, "my======", &err), IPFSA_E_MALFORMED);   /* padding where there is none */
  assert_status(decodes(&base32pad, "my", &err), IPFSA_E_MALFORMED);      /* padding missing */
  assert_status(decodes(&base32pad, "my=====", &err), IPFSA_E_MALFORMED); /* one short */
  assert_status(decodes(&base32pad, "========", &err), IPFSA_E_MALFORMED);
  assert_status(decodes(&base32pad, "my==a===", &err), IPFSA_E_MALFORMED);
  assert_status(decodes(&base8, "8", &err), IPFSA_E_MALFORMED);
  assert_status(decodes(&base45, "A", &err), IPFSA_E_MALFORMED);
  assert_status(decodes(&base45, "GGW", &err), IPFSA_E_MALFORMED); /* 65536 */
  assert_ok(decodes(&base45, "FGW", &err));                        /* 65535 */
  assert_ok(decodes(&base45, "U5", &err));                         /* 255 */
  assert_status(decodes(&base45, "V5", &err), IPFSA_E_MALFORMED);  /* 256 */
  assert_status(decodes(&base58, "10", &err), IPFSA_E_MALFORMED);
  assert_int_equal(err.offset, 1);
  assert_status(decodes(&proquint, "ro-lusab-", &err), IPFSA_E_MALFORMED);
  assert_status(decodes(&proquint, "ro-lusabxbabad", &err), IPFSA_E_MALFORMED);
}

/* IPFSA_MAX_BIG_BASE: at the limit and one past it, both ways. */
static void big_bases_are_bounded(void **state) {
  (void)state;
  ipfsa_error err = {0};
  static uint8_t data[IPFSA_MAX_BIG_BASE + 1];
  static char text[IPFSA_MAX_BIG_BASE + 2];
  memset(data, 0xff, sizeof data);
  memset(text, 'z', IPFSA_MAX_BIG_BASE + 1);
  ipfsa_buf out = {0};
  ipfsa_basen_encode(&base58, ipfsa_bytes_of(data, IPFSA_MAX_BIG_BASE), &out);
  assert_int_equal(out.failed, IPFSA_OK);
  assert_int_equal(out.len, 5594); /* ceil(4096 * 8 / log2(58)) */
  ipfsa_buf_clear(&out);
  ipfsa_basen_encode(&base58, ipfsa_bytes_of(data, IPFSA_MAX_BIG_BASE + 1), &out);
  assert_int_equal(out.failed, IPFSA_E_LIMIT);
  ipfsa_buf_release(&out);
  assert_status(decodes(&base58, text, &err), IPFSA_E_LIMIT);
  text[IPFSA_MAX_BIG_BASE] = '\0';
  assert_ok(decodes(&base58, text, &err));
}

static void emoji_alphabet_has_no_prefixes(void **state) {
  (void)state;
  for (unsigned i = 0; i < 256; i++) {
    const char *text = ipfsa_emoji_at((uint8_t)i);
    ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_str(text));
    uint8_t byte = 0;
    assert_true(ipfsa_emoji_next(&c, &byte) && byte == i && ipfsa_cursor_left(&c) == 0);
    for (unsigned j = 0; j < 256; j++)
      if (j != i) assert_false(strncmp(ipfsa_emoji_at((uint8_t)j), text, strlen(text)) == 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_examples),
      cmocka_unit_test(malformed_text),
      cmocka_unit_test(big_bases_are_bounded),
      cmocka_unit_test(emoji_alphabet_has_no_prefixes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
