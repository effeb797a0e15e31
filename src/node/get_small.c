/* Batches of neighbours are read and hashed together, and whoever has one writes its files: the caller and the workers take them in order from one list. */
#include "node/get_small.h"

#include <pthread.h>

#define BATCH IPFSA_MAX_GET_MANY
#define MAX_WORKERS 16 /* beside the caller; each holds one batch, about IPFSA_GET_MANY_BYTES at most */

typedef struct small_run small_run;

typedef struct small_worker {
  ipfsa_task task;
  small_run *run;
} small_worker;

struct small_run {
  const ipfsa_small_files *files;
  pthread_mutex_t lock; /* over all that follows */
  pthread_cond_t finished;
  size_t next; /* the entry that the next batch begins at */
  size_t n_running;
  ipfsa_progress at;
  bool stop;
  size_t failed_at;
  ipfsa_error why;
  small_worker workers[MAX_WORKERS];
};

typedef struct batch {
  size_t n, at[BATCH]; /* indices of entries */
  ipfsa_cid cids[BATCH];
} batch;

/* By Tsize, which is a hint: what it hides is left for the caller when its block is here. */
static bool may_be_small(const ipfsa_get_entry *entry) {
  return entry->cid.codec == IPFSA_CODEC_RAW || (entry->cid.codec == IPFSA_CODEC_DAG_PB && entry->tsize <= IPFSA_MAX_BLOCK);
}

static bool take_batch(small_run *run, batch *ret) {
  const ipfsa_small_files *files = run->files;
  ret->n = 0;
  pthread_mutex_lock(&run->lock);
  for (; !run->stop && run->next < files->n && ret->n < BATCH; run->next++) {
    if (!may_be_small(&files->entries[run->next])) continue;
    ret->at[ret->n] = run->next;
    ret->cids[ret->n++] = files->entries[run->next].cid;
  }
  pthread_mutex_unlock(&run->lock);
  return ret->n > 0;
}

/* Batches before this one were all taken before it, and end: the first failure of all is among those told here. */
static void note_failure(small_run *run, size_t entry, const ipfsa_error *why) {
  pthread_mutex_lock(&run->lock);
  run->stop = true;
  if (entry < run->failed_at) run->failed_at = entry, run->why = *why;
  pthread_mutex_unlock(&run->lock);
}

/* The bytes of a file that is this one block. False: it is something else, or damaged in a way that whoever reads it alone will tell. */
static bool whole_file(const ipfsa_cid *cid, ipfsa_bytes block, ipfsa_bytes *ret, ipfsa_unixfs_meta *ret_meta) {
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  *ret = block;
  *ret_meta = (ipfsa_unixfs_meta){0};
  if (cid->codec == IPFSA_CODEC_RAW) return true;
  if (ipfsa_unixfs_decode_block(block, &node, &u, NULL) || (u.type != IPFSA_UNIXFS_FILE && u.type != IPFSA_UNIXFS_RAW)) return false;
  *ret = u.data;
  *ret_meta = u.meta;
  return node.n_links == 0 && u.filesize == u.data.len;
}

static ipfsa_status write_file(int dirfd, const char *name, ipfsa_bytes data, const ipfsa_unixfs_meta *meta, ipfsa_error *err) {
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644, err);
  if (fd < 0) return err->status;
  ipfsa_status status = data.len ? ipfsa_fs_write_at(fd, data.data, data.len, 0, err) : IPFSA_OK;
  if (status == IPFSA_OK) ipfsa_get_restore_meta(fd, meta);
  else (void)ipfsa_fs_unlink(dirfd, name, NULL); /* no half a file under its name */
  return status;
}

static ipfsa_status make_entry(small_run *run, ipfsa_get_entry *entry, ipfsa_bytes block, ipfsa_progress *made, ipfsa_error *err) {
  ipfsa_bytes data;
  ipfsa_unixfs_meta meta;
  if (!whole_file(&entry->cid, block, &data, &meta)) return IPFSA_OK;
  ipfsa_status status = write_file(run->files->dirfd, entry->name, data, &meta, err);
  if (status) return status;
  entry->done = true;
  made->done_items++;
  made->done_bytes += data.len;
  return IPFSA_OK;
}

