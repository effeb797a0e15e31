/* One transaction: leaf data go to the pack as they come, small blocks are gathered, the table closes it; then one sync, then the index. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/write_queue.h"
#include "store/local.h"
#include "store/pending.h"
#include "store/records.h"

#define MAX_PENDING 32768             /* entries; then a commit of its own, so that memory does not grow with the import */
#define MAX_EXTERNAL 4096             /* likewise of blocks that stay in files: nothing of theirs is on its way to the disk, and the caller's workers hash on while it syncs */
#define MAX_COMMIT_BYTES (1ull << 30) /* likewise for what recovery has to hash */
#define SMALL_LEAF 16384              /* bytes; below, a page border would waste more than it gives */
#define DIRECT_MIN 65536              /* bytes; below, O_DIRECT costs more than it saves */
#define RESERVE (4u << 20)            /* bytes of quota kept for tables and the index */

struct ipfsa_store_writer {
  ipfsa_blockstore_writer base;
  ipfsa_store *store;
  pthread_mutex_t lock; /* pending entries are read by get in other threads */
  ipfsa_pending pending;
  ipfsa_records records;
  uint32_t pack_number; /* 0: no pack open for this commit yet */
  uint64_t data_end;    /* in the pack */
  ipfsa_pack active;    /* opened for writing */
  ipfsa_write_queue *queue; /* what is on its way to the pack; made by the first large run */
  uint64_t others; /* bytes of the repo beside packs and index, when the writer began; counted against a limit only */
};

/* ---- pending entries ---- */

static ipfsa_status add_pending(ipfsa_store_writer *w, const ipfsa_pending_entry *p, ipfsa_error *err) {
  pthread_mutex_lock(&w->lock);
  bool ok = ipfsa_pending_add(&w->pending, p);
  pthread_mutex_unlock(&w->lock);
  return ok ? IPFSA_OK : ipfsa_fail_nomem(err);
}

static void forget_pending(ipfsa_store_writer *w) {
  pthread_mutex_lock(&w->lock);
  ipfsa_pending_clear(&w->pending);
  ipfsa_records_clear(&w->records);
  pthread_mutex_unlock(&w->lock);
}

bool ipfsa_store__pending_find(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_pack_entry *ret) {
  bool found = false;
  pthread_rwlock_rdlock(&s->lock);
  if (s->writer) {
    pthread_mutex_lock(&s->writer->lock);
    ipfsa_pending_entry p;
    found = ipfsa_pending_find(&s->writer->pending, mh, &p);
    if (found) *ret = p.entry;
    pthread_mutex_unlock(&s->writer->lock);
  }
  pthread_rwlock_unlock(&s->lock);
  return found;
}

static ipfsa_status copy_record(const ipfsa_store_writer *w, const ipfsa_pending_entry *p, ipfsa_block *ret, ipfsa_error *err) {
  uint8_t prefix[32], suffix[32], *data = NULL;
  size_t prefix_len, suffix_len;
  ipfsa_leaf_wrap((ipfsa_leaf_kind)p->entry.kind, p->entry.len, prefix, &prefix_len, suffix, &suffix_len);
  size_t len = prefix_len + p->entry.len + suffix_len;
  ipfsa_refbuf *owner = ipfsa_refbuf_new(len, &data);
  if (!owner) return ipfsa_fail_nomem(err);
  memcpy(data, prefix, prefix_len);
  if (p->entry.len) memcpy(data + prefix_len, ipfsa_records_data(&w->records) + p->entry.off, p->entry.len);
  memcpy(data + prefix_len + p->entry.len, suffix, suffix_len);
  *ret = (ipfsa_block){{data, len}, owner};
  return IPFSA_OK;
}

