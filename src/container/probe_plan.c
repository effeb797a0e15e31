#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"
#include "container/probe.h"

#define DEFAULT_INTERVAL_MS 5000
#define DEFAULT_TIMEOUT_MS 3000
#define DEFAULT_START_PERIOD_MS 10000
#define DEFAULT_THRESHOLD 3
#define MAX_SPAN_MS 86400000 /* a day: more between two probes is no watching */
#define MAX_THRESHOLD 1000

static ipfsa_status check_span(const char *name, int64_t ms, ipfsa_error *err) {
  if (ms >= 0 && ms <= MAX_SPAN_MS) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "probe %s of %lld ms: at most a day", name, (long long)ms);
}

static json_int_t or_default(int64_t value, int64_t otherwise) { return value > 0 ? value : otherwise; }

ipfsa_status ipfsa_probe_plan_put(const ipfsa_probe_options *options, json_t *labels, ipfsa_error *err) {
  const ipfsa_probe_options copy = IPFSA_OPTIONS(ipfsa_probe_options, options), *o = &copy;
  if (o->probes.n == 0) return IPFSA_OK;
  if (o->probes.n > IPFSA_MAX_PROBES) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %u probes of one container", IPFSA_MAX_PROBES);
  if (o->threshold > MAX_THRESHOLD) return ipfsa_fail(err, IPFSA_E_INVALID, "probe threshold %u: at most %d", o->threshold, MAX_THRESHOLD);
  ipfsa_status status = check_span("interval", o->interval_ms, err);
  if (status == IPFSA_OK) status = check_span("timeout", o->timeout_ms, err);
  if (status == IPFSA_OK) status = check_span("start period", o->start_period_ms, err);
  IPFSA_AUTO_JSON json_t *list = json_array();
  for (size_t i = 0; i < o->probes.n && status == IPFSA_OK; i++) {
    ipfsa_probe probe;
    status = ipfsa_probe_parse("probe", o->probes.items[i], &probe, err);
    if (status == IPFSA_OK) status = ipfsa_json_check_text("probe", o->probes.items[i], err);
    if (status == IPFSA_OK && json_array_append_new(list, json_string(o->probes.items[i])) != 0) status = ipfsa_fail_nomem(err);
  }
  if (status) return status;
  IPFSA_AUTO_JSON json_t *plan =
      json_pack("{s:O,s:I,s:I,s:I,s:I}", "probes", list, "interval_ms", or_default(o->interval_ms, DEFAULT_INTERVAL_MS), "timeout_ms",
                or_default(o->timeout_ms, DEFAULT_TIMEOUT_MS), "start_period_ms", or_default(o->start_period_ms, DEFAULT_START_PERIOD_MS), "threshold",
                or_default(o->threshold, DEFAULT_THRESHOLD));
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_json_put(&text, plan, JSON_COMPACT | JSON_SORT_KEYS);
  const char *words = ipfsa_buf_cstr(&text);
  status = ipfsa_buf_status(&text, err);
  if (status) return status;
  return json_object_set_new(labels, IPFSA_LABEL_PROBE, json_string(words)) == 0 ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* Milliseconds of a label to nanoseconds; out of bounds is as good as absent. */
static uint64_t span_of(const json_t *plan, const char *key, int64_t otherwise) {
  int64_t ms = ipfsa_json_int(plan, key);
  return (uint64_t)(ms > 0 && ms <= MAX_SPAN_MS ? ms : otherwise) * 1000000;
}

ipfsa_status ipfsa_probe_plan_of(const json_t *inspect, ipfsa_probe_plan *ret, ipfsa_error *err) {
  *ret = (ipfsa_probe_plan){0};
  const char *text = ipfsa_json_text(ipfsa_json_at(inspect, "Config", "Labels", NULL), IPFSA_LABEL_PROBE);
  if (!*text) return IPFSA_OK;
  ipfsa_status status = ipfsa_json_parse(ipfsa_bytes_str(text), "the label " IPFSA_LABEL_PROBE, &ret->source, err);
  const json_t *list = ipfsa_json_at(ret->source, "probes", NULL);
  if (status == IPFSA_OK && json_array_size(list) > IPFSA_MAX_PROBES) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "the label " IPFSA_LABEL_PROBE " has over %u probes", IPFSA_MAX_PROBES);
  for (size_t i = 0; status == IPFSA_OK && i < json_array_size(list); i++) {
    const char *probe = json_string_value(json_array_get(list, i));
    ret->texts[i] = probe ? probe : "";
    status = ipfsa_probe_parse("probe", ret->texts[i], &ret->probes[i], err);
    if (status == IPFSA_OK) ret->n++;
  }
  int64_t threshold = ipfsa_json_int(ret->source, "threshold");
  ret->rules = (ipfsa_health_rules){.interval = span_of(ret->source, "interval_ms", DEFAULT_INTERVAL_MS),
                                    .timeout = span_of(ret->source, "timeout_ms", DEFAULT_TIMEOUT_MS),
                                    .start_period = span_of(ret->source, "start_period_ms", DEFAULT_START_PERIOD_MS),
                                    .threshold = threshold > 0 && threshold <= MAX_THRESHOLD ? (unsigned)threshold : DEFAULT_THRESHOLD};
  if (status) ipfsa_probe_plan_release(ret);
  return status;
}

void ipfsa_probe_plan_release(ipfsa_probe_plan *plan) {
  json_decref(plan->source);
  *plan = (ipfsa_probe_plan){0};
}

ipfsa_status ipfsa_probe_plan_run(ipfsa_engine *engine, const ipfsa_container *c, ipfsa_probe_plan *plan, const char *started, bool *ret,
                                  char why[IPFSA_PROBE_WHY], ipfsa_error *err) {
  char since[32], reason[IPFSA_PROBE_WHY] = "";
  snprintf(since, sizeof since, "%lld", (long long)ipfsa_engine_time_parse(started));
  *ret = true;
  for (size_t i = 0; i < plan->n && *ret; i++) {
    if (plan->log_seen[i]) continue;
    ipfsa_status status = ipfsa_probe_run(engine, c, &plan->probes[i], ipfsa_clock_monotonic_ns() + plan->rules.timeout, since, ret, reason, err);
    if (status) return status;
    plan->log_seen[i] = *ret && plan->probes[i].kind == IPFSA_PROBE_LOG;
    if (!*ret) snprintf(why, IPFSA_PROBE_WHY, "%.60s: %.90s", plan->texts[i], reason);
  }
  return IPFSA_OK;
}

int64_t ipfsa_engine_time_parse(const char *text) {
  struct tm tm = {0};
  int n = 0, hours = 0, minutes = 0;
  if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6) return 0;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  const char *zone = text + n;
  if (*zone == '.') zone += 1 + strspn(zone + 1, "0123456789");
  if ((*zone == '+' || *zone == '-') && sscanf(zone + 1, "%2d:%2d", &hours, &minutes) != 2) return 0;
  int64_t offset = (hours * 60 + minutes) * 60;
  int64_t at = (int64_t)timegm(&tm) - (*zone == '-' ? -offset : offset);
  return at > 0 ? at : 0; /* year 1: it never happened */
}
