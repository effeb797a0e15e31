#include "container/watch_inside.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"

#define DEFAULT_LOOK_MS 1000           /* between two looks at a container */
#define LEAST_LOOK_MS 50               /* each is a request to the engine */
#define DEFAULT_BACKOFF_MS 1000
#define DEFAULT_MAX_BACKOFF_MS 60000
#define LEAST_BACKOFF_MS 200           /* time for an engine to tell of a stop */
#define CANCEL_NS 200000000u           /* between two looks whether the engine was cancelled */

const char *ipfsa_health_state_name(ipfsa_health_state state) {
  static const char *const names[] = {"", "starting", "healthy", "unhealthy"};
  return (unsigned)state < 4 ? names[state] : "";
}

const char *ipfsa_watch_kind_name(ipfsa_watch_kind kind) {
  static const char *const names[] = {"state", "health", "restart", "removed", "engine"};
  return (unsigned)kind < 5 ? names[kind] : "";
}

/* --- between the threads --- */

static void wait_on(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until) {
  struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
  (void)pthread_cond_timedwait(cond, lock, &at);
}

void ipfsa_watch_tell(ipfsa_watch *w, const ipfsa_watch_event *event) {
  ipfsa_watch_item *item = ipfsa_calloc(1, sizeof *item);
  pthread_mutex_lock(&w->lock);
  while (w->n_queued >= IPFSA_MAX_WATCH_QUEUE && !w->ending) pthread_cond_wait(&w->wake, &w->lock);
  if (!item) w->no_memory = true;
  else {
    item->event = *event;
    item->event.time_s = ipfsa_clock_wall_s();
    snprintf(item->name, sizeof item->name, "%s", event->name);
    snprintf(item->state, sizeof item->state, "%s", event->state);
    snprintf(item->what, sizeof item->what, "%s", event->what);
    if (event->n_history) memcpy(item->history, event->history, event->n_history * sizeof *event->history);
    if (w->last) w->last->next = item;
    else w->first = item;
    w->last = item;
    w->n_queued++;
  }
  pthread_cond_signal(&w->told);
  pthread_mutex_unlock(&w->lock);
}

void ipfsa_watch_out_of_memory(ipfsa_watch *w) {
  pthread_mutex_lock(&w->lock);
  w->no_memory = true;
  pthread_cond_signal(&w->told);
  pthread_mutex_unlock(&w->lock);
}

void ipfsa_watch_engine(ipfsa_watch *w, bool lost, const char *why) {
  pthread_mutex_lock(&w->lock);
  bool changed = w->engine_lost != lost;
  w->engine_lost = lost;
  pthread_mutex_unlock(&w->lock);
  if (changed) ipfsa_watch_tell(w, &(ipfsa_watch_event){.kind = IPFSA_WATCH_ENGINE, .name = "", .state = "", .what = lost ? why : ""});
}

bool ipfsa_watch_sleep(ipfsa_watch *w, uint64_t until) {
  pthread_mutex_lock(&w->lock);
  while (!w->ending && ipfsa_clock_monotonic_ns() < until) wait_on(&w->wake, &w->lock, until);
  bool goes_on = !w->ending;
  pthread_mutex_unlock(&w->lock);
  return goes_on;
}

/* --- the caller's thread --- */

static ipfsa_watch_item *take(ipfsa_watch *w) {
  pthread_mutex_lock(&w->lock);
  ipfsa_watch_item *item = w->first;
  if (item) {
    w->first = item->next;
    if (!w->first) w->last = NULL;
    w->n_queued--;
    pthread_cond_broadcast(&w->wake);
  }
  pthread_mutex_unlock(&w->lock);
  return item;
}

static bool hand_on(ipfsa_watch_item *item, ipfsa_watch_cb cb, void *ctx) {
  item->event.name = item->name;
  item->event.state = item->state;
  item->event.what = item->what;
  item->event.history = item->history;
  bool stop = cb(ctx, &item->event) != 0;
  ipfsa_free(item);
  return stop;
}

static ipfsa_status begin_one(ipfsa_watch *w, const char *name, ipfsa_error *err) {
  size_t n = 0;
  for (ipfsa_watched *at = w->list; at; at = at->next, n++)
    if (strcmp(at->name, name) == 0) return IPFSA_OK;
  if (n >= IPFSA_MAX_WATCHED) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %u containers to watch; name those that matter", IPFSA_MAX_WATCHED);
  ipfsa_watched *one = ipfsa_calloc(1, sizeof *one);
  if (!one) return ipfsa_fail_nomem(err);
  one->watch = w;
  snprintf(one->name, sizeof one->name, "%s", name);
  int rc = pthread_create(&one->thread, NULL, ipfsa_watch_one, one);
  if (rc) {
    ipfsa_free(one);
    return ipfsa_fail_errno(err, rc, "start a thread");
  }
  one->next = w->list;
  w->list = one;
  return IPFSA_OK;
}

typedef struct finding {
  ipfsa_watch *watch;
  ipfsa_status status;
  ipfsa_error err;
} finding;

static int begin_found(void *ctx, const ipfsa_container *c) {
  finding *f = ctx;
  f->status = begin_one(f->watch, c->name, &f->err);
  return f->status != IPFSA_OK;
}

/* Those that came since; an engine that is away just now is told of and asked again. */
static ipfsa_status find_new(ipfsa_watch *w, ipfsa_error *err) {
  finding f = {.watch = w};
  ipfsa_container_list_options options = {.struct_size = sizeof options, .all = true};
  ipfsa_status status = ipfsa_container_list(w->engine, &options, begin_found, &f, err);
  if (f.status) {
    *err = f.err;
    return f.status;
  }
  if (status == IPFSA_E_CANCELLED || status == IPFSA_E_NOMEM) return status;
  ipfsa_watch_engine(w, status != IPFSA_OK, err->message);
  return IPFSA_OK;
}