ipfsa_status ipfsa_store__pending_get(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_block *ret, bool *ret_found, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  *ret_found = false;
  pthread_rwlock_rdlock(&s->lock);
  ipfsa_store_writer *w = s->writer;
  if (w) {
    pthread_mutex_lock(&w->lock);
    ipfsa_pending_entry p;
    bool found = ipfsa_pending_find(&w->pending, mh, &p), gone = found && p.entry.kind == IPFSA_ENTRY_DELETED, gathered = found && !gone && p.in_records;
    bool external = gathered && p.entry.kind == IPFSA_ENTRY_EXTERNAL;
    ipfsa_pack pack = {.fd = -1, .direct_fd = -1};
    if (found && !gone && !gathered) pack = w->active; /* open until the end of the commit, which waits for this lock */
    if (gathered && !external) status = copy_record(w, &p, ret, err), *ret_found = true;
    ipfsa_write_queue *queue = w->queue; /* goes with the writer, which waits for this lock as well */
    pthread_mutex_unlock(&w->lock);
    if (gone) status = ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block");
    else if (external) status = ipfsa_fail(err, IPFSA_E_BUSY, "a no-copy block is readable after its commit");
    else if (found && !gathered) {
      if (queue) status = ipfsa_write_queue_settle(queue, IPFSA_ALL_WRITES, err);
      if (status == IPFSA_OK) status = ipfsa_store__read(&pack, &p.entry, ret, err);
      *ret_found = status == IPFSA_OK;
    }
  }
  pthread_rwlock_unlock(&s->lock);
  return status;
}

/* ---- the pack under the transaction ---- */

static ipfsa_status check_writable(const ipfsa_store *s, ipfsa_error *err) {
  if (!s->poisoned) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_POISONED, "a sync of the store failed before; nothing more is written until the repo is opened anew");
}

static uint64_t other_bytes(const ipfsa_store *s) { return s->options.max_size && s->options.others ? s->options.others(s->options.others_ctx) : 0; }

static ipfsa_status check_limit(ipfsa_store *s, uint64_t others, uint64_t more, ipfsa_error *err) {
  pthread_rwlock_rdlock(&s->lock);
  uint64_t used = ipfsa_store__disk_bytes(s), sum;
  pthread_rwlock_unlock(&s->lock);
  bool over = __builtin_add_overflow(used, others, &used) || __builtin_add_overflow(used, more, &sum) || __builtin_add_overflow(sum, RESERVE, &sum);
  if (!over && sum <= s->options.max_size) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_QUOTA, "the repo would pass its limit of %llu bytes (store.max_size); it holds %llu: free space with 'repo gc' or raise the limit",
                    (unsigned long long)s->options.max_size, (unsigned long long)used);
}

static ipfsa_status check_quota(ipfsa_store_writer *w, uint64_t more, ipfsa_error *err) {
  return w->store->options.max_size ? check_limit(w->store, w->others + w->records.len, more, err) : IPFSA_OK;
}

ipfsa_status ipfsa_store_check_quota(ipfsa_store *s, uint64_t more, ipfsa_error *err) {
  return s->options.max_size ? check_limit(s, other_bytes(s), more, err) : IPFSA_OK;
}

/* A head behind the last good commit: a table that was torn before anyone counted on it, or one that rotted since. It is left where it is. */
static ipfsa_status has_damaged_commit(const ipfsa_pack *pack, bool *ret, ipfsa_error *err) {
  static const uint8_t none[IPFSA_PACK_HEAD_SIZE];
  uint8_t head[IPFSA_PACK_HEAD_SIZE];
  size_t n = 0;
  ipfsa_status status = ipfsa_fs_read_at(pack->fd, head, sizeof head, pack->end, &n, err);
  if (status == IPFSA_OK) *ret = memcmp(head, none, n) != 0;
  return status;
}

