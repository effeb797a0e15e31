#include "../support.h"
#include "container/health.h"

#define S 1000000000ull
static const ipfsa_health_rules rules = {.interval = 5 * S, .timeout = S, .start_period = 10 * S, .threshold = 3};

static void well_at_the_first_good_probe(void **state) {
  (void)state;
  ipfsa_health h;
  ipfsa_health_begin(&h, &rules, 100 * S);
  assert_int_equal(h.state, IPFSA_HEALTH_STARTING);
  assert_int_equal(h.next, 100 * S);
  assert_true(ipfsa_health_note(&h, 100 * S, true, 2, ""));
  assert_int_equal(h.state, IPFSA_HEALTH_HEALTHY);
  assert_int_equal(h.next, 105 * S + 2);
  assert_false(ipfsa_health_note(&h, 105 * S, true, 0, ""));
}

static void failures_of_the_start_do_not_count(void **state) {
  (void)state;
  ipfsa_health h;
  ipfsa_health_begin(&h, &rules, 0);
  for (uint64_t t = 0; t < 10; t++) {
    assert_false(ipfsa_health_note(&h, t * S, false, 0, "no"));
    assert_int_equal(h.next, (t + 1) * S); /* sooner than the interval */
  }
  assert_int_equal(h.failing, 0);
  assert_false(ipfsa_health_note(&h, 10 * S, false, 0, "no")); /* the period is over */
  assert_false(ipfsa_health_note(&h, 11 * S, false, 0, "no"));
  assert_true(ipfsa_health_note(&h, 12 * S, false, 0, "no"));
  assert_int_equal(h.state, IPFSA_HEALTH_UNHEALTHY);
}

static void once_well_the_start_is_over(void **state) {
  (void)state;
  ipfsa_health h;
  ipfsa_health_begin(&h, &rules, 0);
  ipfsa_health_note(&h, 0, true, 0, "");
  assert_false(ipfsa_health_note(&h, S, false, 0, "no"));
  assert_false(ipfsa_health_note(&h, 2 * S, false, 0, "no"));
  assert_int_equal(h.state, IPFSA_HEALTH_HEALTHY);
  assert_true(ipfsa_health_note(&h, 3 * S, false, 0, "no"));
  assert_int_equal(h.state, IPFSA_HEALTH_UNHEALTHY);
  assert_false(ipfsa_health_note(&h, 4 * S, false, 0, "no"));
  assert_true(ipfsa_health_note(&h, 5 * S, true, 0, ""));
  assert_int_equal(h.state, IPFSA_HEALTH_HEALTHY);
  assert_int_equal(h.failing, 0);
}

static void a_good_probe_ends_the_row(void **state) {
  (void)state;
  ipfsa_health h;
  ipfsa_health_begin(&h, &rules, 0);
  ipfsa_health_note(&h, 0, true, 0, "");
  for (uint64_t t = 1; t < 20; t++) assert_false(ipfsa_health_note(&h, t * S, t % 3 == 0, 0, ""));
  assert_int_equal(h.state, IPFSA_HEALTH_HEALTHY);
}

static void the_last_results_are_kept(void **state) {
  (void)state;
  ipfsa_health h;
  ipfsa_probe_result seen[IPFSA_HEALTH_HISTORY];
  ipfsa_health_begin(&h, &rules, 7 * S);
  assert_int_equal(ipfsa_health_history(&h, seen), 0);
  ipfsa_health_note(&h, 8 * S, false, 5, "first");
  assert_int_equal(ipfsa_health_history(&h, seen), 1);
  assert_string_equal(seen[0].what, "first");
  assert_int_equal(seen[0].at_ns, S);
  assert_int_equal(seen[0].took_ns, 5);
  char what[400];
  for (int i = 0; i < 25; i++) {
    snprintf(what, sizeof what, "%d %0300d", i, 0); /* longer than there is room */
    ipfsa_health_note(&h, (uint64_t)(9 + i) * S, i % 2, 0, what);
  }
  assert_int_equal(ipfsa_health_history(&h, seen), IPFSA_HEALTH_HISTORY);
  for (int i = 0; i < IPFSA_HEALTH_HISTORY; i++) {
    assert_int_equal(atoi(seen[i].what), 25 - IPFSA_HEALTH_HISTORY + i);
    assert_int_equal(strlen(seen[i].what), sizeof seen[i].what - 1);
    assert_int_equal(seen[i].ok, (25 - IPFSA_HEALTH_HISTORY + i) % 2);
  }
}

static void waits_double_up_to_the_cap(void **state) {
  (void)state;
  ipfsa_backoff b = {.base = S, .cap = 60 * S};
  static const unsigned full[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
  for (size_t i = 0; i < 9; i++) {
    ipfsa_backoff low = b, high = b;
    uint64_t want = full[i] * S;
    assert_int_equal(ipfsa_backoff_next(&low, 0), want - want / 2);
    assert_int_equal(ipfsa_backoff_next(&high, want / 2), want);
    uint64_t some = ipfsa_backoff_next(&b, 0x123456789abcdef0u * (i + 1));
    assert_true(some >= want - want / 2 && some <= want);
  }
  ipfsa_backoff_rest(&b);
  assert_int_equal(ipfsa_backoff_next(&b, S / 2), S);
  ipfsa_backoff odd = {.base = UINT64_MAX, .cap = UINT64_MAX, .n = UINT32_MAX};
  assert_true(ipfsa_backoff_next(&odd, 5) >= UINT64_MAX / 2);
  assert_int_equal(odd.n, UINT32_MAX);
  ipfsa_backoff none = {0};
  assert_int_equal(ipfsa_backoff_next(&none, 5), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(well_at_the_first_good_probe), cmocka_unit_test(failures_of_the_start_do_not_count), cmocka_unit_test(once_well_the_start_is_over),
      cmocka_unit_test(a_good_probe_ends_the_row),    cmocka_unit_test(the_last_results_are_kept),          cmocka_unit_test(waits_double_up_to_the_cap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
