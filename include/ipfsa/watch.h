/* Watching containers: probes of our own, their states as events, and restarts with ever longer waits between. Also where the engine's own checks do
 * not work. */
#ifndef IPFSA_WATCH_H
#define IPFSA_WATCH_H

#include <ipfsa/container.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_HEALTH_HISTORY 10 /* results kept of each container */

typedef enum ipfsa_health_state {
  IPFSA_HEALTH_NONE = 0, /* no probe, or it does not run */
  IPFSA_HEALTH_STARTING = 1,
  IPFSA_HEALTH_HEALTHY = 2,
  IPFSA_HEALTH_UNHEALTHY = 3
} ipfsa_health_state;
IPFSA_API const char *ipfsa_health_state_name(ipfsa_health_state state); /* "", "starting", "healthy", "unhealthy" */

typedef struct ipfsa_probe_result {
  uint64_t at_ns;   /* since the container was seen to start */
  uint64_t took_ns;
  bool ok;
  char what[160];   /* why it failed, else "" */
} ipfsa_probe_result;

typedef enum ipfsa_watch_kind {
  IPFSA_WATCH_STATE = 0,   /* it runs, ended, … ; told of each container at first */
  IPFSA_WATCH_HEALTH = 1,  /* its health is another */
  IPFSA_WATCH_RESTART = 2, /* it will be restarted in delay_ms, was (delay_ms 0), or could not be (what says why) */
  IPFSA_WATCH_REMOVED = 3, /* there is none of this name any more */
  IPFSA_WATCH_ENGINE = 4   /* the engine does not answer (what says why), or answers again (what ""); name "" */
} ipfsa_watch_kind;
IPFSA_API const char *ipfsa_watch_kind_name(ipfsa_watch_kind kind); /* "state", "health", "restart", "removed", "engine" */

typedef struct ipfsa_watch_event { /* borrowed for the call */
  int64_t time_s;     /* since 1970 */
  ipfsa_watch_kind kind;
  const char *name, *state, *what;
  ipfsa_health_state health;
  int64_t exit_code;
  uint64_t n_restarts; /* by this watch */
  int64_t delay_ms;
  const ipfsa_probe_result *history; /* oldest first */
  size_t n_history;
} ipfsa_watch_event;
typedef int (*ipfsa_watch_cb)(void *ctx, const ipfsa_watch_event *event); /* other than 0 ends the watch: E_CANCELLED */

typedef struct ipfsa_watch_options {
  size_t struct_size;
  ipfsa_texts names;      /* none: all that ipfs-accelerate started, also those to come */
  bool restart;           /* restart what is unhealthy, or ended with a code other than 0 and was not stopped */
  int64_t backoff_ms;     /* before the first restart; doubles with each; 0 = 1 s */
  int64_t max_backoff_ms; /* 0 = 60 s; after that long without trouble it begins anew */
  int64_t look_ms;        /* between two looks at a container; 0 = 1 s, at least 50 ms */
} ipfsa_watch_options;
/* Until the engine is cancelled, the callback says so, or (with names) all of them are removed: OK. Callbacks come in the caller's thread. Probes are those
 * given when the container was started; without any, the engine's own check is listened to. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_watch(ipfsa_engine *engine, const ipfsa_watch_options *options, ipfsa_watch_cb cb, void *ctx, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
