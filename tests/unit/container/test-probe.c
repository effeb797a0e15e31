#include "../support.h"
#include "container/probe.h"

static void forms_of_a_probe(void **state) {
  (void)state;
  static const struct { const char *text; int kind; unsigned port; const char *rest; } good[] = {
      {"http:80", IPFSA_PROBE_HTTP, 80, "/"}, {"http:65535/a?b=c", IPFSA_PROBE_HTTP, 65535, "/a?b=c"}, {"tcp:1", IPFSA_PROBE_TCP, 1, "/"},
      {"log:^ready$", IPFSA_PROBE_LOG, 0, "^ready$"}, {"exec:test -e /x", IPFSA_PROBE_EXEC, 0, "test -e /x"}, {"healthy", IPFSA_PROBE_HEALTHY, 0, NULL}};
  static const char *const bad[] = {"", "http", "http:", "http:0", "http:65536", "http:80x", "tcp:80/", "tcp:-1", "log:", "log:(", "exec:", "healthy!", "ftp:21", "http: 80"};
  ipfsa_error err = {0};
  ipfsa_probe probe;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_ok(ipfsa_probe_parse("probe", good[i].text, &probe, &err));
    assert_int_equal(probe.kind, good[i].kind);
    assert_int_equal(probe.port, good[i].port);
    if (good[i].rest) assert_string_equal(probe.text, good[i].rest);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_status(ipfsa_probe_parse("probe", bad[i], &probe, &err), IPFSA_E_INVALID);
    assert_non_null(strstr(err.message, "probe \""));
  }
}

static json_t *inspect_of(json_t *labels) { return json_pack("{s:{s:o}}", "Config", "Labels", labels); }

static void a_plan_goes_through_the_label(void **state) {
  (void)state;
  ipfsa_error err = {0};
  const char *const probes[] = {"http:80/x", "log:up"};
  ipfsa_probe_options o = {.struct_size = sizeof o, .probes = {probes, 2}, .interval_ms = 250, .threshold = 7};
  json_t *labels = json_object();
  assert_ok(ipfsa_probe_plan_put(&o, labels, &err));
  json_t *inspect = inspect_of(labels);
  ipfsa_probe_plan plan;
  assert_ok(ipfsa_probe_plan_of(inspect, &plan, &err));
  assert_int_equal(plan.n, 2);
  assert_int_equal(plan.probes[0].port, 80);
  assert_string_equal(plan.texts[1], "log:up");
  assert_int_equal(plan.rules.interval, 250000000);
  assert_int_equal(plan.rules.timeout, 3000000000); /* the defaults */
  assert_int_equal(plan.rules.start_period, 10000000000);
  assert_int_equal(plan.rules.threshold, 7);
  ipfsa_probe_plan_release(&plan);
  json_decref(inspect);
}

static void no_probes_no_label(void **state) {
  (void)state;
  ipfsa_error err = {0};
  json_t *labels = json_object();
  ipfsa_probe_options o = {.struct_size = sizeof o, .interval_ms = 5};
  assert_ok(ipfsa_probe_plan_put(NULL, labels, &err));
  assert_ok(ipfsa_probe_plan_put(&o, labels, &err));
  assert_int_equal(json_object_size(labels), 0);
  json_t *inspect = inspect_of(labels);
  ipfsa_probe_plan plan;
  assert_ok(ipfsa_probe_plan_of(inspect, &plan, &err));
  assert_int_equal(plan.n, 0);
  json_decref(inspect);
}

