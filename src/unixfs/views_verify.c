/* Leaves hashed where they are mapped, sixteen at a time, by the caller and the threads of the pool. */
#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "hash/hash.h"
#include "unixfs/views_inside.h"

#define BATCH 16             /* leaves hashed together: lanes of the widest kernel */
#define AHEAD 4              /* batches: the disk reads that far ahead of what is hashed */
#define MAX_HELPERS 64       /* threads beside the caller's */
#define WORTH_WORKERS (2u << 20) /* bytes; below, waking threads takes longer than hashing */

typedef struct run {
  const ipfsa_view_image *img;
  ipfsa_view_piece *const *todo;
  size_t n, next; /* next: the first that nobody took */
  size_t batch;   /* leaves taken at a time */
  ipfsa_view_piece *bad;
  pthread_mutex_t lock;
  pthread_cond_t finished;
  unsigned n_running;
} run;

typedef struct helper {
  ipfsa_task task;
  run *run;
} helper;

static void will_need(const ipfsa_view_image *img, const ipfsa_view_piece *p) {
  const uint8_t *at = ipfsa_view_at(img, p->map_from);
  size_t len = (size_t)(p->map_to - p->map_from);
  if (len && !ipfsa_fs_is_present(at + len - 1)) ipfsa_fs_map_will_need(at, len);
}

/* Asks for leaves behind the batch at hand where they are not in memory. */
static void read_ahead(const run *r, size_t from) {
  for (size_t i = from; i < r->n && i < from + (size_t)AHEAD * BATCH; i++) will_need(r->img, r->todo[i]);
}

/* The same for what is likely to be asked for next. */
static void read_on(const ipfsa_view_image *img, const ipfsa_view_piece *last, uint64_t ahead) {
  for (const ipfsa_view_piece *p = last + 1; p < img->pieces + img->n && p->start < last->end + ahead; p++)
    if (!p->ready) will_need(img, p);
}

/* Its bytes outside of map_from and map_to were copied before; all of it is one range of addresses. */
static bool bring_in(const run *r, const ipfsa_view_piece *p) {
  return ipfsa_fs_populate(ipfsa_view_at(r->img, p->map_from), (size_t)(p->map_to - p->map_from));
}

static void hash_batch(run *r, size_t from, size_t to) {
  uint8_t wraps[BATCH][64], digests[BATCH][32];
  ipfsa_sha256_job jobs[BATCH];
  ipfsa_view_piece *pieces[BATCH], *bad = NULL;
  size_t n = 0;
  for (size_t i = from; i < to; i++) {
    ipfsa_view_piece *p = r->todo[i];
    size_t prefix_len, suffix_len;
    if (!bring_in(r, p)) {
      bad = p;
      continue;
    }
    ipfsa_leaf_wrap(p->place.kind, p->place.len, wraps[n], &prefix_len, wraps[n] + 32, &suffix_len);
    jobs[n] = (ipfsa_sha256_job){{{wraps[n], prefix_len}, {ipfsa_view_at(r->img, p->start), p->place.len}, {wraps[n] + 32, suffix_len}}, digests[n]};
    pieces[n++] = p;
  }
  if (n) ipfsa_sha256_batch(jobs, n);
  for (size_t i = 0; i < n; i++) {
    pieces[i]->ready = memcmp(digests[i], pieces[i]->place.digest, 32) == 0;
    if (!pieces[i]->ready) bad = pieces[i];
  }
  if (bad) __atomic_store_n(&r->bad, bad, __ATOMIC_RELEASE);
}

static void work(run *r) {
  for (size_t at; !__atomic_load_n(&r->bad, __ATOMIC_ACQUIRE) && (at = __atomic_fetch_add(&r->next, r->batch, __ATOMIC_RELAXED)) < r->n;) {
    read_ahead(r, at);
    hash_batch(r, at, at + r->batch < r->n ? at + r->batch : r->n);
  }
}

static void help(ipfsa_task *task) {
  run *r = ((helper *)task)->run;
  work(r);
  pthread_mutex_lock(&r->lock);
  r->n_running--;
  pthread_cond_signal(&r->finished);
  pthread_mutex_unlock(&r->lock);
}

/* How many threads beside this one, and how much each takes: full lanes where there is enough for all. */
static unsigned share_out(run *r, const ipfsa_pool *pool) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < r->n && bytes < WORTH_WORKERS; i++) bytes += r->todo[i]->place.len;
  size_t n = pool && bytes >= WORTH_WORKERS ? ipfsa_pool_n_threads(pool) : 1;
  if (n > MAX_HELPERS + 1) n = MAX_HELPERS + 1;
  if (n > r->n) n = r->n;
  r->batch = (r->n + n - 1) / n;
  if (r->batch > BATCH) r->batch = BATCH;
  return (unsigned)n - 1;
}

ipfsa_status ipfsa_views_verify(const ipfsa_view_image *img, ipfsa_view_piece *const *todo, size_t n, uint64_t ahead, ipfsa_pool *pool,
                                ipfsa_view_piece **ret_bad, ipfsa_error *err) {
  run r = {.img = img, .todo = todo, .n = n};
  unsigned n_helpers = share_out(&r, pool);
  IPFSA_AUTO_FREE helper *helpers = ipfsa_calloc(n_helpers + 1, sizeof *helpers);
  if (!helpers) return ipfsa_fail_nomem(err);
  pthread_mutex_init(&r.lock, NULL);
  pthread_cond_init(&r.finished, NULL);
  r.n_running = n_helpers;
  for (unsigned i = 0; i < n_helpers; i++) {
    helpers[i] = (helper){{.run = help}, &r};
    ipfsa_pool_submit(pool, &helpers[i].task);
  }
  read_on(img, todo[n - 1], ahead); /* the others work already */
  work(&r);
  pthread_mutex_lock(&r.lock);
  while (r.n_running) pthread_cond_wait(&r.finished, &r.lock);
  pthread_mutex_unlock(&r.lock);
  pthread_cond_destroy(&r.finished);
  pthread_mutex_destroy(&r.lock);
  *ret_bad = r.bad;
  return IPFSA_OK;
}
