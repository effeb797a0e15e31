#include "container/health.h"

#include <string.h>

#define STARTING_INTERVAL 1000000000u /* ns; who waits for a start wants to know soon */

void ipfsa_health_begin(ipfsa_health *h, const ipfsa_health_rules *rules, uint64_t now) {
  *h = (ipfsa_health){.rules = *rules, .state = IPFSA_HEALTH_STARTING, .began = now, .next = now};
}

static void keep_result(ipfsa_health *h, uint64_t now, bool ok, uint64_t took, const char *what) {
  ipfsa_probe_result *r = &h->history[h->at];
  *r = (ipfsa_probe_result){.at_ns = now - h->began, .took_ns = took, .ok = ok};
  snprintf(r->what, sizeof r->what, "%s", what);
  h->at = (h->at + 1) % IPFSA_HEALTH_HISTORY;
  if (h->n_history < IPFSA_HEALTH_HISTORY) h->n_history++;
}

static ipfsa_health_state state_after(ipfsa_health *h, uint64_t now, bool ok) {
  if (ok) {
    h->failing = 0;
    return IPFSA_HEALTH_HEALTHY;
  }
  if (h->state == IPFSA_HEALTH_STARTING && now - h->began < h->rules.start_period) return IPFSA_HEALTH_STARTING;
  if (h->failing < UINT32_MAX) h->failing++;
  return h->failing >= h->rules.threshold ? IPFSA_HEALTH_UNHEALTHY : h->state;
}

bool ipfsa_health_note(ipfsa_health *h, uint64_t now, bool ok, uint64_t took, const char *what) {
  ipfsa_health_state before = h->state;
  keep_result(h, now, ok, took, what);
  h->state = state_after(h, now, ok);
  bool soon = h->state == IPFSA_HEALTH_STARTING && h->rules.interval > STARTING_INTERVAL;
  h->next = now + took + (soon ? STARTING_INTERVAL : h->rules.interval);
  return h->state != before;
}

size_t ipfsa_health_history(const ipfsa_health *h, ipfsa_probe_result ret[IPFSA_HEALTH_HISTORY]) {
  unsigned first = (h->at + IPFSA_HEALTH_HISTORY - h->n_history) % IPFSA_HEALTH_HISTORY;
  for (unsigned i = 0; i < h->n_history; i++) ret[i] = h->history[(first + i) % IPFSA_HEALTH_HISTORY];
  return h->n_history;
}

uint64_t ipfsa_backoff_next(ipfsa_backoff *b, uint64_t random) {
  uint64_t delay = b->base;
  for (unsigned i = 0; i < b->n && delay < b->cap; i++) delay = delay > b->cap / 2 ? b->cap : delay * 2;
  if (delay > b->cap) delay = b->cap;
  if (b->n < UINT32_MAX) b->n++;
  uint64_t half = delay / 2;
  return delay - half + (half ? random % (half + 1) : 0);
}

void ipfsa_backoff_rest(ipfsa_backoff *b) { b->n = 0; }
