/* Reclaiming: removals are committed first, then their pages are given back to the file system. The cost follows the number of blocks
 * removed, not their bytes: nothing is copied. */
#include "base/alloc.h"
#include "base/error.h"
#include "store/local.h"

typedef struct dead_range {
  uint32_t pack;
  uint64_t off, len;
} dead_range;

typedef struct sweep_run {
  ipfsa_store *s;
  ipfsa_blockstore_writer *w;
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

static ipfsa_status sweep_one(sweep_run *r, ipfsa_location at, ipfsa_store_keep_cb keep, void *keep_ctx, ipfsa_multihash_cb on_removed, void *ctx,
                              ipfsa_error *err) {
  ipfsa_pack_entry entry;
  pthread_rwlock_rdlock(&r->s->lock);
  ipfsa_pack *pack = ipfsa_store__pack(r->s, ipfsa_location_pack(at));
  ipfsa_status status = pack ? ipfsa_pack_read_entry(pack, ipfsa_location_off(at), &entry, err) : IPFSA_E_CORRUPT;
  pthread_rwlock_unlock(&r->s->lock);
  if (status == IPFSA_E_CORRUPT) return IPFSA_OK; /* not gc's to judge: 'repo verify' tells */
  if (status || keep(keep_ctx, &entry.mh)) return status;
  status = r->w->ops->del(r->w, &entry.mh, err);
  if (status == IPFSA_OK) status = note_dead(r, ipfsa_location_pack(at), &entry, err);
  if (status == IPFSA_OK && on_removed && on_removed(ctx, &entry.mh, ipfsa_pack_entry_block_len(&entry)) != 0)
    status = ipfsa_fail(err, IPFSA_E_CANCELLED, "gc stopped; what was reported as removed is removed");
  return status;
}

/* Whole pages inside dead ranges become holes. Where the file system has none, the bytes wait for their pack to die. */
static void punch_dead(sweep_run *r) {
  if (r->n_dead) qsort(r->dead, r->n_dead, sizeof *r->dead, by_place);
  ipfsa_pack open = {.fd = -1, .direct_fd = -1};
  for (size_t i = 0; i < r->n_dead;) {
    dead_range at = r->dead[i++];
    while (i < r->n_dead && r->dead[i].pack == at.pack && r->dead[i].off == at.off + at.len) at.len += r->dead[i++].len;
    uint64_t from = (at.off + IPFSA_PACK_PAGE - 1) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE, to = (at.off + at.len) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE;
    if (open.fd < 0 || open.number != at.pack) {
      ipfsa_pack_close(&open);
      if (ipfsa_pack_open(r->s->packs_fd, at.pack, true, &open, NULL) != IPFSA_OK) continue;
    }
    if (to > from && ipfsa_fs_punch(open.fd, from, to - from, NULL) == IPFSA_E_NOT_SUPPORTED) break;
  }
  ipfsa_pack_close(&open);
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
    uint64_t gap = 0;
    if (!is_live && !oldest) status = ipfsa_store__each_commit(pack, IPFSA_PACK_FIRST_COMMIT, find_removals, &removals, &gap, err);
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
  sweep_run r = {.s = s};
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
