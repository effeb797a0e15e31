/* Reclaiming: removals are committed first, then their pages are given back to the file system. The cost follows the number of blocks
 * removed, not their bytes: nothing is copied. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/pool.h"
#include "store/local.h"

#define WINDOW 16384            /* bytes of a table read at a time */
#define PUNCH_STEP (256ull << 20) /* bytes given back in one call, which holds the file: 5 ms for 32 MiB where the disk is told of them */
#define FORGET_MIN (64ull << 20) /* bytes; below, a thread takes longer to start than it saves */

typedef struct dead_range {
  uint32_t pack;
  uint64_t off, len;
} dead_range;

/* The bytes of a table around the entry that was read last: locations come in order. */
typedef struct table_window {
  uint32_t pack;
  uint64_t off;
  size_t len;
  uint8_t data[WINDOW];
} table_window;

typedef struct sweep_run {
  ipfsa_store *s;
  ipfsa_blockstore_writer *w;
  table_window window;
  dead_range *dead;
  size_t n_dead, cap;
} sweep_run;

static int by_place(const void *a, const void *b) {
  const dead_range *x = a, *y = b;
  if (x->pack != y->pack) return x->pack < y->pack ? -1 : 1;
  return x->off < y->off ? -1 : x->off > y->off;
}

static ipfsa_status note_dead(sweep_run *r, uint32_t pack, const ipfsa_pack_entry *entry, ipfsa_error *err) {
  if (entry->kind > IPFSA_ENTRY_PB_RAW || entry->len == 0) return IPFSA_OK;
  dead_range *last = r->n_dead ? &r->dead[r->n_dead - 1] : NULL;
  if (last && last->pack == pack && last->off + last->len == entry->off) return last->len += entry->len, IPFSA_OK;
  if (!ipfsa_grow((void **)&r->dead, &r->cap, r->n_dead + 1, sizeof *r->dead)) return ipfsa_fail_nomem(err);
  r->dead[r->n_dead++] = (dead_range){pack, entry->off, entry->len};
  return IPFSA_OK;
}

/* The locations are copied first: commits on the way change the table under an iteration. */
static ipfsa_status all_locations(ipfsa_store *s, ipfsa_location **ret, size_t *ret_n, ipfsa_error *err) {
  ipfsa_location *list = NULL, at;
  size_t n = 0, cap = 0;
  uint64_t cursor = 0;
  pthread_rwlock_rdlock(&s->lock);
  bool ok = true;
  while (ok && ipfsa_index_each(s->index, &cursor, &at)) {
    ok = ipfsa_grow((void **)&list, &cap, n + 1, sizeof *list);
    if (ok) list[n++] = at;
  }
  pthread_rwlock_unlock(&s->lock);
  if (!ok) {
    ipfsa_free(list);
    return ipfsa_fail_nomem(err);
  }
  *ret = list;
  *ret_n = n;
  return IPFSA_OK;
}

static int by_location(const void *a, const void *b) {
  ipfsa_location x = *(const ipfsa_location *)a, y = *(const ipfsa_location *)b;
  return x < y ? -1 : x > y;
}

static bool entry_in_window(const table_window *win, ipfsa_location at, ipfsa_pack_entry *ret) {
  uint64_t off = ipfsa_location_off(at);
  if (win->pack != ipfsa_location_pack(at) || off < win->off || off - win->off >= win->len) return false;
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(win->data + (off - win->off), win->len - (size_t)(off - win->off)));
  return ipfsa_cursor_pack_entry(&c, ret);
}

