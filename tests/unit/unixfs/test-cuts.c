#include "../support.h"

#include "base/fault.h"
#include "unixfs/cuts.h"

static void expect(const ipfsa_cuts *c, const uint64_t *ends, size_t n) {
  uint64_t at = 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t next = ipfsa_cuts_next(c, at);
    if (next != ends[i]) fail_msg("chunk %zu begins at %llu and ends at %llu, expected %llu", i, (unsigned long long)at, (unsigned long long)next, (unsigned long long)ends[i]);
    at = next;
  }
}

static void small_ones_share_and_large_ones_do_not(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_cuts c = {.size = 100};
  assert_ok(ipfsa_cuts_add(&c, 30, &err)); /* a header, closed by hand */
  assert_ok(ipfsa_cuts_close(&c, &err));
  const uint64_t parts[] = {80, 130, 131, 380, 480, 500, 500, 560};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_ok(ipfsa_cuts_add(&c, parts[i], &err));
  assert_ok(ipfsa_cuts_close(&c, &err));
  assert_ok(ipfsa_cuts_close(&c, &err)); /* nothing under way: no piece */
  /* 30–130 fits exactly, 130–131 no more; 131–380 is cut from its own start; 480–560 share */
  expect(&c, (const uint64_t[]){30, 130, 131, 231, 331, 380, 480, 560, 660}, 9);
  ipfsa_cuts_release(&c);
}

static void without_parts_every_size(void **state) {
  (void)state;
  ipfsa_cuts c = {.size = 7};
  expect(&c, (const uint64_t[]){7, 14, 21}, 3);
}

static void memory_that_runs_out(void **state) {
  (void)state;
  ipfsa_cuts c = {.size = 1};
  ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = 1, .mode = IPFSA_FAULT_FAIL});
  assert_int_equal(ipfsa_cuts_add(&c, 5, NULL), IPFSA_E_NOMEM);
  ipfsa_fault_disarm();
  ipfsa_cuts_release(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(small_ones_share_and_large_ones_do_not), cmocka_unit_test(without_parts_every_size), cmocka_unit_test(memory_that_runs_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
