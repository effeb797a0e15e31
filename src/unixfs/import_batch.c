/* Small files in batches. Their bytes stand one behind the other in one buffer: leaves that the store writes as they are from page borders on. */
#include <fcntl.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "unixfs/importer_inside.h"

#define PAGED_FILE 16384 /* bytes; files from here on begin on a page border */

struct ipfsa_import_batch {
  ipfsa_task task;
  ipfsa_importer *importer;
  ipfsa_leaf_buffer b;
  ipfsa_batch_file files[IPFSA_MAX_BATCH_FILES];
  size_t n;
  uint64_t bytes;
  uint64_t ticket; /* of the writes from b */
  pthread_mutex_t lock;
  pthread_cond_t finished;
  bool started, done;
};

ipfsa_status ipfsa_import_batch_new(ipfsa_importer *importer, ipfsa_import_batch **ret, ipfsa_error *err) {
  ipfsa_import_batch *b = ipfsa_calloc(1, sizeof *b);
  if (!b) return ipfsa_fail_nomem(err);
  b->importer = importer;
  ipfsa_leaf_buffer_init(&b->b, ipfsa_importer_params(importer));
  pthread_mutex_init(&b->lock, NULL);
  pthread_cond_init(&b->finished, NULL);
  *ret = b;
  return IPFSA_OK;
}

void ipfsa_import_batch_free(ipfsa_import_batch *b) {
  if (!b) return;
  ipfsa_import_batch_wait(b);
  (void)ipfsa_importer_settle(b->importer, &b->ticket, NULL); /* what failed, the commit told or will tell */
  ipfsa_leaf_buffer_release(&b->b);
  pthread_cond_destroy(&b->finished);
  pthread_mutex_destroy(&b->lock);
  ipfsa_free(b);
}

void ipfsa_import_batch_clear(ipfsa_import_batch *b) {
  b->n = 0;
  b->bytes = 0;
}

size_t ipfsa_import_batch_add(ipfsa_import_batch *b, int dirfd, const char *name, bool follow) {
  b->files[b->n] = (ipfsa_batch_file){.dirfd = dirfd, .name = name, .follow = follow};
  return b->n++;
}

ipfsa_batch_file *ipfsa_import_batch_file(ipfsa_import_batch *b, size_t i) { return &b->files[i]; }
uint64_t ipfsa_import_batch_bytes(const ipfsa_import_batch *b) { return b->bytes; }

/* ---- in the worker ---- */

/* The whole file at b.len, its leaves behind the others. False: left to the caller, who will see why. */
static bool read_file(ipfsa_import_batch *b, ipfsa_batch_file *f, int fd) {
  ipfsa_leaf_buffer *leaves = &b->b;
  if (ipfsa_fs_fstat(fd, &f->st, NULL) != IPFSA_OK || !S_ISREG(f->st.st_mode)) return false;
  uint64_t size = (uint64_t)f->st.st_size;
  b->bytes += size;
  size_t start = size < PAGED_FILE ? leaves->len : (leaves->len + IPFSA_LEAF_ALIGNMENT - 1) / IPFSA_LEAF_ALIGNMENT * IPFSA_LEAF_ALIGNMENT;
  if (start >= IPFSA_BATCH_ROOM || size >= IPFSA_BATCH_ROOM - start) return false;
  size_t got = 0, used = 0;
  if (ipfsa_fs_read_once(fd, leaves->room + start, (size_t)size + 1, 0, &got, NULL) != IPFSA_OK || got != size) return false;
  f->first_leaf = leaves->n_leaves;
  bool balanced = ipfsa_importer_params(b->importer)->layout == IPFSA_LAYOUT_BALANCED;
  ipfsa_status status = size == 0 && balanced ? ipfsa_leaf_buffer_add(leaves, start, 0, NULL)
                                              : ipfsa_leaf_buffer_cut(leaves, start, (size_t)size, true, &used, NULL);
  f->n_leaves = leaves->n_leaves - f->first_leaf;
  if (status || used != size) {
    leaves->n_leaves = f->first_leaf;
    return false;
  }
  memset(leaves->room + leaves->len, 0, start - leaves->len);
  leaves->len = start + (size_t)size;
  return true;
}

static void work(ipfsa_import_batch *b) {
  bool room = ipfsa_leaf_buffer_reserve(&b->b, IPFSA_BATCH_ROOM, false, NULL) == IPFSA_OK;
  for (size_t i = 0; room && i < b->n; i++) {
    ipfsa_batch_file *f = &b->files[i];
    ipfsa_error err = {0};
    IPFSA_AUTO_FD int fd = ipfsa_fs_open(f->dirfd, f->name, O_RDONLY | O_NONBLOCK | (f->follow ? 0 : O_NOFOLLOW), 0, &err);
    f->is_read = fd >= 0 && read_file(b, f, fd);
  }
  if (room && ipfsa_leaf_buffer_hash(&b->b, NULL) == IPFSA_OK) return;
  for (size_t i = 0; i < b->n; i++) b->files[i].is_read = false;
}

static void run_task(ipfsa_task *task) {
  ipfsa_import_batch *b = (ipfsa_import_batch *)task;
  work(b);
  pthread_mutex_lock(&b->lock);
  b->done = true;
  pthread_cond_signal(&b->finished);
  pthread_mutex_unlock(&b->lock);
}

/* ---- in the caller ---- */

void ipfsa_import_batch_start(ipfsa_import_batch *b) {
  ipfsa_pool *pool = ipfsa_importer_pool(b->importer);
  b->task.run = run_task;
  (void)ipfsa_importer_settle(b->importer, &b->ticket, NULL); /* a write that failed fails the commit */
  b->done = b->n == 0;
  b->started = true;
  if (b->done) return;
  if (pool) ipfsa_pool_submit(pool, &b->task);
  else run_task(&b->task);
}

void ipfsa_import_batch_wait(ipfsa_import_batch *b) {
  if (!b->started) return;
  pthread_mutex_lock(&b->lock);
  while (!b->done) pthread_cond_wait(&b->finished, &b->lock);
  pthread_mutex_unlock(&b->lock);
  b->started = false;
}

static ipfsa_status store(ipfsa_import_batch *b, size_t first, size_t end, ipfsa_error *err) {
  uint64_t ticket = 0;
  ipfsa_status status = ipfsa_importer_store(b->importer, &b->b, first, end - first, NULL, NULL, &ticket, err);
  if (ticket) b->ticket = ticket; /* they rise: the last one covers those before */
  return status;
}

ipfsa_status ipfsa_import_batch_store(ipfsa_import_batch *b, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  size_t first = 0, end = 0; /* a stretch of leaves to store together */
  for (size_t i = 0; status == IPFSA_OK && i < b->n; i++) {
    const ipfsa_batch_file *f = &b->files[i];
    if (!f->is_read || f->n_leaves == 0) continue;
    bool apart = ipfsa_importer_carries_meta(b->importer, &f->meta, f->n_leaves);
    if (!apart) end = f->first_leaf + f->n_leaves;
    else if (end > first) status = store(b, first, end, err);
    if (apart) first = end = f->first_leaf + f->n_leaves;
  }
  return status == IPFSA_OK && end > first ? store(b, first, end, err) : status;
}

ipfsa_status ipfsa_import_batch_build(ipfsa_import_batch *b, size_t i, ipfsa_dag_ref *ret, ipfsa_error *err) {
  const ipfsa_batch_file *f = &b->files[i];
  return ipfsa_importer_build(b->importer, &b->b, f->first_leaf, f->n_leaves, &f->meta, ret, err);
}