/* Up to the first that fails. */
static void make_batch(small_run *run, const batch *b, ipfsa_progress *made) {
  ipfsa_status status = IPFSA_OK;
  ipfsa_error why = {0};
  for (size_t first = 0, got = 0; status == IPFSA_OK && first < b->n; first += got) {
    ipfsa_block blocks[BATCH];
    status = ipfsa_blockstore_get_many(run->files->node->bs, b->cids + first, b->n - first, false, blocks, &got, &why);
    if (status) return note_failure(run, b->at[first], &why);
    for (size_t i = 0; i < got; i++) {
      size_t at = b->at[first + i];
      if (status == IPFSA_OK && (status = make_entry(run, &run->files->entries[at], blocks[i].data, made, &why))) note_failure(run, at, &why);
      ipfsa_block_release(&blocks[i]);
    }
  }
}

static void count(small_run *run, const ipfsa_progress *made) {
  pthread_mutex_lock(&run->lock);
  run->at.done_items += made->done_items;
  run->at.done_bytes += made->done_bytes;
  pthread_mutex_unlock(&run->lock);
}

static void work(ipfsa_task *task) {
  small_run *run = ((small_worker *)task)->run;
  batch b;
  while (take_batch(run, &b)) {
    ipfsa_progress made = {0};
    make_batch(run, &b, &made);
    count(run, &made);
  }
  pthread_mutex_lock(&run->lock);
  run->n_running--;
  pthread_cond_signal(&run->finished);
  pthread_mutex_unlock(&run->lock);
}

/* Only the caller's own thread tells of the progress. */
static bool is_cancelled(small_run *run) {
  const ipfsa_get_options *o = run->files->options;
  pthread_mutex_lock(&run->lock);
  *run->files->at = run->at;
  pthread_mutex_unlock(&run->lock);
  return ipfsa_node_is_cancelled(run->files->node) || (o->progress && o->progress(o->progress_ctx, run->files->at) != 0);
}

/* As many as have a batch each, beside the caller's: for few files no thread is started. */
static void start_workers(small_run *run) {
  ipfsa_pool *pool = NULL;
  size_t n_small = 0;
  for (size_t i = 0; i < run->files->n; i++) n_small += may_be_small(&run->files->entries[i]);
  size_t n_batches = (n_small + BATCH - 1) / BATCH;
  if (n_batches < 2 || ipfsa_node_pool(run->files->node, &pool, NULL) != IPFSA_OK) return; /* alone: slower, not wrong */
  size_t n = ipfsa_pool_n_threads(pool) - 1; /* the caller is one too */
  if (n > MAX_WORKERS) n = MAX_WORKERS;
  if (n > n_batches - 1) n = n_batches - 1;
  run->n_running = n;
  for (size_t i = 0; i < n; i++) {
    run->workers[i] = (small_worker){.task = {.run = work}, .run = run};
    ipfsa_pool_submit(pool, &run->workers[i].task);
  }
}

/* The caller's share. True: cancelled. */
static bool work_along(small_run *run) {
  batch b;
  bool cancelled = false;
  while (!cancelled && take_batch(run, &b)) {
    ipfsa_progress made = {0};
    make_batch(run, &b, &made);
    count(run, &made);
    cancelled = is_cancelled(run);
  }
  pthread_mutex_lock(&run->lock);
  if (cancelled) run->stop = true;
  while (run->n_running) pthread_cond_wait(&run->finished, &run->lock);
  pthread_mutex_unlock(&run->lock);
  return cancelled;
}

ipfsa_status ipfsa_get_small(const ipfsa_small_files *files, size_t *ret_failed, ipfsa_error *err) {
  small_run run = {.files = files, .at = *files->at, .failed_at = files->n};
  pthread_mutex_init(&run.lock, NULL);
  pthread_cond_init(&run.finished, NULL);
  start_workers(&run);
  bool cancelled = work_along(&run);
  pthread_cond_destroy(&run.finished);
  pthread_mutex_destroy(&run.lock);
  *files->at = run.at;
  *ret_failed = cancelled ? files->n : run.failed_at;
  if (cancelled) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  if (run.failed_at < files->n) return *err = run.why, run.why.status;
  return IPFSA_OK;
}