static ipfsa_status begin_pack(ipfsa_store_writer *w, ipfsa_error *err) {
  ipfsa_store *s = w->store;
  pthread_rwlock_rdlock(&s->lock); /* a listing in another thread may see new packs and move the array */
  ipfsa_pack none = {0}, last = s->n_packs ? s->packs[s->n_packs - 1] : none;
  bool fresh = s->n_packs == 0 || last.end >= s->options.max_pack_size;
  pthread_rwlock_unlock(&s->lock);
  ipfsa_status status = fresh ? IPFSA_OK : has_damaged_commit(&last, &fresh, err);
  if (status) return status;
  uint32_t number = fresh ? last.number + 1 : last.number;
  if (number > IPFSA_MAX_PACK_NUMBER) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d packs", IPFSA_MAX_PACK_NUMBER);
  status = fresh ? ipfsa_pack_create(s->packs_fd, number, &w->active, err)
                              : ipfsa_pack_open(s->packs_fd, number, true, &w->active, err);
  if (status) return status;
  if (fresh) {
    pthread_rwlock_wrlock(&s->lock);
    status = ipfsa_store__open_packs(s, false, err);
    pthread_rwlock_unlock(&s->lock);
  } else {
    w->active.end = last.end;
    w->active.last_seq = last.last_seq;
    /* A torn tail of a writer that died is cut, and what it left whole is made durable before anyone counts on it. */
    status = ipfsa_fs_truncate(w->active.fd, w->active.end, err);
    if (status == IPFSA_OK) status = ipfsa_fs_datasync(w->active.fd, err);
  }
  if (status) {
    ipfsa_pack_close(&w->active);
    return status;
  }
  w->pack_number = number;
  w->data_end = w->active.end + IPFSA_PACK_HEAD_SIZE;
  return IPFSA_OK;
}

static ipfsa_status need_pack(ipfsa_store_writer *w, ipfsa_error *err) {
  ipfsa_status status = check_writable(w->store, err);
  return status || w->pack_number ? status : begin_pack(w, err);
}

/* The queue is made once, under the lock, since a get in another thread looks for it. */
static ipfsa_status need_queue(ipfsa_store_writer *w, ipfsa_error *err) {
  ipfsa_write_queue *queue = NULL;
  if (w->queue) return IPFSA_OK;
  ipfsa_status status = ipfsa_write_queue_new(&queue, err);
  pthread_mutex_lock(&w->lock);
  w->queue = queue;
  pthread_mutex_unlock(&w->lock);
  return status;
}

static ipfsa_status settle_all(ipfsa_store_writer *w, ipfsa_error *err) {
  return w->queue ? ipfsa_write_queue_settle(w->queue, IPFSA_ALL_WRITES, err) : IPFSA_OK;
}

static ipfsa_status write_direct(ipfsa_store_writer *w, const uint8_t *data, size_t len, uint64_t off, uint64_t *ret_ticket, ipfsa_error *err) {
  if (!ret_ticket) return ipfsa_fs_write_at(w->active.direct_fd, data, len, off, err);
  ipfsa_status status = need_queue(w, err);
  return status ? status : ipfsa_write_queue_put(w->queue, w->active.direct_fd, data, len, off, ret_ticket, err);
}

/* Shares whole pages with the file they are mapped from; returns how many bytes that made. They are the ones that were hashed when the file is
 * still held afterwards: nobody could write it in between. Else, and where nothing can be shared, the mapped bytes are written. */
static size_t share(ipfsa_store_writer *w, const ipfsa_held_file *from, size_t start, size_t len, uint64_t off) {
  size_t whole = len / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE;
  if (!from || whole < DIRECT_MIN || (from->off + start) % IPFSA_PACK_PAGE) return 0;
  if (ipfsa_fs_clone(w->active.fd, off, from->fd, from->off + start, whole, NULL) != IPFSA_OK) return 0;
  return ipfsa_fs_holds(from->fd) ? whole : 0;
}

