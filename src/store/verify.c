/* Every block read and hashed, every table checked. Damage is reported; with repair it is moved aside, never deleted. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/pool.h"
#include "hash/hash.h"
#include "store/local.h"

#define MAX_GROUPS 16               /* under way */
#define GROUP_BYTES (4u << 20)      /* of blocks that a worker reads and hashes together: they fill the lanes and stay in the processor's cache */
#define MAX_BYTES (24u << 20)       /* of all groups under way */
#define WORTH_WORKERS 64            /* blocks; fewer are done before threads are there */
#define MIN_WORKERS 4u               /* of few processors: while one hashes, others wait for the disk */

typedef struct verify_run verify_run;

/* Blocks on their way through a worker, neighbours in a pack. */
typedef struct check_group {
  ipfsa_task task;
  verify_run *run;
  ipfsa_store__read_job jobs[IPFSA_MAX_GET_MANY];
  size_t n;
  uint64_t bytes;
  ipfsa_status status; /* of the group as a whole: memory */
  ipfsa_error err;
  bool done;
} check_group;

struct verify_run {
  ipfsa_store *s;
  ipfsa_pool *pool; /* NULL: no threads to be had; one after the other */
  int page_map;     /* of ipfsa_fs_open_page_map */
  pthread_mutex_t lock;
  pthread_cond_t finished;
  check_group groups[MAX_GROUPS]; /* a ring, oldest first; the last one is open for more */
  size_t head, n_groups;
  uint64_t bytes;
  bool open; /* the last one was not handed on yet */
  bool repair;
  ipfsa_blockstore_writer *w;
  ipfsa_store_damage_cb cb;
  void *ctx;
  ipfsa_progress_cb progress;
  void *progress_ctx;
  ipfsa_progress at;
  ipfsa_store_verify_result result;
};

static ipfsa_status quarantine(verify_run *v, const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_error *err) {
  ipfsa_status status = ipfsa_store__quarantine(v->s, pack, entry, err);
  if (status == IPFSA_OK) status = v->w->ops->del(v->w, &entry->mh, err);
  if (status == IPFSA_OK) v->result.n_quarantined++;
  return status;
}

static ipfsa_status report(verify_run *v, const ipfsa_multihash *mh, const char *what, ipfsa_error *err) {
  v->result.n_damaged++;
  if (v->cb && v->cb(v->ctx, mh, what) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "verify stopped");
  return IPFSA_OK;
}

static void check_blocks(ipfsa_task *task) {
  check_group *g = (check_group *)task;
  g->status = ipfsa_store__check_many(g->jobs, g->n, g->run->page_map, &g->err);
  pthread_mutex_lock(&g->run->lock);
  g->done = true;
  pthread_cond_signal(&g->run->finished);
  pthread_mutex_unlock(&g->run->lock);
}

