#include "base/buf.h"

#include "../support.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/refbuf.h"

static void the_first_failure_sticks(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_buf buf = {.max = 4};
  ipfsa_buf_str(&buf, "1234");
  assert_ok(ipfsa_buf_status(&buf, &err));
  ipfsa_buf_u8(&buf, '5');
  ipfsa_buf_append(&buf, "", 0);
  assert_status(ipfsa_buf_status(&buf, &err), IPFSA_E_LIMIT);
  assert_int_equal(buf.len, 4);
  ipfsa_buf_clear(&buf);
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, 1, 1, IPFSA_FAULT_FAIL, 0});
  ipfsa_buf other = {0};
  ipfsa_buf_fill(&other, 1, 100);
  ipfsa_fault_disarm();
  assert_status(ipfsa_buf_status(&other, &err), IPFSA_E_NOMEM);
  ipfsa_buf_release(&buf);
  ipfsa_buf_release(&other);
}

static void integers_keep_their_order(void **state) {
  (void)state;
  ipfsa_buf buf = {0};
  ipfsa_buf_u16be(&buf, 0x0102);
  ipfsa_buf_u32be(&buf, 0x03040506);
  ipfsa_buf_u64le(&buf, 0x0807060504030201);
  ipfsa_buf_u32le(&buf, 0xaabbccdd);
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_buf_bytes(&buf));
  uint16_t a;
  uint32_t b, d;
  uint64_t e;
  assert_true(ipfsa_cursor_u16be(&c, &a) && a == 0x0102);
  assert_true(ipfsa_cursor_u32be(&c, &b) && b == 0x03040506);
  assert_true(ipfsa_cursor_u64le(&c, &e) && e == 0x0807060504030201);
  assert_true(ipfsa_cursor_u32le(&c, &d) && d == 0xaabbccdd);
  uint8_t byte = 7;
  assert_false(ipfsa_cursor_u8(&c, &byte));
  assert_int_equal(byte, 7);
  ipfsa_bytes none = {0};
  assert_false(ipfsa_cursor_take(&c, UINT64_MAX, &none));
  ipfsa_buf_release(&buf);
}

static void errors_carry_their_story(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_fail_at(&err, IPFSA_E_MALFORMED, 12, "link field out of order");
  assert_int_equal(ipfsa_error_prefix(&err, IPFSA_E_MALFORMED, "%s", "x.car"), IPFSA_E_MALFORMED);
  assert_string_equal(err.message, "x.car: link field out of order");
  assert_int_equal(err.offset, 12);
  assert_int_equal(ipfsa_fail(NULL, IPFSA_E_LIMIT, "x"), IPFSA_E_LIMIT);
}

/* Small ones, kept ones, ones that a kept one must not be too small for: each has its bytes to itself. */
static void shared_bytes_begin_on_page_borders_when_they_are_many(void **state) {
  (void)state;
  static const size_t lens[] = {0, 1, 65535, 65536, 262144, 262158, (size_t)2 << 20, ((size_t)4 << 20) + 1};
  for (int round = 0; round < 3; round++) {
    ipfsa_refbuf *held[sizeof lens / sizeof *lens];
    uint8_t *data[sizeof lens / sizeof *lens];
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
      held[i] = ipfsa_refbuf_new(lens[i], &data[i]);
      assert_non_null(held[i]);
      if (lens[i] >= 65536) assert_int_equal((uintptr_t)data[i] % 4096, 0);
      memset(data[i], (int)i + 1, lens[i]);
    }
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
      for (size_t k = 0; k < lens[i]; k += 61) assert_int_equal(data[i][k], i + 1);
      assert_null(ipfsa_refbuf_unref(held[i]));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_failure_sticks),
      cmocka_unit_test(integers_keep_their_order),
      cmocka_unit_test(errors_carry_their_story),
      cmocka_unit_test(shared_bytes_begin_on_page_borders_when_they_are_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