/* ret_ticket NULL: written when it returns. */
static ipfsa_status append(ipfsa_store_writer *w, const uint8_t *data, size_t len, uint64_t off, uint64_t *ret_ticket, ipfsa_error *err) {
  size_t direct = 0;
  bool aligned = ((uintptr_t)data | off) % IPFSA_PACK_PAGE == 0;
  if (w->active.direct_fd >= 0 && aligned && len >= DIRECT_MIN) {
    direct = len / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE;
    ipfsa_status status = write_direct(w, data, direct, off, ret_ticket, err);
    if (status) return status;
  }
  return len == direct ? IPFSA_OK : ipfsa_fs_write_at(w->active.fd, data + direct, len - direct, off + direct, err);
}

static uint64_t page_border(uint64_t off) { return (off + IPFSA_PACK_PAGE - 1) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE; }

/* A buffer that is not full, at the end of a transaction or before large leaves, goes through the page cache, right behind what came before. */
static ipfsa_status write_few(ipfsa_store_writer *w, ipfsa_error *err) {
  return w->records.len ? ipfsa_fs_write_at(w->active.fd, ipfsa_records_data(&w->records), w->records.len, w->data_end, err) : IPFSA_OK;
}

/* A full one goes past it, between page borders, while the next is filled. */
static ipfsa_status write_many(ipfsa_store_writer *w, uint64_t off, size_t *ret_len, uint64_t *ret_ticket, ipfsa_error *err) {
  *ret_len = ipfsa_records_pad(&w->records);
  return write_direct(w, ipfsa_records_data(&w->records), *ret_len, off, ret_ticket, err);
}

/* Small blocks gathered so far go to the pack; their entries learn where. */
static ipfsa_status flush_records(ipfsa_store_writer *w, ipfsa_error *err) {
  ipfsa_status status = w->records.len ? need_pack(w, err) : IPFSA_OK;
  if (status) return status;
  bool many = ipfsa_records_are_full(&w->records) && w->active.direct_fd >= 0;
  uint64_t off = many ? page_border(w->data_end) : w->data_end, ticket = 0;
  size_t len = w->records.len;
  status = many ? write_many(w, off, &len, &ticket, err) : write_few(w, err);
  if (status) return status;
  pthread_mutex_lock(&w->lock);
  ipfsa_pending_place(&w->pending, w->records.len ? off : 0); /* without bytes: empty blocks and removals */
  w->data_end = w->records.len ? off + len : w->data_end;
  if (many) ipfsa_records_next(&w->records, ticket);
  else ipfsa_records_clear(&w->records);
  pthread_mutex_unlock(&w->lock);
  return IPFSA_OK;
}

static ipfsa_status writer_commit(ipfsa_blockstore_writer *self, ipfsa_error *err);

static ipfsa_status commit_if_large(ipfsa_store_writer *w, ipfsa_error *err) {
  uint64_t max = w->store->options.max_pack_size < MAX_COMMIT_BYTES ? w->store->options.max_pack_size : MAX_COMMIT_BYTES;
  bool large = w->pending.n >= MAX_PENDING || (w->pack_number && w->data_end - w->active.end >= max);
  return large ? writer_commit(&w->base, err) : IPFSA_OK;
}

static ipfsa_status flush_if_full(ipfsa_store_writer *w, ipfsa_error *err) {
  if (!ipfsa_records_are_full(&w->records)) return IPFSA_OK;
  ipfsa_status status = check_quota(w, w->records.len, err);
  return status ? status : flush_records(w, err);
}

static ipfsa_status add_record(ipfsa_store_writer *w, ipfsa_entry_kind kind, uint8_t flags, const ipfsa_multihash *mh, ipfsa_bytes data,
                               uint32_t len, ipfsa_error *err) {
  ipfsa_status status = check_writable(w->store, err);
  if (status == IPFSA_OK) status = flush_if_full(w, err); /* else it failed before, and says so again */
  if (status) return status;
  ipfsa_pending_entry p = {.entry = {.kind = kind, .flags = flags, .off = w->records.len, .len = len, .mh = *mh}, .old = IPFSA_LOCATION_NONE, .in_records = true};
  pthread_mutex_lock(&w->lock);
  status = ipfsa_records_prepare(&w->records, data.len, w->queue, err);
  if (status == IPFSA_OK) ipfsa_records_append(&w->records, data);
  pthread_mutex_unlock(&w->lock);
  if (status == IPFSA_OK) status = add_pending(w, &p, err);
  if (status == IPFSA_OK) status = flush_if_full(w, err);
  return status ? status : commit_if_large(w, err);
}