static ipfsa_status take_result(verify_run *v, ipfsa_store__read_job *job, ipfsa_error *err) {
  v->result.n_blocks++;
  if (job->status == IPFSA_OK) v->result.n_bytes += ipfsa_pack_entry_block_len(&job->entry);
  v->at.done_items = v->result.n_blocks;
  v->at.done_bytes = v->result.n_bytes;
  if (v->progress && v->progress(v->progress_ctx, &v->at) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "verify stopped");
  if (job->status == IPFSA_OK) return IPFSA_OK;
  if (job->status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  ipfsa_status status = report(v, &job->entry.mh, job->err.message, err);
  /* A no-copy file that is not here now (another disk, no permission) may come back: what refers to it stays. */
  bool gone = job->status == IPFSA_E_NOT_FOUND || job->status == IPFSA_E_DENIED;
  return status || !v->repair || gone ? status : quarantine(v, &job->pack, &job->entry, err);
}

static void submit_last(verify_run *v) {
  check_group *g = &v->groups[(v->head + v->n_groups - 1) % MAX_GROUPS];
  if (!v->open) return;
  v->open = false;
  if (v->pool) ipfsa_pool_submit(v->pool, &g->task);
  else check_blocks(&g->task);
}

/* Waits for the oldest group and looks at its verdicts in order; once something failed they are passed over. */
static ipfsa_status take_oldest(verify_run *v, ipfsa_status failed, ipfsa_error *err) {
  check_group *g = &v->groups[v->head];
  pthread_mutex_lock(&v->lock);
  while (!g->done) pthread_cond_wait(&v->finished, &v->lock);
  pthread_mutex_unlock(&v->lock);
  v->head = (v->head + 1) % MAX_GROUPS;
  v->n_groups--;
  v->bytes -= g->bytes;
  if (failed) return failed;
  if (g->status && err) *err = g->err;
  ipfsa_status status = g->status;
  for (size_t i = 0; status == IPFSA_OK && i < g->n; i++) status = take_result(v, &g->jobs[i], err);
  return status;
}

static ipfsa_status take_all(verify_run *v, ipfsa_status status, ipfsa_error *err) {
  submit_last(v);
  while (v->n_groups) status = take_oldest(v, status, err);
  return status;
}

static ipfsa_status check(verify_run *v, const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_error *err) {
  uint64_t len = ipfsa_pack_entry_block_len(entry);
  ipfsa_status status = IPFSA_OK;
  check_group *g = &v->groups[(v->head + v->n_groups - 1) % MAX_GROUPS];
  if (v->open && (g->n == IPFSA_MAX_GET_MANY || g->bytes + len > GROUP_BYTES)) submit_last(v);
  while (status == IPFSA_OK && !v->open && v->n_groups && (v->n_groups == MAX_GROUPS || v->bytes + GROUP_BYTES > MAX_BYTES)) status = take_oldest(v, status, err);
  if (status) return status;
  if (!v->open) {
    g = &v->groups[(v->head + v->n_groups++) % MAX_GROUPS];
    *g = (check_group){.task = {.run = check_blocks}, .run = v};
    v->open = true;
  }
  g->jobs[g->n++] = (ipfsa_store__read_job){.pack = *pack, .entry = *entry};
  g->bytes += len;
  v->bytes += len;
  return IPFSA_OK;
}

static ipfsa_status verify_entry(verify_run *v, ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_location here, ipfsa_error *err) {
  ipfsa_pack_entry there;
  ipfsa_location at;
  bool found = false;
  pthread_rwlock_rdlock(&v->s->lock);
  ipfsa_status status = ipfsa_store__find(v->s, &entry->mh, &at, &there, &found, err);
  pthread_rwlock_unlock(&v->s->lock);
  if (status || !found || at != here) return status; /* removed or written again since */
  return check(v, pack, entry, err);
}

static ipfsa_status verify_commit(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  verify_run *v = ctx;
  ipfsa_cursor c = ipfsa_cursor_over(table);
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && ipfsa_cursor_left(&c)) {
    ipfsa_pack_entry entry;
    uint64_t off = commit->table_off + ipfsa_cursor_offset(&c);
    if (!ipfsa_cursor_pack_entry(&c, &entry)) return report(v, NULL, "a table entry is malformed", err);
    if (entry.kind != IPFSA_ENTRY_DELETED) status = verify_entry(v, pack, &entry, ipfsa_location_of(pack->number, off), err);
  }
  return status;
}

typedef struct last_end { uint64_t end; } last_end;

static ipfsa_status note_end(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  (void)pack, (void)table, (void)err;
  ((last_end *)ctx)->end = commit->end;
  return IPFSA_OK;
}

static ipfsa_status verify_pack(verify_run *v, ipfsa_pack *pack, ipfsa_error *err) {
  uint64_t gap = 0;
  char what[160];
  last_end seen = {IPFSA_PACK_FIRST_COMMIT};
  ipfsa_status status = ipfsa_store__each_commit(pack, IPFSA_PACK_FIRST_COMMIT, note_end, &seen, &gap, err);
  if (status) return status;
  /* The index was told of commits up to pack->end: less on disk means that tables were lost. */
  if (!gap && pack->end > seen.end) gap = seen.end;
  if (gap) {
    snprintf(what, sizeof what, "pack %08x: the commit table at byte %llu is damaged", pack->number, (unsigned long long)gap);
    status = report(v, NULL, what, err);
  }
  if (status == IPFSA_OK) status = ipfsa_store__each_commit(pack, IPFSA_PACK_FIRST_COMMIT, verify_commit, v, &gap, err);
  return take_all(v, status, err);
}

/* Pins, roots and leases. */
static ipfsa_status verify_tables(verify_run *v, ipfsa_error *err) {
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_meta_verify(v->s->meta, v->s->dirfd, &why);
  if (status == IPFSA_E_CORRUPT) return report(v, NULL, why.message, err);
  if (status && err) *err = why;
  return status;
}

static void make_pool(verify_run *v) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  (void)ipfsa_pool_new(processors > (long)MIN_WORKERS ? 0 : MIN_WORKERS, &v->pool, NULL);
}

