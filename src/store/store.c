#include "store/store.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "hash/hash.h"
#include "store/local.h"

void ipfsa_store__key_text(const ipfsa_multihash *mh, char *ret) {
  ipfsa_cid cid = {.codec = IPFSA_CODEC_RAW, .version = 1, .defined = true, .mh = *mh};
  ipfsa_cid_format(&cid, ret);
}

ipfsa_pack *ipfsa_store__pack(ipfsa_store *s, uint32_t number) {
  for (size_t lo = 0, hi = s->n_packs; lo < hi;) {
    size_t mid = lo + (hi - lo) / 2;
    if (s->packs[mid].number == number) return &s->packs[mid];
    if (s->packs[mid].number < number) lo = mid + 1;
    else hi = mid;
  }
  return NULL;
}

ipfsa_status ipfsa_store__find(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_location *ret_at, ipfsa_pack_entry *ret, bool *ret_found,
                               ipfsa_error *err) {
  uint64_t cursor = 0;
  ipfsa_location at;
  *ret_found = false;
  while (ipfsa_index_next(s->index, mh, &cursor, &at)) {
    ipfsa_pack *pack = ipfsa_store__pack(s, ipfsa_location_pack(at));
    ipfsa_pack_entry entry;
    if (!pack) continue;
    ipfsa_status status = ipfsa_store__read_entry(s, pack, ipfsa_location_off(at), mh, &entry, err);
    if (status == IPFSA_E_CORRUPT) continue; /* a hint that leads nowhere: 'repo verify' tells of the table */
    if (status) return status;
    if (!ipfsa_multihash_equal(&entry.mh, mh)) continue;
    *ret = entry;
    *ret_at = at;
    *ret_found = true;
    return IPFSA_OK;
  }
  return IPFSA_OK;
}

/* Another process may have grown the index, begun a pack, or (for a reader with an index of its own) committed. */
ipfsa_status ipfsa_store__refresh(ipfsa_store *s, bool write, ipfsa_error *err) {
  ipfsa_status status = ipfsa_store__open_packs(s, write, err);
  if (status) return status;
  if (!s->index_private && ipfsa_index_superseded(s->index)) {
    ipfsa_index *fresh = NULL;
    ipfsa_index_worth worth;
    status = ipfsa_index_open(s->dirfd, !s->options.read_only, &fresh, &worth, err);
    if (status || worth != IPFSA_INDEX_GOOD) return ipfsa_index_close(fresh), status;
    ipfsa_index_close(s->index);
    s->index = fresh;
  }
  return s->index_private || write ? ipfsa_store__replay(s, false, err) : IPFSA_OK;
}

static ipfsa_status look(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_pack_entry *ret, ipfsa_pack *ret_pack, ipfsa_location *ret_at,
                         bool *ret_found, ipfsa_error *err) {
  ipfsa_status status = ipfsa_store__find(s, mh, ret_at, ret, ret_found, err);
  if (status == IPFSA_OK && *ret_found) *ret_pack = *ipfsa_store__pack(s, ipfsa_location_pack(*ret_at));
  return status;
}

ipfsa_status ipfsa_store__lookup(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_pack_entry *ret, ipfsa_pack *ret_pack, ipfsa_location *ret_at,
                                 bool *ret_found, ipfsa_error *err) {
  pthread_rwlock_rdlock(&s->lock);
  ipfsa_status status = look(s, mh, ret, ret_pack, ret_at, ret_found, err);
  bool writing = s->writer != NULL; /* then no other process can have put it there */
  pthread_rwlock_unlock(&s->lock);
  if (status || *ret_found || writing) return status;
  pthread_rwlock_wrlock(&s->lock);
  status = ipfsa_store__refresh(s, false, err);
  if (status == IPFSA_OK) status = look(s, mh, ret, ret_pack, ret_at, ret_found, err);
  pthread_rwlock_unlock(&s->lock);
  return status;
}

/* ---- the blockstore ---- */

