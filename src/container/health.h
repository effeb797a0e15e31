/* Is a container well? What probes said becomes a state here, and failed starts become ever longer waits. Pure: time and randomness are parameters.
 * Threads: one at a time per value. */
#ifndef IPFSA_CONTAINER_HEALTH_H
#define IPFSA_CONTAINER_HEALTH_H

#include <ipfsa/watch.h>

#include "base/bytes.h"

typedef struct ipfsa_health_rules { /* nanoseconds; zero means nothing here: the defaults are put in where labels are read */
  uint64_t interval, timeout, start_period;
  unsigned threshold; /* failures in a row that make it unhealthy */
} ipfsa_health_rules;

typedef struct ipfsa_health {
  ipfsa_health_rules rules;
  ipfsa_health_state state;
  uint64_t began;   /* when the container started, or was first seen */
  uint64_t next;    /* when the next probe is due */
  unsigned failing; /* in a row, without those of the start period */
  ipfsa_probe_result history[IPFSA_HEALTH_HISTORY]; /* a ring */
  unsigned n_history, at;
} ipfsa_health;

/* The container started: nothing is known, the first probe is due at once. */
void ipfsa_health_begin(ipfsa_health *h, const ipfsa_health_rules *rules, uint64_t now);
/* A probe that began at `now` ended; true when the state is another. Until it was well once, failures within the start period do not count, and
 * probes come more often. */
bool ipfsa_health_note(ipfsa_health *h, uint64_t now, bool ok, uint64_t took, const char *what);
/* Oldest first; returns how many. */
size_t ipfsa_health_history(const ipfsa_health *h, ipfsa_probe_result ret[IPFSA_HEALTH_HISTORY]);

typedef struct ipfsa_backoff {
  uint64_t base, cap; /* nanoseconds */
  unsigned n;         /* tries since the last rest */
} ipfsa_backoff;
/* How long to wait before the next try: base, twice, four times, … at most cap, and of that a random part of the upper half. */
uint64_t ipfsa_backoff_next(ipfsa_backoff *b, uint64_t random);
void ipfsa_backoff_rest(ipfsa_backoff *b); /* it went well for long enough */

#endif