/* ---- the writer's calls ---- */

static ipfsa_status is_there(ipfsa_store_writer *w, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err) {
  ipfsa_pending_entry p;
  if (ipfsa_pending_find(&w->pending, mh, &p)) return *ret = p.entry.kind != IPFSA_ENTRY_DELETED, IPFSA_OK;
  ipfsa_location at;
  ipfsa_pack_entry entry;
  pthread_rwlock_rdlock(&w->store->lock);
  ipfsa_status status = ipfsa_store__find(w->store, mh, &at, &entry, ret, err);
  pthread_rwlock_unlock(&w->store->lock);
  return status;
}

static ipfsa_status writer_put(ipfsa_blockstore_writer *self, const ipfsa_multihash *mh, ipfsa_bytes data, ipfsa_error *err) {
  ipfsa_store_writer *w = (ipfsa_store_writer *)self;
  bool there = false;
  ipfsa_status status = is_there(w, mh, &there, err);
  if (status || there) return status;
  if (ipfsa_pending_find(&w->pending, mh, NULL)) { /* removed in this very transaction: that ends first */
    status = writer_commit(self, err);
    if (status) return status;
  }
  if (w->pending.n == 0) status = check_quota(w, data.len, err);
  return status ? status : add_record(w, IPFSA_ENTRY_RAW, 0, mh, data, (uint32_t)data.len, err);
}

static void leaf_key(const ipfsa_leaf *leaf, ipfsa_multihash *ret) {
  memset(ret, 0, sizeof *ret);
  ret->code = leaf->hash;
  ret->len = (uint8_t)leaf->digest_len;
  memcpy(ret->digest, leaf->digest, leaf->digest_len);
}

/* New leaves that stand together in the buffer are written together, from a page border on. */
static ipfsa_status write_stretch(ipfsa_store_writer *w, const ipfsa_leaf_run *run, size_t first, size_t end, const ipfsa_held_file *from,
                                  uint64_t *ret_ticket, ipfsa_error *err) {
  uint32_t start = run->leaves[first].off;
  size_t len = run->leaves[end - 1].off + run->leaves[end - 1].len - start;
  ipfsa_status status = need_pack(w, err);
  if (status == IPFSA_OK) status = check_quota(w, len, err);
  if (status == IPFSA_OK) status = flush_records(w, err);
  if (status) return status;
  uint64_t off = page_border(w->data_end);
  size_t shared = share(w, from, start, len, off);
  status = append(w, run->data + start + shared, len - shared, off + shared, ret_ticket, err);
  for (size_t i = first; status == IPFSA_OK && i < end; i++) {
    const ipfsa_leaf *leaf = &run->leaves[i];
    ipfsa_pending_entry p = {.entry = {.kind = (ipfsa_entry_kind)run->kind, .off = off + leaf->off - start, .len = leaf->len}, .old = IPFSA_LOCATION_NONE};
    leaf_key(leaf, &p.entry.mh);
    status = ipfsa_pending_find(&w->pending, &p.entry.mh, NULL) ? IPFSA_OK : add_pending(w, &p, err); /* equal leaves in one run: once */
  }
  if (status == IPFSA_OK) w->data_end = off + len;
  return status ? status : commit_if_large(w, err);
}

/* The slots of the leaves from here on, as many again as are being looked up. */
static void look_ahead(ipfsa_store_writer *w, const ipfsa_leaf_run *run, size_t first) {
  if (first >= run->n_leaves) return;
  pthread_rwlock_rdlock(&w->store->lock);
  for (size_t i = first; i < run->n_leaves && i < first + IPFSA_INDEX_AHEAD; i++) {
    ipfsa_multihash mh;
    leaf_key(&run->leaves[i], &mh);
    ipfsa_index_prefetch(w->store->index, &mh, false);
    ipfsa_pending_prefetch(&w->pending, &mh);
  }
  pthread_rwlock_unlock(&w->store->lock);
}

