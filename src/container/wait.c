/* Waiting until a container does its work: probes of our own with one deadline for all, so that engines without health checks need none. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "container/probe.h"

#define DEFAULT_WAIT_MS 60000
#define PROBE_PAUSE_MS 50      /* between two looks */
#define PROBE_NS 5000000000u   /* longest single try of a port */

ipfsa_status ipfsa_container_check_waits(ipfsa_texts waits, ipfsa_error *err) {
  for (size_t i = 0; i < waits.n; i++) {
    ipfsa_probe probe;
    ipfsa_status status = ipfsa_probe_parse("wait", waits.items[i], &probe, err);
    if (status) return status;
  }
  return IPFSA_OK;
}

typedef struct waiting {
  ipfsa_engine *engine;
  const char *name;
  uint64_t deadline;
  const char *current; /* the rule, for messages */
  ipfsa_texts env;     /* its values are in none */
  char why[IPFSA_PROBE_WHY]; /* it is not so yet */
} waiting;

static ipfsa_status with_last_words(waiting *w, ipfsa_status status, ipfsa_error *err) {
  char words[200];
  ipfsa_container_last_words(w->engine, w->name, w->env, words, sizeof words);
  if (*words && err) ipfsa_fail(err, status, "%s; it last said: %s", err->message, words);
  return status;
}

static ipfsa_status not_in_time(waiting *w, ipfsa_error *err) {
  ipfsa_fail(err, IPFSA_E_TIMEOUT, "container %s: \"%.80s\" did not come true in time%s%.150s", w->name, w->current, *w->why ? ": " : "", w->why);
  return with_last_words(w, IPFSA_E_TIMEOUT, err);
}

/* Inspects; a container that has ended ends the waiting. */
static ipfsa_status look(waiting *w, ipfsa_container **ret, ipfsa_error *err) {
  json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look(w->engine, w->name, false, &json, err);
  if (status == IPFSA_OK) status = ipfsa_container_from_inspect(json, ret, err);
  if (status) return status;
  if (strcmp((*ret)->state, "exited") != 0 && strcmp((*ret)->state, "dead") != 0) return IPFSA_OK;
  ipfsa_fail(err, IPFSA_E_IO, "container %s ended with exit code %lld before \"%.80s\" came true", w->name, (long long)(*ret)->exit_code, w->current);
  ipfsa_container_free(*ret);
  *ret = NULL;
  return with_last_words(w, IPFSA_E_IO, err);
}

static ipfsa_status try_once(waiting *w, const ipfsa_probe *probe, bool *ret, ipfsa_error *err) {
  ipfsa_container *c = NULL;
  bool is_port = probe->kind == IPFSA_PROBE_HTTP || probe->kind == IPFSA_PROBE_TCP;
  if (is_port && !ipfsa_engine_is_local(w->engine))
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "wait \"%.80s\": the engine is on another machine, whose ports are not reached from here; wait for log:, exec: or healthy", w->current);
  ipfsa_status status = look(w, &c, err);
  if (status) return status;
  uint64_t soon = ipfsa_clock_monotonic_ns() + PROBE_NS, deadline = is_port && soon < w->deadline ? soon : w->deadline;
  if (probe->kind == IPFSA_PROBE_HEALTHY && !*c->health)
    status = ipfsa_fail(err, IPFSA_E_INVALID, "container %s has no health check to wait for: give it one with --health-cmd", w->name);
  else status = ipfsa_probe_run(w->engine, c, probe, deadline, NULL, ret, w->why, err);
  ipfsa_container_free(c);
  return status;
}

static ipfsa_status wait_probing(waiting *w, const ipfsa_probe *probe, ipfsa_error *err) {
  for (;;) {
    bool is_true = false;
    ipfsa_status status = try_once(w, probe, &is_true, err);
    if (status || is_true) return status;
    if (ipfsa_clock_monotonic_ns() >= w->deadline) return not_in_time(w, err);
    status = ipfsa_engine_pause(w->engine, PROBE_PAUSE_MS, err);
    if (status) return status;
  }
}

/* The log is followed: a line is seen when it is said. */
static ipfsa_status follow_until_found(waiting *w, ipfsa_log_finder *f, ipfsa_error *err) {
  ipfsa_container_logs_options options = {.struct_size = sizeof options, .follow = true};
  for (;;) {
    ipfsa_status status = ipfsa_container_read_logs(w->engine, w->name, &options, false, false, w->deadline, ipfsa_log_finder_feed, f, err);
    if (ipfsa_log_finder_found(f)) return IPFSA_OK;
    if (status == IPFSA_E_TIMEOUT) return not_in_time(w, err);
    if (status) return status;
    ipfsa_container *c = NULL; /* the log ended: the container did, or the engine cut the connection */
    status = look(w, &c, err);
    ipfsa_container_free(c);
    if (status) return status;
    status = ipfsa_engine_pause(w->engine, PROBE_PAUSE_MS, err);
    if (status) return status;
  }
}

static ipfsa_status wait_for_line(waiting *w, const ipfsa_probe *probe, ipfsa_error *err) {
  ipfsa_log_finder *f = NULL;
  ipfsa_status status = ipfsa_log_finder_new(probe->text, &f, err);
  if (status == IPFSA_OK) status = follow_until_found(w, f, err);
  ipfsa_log_finder_free(f);
  return status;
}

ipfsa_status ipfsa_container_wait_ready(ipfsa_engine *engine, const char *name, ipfsa_texts waits, int64_t timeout_ms, ipfsa_texts env, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  uint64_t ms = timeout_ms > 0 && timeout_ms < INT32_MAX ? (uint64_t)timeout_ms : timeout_ms > 0 ? INT32_MAX : DEFAULT_WAIT_MS;
  waiting w = {engine, name, ipfsa_clock_monotonic_ns() + ms * 1000000, "", env, ""};
  for (size_t i = 0; i < waits.n; i++) {
    ipfsa_probe probe;
    w.current = waits.items[i];
    w.why[0] = '\0';
    ipfsa_status status = ipfsa_probe_parse("wait", waits.items[i], &probe, err);
    if (status == IPFSA_OK) status = probe.kind == IPFSA_PROBE_LOG ? wait_for_line(&w, &probe, err) : wait_probing(&w, &probe, err);
    if (status) return status;
  }
  return IPFSA_OK;
}
