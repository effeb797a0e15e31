#include "unixfs/clone.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "hash/hash.h"

#define PAGE 4096            /* file systems share whole blocks; theirs are of this size or refuse */
#define MAX_BATCH 256        /* leaves shared before they are hashed */
#define GROUP IPFSA_MAX_GET_MANY
#define GROUP_BYTES (4u << 20) /* of leaves that are hashed together */
#define MAX_RUNNING 6        /* groups read and hashed at a time: 24 MiB */

typedef struct clone_run clone_run;

/* Leaves that a worker hashes together, out of the new file. */
typedef struct clone_group {
  ipfsa_task task;
  clone_run *run;
  const ipfsa_place *places;
  size_t n;
  uint64_t off, len; /* in the file */
  bool good;
} clone_group;

struct clone_run {
  ipfsa_blockstore *bs;
  ipfsa_span_map *spans;
  uint64_t size;
  int fd;
  ipfsa_pool *pool;
  ipfsa_place places[MAX_BATCH];
  size_t n;
  clone_group groups[MAX_BATCH];
  pthread_mutex_t lock;
  pthread_cond_t finished;
  size_t n_running;
};

/* The bytes that the file now has are the ones that are hashed, not those of the pack they came from. */
static bool hash_group(const clone_group *g) {
  ipfsa_sha256_job jobs[GROUP];
  uint8_t digests[GROUP][32], prefixes[GROUP][32], suffixes[GROUP][32];
  uint8_t *data = NULL;
  size_t off = 0, got = 0;
  ipfsa_refbuf *owner = ipfsa_refbuf_new((size_t)g->len, &data); /* read and not mapped: who cuts the file short must not end this process */
  bool good = owner && ipfsa_fs_read_at(g->run->fd, data, (size_t)g->len, g->off, &got, NULL) == IPFSA_OK && got == g->len;
  if (!good) return ipfsa_refbuf_unref(owner), false;
  for (size_t i = 0; i < g->n; off += g->places[i++].len) {
    size_t prefix_len, suffix_len;
    ipfsa_leaf_wrap(g->places[i].kind, g->places[i].len, prefixes[i], &prefix_len, suffixes[i], &suffix_len);
    jobs[i] = (ipfsa_sha256_job){{{prefixes[i], prefix_len}, {data + off, g->places[i].len}, {suffixes[i], suffix_len}}, digests[i]};
  }
  ipfsa_sha256_batch(jobs, g->n);
  ipfsa_refbuf_unref(owner);
  for (size_t i = 0; i < g->n; i++) good = good && memcmp(digests[i], g->places[i].digest, 32) == 0;
  return good;
}

static void run_group(ipfsa_task *task) {
  clone_group *g = (clone_group *)task;
  g->good = hash_group(g);
  pthread_mutex_lock(&g->run->lock);
  g->run->n_running--;
  pthread_cond_signal(&g->run->finished);
  pthread_mutex_unlock(&g->run->lock);
}

static void start_group(clone_run *run, clone_group *g) {
  pthread_mutex_lock(&run->lock);
  while (run->n_running == MAX_RUNNING) pthread_cond_wait(&run->finished, &run->lock);
  run->n_running++;
  pthread_mutex_unlock(&run->lock);
  if (run->pool) ipfsa_pool_submit(run->pool, &g->task);
  else run_group(&g->task);
}

static bool verify_batch(clone_run *run, uint64_t off) {
  size_t n_groups = 0;
  bool good = true;
  for (size_t i = 0; i < run->n;) {
    clone_group *g = &run->groups[n_groups++];
    *g = (clone_group){.task = {.run = run_group}, .run = run, .places = run->places + i, .off = off};
    for (; i < run->n && g->n < GROUP && (g->n == 0 || g->len + run->places[i].len <= GROUP_BYTES); i++, g->n++) g->len += run->places[i].len;
    off += g->len;
    start_group(run, g);
  }
  pthread_mutex_lock(&run->lock);
  while (run->n_running) pthread_cond_wait(&run->finished, &run->lock);
  pthread_mutex_unlock(&run->lock);
  for (size_t i = 0; i < n_groups; i++) good = good && run->groups[i].good;
  return good;
}

/* The next leaves of the file that are whole pages on page borders in their pack. */
static uint64_t gather_batch(clone_run *run, uint64_t off) {
  uint64_t len = 0;
  for (run->n = 0; run->n < MAX_BATCH && off + len < run->size;) {
    const ipfsa_span *span = ipfsa_span_map_find(run->spans, off + len);
    if (!span || span->start != off + len || span->place.off % PAGE || span->place.len % PAGE) break;
    run->places[run->n++] = span->place;
    len += span->place.len;
  }
  return len;
}

/* What lies together is shared in one call. */
static ipfsa_status share_batch(clone_run *run, uint64_t off) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0, end; status == IPFSA_OK && i < run->n; i = end) {
    ipfsa_place at = run->places[i];
    uint64_t len = at.len;
    for (end = i + 1; end < run->n && run->places[end].pack == at.pack && run->places[end].off == at.off + len; end++) len += run->places[end].len;
    status = ipfsa_blockstore_share(run->bs, &at, len, run->fd, off, NULL);
    off += len;
  }
  return status;
}

bool ipfsa_clone_is_off(void) {
  const char *wish = getenv("IPFSA_REFLINK");
  return wish && strcmp(wish, "off") == 0;
}

uint64_t ipfsa_clone_file(ipfsa_blockstore *bs, const ipfsa_cid *file, uint64_t size, int fd, ipfsa_pool *pool, const ipfsa_clone_told *told,
                          bool *ret_refused) {
  uint64_t done = 0, len;
  if (ipfsa_clone_is_off()) return 0;
  clone_run *run = ipfsa_calloc(1, sizeof *run);
  if (!run || ipfsa_span_map_new(bs, file, size, &run->spans, NULL) != IPFSA_OK) return ipfsa_free(run), 0;
  run->bs = bs;
  run->size = size;
  run->fd = fd;
  run->pool = pool;
  pthread_mutex_init(&run->lock, NULL);
  pthread_cond_init(&run->finished, NULL);
  while ((len = gather_batch(run, done)) > 0) {
    ipfsa_status status = share_batch(run, done);
    if (status == IPFSA_E_NOT_SUPPORTED) *ret_refused = true;
    if (status || !verify_batch(run, done)) break;
    done += len;
    if (told->more(told->ctx, len)) break;
  }
  pthread_cond_destroy(&run->finished);
  pthread_mutex_destroy(&run->lock);
  ipfsa_span_map_free(run->spans);
  ipfsa_free(run);
  return done;
}
