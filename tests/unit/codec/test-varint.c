#include "codec/varint.h"

#include "../support.h"
#include "base/alloc.h"
#include "codec/protobuf.h"

static bool parse(const char *hex, bool protobuf, uint64_t *ret) {
  uint8_t data[32];
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(data, test_hex(hex, data)));
  bool ok = protobuf ? ipfsa_cursor_pb_varint(&c, ret) : ipfsa_cursor_varint(&c, ret);
  if (!ok) assert_int_equal(ipfsa_cursor_offset(&c), 0);
  return ok;
}

static void every_length_comes_back(void **state) {
  (void)state;
  for (unsigned bit = 0; bit < 64; bit++)
    for (int d = -1; d <= 1; d++) {
      uint64_t v = ((uint64_t)1 << bit) + (uint64_t)(int64_t)d, back = ~v;
      uint8_t out[IPFSA_MAX_VARINT];
      size_t n = ipfsa_varint_encode(v, out);
      assert_int_equal(n, ipfsa_varint_size(v));
      ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(out, n));
      assert_true(ipfsa_cursor_pb_varint(&c, &back) && back == v && ipfsa_cursor_left(&c) == 0);
      c = ipfsa_cursor_over(ipfsa_bytes_of(out, n));
      assert_int_equal(ipfsa_cursor_varint(&c, &back), n <= 9);
    }
}

static void strict_and_lax_forms(void **state) {
  (void)state;
  uint64_t v = 77;
  assert_false(parse("", false, &v));
  assert_false(parse("80", false, &v));
  assert_false(parse("8000", false, &v));
  assert_int_equal(v, 77);
  assert_true(parse("8000", true, &v) && v == 0);
  assert_true(parse("ffffffffffffffff7f", false, &v) && v == INT64_MAX);
  assert_false(parse("80808080808080808001", false, &v));
  assert_true(parse("80808080808080808001", true, &v) && v == (uint64_t)1 << 63);
  assert_false(parse("80808080808080808002", true, &v));
  assert_false(parse("8080808080808080808001", true, &v));
}

static void fields_are_bounded(void **state) {
  (void)state;
  uint8_t data[16];
  ipfsa_pb_field f;
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(data, test_hex("1203616263", data)));
  assert_true(ipfsa_cursor_pb_field(&c, &f) && f.number == 2 && f.wire == IPFSA_PB_BYTES && f.bytes.len == 3);
  static const char *const bad[] = {"12046162", "00", "0b", "0f", "12ffffffffffffffffff01", "0d0102", "08"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    c = ipfsa_cursor_over(ipfsa_bytes_of(data, test_hex(bad[i], data)));
    assert_false(ipfsa_cursor_pb_field(&c, &f));
    assert_int_equal(ipfsa_cursor_offset(&c), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_length_comes_back),
      cmocka_unit_test(strict_and_lax_forms),
      cmocka_unit_test(fields_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
