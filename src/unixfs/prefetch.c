#include "unixfs/prefetch.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"

#define MAX_AHEAD 6 /* blocks of at most 2 MiB: 12 MiB */

typedef struct slot {
  ipfsa_task task;
  ipfsa_prefetch *owner;
  ipfsa_cid cid;
  ipfsa_block block;
  ipfsa_status status;
  ipfsa_error err;
  bool done;
} slot;

struct ipfsa_prefetch {
  ipfsa_blockstore *bs;
  ipfsa_pool *pool;
  pthread_mutex_t lock;
  pthread_cond_t finished;
  slot slots[MAX_AHEAD];
  size_t head, n; /* ring of blocks asked for, oldest first */
};

ipfsa_status ipfsa_prefetch_new(ipfsa_blockstore *bs, ipfsa_pool *pool, ipfsa_prefetch **ret, ipfsa_error *err) {
  ipfsa_prefetch *p = ipfsa_calloc(1, sizeof *p);
  if (!p) return ipfsa_fail_nomem(err);
  p->bs = bs;
  p->pool = pool;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->finished, NULL);
  *ret = p;
  return IPFSA_OK;
}

static void run_slot(ipfsa_task *task) {
  slot *s = (slot *)task;
  s->status = ipfsa_blockstore_get(s->owner->bs, &s->cid, &s->block, &s->err);
  pthread_mutex_lock(&s->owner->lock);
  s->done = true;
  pthread_cond_signal(&s->owner->finished);
  pthread_mutex_unlock(&s->owner->lock);
}

static slot *wait_oldest(ipfsa_prefetch *p) {
  slot *s = &p->slots[p->head];
  pthread_mutex_lock(&p->lock);
  while (!s->done) pthread_cond_wait(&p->finished, &p->lock);
  pthread_mutex_unlock(&p->lock);
  p->head = (p->head + 1) % MAX_AHEAD;
  p->n--;
  return s;
}

void ipfsa_prefetch_drop(ipfsa_prefetch *p) {
  while (p && p->n) ipfsa_block_release(&wait_oldest(p)->block);
}

void ipfsa_prefetch_free(ipfsa_prefetch *p) {
  if (!p) return;
  ipfsa_prefetch_drop(p);
  pthread_cond_destroy(&p->finished);
  pthread_mutex_destroy(&p->lock);
  ipfsa_free(p);
}

bool ipfsa_prefetch_has_room(const ipfsa_prefetch *p) { return p->n < MAX_AHEAD; }

void ipfsa_prefetch_ask(ipfsa_prefetch *p, const ipfsa_cid *cid) {
  slot *s = &p->slots[(p->head + p->n) % MAX_AHEAD];
  *s = (slot){.task = {.run = run_slot}, .owner = p, .cid = *cid};
  p->n++;
  ipfsa_pool_submit(p->pool, &s->task);
}

ipfsa_status ipfsa_prefetch_take(ipfsa_prefetch *p, const ipfsa_cid *cid, ipfsa_block *ret, bool *ret_found, ipfsa_error *err) {
  *ret_found = false;
  if (p->n == 0) return IPFSA_OK;
  if (!ipfsa_cid_equal(&p->slots[p->head].cid, cid)) return ipfsa_prefetch_drop(p), IPFSA_OK;
  slot *s = wait_oldest(p);
  *ret_found = true;
  if (s->status && err) *err = s->err;
  if (s->status == IPFSA_OK) *ret = s->block;
  s->block = (ipfsa_block){0};
  return s->status;
}