static ipfsa_status read_entry(sweep_run *r, ipfsa_location at, ipfsa_pack_entry *ret, ipfsa_error *err) {
  if (entry_in_window(&r->window, at, ret)) return IPFSA_OK;
  ipfsa_pack *pack = ipfsa_store__pack(r->s, ipfsa_location_pack(at));
  if (!pack) return IPFSA_E_CORRUPT;
  r->window.pack = 0;
  ipfsa_status status = ipfsa_fs_read_at(pack->fd, r->window.data, WINDOW, ipfsa_location_off(at), &r->window.len, err);
  if (status) return ipfsa_error_prefix(err, status, "pack %08x", pack->number);
  r->window.pack = pack->number;
  r->window.off = ipfsa_location_off(at);
  return entry_in_window(&r->window, at, ret) ? IPFSA_OK : IPFSA_E_CORRUPT;
}

static ipfsa_status sweep_one(sweep_run *r, ipfsa_location at, ipfsa_store_keep_cb keep, void *keep_ctx, ipfsa_multihash_cb on_removed, void *ctx,
                              ipfsa_error *err) {
  ipfsa_pack_entry entry;
  pthread_rwlock_rdlock(&r->s->lock);
  ipfsa_status status = read_entry(r, at, &entry, err);
  pthread_rwlock_unlock(&r->s->lock);
  if (status == IPFSA_E_CORRUPT) return IPFSA_OK; /* not gc's to judge: 'repo verify' tells */
  if (status || keep(keep_ctx, &entry.mh)) return status;
  status = r->w->ops->del(r->w, &entry.mh, err);
  if (status == IPFSA_OK) status = note_dead(r, ipfsa_location_pack(at), &entry, err);
  if (status == IPFSA_OK && on_removed && on_removed(ctx, &entry.mh, ipfsa_pack_entry_block_len(&entry)) != 0)
    status = ipfsa_fail(err, IPFSA_E_CANCELLED, "gc stopped; what was reported as removed is removed");
  return status;
}

/* Neighbours become one, shrunk to whole pages; what holds none goes. */
static void merge_dead(sweep_run *r) {
  size_t n = 0;
  if (r->n_dead) qsort(r->dead, r->n_dead, sizeof *r->dead, by_place);
  for (size_t i = 0; i < r->n_dead;) {
    dead_range at = r->dead[i++];
    while (i < r->n_dead && r->dead[i].pack == at.pack && r->dead[i].off == at.off + at.len) at.len += r->dead[i++].len;
    uint64_t from = (at.off + IPFSA_PACK_PAGE - 1) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE, to = (at.off + at.len) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE;
    if (to > from) r->dead[n++] = (dead_range){at.pack, from, to - from};
  }
  r->n_dead = n;
}

typedef void (*dead_cb)(void *ctx, int fd, uint64_t off, uint64_t len);

static void each_dead(const sweep_run *r, bool write, dead_cb cb, void *ctx) {
  ipfsa_pack open = {.fd = -1, .direct_fd = -1};
  for (size_t i = 0; i < r->n_dead; i++) {
    const dead_range *at = &r->dead[i];
    if (open.fd < 0 || open.number != at->pack) {
      ipfsa_pack_close(&open);
      if (ipfsa_pack_open(r->s->packs_fd, at->pack, write, &open, NULL) != IPFSA_OK) continue;
    }
    for (uint64_t done = 0; done < at->len; done += PUNCH_STEP)
      cb(ctx, open.fd, at->off + done, at->len - done < PUNCH_STEP ? at->len - done : PUNCH_STEP);
  }
  ipfsa_pack_close(&open);
}

static void punch(void *ctx, int fd, uint64_t off, uint64_t len) {
  bool *refused = ctx;
  if (!*refused) *refused = ipfsa_fs_punch(fd, off, len, NULL) == IPFSA_E_NOT_SUPPORTED;
}

static void forget(void *ctx, int fd, uint64_t off, uint64_t len) {
  (void)ctx;
  ipfsa_fs_wont_need(fd, off, len);
}

typedef struct forget_task {
  ipfsa_task task;
  const sweep_run *run;
} forget_task;

static void forget_dead(ipfsa_task *task) { each_dead(((forget_task *)task)->run, false, forget, NULL); }

