#include "../support.h"

#include "base/alloc.h"
#include "checkpoint/pairs.h"

static void bytes_at_the_limit(void **state) {
  (void)state;
  ipfsa_pairs p = {0};
  ipfsa_error err = {0};
  uint8_t *value = calloc(1, IPFSA_MAX_CHECKPOINT_METADATA);
  assert_non_null(value);
  assert_ok(ipfsa_pairs_add(&p, ipfsa_bytes_str("key"), ipfsa_bytes_of(value, IPFSA_MAX_CHECKPOINT_METADATA - 3), &err));
  assert_ok(ipfsa_pairs_add(&p, ipfsa_bytes_str(""), ipfsa_bytes_str(""), &err));
  assert_status(ipfsa_pairs_add(&p, ipfsa_bytes_str(""), ipfsa_bytes_str("1"), &err), IPFSA_E_LIMIT);
  assert_int_equal(p.n, 2);
  ipfsa_pairs_release(&p);
  free(value);
}

static void entries_at_the_limit(void **state) {
  (void)state;
  ipfsa_pairs p = {0};
  ipfsa_error err = {0};
  for (size_t i = 0; i < IPFSA_MAX_CHECKPOINT_PAIRS; i++) assert_ok(ipfsa_pairs_add(&p, ipfsa_bytes_str("k"), ipfsa_bytes_str(""), &err));
  assert_status(ipfsa_pairs_add(&p, ipfsa_bytes_str("k"), ipfsa_bytes_str(""), &err), IPFSA_E_LIMIT);
  ipfsa_pairs_release(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_at_the_limit), cmocka_unit_test(entries_at_the_limit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
