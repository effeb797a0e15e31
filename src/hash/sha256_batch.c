/* Batches of sha2-256 that keep the lanes of a kernel full. */
#include <string.h>

#include "base/bytes.h"
#include "hash/kernels.h"

/* One lane walks one job: whole blocks straight from a part, a stitched block where parts meet, padding at the end. */
typedef struct lane_walk {
  const ipfsa_sha256_job *job; /* NULL: idle */
  size_t part, off;            /* next byte of the message */
  uint64_t n_bytes;
  uint8_t staged[128];
  const uint8_t *at;           /* blocks ready now */
  size_t n_ready;
  bool closing;                /* what is ready is the padding */
} lane_walk;

static void skip_empty(lane_walk *l) {
  while (l->part < 3 && l->off == l->job->parts[l->part].len) l->part++, l->off = 0;
}

/* Makes at least one block ready. */
static void refill(lane_walk *l) {
  skip_empty(l);
  if (l->part < 3) {
    const ipfsa_bytes *p = &l->job->parts[l->part];
    size_t whole = (p->len - l->off) / 64;
    if (whole) {
      l->at = p->data + l->off;
      l->n_ready = whole;
      l->off += 64 * whole;
      return;
    }
  }
  size_t used = 0;
  while (used < 64 && l->part < 3) {
    const ipfsa_bytes *p = &l->job->parts[l->part];
    size_t left = p->len - l->off, n = left < 64 - used ? left : 64 - used;
    memcpy(l->staged + used, p->data + l->off, n);
    used += n;
    l->off += n;
    skip_empty(l);
  }
  l->at = l->staged;
  l->n_ready = 1;
  if (used == 64) return;
  l->n_ready = ipfsa_sha256_pad(l->staged, used, l->n_bytes);
  l->closing = true;
}

static void start_job(lane_walk *l, uint32_t state[8], const ipfsa_sha256_job *job) {
  l->job = job;
  l->part = l->off = 0;
  l->closing = false;
  l->n_bytes = 0;
  for (int i = 0; i < 3; i++) l->n_bytes += job->parts[i].len;
  memcpy(state, ipfsa_sha256_iv, sizeof ipfsa_sha256_iv);
  refill(l);
}

typedef struct queue {
  const ipfsa_sha256_job *jobs;
  size_t n, next;
} queue;

/* The lanes of a batch; the first n_live have a job. */
typedef struct lane_set {
  lane_walk walk[IPFSA_SHA256_MAX_LANES];
  uint32_t states[IPFSA_SHA256_MAX_LANES][8];
  size_t n_live;
} lane_set;

/* The last live lane moves into the gap that lane i leaves. */
static void close_gap(lane_set *set, size_t i) {
  lane_walk *last = &set->walk[--set->n_live];
  if (i == set->n_live) return;
  lane_walk *gap = &set->walk[i];
  bool staged = last->at >= last->staged && last->at < last->staged + sizeof last->staged;
  ptrdiff_t off = staged ? last->at - last->staged : 0;
  *gap = *last;
  if (staged) gap->at = gap->staged + off;
  memcpy(set->states[i], set->states[set->n_live], sizeof set->states[i]);
}

/* After n blocks: what is next for lane i. False: its job is done and none is left for it. */
static bool advance(lane_set *set, size_t i, size_t n, queue *q) {
  lane_walk *l = &set->walk[i];
  l->at += 64 * n;
  l->n_ready -= n;
  if (l->n_ready) return true;
  if (!l->closing) {
    refill(l);
    return true;
  }
  ipfsa_sha256_store(set->states[i], l->job->digest);
  if (q->next == q->n) return false;
  start_job(l, set->states[i], &q->jobs[q->next++]);
  return true;
}

/* Runs kernel k over the first lanes until fewer than min_live have work; lanes past the kernel's width wait. */
static void run_kernel(const ipfsa_sha256_kernel *k, size_t min_live, lane_set *set, queue *q) {
  const uint8_t *data[IPFSA_SHA256_MAX_LANES];
  while (set->n_live >= min_live && set->n_live > 0) {
    size_t n = SIZE_MAX, active = set->n_live < k->lanes ? set->n_live : k->lanes;
    for (size_t i = 0; i < active; i++) {
      if (set->walk[i].n_ready < n) n = set->walk[i].n_ready;
      data[i] = set->walk[i].at;
    }
    for (size_t i = active; i < k->lanes; i++) data[i] = data[0]; /* idle: computed and thrown away */
    k->compress(set->states, data, n);
    for (size_t i = active; i-- > 0;) /* downwards: what moves into a gap has already advanced, or waits */
      if (!advance(set, i, n, q)) close_gap(set, i);
  }
}

void ipfsa_sha256_batch_by(const ipfsa_sha256_plan *p, const ipfsa_sha256_job *jobs, size_t n_jobs) {
  queue q = {jobs, n_jobs, 0};
  lane_set set;
  memset(set.states, 0, sizeof set.states);
  const ipfsa_sha256_kernel *k = n_jobs >= p->min_live ? p->wide : p->pair ? p->pair : p->single;
  for (set.n_live = 0; set.n_live < k->lanes && q.next < n_jobs; set.n_live++)
    start_job(&set.walk[set.n_live], set.states[set.n_live], &q.jobs[q.next++]);
  if (k == p->wide) run_kernel(k, p->min_live, &set, &q);
  if (p->pair) run_kernel(p->pair, 2, &set, &q);
  run_kernel(p->single, 1, &set, &q);
}

void ipfsa_sha256_batch(const ipfsa_sha256_job *jobs, size_t n_jobs) {
  ipfsa_sha256_batch_by(ipfsa_sha256_plan_for(n_jobs), jobs, n_jobs);
}