static ipfsa_status store_get(ipfsa_blockstore *self, const ipfsa_multihash *mh, ipfsa_block *ret, ipfsa_error *err) {
  ipfsa_store *s = (ipfsa_store *)self;
  ipfsa_pack_entry entry;
  ipfsa_pack pack;
  ipfsa_location at;
  bool found = false;
  ipfsa_status status = ipfsa_store__pending_get(s, mh, ret, &found, err);
  if (status || found) return status;
  status = ipfsa_store__lookup(s, mh, &entry, &pack, &at, &found, err);
  if (status) return status;
  if (!found) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block");
  /* Packs stay open until the store is closed, so the descriptor is good without the lock. */
  status = ipfsa_store__read(&pack, &entry, ret, err);
  if (status != IPFSA_E_CORRUPT) return status;
  /* gc may have taken it away under this read: then it is not there, rather than damaged. */
  ipfsa_status again = ipfsa_store__lookup(s, mh, &entry, &pack, &at, &found, NULL);
  return again == IPFSA_OK && !found ? ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block") : status;
}

/* As many of the first as are in the index, read together. */
static ipfsa_status store_get_many(ipfsa_blockstore *self, const ipfsa_cid *cids, size_t n, bool once, ipfsa_block *ret, size_t *ret_n, ipfsa_error *err) {
  ipfsa_store *s = (ipfsa_store *)self;
  ipfsa_store__read_job jobs[IPFSA_MAX_GET_MANY];
  ipfsa_status status = IPFSA_OK;
  size_t found = 0;
  uint64_t bytes = 0;
  pthread_rwlock_rdlock(&s->lock);
  for (bool there = !s->writer; status == IPFSA_OK && there && found < n && bytes < IPFSA_GET_MANY_BYTES;) { /* what a writer has not committed: one by one */
    ipfsa_location at;
    status = ipfsa_store__find(s, &cids[found].mh, &at, &jobs[found].entry, &there, err);
    if (status || !there) break;
    jobs[found].pack = *ipfsa_store__pack(s, ipfsa_location_pack(at));
    bytes += jobs[found++].entry.len;
  }
  pthread_rwlock_unlock(&s->lock);
  if (status == IPFSA_OK && found > 1) status = ipfsa_store__read_many(jobs, found, once, err);
  if (status) return status;
  size_t good = 0;
  while (found > 1 && good < found && jobs[good].status == IPFSA_OK) ret[good] = jobs[good].block, good++;
  for (size_t i = good; found > 1 && i < found; i++) ipfsa_block_release(&jobs[i].block);
  *ret_n = good ? good : 1;
  return good ? IPFSA_OK : store_get(self, &cids[0].mh, ret, err); /* also tells what is wrong with the first */
}

static ipfsa_status store_is_leaf(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err) {
  ipfsa_store *s = (ipfsa_store *)self;
  ipfsa_pack_entry entry = {0};
  ipfsa_pack pack;
  ipfsa_location at;
  bool found = ipfsa_store__pending_find(s, mh, &entry);
  ipfsa_status status = found ? IPFSA_OK : ipfsa_store__lookup(s, mh, &entry, &pack, &at, &found, err);
  uint8_t kind = entry.kind == IPFSA_ENTRY_EXTERNAL ? entry.flags : (uint8_t)entry.kind;
  if (status == IPFSA_OK) *ret = found && (kind == IPFSA_ENTRY_PB_FILE || kind == IPFSA_ENTRY_PB_RAW);
  return status;
}

static ipfsa_status store_has(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err) {
  ipfsa_store *s = (ipfsa_store *)self;
  ipfsa_pack_entry entry;
  ipfsa_pack pack;
  ipfsa_location at;
  bool found = ipfsa_store__pending_find(s, mh, &entry);
  if (found) return *ret = entry.kind != IPFSA_ENTRY_DELETED, IPFSA_OK;
  ipfsa_status status = ipfsa_store__lookup(s, mh, &entry, &pack, &at, &found, err);
  if (status == IPFSA_OK) *ret = found;
  return status;
}

