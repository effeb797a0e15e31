/* One container, looked at once a second: does it run, is it well, shall it be restarted? */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "container/health.h"
#include "container/probe.h"
#include "container/watch_inside.h"

#define STOP_EVENT_SLACK_S 2 /* an engine tells of a stop within that time of the end */
#define ENDED_BY_TERM 143    /* 128 and SIGTERM */

typedef struct watcher {
  ipfsa_watched *self;
  ipfsa_watch *watch;
  ipfsa_probe_plan plan;
  ipfsa_health health;
  ipfsa_health_state told;   /* health that was told last */
  ipfsa_backoff backoff;
  char id[80], state[16], started[64], finished[64];
  int64_t exit_code;
  bool seen_running;         /* by this watch: what was found stopped is left alone */
  bool left_alone;           /* it was stopped on purpose, or did its work */
  bool unjudged;             /* it ended, and whether on purpose is not known yet */
  uint64_t seen_over;        /* monotonic ns: when that was first seen */
  uint64_t restart_at;       /* 0: no restart is due */
  uint64_t calm_since;       /* 0: it is not well */
  uint64_t n_restarts;
} watcher;

static void tell(watcher *w, ipfsa_watch_kind kind, int64_t delay_ms, const char *what) {
  ipfsa_probe_result history[IPFSA_HEALTH_HISTORY];
  ipfsa_watch_event event = {.kind = kind, .name = w->self->name, .state = w->state, .what = what, .health = w->told, .exit_code = w->exit_code,
                             .n_restarts = w->n_restarts, .delay_ms = delay_ms, .history = history, .n_history = ipfsa_health_history(&w->health, history)};
  ipfsa_watch_tell(w->watch, &event);
}

static void tell_health(watcher *w, ipfsa_health_state state, const char *what) {
  if (state == w->told) return;
  w->told = state;
  tell(w, IPFSA_WATCH_HEALTH, 0, what);
}

/* --- what is seen --- */

static bool is_over(const char *state) { return strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0; }

static ipfsa_status note_start(watcher *w, const json_t *inspect, ipfsa_error *err) {
  const char *started = ipfsa_json_text(ipfsa_json_at(inspect, "State", NULL), "StartedAt");
  w->seen_running = true;
  w->left_alone = false;
  if (strcmp(started, w->started) == 0 && w->health.state != IPFSA_HEALTH_NONE) return IPFSA_OK;
  snprintf(w->started, sizeof w->started, "%s", started);
  ipfsa_probe_plan_release(&w->plan);
  ipfsa_status status = ipfsa_probe_plan_of(inspect, &w->plan, err);
  if (status) return status;
  ipfsa_health_begin(&w->health, &w->plan.rules, ipfsa_clock_monotonic_ns());
  if (w->plan.n) tell_health(w, IPFSA_HEALTH_STARTING, "");
  return IPFSA_OK;
}

typedef struct stop_search {
  const char *id;    /* one of this name may have been stopped and removed just before */
  int64_t started_s; /* likewise the run before this one */
  bool stopped, killed;
} stop_search;

static int find_stop(void *ctx, const ipfsa_container_event *event) {
  stop_search *search = ctx;
  if (strcmp(event->id, search->id) != 0 || event->time_ns / 1000000000 < search->started_s) return 0;
  search->stopped = search->stopped || strcmp(event->action, "stop") == 0;
  search->killed = search->killed || strcmp(event->action, "kill") == 0;
  return 0;
}

/* Did somebody ask it to stop? Only the engine's events know: a kill looks the same otherwise. Docker tells of both, a stop and the kill in it;
 * Podman of kills only, so there an end by SIGTERM without one is taken for a stop; what it tells may come a moment after the end. */
