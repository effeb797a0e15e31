/* Probes: is a container ready, is it well? One implementation for waiting at the start and for watching afterwards. Threads: any. */
#ifndef IPFSA_CONTAINER_PROBE_H
#define IPFSA_CONTAINER_PROBE_H

#include "container/container_inside.h"
#include "container/health.h"

#define IPFSA_LABEL_PROBE "io.ipfs-accelerate.probe" /* JSON of a plan */
#define IPFSA_MAX_PROBES 16u  /* of one container: each costs a request an interval */
#define IPFSA_PROBE_WHY 160   /* bytes of a reason, with terminator */

typedef enum ipfsa_probe_kind { IPFSA_PROBE_HTTP, IPFSA_PROBE_TCP, IPFSA_PROBE_LOG, IPFSA_PROBE_EXEC, IPFSA_PROBE_HEALTHY } ipfsa_probe_kind;
typedef struct ipfsa_probe {
  ipfsa_probe_kind kind;
  uint16_t port;
  const char *text; /* path, pattern, command; points into what was parsed */
} ipfsa_probe;

/* "http:PORT[/path]", "tcp:PORT", "log:REGEX", "exec:COMMAND", "healthy"; `what` ("wait", "probe") is for messages. */
ipfsa_status ipfsa_probe_parse(const char *what, const char *text, ipfsa_probe *ret, ipfsa_error *err);
/* One try that ends by the deadline; *ret says how it went, and `why` why it failed. The call fails only when it was cancelled or memory ran out. since:
 * only log lines from then on, seconds since 1970, NULL = all. */
ipfsa_status ipfsa_probe_run(ipfsa_engine *engine, const ipfsa_container *c, const ipfsa_probe *probe, uint64_t deadline, const char *since, bool *ret,
                             char why[IPFSA_PROBE_WHY], ipfsa_error *err);

/* --- a line of the log --- */

typedef struct ipfsa_log_finder ipfsa_log_finder;
ipfsa_status ipfsa_log_finder_new(const char *pattern, ipfsa_log_finder **ret, ipfsa_error *err);
void ipfsa_log_finder_free(ipfsa_log_finder *finder); /* NULL is fine */
int ipfsa_log_finder_feed(void *finder, int stream, const void *data, size_t len); /* an output callback: stops when it is found */
bool ipfsa_log_finder_found(const ipfsa_log_finder *finder);

/* --- the probes of a container, kept in its label, so that every shell finds them --- */

typedef struct ipfsa_probe_plan {
  json_t *source; /* owns the texts */
  ipfsa_probe probes[IPFSA_MAX_PROBES];
  const char *texts[IPFSA_MAX_PROBES];
  bool log_seen[IPFSA_MAX_PROBES]; /* since this start: a line that was said stays said */
  size_t n;
  ipfsa_health_rules rules;
} ipfsa_probe_plan;
/* Checks the options and sets the label. Nothing without probes. */
ipfsa_status ipfsa_probe_plan_put(const ipfsa_probe_options *options, json_t *labels, ipfsa_error *err);
/* From an inspection; no label, no probes. E_MALFORMED: the label is not of this program. */
ipfsa_status ipfsa_probe_plan_of(const json_t *inspect, ipfsa_probe_plan *ret, ipfsa_error *err);
void ipfsa_probe_plan_release(ipfsa_probe_plan *plan);
/* All of them, one after the other, until one fails. started: StartedAt of the inspection. */
ipfsa_status ipfsa_probe_plan_run(ipfsa_engine *engine, const ipfsa_container *c, ipfsa_probe_plan *plan, const char *started, bool *ret,
                                  char why[IPFSA_PROBE_WHY], ipfsa_error *err);

/* Seconds since 1970 of an engine's time ("2024-05-01T10:00:00.123456789Z", or with "+02:00"); 0 when it is none. */
int64_t ipfsa_engine_time_parse(const char *text);

#endif
