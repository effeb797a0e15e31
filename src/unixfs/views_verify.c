/* Leaves looked at where they lie, sixteen at a time, by the caller and the threads of the pool, while one of them reads ahead. What the store knows as verified
 * is not hashed again. */
#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "hash/hash.h"
#include "unixfs/views_inside.h"

#define BATCH IPFSA_MAX_GET_MANY        /* leaves hashed together: lanes of the widest kernel */
#define AHEAD ((uint64_t)64 << 20)      /* bytes that the disk may be ahead of what is hashed */
#define STEP ((uint64_t)8 << 20)        /* bytes read at once there */
#define MAX_HELPERS 64                  /* threads beside the caller's */
#define WORTH_WORKERS (2u << 20)        /* bytes; below, waking threads takes longer than hashing */

/* Lives until the last helper let go of it: one that comes late finds nothing to do and does not keep the caller. */
typedef struct run {
  ipfsa_blockstore *bs;
  const ipfsa_view_image *img;
  ipfsa_view_piece *const *todo; /* of the caller: touched by those who took a part of it */
  size_t n, next; /* next: the first that nobody took */
  size_t batch;   /* leaves taken at a time */
  ipfsa_view_piece *bad;
  bool stopped; /* by who was asked */
  pthread_mutex_t lock;
  pthread_cond_t moved; /* n_done or n_readers changed */
  size_t n_done;
  unsigned n_readers, refs;
} run;

typedef struct helper {
  ipfsa_task task;
  run *run;
} helper;

/* ---- over the image: where the store cannot tell ---- */

/* Its bytes outside of map_from and map_to were copied before; all of it is one range of addresses. */
static bool bring_in(const run *r, const ipfsa_view_piece *p) {
  return ipfsa_fs_populate(ipfsa_view_at(r->img, p->map_from), (size_t)(p->map_to - p->map_from), r->img->page_map);
}

static void hash_image(run *r, ipfsa_view_piece *const *todo, size_t n_todo) {
  uint8_t wraps[BATCH][64], digests[BATCH][32];
  ipfsa_sha256_job jobs[BATCH];
  ipfsa_view_piece *pieces[BATCH], *bad = NULL;
  size_t n = 0;
  for (size_t i = 0; i < n_todo; i++) {
    ipfsa_view_piece *p = todo[i];
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

/* ---- in the store ---- */

/* Of one pack, up to a batch. */
static size_t group_of(ipfsa_view_piece *const *todo, size_t n, const ipfsa_place **ret) {
  size_t len = 0;
  for (; len < n && len < BATCH && todo[len]->place.pack == todo[0]->place.pack; len++) ret[len] = &todo[len]->place;
  return len;
}

static size_t check_group(ipfsa_blockstore *bs, ipfsa_view_piece *const *todo, size_t n, bool hash, size_t *ret_good) {
  const ipfsa_place *places[BATCH];
  bool good[BATCH];
  size_t len = group_of(todo, n, places);
  ipfsa_blockstore_check_places(bs, places, len, hash, good);
  *ret_good = 0;
  for (size_t i = 0; i < len; i++) {
    todo[i]->ready = good[i];
    *ret_good += good[i];
  }
  return len;
}

/* What was just hashed will be looked at: its pages get their entries here, several at once and by all threads, rather than one fault after the other by who looks. */
static void show_pages(const run *r, size_t from, size_t to) {
  for (size_t i = from, end; i < to; i = end) {
    const ipfsa_view_piece *p = r->todo[i];
    uint64_t map_to = p->map_to;
    for (end = i + 1; end < to && r->todo[end]->ready && r->todo[end]->map_from == map_to; end++) map_to = r->todo[end]->map_to;
    if (p->ready && p->map_from < map_to) (void)ipfsa_fs_populate(ipfsa_view_at(r->img, p->map_from), (size_t)(map_to - p->map_from), r->img->page_map);
  }
}

static void verify_batch(run *r, size_t from, size_t to) {
  ipfsa_view_piece *left[BATCH];
  size_t n = 0;
  for (size_t good = 0, len; from < to; from += len) {
    len = check_group(r->bs, r->todo + from, to - from, true, &good);
    if (good) show_pages(r, from, from + len);
    for (size_t i = from; good < len && i < from + len; i++)
      if (!r->todo[i]->ready) left[n++] = r->todo[i];
  }
  if (n) hash_image(r, left, n);
}

/* Those in front that are known; the first that is not, most likely the rest is not either. */
static size_t skip_known(ipfsa_blockstore *bs, ipfsa_view_piece *const *todo, size_t n) {
  size_t done = 0, good = 0, len;
  for (; done < n; done += len) {
    len = check_group(bs, todo + done, n - done, false, &good);
    if (good < len) break;
  }
  return done;
}

/* ---- threads ---- */

static void tell(run *r, size_t n_done, unsigned n_readers) {
  pthread_mutex_lock(&r->lock);
  r->n_done += n_done;
  r->n_readers -= n_readers;
  pthread_cond_broadcast(&r->moved);
  pthread_mutex_unlock(&r->lock);
}

static bool is_over(const run *r) { return __atomic_load_n(&r->bad, __ATOMIC_ACQUIRE) || __atomic_load_n(&r->stopped, __ATOMIC_RELAXED); }

/* ask: NULL but in the thread that makes the view. */
static void work(run *r, ipfsa_view_ask *ask) {
  for (size_t at; (at = __atomic_fetch_add(&r->next, r->batch, __ATOMIC_RELAXED)) < r->n;) {
    size_t end = at + r->batch < r->n ? at + r->batch : r->n;
    if (!is_over(r)) verify_batch(r, at, end);
    if (ask && !is_over(r) && ipfsa_view_is_stopped(ask, r->todo[end - 1]->end)) __atomic_store_n(&r->stopped, true, __ATOMIC_RELAXED);
    tell(r, end - at, 0);
  }
}

static void let_go(run *r) {
  if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL)) return;
  pthread_cond_destroy(&r->moved);
  pthread_mutex_destroy(&r->lock);
  ipfsa_free(r);
}