static void options_out_of_bounds(void **state) {
  (void)state;
  ipfsa_error err = {0};
  const char *probes[IPFSA_MAX_PROBES + 1];
  for (size_t i = 0; i <= IPFSA_MAX_PROBES; i++) probes[i] = "tcp:1";
  json_t *labels = json_object();
  ipfsa_probe_options o = {.struct_size = sizeof o, .probes = {probes, IPFSA_MAX_PROBES}, .interval_ms = 86400000, .threshold = 1000};
  assert_ok(ipfsa_probe_plan_put(&o, labels, &err));
  o.probes.n++;
  assert_status(ipfsa_probe_plan_put(&o, labels, &err), IPFSA_E_LIMIT);
  o.probes.n = 1;
  o.interval_ms++;
  assert_status(ipfsa_probe_plan_put(&o, labels, &err), IPFSA_E_INVALID);
  o.interval_ms = -1;
  assert_status(ipfsa_probe_plan_put(&o, labels, &err), IPFSA_E_INVALID);
  o.interval_ms = 0;
  o.threshold++;
  assert_status(ipfsa_probe_plan_put(&o, labels, &err), IPFSA_E_INVALID);
  json_decref(labels);
}

static void labels_of_others_are_no_plan(void **state) {
  (void)state;
  static const char *const texts[] = {"x", "{\"probes\":[\"ftp:1\"]}", "{\"probes\":[1]}",
                                      "{\"probes\":[\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\","
                                      "\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\",\"tcp:1\"]}"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ipfsa_error err = {0};
    json_t *inspect = inspect_of(json_pack("{s:s}", IPFSA_LABEL_PROBE, texts[i]));
    ipfsa_probe_plan plan;
    assert_true(ipfsa_probe_plan_of(inspect, &plan, &err) != IPFSA_OK);
    assert_int_equal(plan.n, 0);
    assert_null(plan.source);
    json_decref(inspect);
  }
  ipfsa_error err = {0};
  ipfsa_probe_plan plan; /* times of nonsense are as good as none */
  json_t *inspect = inspect_of(json_pack("{s:s}", IPFSA_LABEL_PROBE, "{\"probes\":[\"tcp:1\"],\"interval_ms\":-5,\"timeout_ms\":99999999999,\"threshold\":\"x\"}"));
  assert_ok(ipfsa_probe_plan_of(inspect, &plan, &err));
  assert_int_equal(plan.rules.interval, 5000000000);
  assert_int_equal(plan.rules.timeout, 3000000000);
  assert_int_equal(plan.rules.threshold, 3);
  ipfsa_probe_plan_release(&plan);
  json_decref(inspect);
}

static void times_of_engines(void **state) {
  (void)state;
  assert_int_equal(ipfsa_engine_time_parse("1970-01-02T00:00:01Z"), 86401);
  assert_int_equal(ipfsa_engine_time_parse("2024-05-01T10:00:00.123456789Z"), 1714557600);
  assert_int_equal(ipfsa_engine_time_parse("2024-05-01T12:00:00.1+02:00"), 1714557600);
  assert_int_equal(ipfsa_engine_time_parse("2024-05-01T08:30:00-01:30"), 1714557600);
  assert_int_equal(ipfsa_engine_time_parse("0001-01-01T00:00:00Z"), 0);
  assert_int_equal(ipfsa_engine_time_parse(""), 0);
  assert_int_equal(ipfsa_engine_time_parse("yesterday"), 0);
  assert_int_equal(ipfsa_engine_time_parse("2024-05-01T12:00:00+x"), 0);
}

static void a_line_is_found_across_pieces(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_log_finder *f = NULL;
  assert_ok(ipfsa_log_finder_new("^re+ady$", &f, &err));
  assert_int_equal(ipfsa_log_finder_feed(f, 1, "not ready\nre", 12), 0);
  assert_int_equal(ipfsa_log_finder_feed(f, 2, "other\n", 6), 0); /* the two streams do not mix */
  assert_int_equal(ipfsa_log_finder_feed(f, 1, "eady", 4), 0);
  assert_false(ipfsa_log_finder_found(f));
  assert_int_equal(ipfsa_log_finder_feed(f, 1, "\nmore", 5), 1);
  assert_true(ipfsa_log_finder_found(f));
  ipfsa_log_finder_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forms_of_a_probe),      cmocka_unit_test(a_plan_goes_through_the_label), cmocka_unit_test(no_probes_no_label),
      cmocka_unit_test(options_out_of_bounds), cmocka_unit_test(labels_of_others_are_no_plan),  cmocka_unit_test(times_of_engines),
      cmocka_unit_test(a_line_is_found_across_pieces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