static ipfsa_status store_size(ipfsa_blockstore *self, const ipfsa_multihash *mh, uint64_t *ret, ipfsa_error *err) {
  ipfsa_store *s = (ipfsa_store *)self;
  ipfsa_pack_entry entry;
  ipfsa_pack pack;
  ipfsa_location at;
  bool found = ipfsa_store__pending_find(s, mh, &entry);
  ipfsa_status status = found ? IPFSA_OK : ipfsa_store__lookup(s, mh, &entry, &pack, &at, &found, err);
  if (status) return status;
  if (!found || entry.kind == IPFSA_ENTRY_DELETED) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block");
  *ret = ipfsa_pack_entry_block_len(&entry);
  return IPFSA_OK;
}

static ipfsa_status store_iterate(ipfsa_blockstore *self, ipfsa_multihash_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_store *s = (ipfsa_store *)self;
  pthread_rwlock_wrlock(&s->lock);
  ipfsa_status status = ipfsa_store__refresh(s, false, err);
  pthread_rwlock_unlock(&s->lock);
  uint64_t cursor = 0;
  ipfsa_location at;
  pthread_rwlock_rdlock(&s->lock);
  while (status == IPFSA_OK && ipfsa_index_each(s->index, &cursor, &at)) {
    ipfsa_pack_entry entry;
    ipfsa_pack *pack = ipfsa_store__pack(s, ipfsa_location_pack(at));
    ipfsa_status read = pack ? ipfsa_pack_read_entry(pack, ipfsa_location_off(at), &entry, err) : IPFSA_E_CORRUPT;
    if (read == IPFSA_E_CORRUPT) continue; /* a hint that leads nowhere: 'repo verify' tells of the table */
    if (read) status = read;
    else if (cb(ctx, &entry.mh, ipfsa_pack_entry_block_len(&entry)) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "listing stopped");
  }
  pthread_rwlock_unlock(&s->lock);
  return status;
}

static bool store_locate(ipfsa_blockstore *self, const ipfsa_multihash *mh, ipfsa_place *ret) {
  ipfsa_store *s = (ipfsa_store *)self;
  ipfsa_pack_entry entry;
  ipfsa_pack pack;
  ipfsa_location at;
  bool found = false;
  if (ipfsa_store__pending_find(s, mh, &entry) || ipfsa_store__lookup(s, mh, &entry, &pack, &at, &found, NULL) != IPFSA_OK || !found) return false;
  if (entry.kind > IPFSA_ENTRY_PB_RAW || entry.len < IPFSA_MIN_WINDOW_BLOCK || mh->code != IPFSA_HASH_SHA2_256 || mh->len != 32) return false;
  *ret = (ipfsa_place){.off = entry.off, .pack = pack.number, .len = entry.len, .kind = (ipfsa_leaf_kind)entry.kind};
  memcpy(ret->digest, mh->digest, 32);
  return true;
}

/* −1: gc took the pack away. Open until the store is closed. */
static int pack_fd(ipfsa_store *s, uint32_t number) {
  pthread_rwlock_rdlock(&s->lock);
  const ipfsa_pack *pack = ipfsa_store__pack(s, number);
  int fd = pack ? pack->fd : -1;
  pthread_rwlock_unlock(&s->lock);
  return fd;
}

static bool store_read_place(ipfsa_blockstore *self, const ipfsa_place *place, uint32_t from, uint32_t len, void *data) {
  ipfsa_store *s = (ipfsa_store *)self;
  if (!s->windows) return false;
  if (ipfsa_windows_read(s->windows, -1, place, from, len, data)) return true;
  int fd = pack_fd(s, place->pack);
  return fd >= 0 && ipfsa_windows_read(s->windows, fd, place, from, len, data);
}

static ipfsa_status store_share(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t len, int fd, uint64_t off, ipfsa_error *err) {
  int from = pack_fd((ipfsa_store *)self, place->pack);
  if (from < 0) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "pack %08x is gone", place->pack);
  return ipfsa_fs_clone(fd, off, from, place->off, len, err);
}