static ipfsa_status put_leaves(ipfsa_store_writer *w, const ipfsa_leaf_run *run, const ipfsa_held_file *from, uint64_t *ret_ticket,
                               ipfsa_error *err) {
  size_t first = SIZE_MAX;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; status == IPFSA_OK && i <= run->n_leaves; i++) {
    bool there = true, small = false;
    ipfsa_multihash mh;
    if (i == 0) look_ahead(w, run, 0);
    if (i % IPFSA_INDEX_AHEAD == 0) look_ahead(w, run, i + IPFSA_INDEX_AHEAD);
    if (i < run->n_leaves) {
      leaf_key(&run->leaves[i], &mh);
      small = run->leaves[i].len < SMALL_LEAF;
      status = is_there(w, &mh, &there, err);
      if (status == IPFSA_OK && !there && ipfsa_pending_find(&w->pending, &mh, NULL)) status = writer_commit(&w->base, err);
      if (status) break;
    }
    bool large_new = !there && !small;
    if (first != SIZE_MAX && !large_new) {
      status = write_stretch(w, run, first, i, from, ret_ticket, err);
      first = SIZE_MAX;
    }
    if (status == IPFSA_OK && !there && small)
      status = add_record(w, (ipfsa_entry_kind)run->kind, 0, &mh, ipfsa_bytes_of(run->data + run->leaves[i].off, run->leaves[i].len),
                          run->leaves[i].len, err);
    if (large_new && first == SIZE_MAX) first = i;
  }
  return status;
}

static ipfsa_status writer_put_run(ipfsa_blockstore_writer *self, const ipfsa_leaf_run *run, const ipfsa_held_file *from, uint64_t *ret_ticket,
                                   ipfsa_error *err) {
  ipfsa_store_writer *w = (ipfsa_store_writer *)self;
  uint64_t ticket = 0;
  ipfsa_status status = put_leaves(w, run, from, ret_ticket ? &ticket : NULL, err);
  if (status) (void)settle_all(w, NULL);
  else if (ret_ticket) *ret_ticket = ticket;
  return status;
}

static ipfsa_status writer_settle(ipfsa_blockstore_writer *self, uint64_t ticket, ipfsa_error *err) {
  ipfsa_store_writer *w = (ipfsa_store_writer *)self;
  return w->queue ? ipfsa_write_queue_settle(w->queue, ticket, err) : IPFSA_OK;
}

static ipfsa_status writer_put_external(ipfsa_blockstore_writer *self, const ipfsa_leaf_run *run, const ipfsa_external *where, ipfsa_error *err) {
  ipfsa_store_writer *w = (ipfsa_store_writer *)self;
  if (!w->store->options.allow_external)
    return ipfsa_fail(err, IPFSA_E_DENIED, "no-copy blocks are off: set filestore.enabled (Experimental.FilestoreEnabled) to true");
  if (strlen(where->path) > 4096) return ipfsa_fail(err, IPFSA_E_LIMIT, "a path of over 4096 bytes");
  ipfsa_status status = IPFSA_OK;
  IPFSA_AUTO_BUF ipfsa_buf record = {0};
  ipfsa_external at = *where;
  for (size_t i = 0; status == IPFSA_OK && i < run->n_leaves; i++) {
    bool there = false;
    ipfsa_multihash mh;
    if (i % IPFSA_INDEX_AHEAD == 0) look_ahead(w, run, i);
    leaf_key(&run->leaves[i], &mh);
    status = is_there(w, &mh, &there, err);
    if (status || there) continue;
    at.off = where->off + run->leaves[i].off;
    ipfsa_buf_clear(&record);
    ipfsa_buf_external(&record, &at);
    status = ipfsa_buf_status(&record, err);
    if (status == IPFSA_OK)
      status = add_record(w, IPFSA_ENTRY_EXTERNAL, (uint8_t)run->kind, &mh, ipfsa_buf_bytes(&record), run->leaves[i].len, err);
  }
  return status == IPFSA_OK && w->pending.n >= MAX_EXTERNAL ? writer_commit(self, err) : status;
}