/* Threads that ended are joined; returns how many are left. */
static size_t reap(ipfsa_watch *w) {
  size_t left = 0;
  for (ipfsa_watched **at = &w->list; *at;) {
    ipfsa_watched *one = *at;
    pthread_mutex_lock(&w->lock);
    bool over = one->over;
    pthread_mutex_unlock(&w->lock);
    if (!over) {
      left++;
      at = &one->next;
      continue;
    }
    *at = one->next;
    pthread_join(one->thread, NULL);
    ipfsa_free(one);
  }
  return left;
}

static bool is_cancelled(const ipfsa_watch *w) {
  struct pollfd fd = {.fd = ipfsa_engine_cancel_fd(w->engine), .events = POLLIN};
  return poll(&fd, 1, 0) == 1;
}

static bool ran_out(ipfsa_watch *w) {
  pthread_mutex_lock(&w->lock);
  bool yes = w->no_memory;
  pthread_mutex_unlock(&w->lock);
  return yes;
}

static bool any_over(const ipfsa_watch *w) {
  for (const ipfsa_watched *one = w->list; one; one = one->next)
    if (one->over) return true;
  return false;
}

static void wait_for_more(ipfsa_watch *w) {
  pthread_mutex_lock(&w->lock);
  if (!w->first && !any_over(w) && !w->no_memory) wait_on(&w->told, &w->lock, ipfsa_clock_monotonic_ns() + CANCEL_NS);
  pthread_mutex_unlock(&w->lock);
}

static ipfsa_status run(ipfsa_watch *w, bool all, ipfsa_watch_cb cb, void *ctx, ipfsa_error *err) {
  uint64_t next_list = 0;
  for (;;) {
    size_t left = reap(w); /* before the queue is emptied: what they said last is in it */
    for (ipfsa_watch_item *item; (item = take(w));)
      if (hand_on(item, cb, ctx)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "the watch was ended");
    if (is_cancelled(w)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    if (ran_out(w)) return ipfsa_fail_nomem(err);
    if (!all && left == 0) return IPFSA_OK;
    if (all && ipfsa_clock_monotonic_ns() >= next_list) {
      ipfsa_status status = find_new(w, err);
      if (status) return status;
      next_list = ipfsa_clock_monotonic_ns() + w->times.look;
    }
    wait_for_more(w);
  }
}

static void end(ipfsa_watch *w) {
  pthread_mutex_lock(&w->lock);
  w->ending = true;
  pthread_cond_broadcast(&w->wake);
  pthread_mutex_unlock(&w->lock);
  while (w->list) {
    ipfsa_watched *one = w->list;
    w->list = one->next;
    pthread_join(one->thread, NULL);
    ipfsa_free(one);
  }
  for (ipfsa_watch_item *item; (item = take(w));) ipfsa_free(item);
  pthread_cond_destroy(&w->told);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
}

static ipfsa_watch_times times_of(const ipfsa_watch_options *o) {
  int64_t base = o->backoff_ms > 0 ? o->backoff_ms : DEFAULT_BACKOFF_MS, cap = o->max_backoff_ms > 0 ? o->max_backoff_ms : DEFAULT_MAX_BACKOFF_MS;
  if (base < LEAST_BACKOFF_MS) base = LEAST_BACKOFF_MS;
  if (base > INT32_MAX) base = INT32_MAX;
  if (cap > INT32_MAX) cap = INT32_MAX;
  if (cap < base) cap = base;
  int64_t look = o->look_ms > 0 ? o->look_ms : DEFAULT_LOOK_MS;
  if (look < LEAST_LOOK_MS) look = LEAST_LOOK_MS;
  if (look > INT32_MAX) look = INT32_MAX;
  return (ipfsa_watch_times){.look = (uint64_t)look * 1000000, .backoff = (uint64_t)base * 1000000, .max_backoff = (uint64_t)cap * 1000000};
}

static void init(ipfsa_watch *w, ipfsa_engine *engine, const ipfsa_watch_options *o, const ipfsa_watch_times *times) {
  *w = (ipfsa_watch){.engine = engine, .restart = o->restart, .times = *times};
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&w->told, &clock);
  pthread_cond_init(&w->wake, &clock);
  pthread_condattr_destroy(&clock);
  pthread_mutex_init(&w->lock, NULL);
}

ipfsa_status ipfsa_watch_run(ipfsa_engine *engine, const ipfsa_watch_options *o, const ipfsa_watch_times *times, ipfsa_watch_cb cb, void *ctx, ipfsa_error *err) {
  for (size_t i = 0; i < o->names.n; i++) {
    json_t *json = NULL;
    ipfsa_status status = ipfsa_container_look_ours(engine, o->names.items[i], &json, err);
    json_decref(json);
    if (status) return status;
  }
  ipfsa_watch w;
  init(&w, engine, o, times);
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < o->names.n && status == IPFSA_OK; i++) status = begin_one(&w, o->names.items[i], err);
  if (status == IPFSA_OK) status = run(&w, o->names.n == 0, cb, ctx, err);
  end(&w);
  return status;
}

ipfsa_status ipfsa_container_watch(ipfsa_engine *engine, const ipfsa_watch_options *options, ipfsa_watch_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_error local = {0};
  const ipfsa_watch_options o = IPFSA_OPTIONS(ipfsa_watch_options, options);
  const ipfsa_watch_times times = times_of(&o);
  return ipfsa_watch_run(engine, &o, &times, cb, ctx, err ? err : &local);
}