static bool store_map(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t off, uint64_t len, uint8_t *at) {
  int fd = pack_fd((ipfsa_store *)self, place->pack);
  struct stat st;
  if (fd < 0 || !ipfsa_fs_can_populate() || ipfsa_fs_fstat(fd, &st, NULL) != IPFSA_OK) return false;
  if ((uint64_t)st.st_size < place->off + place->len || off >= (uint64_t)st.st_size) return false; /* a pack that was cut short */
  return ipfsa_fs_map_at(fd, off, at, len);
}

static void store_check_places(ipfsa_blockstore *self, const ipfsa_place *const *places, size_t n, bool hash, bool *ret_good) {
  ipfsa_store *s = (ipfsa_store *)self;
  int fd = s->windows && n ? pack_fd(s, places[0]->pack) : -1;
  if (fd >= 0) ipfsa_windows_check(s->windows, fd, places, n, hash, ret_good);
  else memset(ret_good, 0, n * sizeof *ret_good);
}

static void store_read_ahead(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t len) {
  int fd = pack_fd((ipfsa_store *)self, place->pack);
  struct stat st;
  if (fd < 0 || !ipfsa_fs_can_populate() || ipfsa_fs_fstat(fd, &st, NULL) != IPFSA_OK) return;
  uint64_t size = (uint64_t)st.st_size, end = place->off + len;
  ipfsa_window__read_in(fd, place->off / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE, end < size ? end : size);
}