static ipfsa_status writer_del(ipfsa_blockstore_writer *self, const ipfsa_multihash *mh, ipfsa_error *err) {
  ipfsa_store_writer *w = (ipfsa_store_writer *)self;
  ipfsa_status status = check_writable(w->store, err);
  if (status == IPFSA_OK && ipfsa_pending_find(&w->pending, mh, NULL)) status = writer_commit(self, err);
  if (status) return status;
  ipfsa_pending_entry p = {.entry = {.kind = IPFSA_ENTRY_DELETED, .mh = *mh}};
  ipfsa_pack_entry entry;
  bool found = false;
  pthread_rwlock_rdlock(&w->store->lock);
  status = ipfsa_store__find(w->store, mh, &p.old, &entry, &found, err);
  pthread_rwlock_unlock(&w->store->lock);
  if (status) return status;
  if (!found) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block");
  p.entry.len = (uint32_t)ipfsa_pack_entry_block_len(&entry);
  status = add_pending(w, &p, err);
  return status ? status : commit_if_large(w, err);
}

/* ---- commit ---- */

/* The commit is durable: the index may know it now. Growth first, so that inserting cannot fail. */
static ipfsa_status publish(ipfsa_store_writer *w, uint64_t table_off, ipfsa_bytes table, ipfsa_error *err) {
  ipfsa_store *s = w->store;
  pthread_rwlock_wrlock(&s->lock);
  ipfsa_pack *pack = ipfsa_store__pack(s, w->pack_number);
  pack->end = w->active.end;
  pack->last_seq = w->active.last_seq;
  pack->last_commit = w->active.last_commit;
  ipfsa_pack_commit commit = {.seq = w->active.last_seq, .off = w->active.last_commit, .table_off = table_off, .end = w->active.end,
                              .table_len = (uint32_t)table.len, .n_entries = (uint32_t)w->pending.n};
  /* Where each block was before: nobody else could change that since it was looked up. */
  ipfsa_status status = ipfsa_store__apply_commit(s, pack, &commit, table, w->pending.olds, err);
  pthread_rwlock_unlock(&s->lock);
  return status;
}

static ipfsa_status writer_commit(ipfsa_blockstore_writer *self, ipfsa_error *err) {
  ipfsa_store_writer *w = (ipfsa_store_writer *)self;
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_status status = check_writable(w->store, err);
  if (status || w->pending.n == 0) return status;
  if (status == IPFSA_OK) status = flush_records(w, err);
  if (status == IPFSA_OK) status = need_pack(w, err);
  if (status == IPFSA_OK) status = settle_all(w, err); /* a process that dies now leaves no head without its data */
  if (status) return status;
  uint64_t table_off = (w->data_end + 7) & ~(uint64_t)7, n_new = w->pending.n;
  ipfsa_bytes table = ipfsa_buf_bytes(&w->pending.table);
  status = ipfsa_pack_write_commit(&w->active, w->active.last_seq + 1, w->data_end, table, (uint32_t)w->pending.n, err);
  if (status == IPFSA_E_POISONED) w->store->poisoned = true;
  if (status) return status;
  status = publish(w, table_off, table, err);
  if (status == IPFSA_OK && w->active.end >= w->store->options.max_pack_size) ipfsa_store__seal(&w->active);
  /* Durable but unknown to the index (memory ran out): the next open replays it. The answer is the failure. */
  pthread_rwlock_wrlock(&w->store->lock);
  forget_pending(w);
  ipfsa_pack_close(&w->active);
  pthread_rwlock_unlock(&w->store->lock);
  w->pack_number = 0;
  if (status == IPFSA_OK) ipfsa_index_checkpoint(w->store->index, n_new, w->store->options.checkpoint_every);
  return status;
}