/* Dead ranges become holes. Where the file system has none, the bytes wait for their pack to die. Taking the pages out of memory costs as much
 * as giving the blocks back, and needs no lock on the file: a second thread goes ahead with that. */
static void punch_dead(sweep_run *r) {
  ipfsa_pool *pool = NULL;
  uint64_t sum = 0;
  bool refused = false;
  merge_dead(r);
  for (size_t i = 0; i < r->n_dead; i++) sum += r->dead[i].len;
  forget_task ahead = {.task = {.run = forget_dead}, .run = r};
  if (sum >= FORGET_MIN && ipfsa_pool_new(1, &pool, NULL) == IPFSA_OK) ipfsa_pool_submit(pool, &ahead.task);
  each_dead(r, true, punch, &refused);
  ipfsa_pool_free(pool);
}

static ipfsa_status find_removals(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  (void)pack, (void)commit, (void)err;
  ipfsa_cursor c = ipfsa_cursor_over(table);
  ipfsa_pack_entry entry;
  while (ipfsa_cursor_left(&c) && ipfsa_cursor_pack_entry(&c, &entry)) *(bool *)ctx |= entry.kind == IPFSA_ENTRY_DELETED;
  return IPFSA_OK;
}

/* A pack without a live block goes, from the oldest on or when it holds no removals: those keep older entries from coming back. */
static ipfsa_status drop_dead_packs(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_location *live = NULL;
  size_t n_live = 0, at = 0;
  ipfsa_status status = all_locations(s, &live, &n_live, err);
  if (n_live) qsort(live, n_live, sizeof *live, by_location);
  pthread_rwlock_wrlock(&s->lock);
  bool oldest = true, any = false;
  for (size_t i = 0; status == IPFSA_OK && i + 1 < s->n_packs; i++) { /* never the last: the writer goes on there */
    ipfsa_pack *pack = &s->packs[i];
    while (at < n_live && ipfsa_location_pack(live[at]) < pack->number) at++;
    bool is_live = at < n_live && ipfsa_location_pack(live[at]) == pack->number, removals = false;
    if (!is_live && !oldest) status = ipfsa_store__each_table(pack, IPFSA_PACK_FIRST_COMMIT, find_removals, &removals, err);
    if (status == IPFSA_OK && !is_live && !removals) {
      char name[16];
      ipfsa_pack_name(pack->number, name);
      status = ipfsa_fs_unlink(s->packs_fd, name, err);
      any = true;
    } else {
      oldest = false;
    }
  }
  if (status == IPFSA_OK && any) status = ipfsa_fs_sync_dir(s->packs_fd, ".", err);
  if (status == IPFSA_OK && any) status = ipfsa_store__open_packs(s, false, err);
  pthread_rwlock_unlock(&s->lock);
  ipfsa_free(live);
  return status;
}

ipfsa_status ipfsa_store_sweep(ipfsa_store *s, ipfsa_store_keep_cb keep, void *keep_ctx, ipfsa_multihash_cb on_removed, void *ctx,
                               ipfsa_error *err) {
  sweep_run r;
  memset(&r, 0, sizeof r);
  r.s = s;
  ipfsa_location *list = NULL;
  size_t n = 0;
  ipfsa_status status = ipfsa_blockstore_begin(&s->base, &r.w, err);
  if (status == IPFSA_OK) status = all_locations(s, &list, &n, err);
  if (n) qsort(list, n, sizeof *list, by_location); /* in file order: neighbours die together */
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) status = sweep_one(&r, list[i], keep, keep_ctx, on_removed, ctx, err);
  if (r.w) {
    ipfsa_status committed = ipfsa_writer_commit(r.w, status ? NULL : err);
    if (status == IPFSA_OK) status = committed;
    if (committed == IPFSA_OK) punch_dead(&r);
  }
  if (status == IPFSA_OK) status = drop_dead_packs(s, err);
  ipfsa_writer_close(r.w);
  ipfsa_free(list);
  ipfsa_free(r.dead);
  return status;
}