static uint64_t store_changed_ns(ipfsa_blockstore *self, const ipfsa_place *place) {
  int fd = pack_fd((ipfsa_store *)self, place->pack);
  struct stat st;
  if (fd < 0 || ipfsa_fs_fstat(fd, &st, NULL) != IPFSA_OK) return 0;
  return (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec;
}

static void store_close_base(ipfsa_blockstore *self) { ipfsa_store_close((ipfsa_store *)self); }

static const ipfsa_blockstore_ops ops = {store_get, store_get_many, store_is_leaf, store_has, store_size, store_iterate, ipfsa_store__begin, store_close_base, store_locate, store_read_place, store_share, store_map, store_check_places, store_read_ahead, store_changed_ns};

/* ---- opening ---- */

static ipfsa_status make_folder(int dirfd, const char *name, ipfsa_error *err) {
  ipfsa_status status = ipfsa_fs_mkdir(dirfd, name, 0700, err);
  if (status == IPFSA_E_EXISTS) return IPFSA_OK;
  return status ? status : ipfsa_fs_sync_dir(dirfd, ".", err);
}

/* A writer buries what is torn when it begins. Where none can (a full disk), the repo is read with an index of our own. */
static ipfsa_status bury_now(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_store__begin(&s->base, &w, NULL);
  ipfsa_writer_close(w);
  return status ? ipfsa_store__rebuild_index(s, true, err) : IPFSA_OK;
}

/* With the index usable: what it does not cover yet is replayed by whoever may write; a live writer does it itself. */
static ipfsa_status open_index(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_index_worth worth;
  ipfsa_status status = ipfsa_index_open(s->dirfd, !s->options.read_only, &s->index, &worth, err);
  if (status) return status;
  bool may_write = !s->options.read_only;
  if (may_write) {
    unsigned wait = s->options.lock_timeout_ms;
    s->options.lock_timeout_ms = 0;
    s->opening = true;
    may_write = ipfsa_store_lock(s, NULL) == IPFSA_OK;
    s->opening = false;
    s->options.lock_timeout_ms = wait;
  }
  if (worth == IPFSA_INDEX_OLD && may_write) status = ipfsa_store__restore_index(s, err);
  else if (worth != IPFSA_INDEX_GOOD) status = ipfsa_store__rebuild_index(s, !may_write, err);
  else if (may_write) status = ipfsa_store__replay(s, false, err);
  else if (s->options.read_only && s->n_packs && ipfsa_store__behind(s)) {
    ipfsa_index_close(s->index);
    s->index = NULL;
    status = ipfsa_store__rebuild_index(s, true, err);
  }
  if (may_write && status == IPFSA_OK && s->n_torn) status = bury_now(s, err);
  if (may_write) ipfsa_store_unlock(s);
  return status;
}

ipfsa_status ipfsa_store_open(int dirfd, const ipfsa_store_options *options, ipfsa_store **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_store *s = ipfsa_calloc(1, sizeof *s);
  if (!s) return ipfsa_fail_nomem(err);
  s->base.ops = &ops;
  s->dirfd = dirfd;
  s->packs_fd = -1;
  s->options = *options;
  if (s->options.max_pack_size == 0) s->options.max_pack_size = IPFSA_DEFAULT_PACK_SIZE;
  if (s->options.checkpoint_every == 0) s->options.checkpoint_every = IPFSA_INDEX_CHECKPOINT_EVERY;
  pthread_rwlock_init(&s->lock, NULL);
  pthread_mutex_init(&s->writer_lock, NULL);
  s->windows = ipfsa_windows_new();
  s->ahead = ipfsa_entries_ahead_new();
  ipfsa_store__lock_init(s);
  ipfsa_status status = IPFSA_OK;
  if (options->create) status = make_folder(dirfd, "packs", err);
  if (status == IPFSA_OK && options->create) status = make_folder(dirfd, "quarantine", err);
  if (status == IPFSA_OK && (s->packs_fd = ipfsa_fs_open_dir(dirfd, "packs", err)) < 0) status = err->status;
  if (status == IPFSA_OK) status = ipfsa_meta_open(dirfd, options->create, options->read_only, &s->meta, err);
  if (status == IPFSA_OK) status = ipfsa_store__open_packs(s, false, err);
  if (status == IPFSA_OK) status = open_index(s, err);
  if (status) ipfsa_store_close(s);
  else *ret = s;
  return status;
}

void ipfsa_store_close(ipfsa_store *s) {
  if (!s) return;
  ipfsa_windows_free(s->windows);
  ipfsa_entries_ahead_free(s->ahead);
  for (size_t i = 0; i < s->n_packs; i++) ipfsa_pack_close(&s->packs[i]);
  for (size_t i = 0; i < s->n_retired; i++) ipfsa_pack_close(&s->retired[i]);
  ipfsa_free(s->packs);
  ipfsa_free(s->retired);
  ipfsa_free(s->torn);
  ipfsa_index_close(s->index);
  ipfsa_meta_close(s->meta);
  ipfsa_fs_close(&s->packs_fd);
  ipfsa_store__lock_release(s);
  pthread_mutex_destroy(&s->writer_lock);
  pthread_rwlock_destroy(&s->lock);
  ipfsa_free(s);
}

ipfsa_blockstore *ipfsa_store_blockstore(ipfsa_store *s) { return &s->base; }
ipfsa_meta *ipfsa_store_meta(ipfsa_store *s) { return s->meta; }

/* What the files occupy; holes that gc punched do not count. */
uint64_t ipfsa_store__disk_bytes(ipfsa_store *s) {
  uint64_t sum = ipfsa_index_bytes(s->index);
  for (size_t i = 0; i < s->n_packs; i++) {
    struct stat st;
    if (ipfsa_fs_fstat(s->packs[i].fd, &st, NULL) == IPFSA_OK) sum += (uint64_t)st.st_blocks * 512;
  }
  return sum;
}

ipfsa_status ipfsa_store_stat_get(ipfsa_store *s, ipfsa_store_stat *ret, ipfsa_error *err) {
  pthread_rwlock_wrlock(&s->lock);
  ipfsa_status status = ipfsa_store__refresh(s, false, err);
  if (status == IPFSA_OK) {
    ipfsa_index_state state = ipfsa_index_state_get(s->index);
    uint64_t packs = ipfsa_store__disk_bytes(s) - ipfsa_index_bytes(s->index);
    uint64_t others = s->options.others ? s->options.others(s->options.others_ctx) : 0;
    *ret = (ipfsa_store_stat){.n_blocks = state.n_blocks, .n_packs = s->n_packs, .block_bytes = state.block_bytes,
                              .disk_bytes = packs + ipfsa_index_bytes(s->index) + others, .max_size = s->options.max_size,
                              .dead_bytes = packs > state.block_bytes ? packs - state.block_bytes : 0};
  }
  pthread_rwlock_unlock(&s->lock);
  return status;
}
