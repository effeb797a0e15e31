#include "unixfs/prefetch.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"

#define GROUP_BYTES (4u << 20)  /* 16 leaves of 256 KiB: small enough for the processor's cache, so that hashing reads no memory */
#define LARGE_BYTES (8u << 20)  /* the same for larger leaves: fewer lanes, but still several */
#define MAX_BYTES (24u << 20)   /* under way and not taken */
#define MAX_GROUPS (IPFSA_MAX_PREFETCH / IPFSA_MAX_GET_MANY)

typedef struct group {
  ipfsa_task task;
  ipfsa_prefetch *owner;
  ipfsa_cid cids[IPFSA_MAX_GET_MANY];
  ipfsa_block blocks[IPFSA_MAX_GET_MANY];
  size_t n, n_got, n_taken; /* n_got: blocks there are; the one behind them failed */
  uint64_t bytes;
  bool submitted, done;
  ipfsa_status status;
  ipfsa_error err;
} group;

struct ipfsa_prefetch {
  ipfsa_blockstore *bs;
  ipfsa_pool *pool;
  bool once;
  pthread_mutex_t lock;
  pthread_cond_t finished;
  group groups[MAX_GROUPS]; /* a ring, oldest first; the last may be open for more */
  size_t head, n_groups;
  uint64_t bytes;
};

ipfsa_status ipfsa_prefetch_new(ipfsa_blockstore *bs, ipfsa_pool *pool, bool once, ipfsa_prefetch **ret, ipfsa_error *err) {
  ipfsa_prefetch *p = ipfsa_calloc(1, sizeof *p);
  if (!p) return ipfsa_fail_nomem(err);
  p->bs = bs;
  p->pool = pool;
  p->once = once;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->finished, NULL);
  *ret = p;
  return IPFSA_OK;
}

static void run_group(ipfsa_task *task) {
  group *g = (group *)task;
  while (g->n_got < g->n && g->status == IPFSA_OK) {
    size_t n = 0;
    g->status = ipfsa_blockstore_get_many(g->owner->bs, g->cids + g->n_got, g->n - g->n_got, g->owner->once, g->blocks + g->n_got, &n, &g->err);
    if (g->status == IPFSA_OK) g->n_got += n;
  }
  pthread_mutex_lock(&g->owner->lock);
  g->done = true;
  pthread_cond_signal(&g->owner->finished);
  pthread_mutex_unlock(&g->owner->lock);
}

static size_t last_at(const ipfsa_prefetch *p) { return (p->head + p->n_groups - 1) % MAX_GROUPS; }
static group *last_group(ipfsa_prefetch *p) { return p->n_groups ? &p->groups[last_at(p)] : NULL; }

static void submit(ipfsa_prefetch *p, group *g) {
  if (g->submitted) return;
  g->submitted = true;
  ipfsa_pool_submit(p->pool, &g->task);
}

bool ipfsa_prefetch_has_room(const ipfsa_prefetch *p) {
  return (p->n_groups && !p->groups[last_at(p)].submitted) || (p->n_groups < MAX_GROUPS && p->bytes < MAX_BYTES);
}

void ipfsa_prefetch_ask(ipfsa_prefetch *p, const ipfsa_cid *cid, uint64_t size) {
  group *g = last_group(p);
  if (!g || g->submitted) {
    g = &p->groups[(p->head + p->n_groups++) % MAX_GROUPS];
    g->task = (ipfsa_task){.run = run_group};
    g->owner = p;
    g->n = g->n_got = g->n_taken = 0;
    g->bytes = 0;
    g->submitted = g->done = false;
    g->status = IPFSA_OK;
    g->err = (ipfsa_error){0};
  }
  if (size > IPFSA_MAX_BLOCK) size = IPFSA_MAX_BLOCK; /* what the parent says may be a lie; no block is larger */
  g->cids[g->n++] = *cid;
  g->bytes += size;
  p->bytes += size;
  uint64_t limit = size * IPFSA_MAX_GET_MANY > GROUP_BYTES ? LARGE_BYTES : GROUP_BYTES;
  if (g->n == IPFSA_MAX_GET_MANY || g->bytes + size > limit) submit(p, g);
}

void ipfsa_prefetch_flush(ipfsa_prefetch *p) {
  group *g = last_group(p);
  if (g) submit(p, g);
}

/* Runs a group that no worker has begun with: sleeping and waking would cost a tenth of what a processor does. */
static bool help(ipfsa_prefetch *p) {
  for (size_t i = 0; i < p->n_groups; i++) {
    group *g = &p->groups[(p->head + i) % MAX_GROUPS];
    if (!g->submitted || !ipfsa_pool_take_back(p->pool, &g->task)) continue;
    run_group(&g->task);
    return true;
  }
  return false;
}

static group *wait_oldest(ipfsa_prefetch *p) {
  group *g = &p->groups[p->head];
  submit(p, g);
  pthread_mutex_lock(&p->lock);
  while (!g->done) {
    pthread_mutex_unlock(&p->lock);
    bool helped = help(p);
    pthread_mutex_lock(&p->lock);
    if (!helped && !g->done) pthread_cond_wait(&p->finished, &p->lock);
  }
  pthread_mutex_unlock(&p->lock);
  return g;
}

static void end_oldest(ipfsa_prefetch *p) {
  p->bytes -= p->groups[p->head].bytes;
  p->head = (p->head + 1) % MAX_GROUPS;
  p->n_groups--;
}

ipfsa_status ipfsa_prefetch_take(ipfsa_prefetch *p, ipfsa_block *ret, ipfsa_error *err) {
  group *g = wait_oldest(p);
  if (g->n_taken >= g->n_got) { /* it failed, and so does whoever asks again */
    if (err) *err = g->err;
    return g->status;
  }
  *ret = g->blocks[g->n_taken++];
  if (g->n_taken == g->n) end_oldest(p);
  return IPFSA_OK;
}

void ipfsa_prefetch_drop(ipfsa_prefetch *p) {
  while (p && p->n_groups) {
    group *g = last_group(p);
    if (!g->submitted) g->n = 0, g->done = g->submitted = true;
    g = wait_oldest(p);
    while (g->n_taken < g->n_got) ipfsa_block_release(&g->blocks[g->n_taken++]);
    end_oldest(p);
  }
}

void ipfsa_prefetch_free(ipfsa_prefetch *p) {
  if (!p) return;
  ipfsa_prefetch_drop(p);
  pthread_cond_destroy(&p->finished);
  pthread_mutex_destroy(&p->lock);
  ipfsa_free(p);
}
