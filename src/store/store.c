#include "store/store.h"

#include "base/alloc.h"
#include "base/error.h"
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
    ipfsa_status status = ipfsa_pack_read_entry(pack, ipfsa_location_off(at), &entry, err);
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

/* ---- reading ---- */

static int64_t ns_of(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

ipfsa_status ipfsa_store__read_external(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, uint8_t *data, char *ret_path, size_t path_cap,
                                        uint64_t *ret_off, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  uint8_t record[4096 + 128];
  size_t n = 0;
  ipfsa_external w;
  ipfsa_status status = ipfsa_fs_read_at(pack->fd, record, sizeof record, entry->off, &n, err);
  if (status == IPFSA_OK) status = ipfsa_external_decode(ipfsa_bytes_of(record, n), &w, err);
  if (status) return status;
  if (ret_path) snprintf(ret_path, path_cap, "%s", w.path);
  if (ret_off) *ret_off = w.off;
  if (!data) return IPFSA_OK;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(AT_FDCWD, w.path, O_RDONLY, 0, err);
  if (fd < 0) return ipfsa_error_prefix(err, err->status, "the file of a no-copy block is gone");
  struct stat st;
  status = ipfsa_fs_fstat(fd, &st, err);
  if (status) return status;
  bool same = (uint64_t)st.st_size == w.file_size && ns_of(st.st_mtim) == w.mtime_ns && ns_of(st.st_ctim) == w.ctime_ns &&
              st.st_ino == w.inode && st.st_dev == w.device;
  if (!same) return ipfsa_fail(err, IPFSA_E_CHANGED, "%s changed since it was added without a copy; add it again", w.path);
  status = ipfsa_fs_read_at(fd, data, entry->len, w.off, &n, err);
  if (status == IPFSA_OK && n < entry->len) return ipfsa_fail(err, IPFSA_E_CHANGED, "%s is shorter than when it was added", w.path);
  return status;
}

#define READ_AHEAD (4u << 20) /* bytes; leaves of one file lie behind one another, so one in each stretch asks for the next two */
#define LARGE_LEAF 65536      /* bytes; smaller ones are not read in a row */

static ipfsa_status read_data(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, uint8_t *data, ipfsa_error *err) {
  if (entry->kind == IPFSA_ENTRY_EXTERNAL) return ipfsa_store__read_external(pack, entry, data, NULL, 0, NULL, err);
  size_t n = 0;
  if (entry->len >= LARGE_LEAF && entry->off % READ_AHEAD < entry->len) ipfsa_fs_will_need(pack->fd, entry->off, 2 * READ_AHEAD);
  ipfsa_status status = ipfsa_fs_read_at(pack->fd, data, entry->len, entry->off, &n, err);
  if (status) return ipfsa_error_prefix(err, status, "pack %08x", pack->number);
  if (n < entry->len) memset(data + n, 0, entry->len - n); /* cut short: the digest tells */
  return IPFSA_OK;
}

ipfsa_status ipfsa_store__read(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_block *ret, ipfsa_error *err) {
  uint8_t prefix[32], suffix[32], *data = NULL;
  size_t prefix_len, suffix_len;
  ipfsa_leaf_kind kind = (ipfsa_leaf_kind)(entry->kind == IPFSA_ENTRY_EXTERNAL ? entry->flags : (uint8_t)entry->kind);
  ipfsa_leaf_wrap(kind, entry->len, prefix, &prefix_len, suffix, &suffix_len);
  size_t len = prefix_len + entry->len + suffix_len;
  ipfsa_refbuf *owner = ipfsa_refbuf_new(len, &data);
  if (!owner) return ipfsa_fail_nomem(err);
  memcpy(data, prefix, prefix_len);
  memcpy(data + prefix_len + entry->len, suffix, suffix_len);
  ipfsa_status status = read_data(pack, entry, data + prefix_len, err);
  if (status == IPFSA_OK) status = ipfsa_hash_verify(&entry->mh, &(ipfsa_bytes){data, len}, 1, err);
  if (status == IPFSA_E_CORRUPT) {
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_store__key_text(&entry->mh, text);
    ipfsa_fail(err, IPFSA_E_CORRUPT, "the block %.200s in pack %08x at byte %llu is damaged and not given out; run 'repo verify --repair'", text,
               pack->number, (unsigned long long)entry->off);
  }
  if (status) ipfsa_refbuf_unref(owner);
  else *ret = (ipfsa_block){{data, len}, owner};
  return status;
}

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
    if (!pack || ipfsa_pack_read_entry(pack, ipfsa_location_off(at), &entry, NULL) != IPFSA_OK) continue;
    if (cb(ctx, &entry.mh, ipfsa_pack_entry_block_len(&entry)) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "listing stopped");
  }
  pthread_rwlock_unlock(&s->lock);
  return status;
}

static void store_close_base(ipfsa_blockstore *self) { ipfsa_store_close((ipfsa_store *)self); }

static const ipfsa_blockstore_ops ops = {store_get, store_has, store_size, store_iterate, ipfsa_store__begin, store_close_base};

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
    may_write = ipfsa_store_lock(s, NULL) == IPFSA_OK;
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
  s->packs_fd = s->lock_fd = -1;
  s->options = *options;
  if (s->options.max_pack_size == 0) s->options.max_pack_size = IPFSA_DEFAULT_PACK_SIZE;
  if (s->options.checkpoint_every == 0) s->options.checkpoint_every = IPFSA_INDEX_CHECKPOINT_EVERY;
  pthread_rwlock_init(&s->lock, NULL);
  pthread_mutex_init(&s->writer_lock, NULL);
  pthread_mutex_init(&s->flock_lock, NULL);
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
  for (size_t i = 0; i < s->n_packs; i++) ipfsa_pack_close(&s->packs[i]);
  for (size_t i = 0; i < s->n_retired; i++) ipfsa_pack_close(&s->retired[i]);
  ipfsa_free(s->packs);
  ipfsa_free(s->retired);
  ipfsa_free(s->torn);
  ipfsa_index_close(s->index);
  ipfsa_meta_close(s->meta);
  ipfsa_fs_close(&s->packs_fd);
  ipfsa_fs_close(&s->lock_fd);
  pthread_mutex_destroy(&s->flock_lock);
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
    *ret = (ipfsa_store_stat){.n_blocks = state.n_blocks, .n_packs = s->n_packs, .block_bytes = state.block_bytes,
                              .disk_bytes = packs + ipfsa_index_bytes(s->index), .max_size = s->options.max_size,
                              .dead_bytes = packs > state.block_bytes ? packs - state.block_bytes : 0};
  }
  pthread_rwlock_unlock(&s->lock);
  return status;
}