static void writer_close(ipfsa_blockstore_writer *self) {
  ipfsa_store_writer *w = (ipfsa_store_writer *)self;
  ipfsa_store *s = w->store;
  (void)settle_all(w, NULL); /* the buffers are their owners' again, and nothing comes after the cut */
  if (w->pack_number) {
    (void)ipfsa_fs_truncate(w->active.fd, w->active.end, NULL); /* else the next writer cuts it */
    ipfsa_pack_close(&w->active);
  }
  pthread_rwlock_wrlock(&s->lock);
  s->writer = NULL;
  pthread_rwlock_unlock(&s->lock);
  ipfsa_write_queue_free(w->queue);
  ipfsa_records_release(&w->records);
  ipfsa_pending_release(&w->pending);
  pthread_mutex_destroy(&w->lock);
  ipfsa_free(w);
  ipfsa_store_unlock(s);
  pthread_mutex_unlock(&s->writer_lock);
}

static const ipfsa_blockstore_writer_ops writer_ops = {writer_put, writer_put_run, writer_settle, writer_put_external, writer_del, writer_commit, writer_close};

/* Sees what other writers did since, with an index on disk that this process may change. */
static ipfsa_status catch_up(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  pthread_rwlock_wrlock(&s->lock);
  if (s->index_private) {
    ipfsa_index *shared = NULL;
    ipfsa_index_worth worth;
    status = ipfsa_index_open(s->dirfd, true, &shared, &worth, err);
    if (status == IPFSA_OK && worth != IPFSA_INDEX_GONE) {
      ipfsa_index_close(s->index);
      s->index = shared;
      s->index_private = false;
      if (worth == IPFSA_INDEX_OLD) status = ipfsa_store__open_packs(s, false, err);
      if (status == IPFSA_OK && worth == IPFSA_INDEX_OLD) status = ipfsa_store__restore_index(s, err);
    } else if (status == IPFSA_OK) {
      status = ipfsa_store__open_packs(s, false, err);
      if (status == IPFSA_OK) status = ipfsa_store__rebuild_index(s, false, err);
    }
  }
  if (status == IPFSA_OK) status = ipfsa_store__refresh(s, true, err);
  pthread_rwlock_unlock(&s->lock);
  return status;
}

ipfsa_status ipfsa_store__begin(ipfsa_blockstore *self, ipfsa_blockstore_writer **ret, ipfsa_error *err) {
  ipfsa_store *s = (ipfsa_store *)self;
  if (s->options.read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is opened read-only");
  ipfsa_store_writer *w = ipfsa_calloc(1, sizeof *w);
  if (!w) return ipfsa_fail_nomem(err);
  w->base.ops = &writer_ops;
  w->store = s;
  w->others = other_bytes(s);
  w->active.fd = w->active.direct_fd = -1;
  w->pending.table.max = IPFSA_MAX_TABLE;
  pthread_mutex_init(&w->lock, NULL);
  pthread_mutex_lock(&s->writer_lock);
  ipfsa_status status = check_writable(s, err);
  if (status == IPFSA_OK) status = ipfsa_store_lock(s, err);
  if (status == IPFSA_OK) {
    status = catch_up(s, err);
    if (status) ipfsa_store_unlock(s);
  }
  if (status) {
    pthread_mutex_unlock(&s->writer_lock);
    pthread_mutex_destroy(&w->lock);
    ipfsa_free(w);
    return status;
  }
  pthread_rwlock_wrlock(&s->lock);
  s->writer = w;
  pthread_rwlock_unlock(&s->lock);
  if (s->n_torn) status = ipfsa_store__bury_torn(s, &w->base, err);
  if (status) writer_close(&w->base);
  else *ret = &w->base;
  return status;
}