static void help(ipfsa_task *task) {
  helper *h = (helper *)task;
  work(h->run, NULL);
  let_go(h->run);
  ipfsa_free(h);
}

/* Leaves from i on that lie together, up to a step. */
static size_t stretch_from(const run *r, size_t i, uint64_t *ret_len) {
  size_t end = i + 1;
  uint64_t len = r->todo[i]->place.len;
  for (; end < r->n && len < STEP && ipfsa_place_follows(&r->todo[end - 1]->place, &r->todo[end]->place); end++) len += r->todo[end]->place.len;
  *ret_len = len;
  return end;
}

/* Ahead of those who hash, not further than memory is worth. False: all is taken. */
static bool may_read(run *r, size_t i) {
  pthread_mutex_lock(&r->lock);
  for (;;) {
    size_t next = __atomic_load_n(&r->next, __ATOMIC_RELAXED);
    bool all = next >= r->n || is_over(r);
    if (all || i <= next || r->todo[i]->start - r->todo[next]->start < AHEAD) break;
    pthread_cond_wait(&r->moved, &r->lock);
  }
  bool more = __atomic_load_n(&r->next, __ATOMIC_RELAXED) < r->n && !is_over(r);
  pthread_mutex_unlock(&r->lock);
  return more;
}

static void read_for(ipfsa_task *task) {
  helper *h = (helper *)task;
  run *r = h->run;
  for (size_t i = 0; i < r->n && may_read(r, i);) {
    uint64_t len;
    size_t next = __atomic_load_n(&r->next, __ATOMIC_RELAXED), end = stretch_from(r, i, &len);
    if (end > next) ipfsa_blockstore_read_ahead(r->bs, &r->todo[i]->place, len); /* what is taken is read by those who took it */
    i = end;
  }
  tell(r, 0, 1);
  let_go(r);
  ipfsa_free(h);
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

static bool submit(run *r, ipfsa_pool *pool, void (*what)(ipfsa_task *)) {
  helper *h = ipfsa_malloc(sizeof *h);
  if (!h) return false; /* fewer then */
  *h = (helper){{.run = what}, r};
  __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
  ipfsa_pool_submit(pool, &h->task);
  return true;
}

static void wait_for_all(run *r) {
  pthread_mutex_lock(&r->lock);
  while (r->n_done < r->n || r->n_readers) pthread_cond_wait(&r->moved, &r->lock);
  pthread_mutex_unlock(&r->lock);
}

ipfsa_status ipfsa_views_verify(ipfsa_blockstore *bs, const ipfsa_view_image *img, ipfsa_view_piece *const *todo, size_t n, ipfsa_pool *pool,
                                ipfsa_view_ask *ask, const ipfsa_view_begun *begun, ipfsa_view_piece **ret_bad, ipfsa_error *err) {
  size_t known = skip_known(bs, todo, n);
  *ret_bad = NULL;
  if (known == n) return IPFSA_OK;
  run *r = ipfsa_calloc(1, sizeof *r);
  if (!r) return ipfsa_fail_nomem(err);
  *r = (run){.bs = bs, .img = img, .todo = todo + known, .n = n - known, .refs = 1};
  unsigned n_helpers = share_out(r, pool);
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->moved, NULL);
  if (n_helpers && r->n > n_helpers * r->batch) {
    r->n_readers = 1;
    if (!submit(r, pool, read_for)) r->n_readers = 0;
  }
  for (unsigned i = 0; i < n_helpers; i++) (void)submit(r, pool, help);
  begun->tell(begun->ctx);
  work(r, ask);
  wait_for_all(r);
  bool stopped = r->stopped;
  *ret_bad = r->bad;
  let_go(r);
  return stopped && !*ret_bad ? ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}