ipfsa_status ipfsa_store_verify(ipfsa_store *s, bool repair, ipfsa_store_damage_cb cb, void *ctx, ipfsa_progress_cb progress, void *progress_ctx,
                                ipfsa_store_verify_result *ret, ipfsa_error *err) {
  verify_run *v = ipfsa_calloc(1, sizeof *v);
  if (!v) return ipfsa_fail_nomem(err);
  v->s = s;
  v->page_map = ipfsa_fs_open_page_map();
  v->repair = repair;
  v->cb = cb;
  v->ctx = ctx;
  v->progress = progress;
  v->progress_ctx = progress_ctx;
  pthread_mutex_init(&v->lock, NULL);
  pthread_cond_init(&v->finished, NULL);
  ipfsa_status status = repair ? ipfsa_blockstore_begin(&s->base, &v->w, err) : IPFSA_OK;
  pthread_rwlock_wrlock(&s->lock);
  if (status == IPFSA_OK && !repair) status = ipfsa_store__refresh(s, false, err);
  ipfsa_index_state state = ipfsa_index_state_get(s->index);
  v->at.total_bytes = state.block_bytes;
  v->at.total_items = state.n_blocks;
  if (state.n_blocks > WORTH_WORKERS) make_pool(v);
  size_t n = s->n_packs;
  ipfsa_pack *packs = ipfsa_memdup(s->packs, n * sizeof *packs); /* descriptors stay open while the store is */
  pthread_rwlock_unlock(&s->lock);
  if (!packs) status = ipfsa_fail_nomem(err);
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    if (packs[i].number == state.pack) packs[i].end = state.end;
    status = verify_pack(v, &packs[i], err);
  }
  if (status == IPFSA_OK && v->w) status = ipfsa_writer_commit(v->w, err);
  if (status == IPFSA_OK) status = verify_tables(v, err);
  ipfsa_writer_close(v->w);
  ipfsa_free(packs);
  if (status == IPFSA_OK) *ret = v->result;
  ipfsa_pool_free(v->pool);
  ipfsa_fs_close(&v->page_map);
  pthread_cond_destroy(&v->finished);
  pthread_mutex_destroy(&v->lock);
  ipfsa_free(v);
  return status;
}

typedef struct external_item {
  ipfsa_multihash mh;
  ipfsa_pack pack;
  ipfsa_pack_entry entry;
  char *path;
  uint64_t off;
} external_item;

static int by_file(const void *a, const void *b) {
  const external_item *x = a, *y = b;
  int order = strcmp(x->path, y->path);
  return order ? order : x->off < y->off ? -1 : x->off > y->off;
}

typedef struct external_list {
  external_item *items;
  size_t n, cap;
} external_list;

static ipfsa_status add_external(external_list *l, const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_error *err) {
  char path[4097];
  external_item item = {entry->mh, *pack, *entry, NULL, 0};
  ipfsa_status status = ipfsa_store__read_external(pack, entry, NULL, path, sizeof path, &item.off, err);
  if (status) return status;
  item.path = ipfsa_strdup(path);
  if (!item.path || !ipfsa_grow((void **)&l->items, &l->cap, l->n + 1, sizeof *l->items)) {
    ipfsa_free(item.path);
    return ipfsa_fail_nomem(err);
  }
  l->items[l->n++] = item;
  return IPFSA_OK;
}

static ipfsa_status gather_external(ipfsa_store *s, const ipfsa_multihash *only, external_list *l, ipfsa_error *err) {
  uint64_t cursor = 0;
  ipfsa_location at;
  ipfsa_status status = IPFSA_OK;
  pthread_rwlock_rdlock(&s->lock);
  while (status == IPFSA_OK && ipfsa_index_each(s->index, &cursor, &at)) {
    ipfsa_pack_entry entry;
    ipfsa_pack *pack = ipfsa_store__pack(s, ipfsa_location_pack(at));
    ipfsa_status read = pack ? ipfsa_pack_read_entry(pack, ipfsa_location_off(at), &entry, err) : IPFSA_E_CORRUPT;
    if (read == IPFSA_E_CORRUPT) continue;
    if (read) status = read;
    else if (entry.kind == IPFSA_ENTRY_EXTERNAL && (!only || ipfsa_multihash_equal(only, &entry.mh))) status = add_external(l, pack, &entry, err);
  }
  pthread_rwlock_unlock(&s->lock);
  return status;
}

ipfsa_status ipfsa_store_list_external(ipfsa_store *s, const ipfsa_multihash *only, bool verify, bool file_order, ipfsa_store_external_cb cb,
                                       void *ctx, ipfsa_error *err) {
  external_list l = {0};
  ipfsa_status status = gather_external(s, only, &l, err);
  if (status == IPFSA_OK && file_order && l.n) qsort(l.items, l.n, sizeof *l.items, by_file);
  for (size_t i = 0; status == IPFSA_OK && i < l.n; i++) {
    ipfsa_error damage = {0};
    IPFSA_AUTO_BLOCK ipfsa_block block = {0};
    ipfsa_status one = verify ? ipfsa_store__read(&l.items[i].pack, &l.items[i].entry, &block, &damage) : IPFSA_OK;
    if (cb(ctx, &l.items[i].mh, l.items[i].path, l.items[i].off, l.items[i].entry.len, one, damage.message) != 0)
      status = ipfsa_fail(err, IPFSA_E_CANCELLED, "listing stopped");
  }
  for (size_t i = 0; i < l.n; i++) ipfsa_free(l.items[i].path);
  ipfsa_free(l.items);
  return status;
}