static ipfsa_status was_stopped(watcher *w, bool *ret, bool *ret_sure, ipfsa_error *err) {
  stop_search search = {.id = w->id, .started_s = ipfsa_engine_time_parse(w->started)};
  int64_t end = ipfsa_engine_time_parse(w->finished);
  *ret = false;
  if (end <= 0) return IPFSA_OK;
  char since[32], until[32];
  snprintf(since, sizeof since, "%lld", (long long)end - STOP_EVENT_SLACK_S);
  snprintf(until, sizeof until, "%lld", (long long)end + STOP_EVENT_SLACK_S);
  ipfsa_container_events_options options = {.struct_size = sizeof options, .since = since, .until = until};
  ipfsa_status status = ipfsa_container_events(w->watch->engine, &options, find_stop, &search, err);
  ipfsa_engine_info info = {0};
  if (status == IPFSA_OK) status = ipfsa_engine_about(w->watch->engine, &info, err);
  bool by_silence = status == IPFSA_OK && info.is_podman && !search.killed && w->exit_code == ENDED_BY_TERM;
  *ret = search.stopped || by_silence;
  *ret_sure = search.stopped || !by_silence || ipfsa_clock_monotonic_ns() - w->seen_over > STOP_EVENT_SLACK_S * 1000000000ull;
  return status;
}

static ipfsa_status note_end(watcher *w, ipfsa_error *err) {
  bool stopped = !w->seen_running || w->exit_code == 0, sure = true;
  ipfsa_status status = stopped || !w->watch->restart ? IPFSA_OK : was_stopped(w, &stopped, &sure, err);
  if (status || !sure) return status; /* it is asked again */
  w->left_alone = stopped;
  w->unjudged = false;
  return IPFSA_OK;
}

static void note_not_running(watcher *w, const json_t *state, const ipfsa_container *c) {
  snprintf(w->state, sizeof w->state, "%s", c->state);
  snprintf(w->finished, sizeof w->finished, "%s", ipfsa_json_text(state, "FinishedAt"));
  w->exit_code = c->exit_code;
  w->told = IPFSA_HEALTH_NONE; /* said by the state */
  w->calm_since = 0;
  w->unjudged = is_over(w->state);
  w->seen_over = ipfsa_clock_monotonic_ns();
  tell(w, IPFSA_WATCH_STATE, 0, ipfsa_json_text(state, "Error"));
}

static ipfsa_status note_state(watcher *w, const json_t *inspect, const ipfsa_container *c, ipfsa_error *err) {
  const json_t *state = ipfsa_json_at(inspect, "State", NULL);
  snprintf(w->id, sizeof w->id, "%s", c->id);
  bool ended_again = is_over(c->state) && strcmp(w->finished, ipfsa_json_text(state, "FinishedAt")) != 0;
  if (strcmp(c->state, "running") == 0) {
    bool changed = strcmp(w->state, "running") != 0 || strcmp(w->started, ipfsa_json_text(state, "StartedAt")) != 0;
    snprintf(w->state, sizeof w->state, "%s", c->state);
    w->exit_code = 0;
    w->unjudged = false;
    if (changed) tell(w, IPFSA_WATCH_STATE, 0, "");
    return note_start(w, inspect, err);
  }
  if (strcmp(w->state, c->state) != 0 || ended_again) note_not_running(w, state, c);
  return w->unjudged ? note_end(w, err) : IPFSA_OK;
}

/* --- probes --- */

static ipfsa_status probe(watcher *w, const ipfsa_container *c, ipfsa_error *err) {
  uint64_t now = ipfsa_clock_monotonic_ns();
  if (now < w->health.next) return IPFSA_OK;
  char why[160] = "";
  bool ok = true;
  ipfsa_status status = ipfsa_probe_plan_run(w->watch->engine, c, &w->plan, w->started, &ok, why, err);
  if (status) return status;
  (void)ipfsa_health_note(&w->health, now, ok, ipfsa_clock_monotonic_ns() - now, why);
  tell_health(w, w->health.state, why);
  return IPFSA_OK;
}

static ipfsa_health_state state_of_engine(const char *health) {
  for (ipfsa_health_state s = IPFSA_HEALTH_STARTING; s <= IPFSA_HEALTH_UNHEALTHY; s++)
    if (strcmp(health, ipfsa_health_state_name(s)) == 0) return s;
  return IPFSA_HEALTH_NONE;
}

static ipfsa_status look_at_health(watcher *w, const ipfsa_container *c, ipfsa_error *err) {
  if (strcmp(w->state, "running") != 0) return IPFSA_OK;
  if (w->plan.n) return probe(w, c, err);
  tell_health(w, state_of_engine(c->health), "");
  return IPFSA_OK;
}

/* --- restarts --- */

static void rest_when_calm(watcher *w, uint64_t now) {
  bool well = strcmp(w->state, "running") == 0 && w->told != IPFSA_HEALTH_UNHEALTHY && w->told != IPFSA_HEALTH_STARTING;
  if (!well) w->calm_since = 0;
  else if (!w->calm_since) w->calm_since = now;
  else if (now - w->calm_since >= w->backoff.cap) ipfsa_backoff_rest(&w->backoff);
}

static ipfsa_status restart_when_due(watcher *w, ipfsa_error *err) {
  uint64_t now = ipfsa_clock_monotonic_ns();
  bool trouble = (is_over(w->state) && !w->left_alone && !w->unjudged) || (strcmp(w->state, "running") == 0 && w->told == IPFSA_HEALTH_UNHEALTHY);
  rest_when_calm(w, now);
  if (!w->watch->restart || !trouble) return w->restart_at = 0, IPFSA_OK;
  if (!w->restart_at) {
    uint64_t delay = ipfsa_backoff_next(&w->backoff, ipfsa_random_u64());
    w->restart_at = now + delay;
    tell(w, IPFSA_WATCH_RESTART, (int64_t)(delay / 1000000), "");
  }
  if (now < w->restart_at) return IPFSA_OK;
  w->restart_at = 0;
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_container_restart(w->watch->engine, w->self->name, -1, &why);
  if (status == IPFSA_E_CANCELLED || status == IPFSA_E_NOT_FOUND) return *err = why, status;
  if (status == IPFSA_OK) w->n_restarts++;
  if (status == IPFSA_OK) w->health.state = IPFSA_HEALTH_NONE; /* its probes begin anew, also when the engine's clock stands still */
  tell(w, IPFSA_WATCH_RESTART, 0, status ? why.message : "");
  return IPFSA_OK;
}

/* --- the loop --- */

static ipfsa_status look(watcher *w, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *inspect = NULL;
  ipfsa_container *c = NULL;
  ipfsa_status status = ipfsa_container_look(w->watch->engine, w->self->name, false, &inspect, err);
  if (status == IPFSA_OK) status = ipfsa_container_from_inspect(json_incref(inspect), &c, err);
  if (status) return status;
  ipfsa_watch_engine(w->watch, false, "");
  status = note_state(w, inspect, c, err);
  if (status == IPFSA_OK) status = look_at_health(w, c, err);
  ipfsa_container_free(c);
  return status ? status : restart_when_due(w, err);
}

static uint64_t next_look(const watcher *w) {
  uint64_t now = ipfsa_clock_monotonic_ns(), at = now + w->watch->times.look;
  if (w->restart_at && w->restart_at < at) at = w->restart_at;
  bool probes = strcmp(w->state, "running") == 0 && w->plan.n;
  return probes && w->health.next < at ? w->health.next : at;
}

void *ipfsa_watch_one(void *arg) {
  ipfsa_watched *self = arg;
  watcher w = {.self = self, .watch = self->watch, .backoff = {.base = self->watch->times.backoff, .cap = self->watch->times.max_backoff}};
  for (bool goes_on = true; goes_on;) {
    ipfsa_error err = {0};
    ipfsa_status status = look(&w, &err);
    if (status == IPFSA_E_NOMEM) ipfsa_watch_out_of_memory(w.watch);
    if (status == IPFSA_E_CANCELLED || status == IPFSA_E_NOMEM) break;
    if (status == IPFSA_E_NOT_FOUND && !err.sys_errno) { /* with one it is the engine's socket that is missing */
      snprintf(w.state, sizeof w.state, "removed");
      w.told = IPFSA_HEALTH_NONE;
      tell(&w, IPFSA_WATCH_REMOVED, 0, "");
      break;
    }
    if (status) ipfsa_watch_engine(w.watch, true, err.message);
    goes_on = ipfsa_watch_sleep(w.watch, next_look(&w));
  }
  ipfsa_probe_plan_release(&w.plan);
  pthread_mutex_lock(&self->watch->lock);
  self->over = true;
  pthread_cond_signal(&self->watch->told);
  pthread_mutex_unlock(&self->watch->lock);
  return NULL;
}
