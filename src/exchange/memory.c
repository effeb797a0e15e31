/* A blockstore in memory: what upper rooms are tested with. One writer at a time; uncommitted blocks are visible and vanish on close. */
#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "exchange/blockstore.h"

typedef struct entry {
  struct entry *next;
  ipfsa_multihash mh;
  ipfsa_block block;
  bool pending, deleted; /* pending: not committed; deleted: by the open writer */
  bool leaf;             /* came as a leaf of a file */
} entry;

#define N_BUCKETS 4096

typedef struct memory_store {
  ipfsa_blockstore base;
  pthread_mutex_t lock;
  entry *buckets[N_BUCKETS];
  bool writing;
} memory_store;

typedef struct memory_writer {
  ipfsa_blockstore_writer base;
  memory_store *store;
} memory_writer;

static size_t bucket_of(const ipfsa_multihash *mh) {
  size_t h = mh->len;
  for (size_t i = 0; i < mh->len; i++) h = h * 31 + mh->digest[i];
  return h % N_BUCKETS;
}

static entry *find(memory_store *s, const ipfsa_multihash *mh) {
  for (entry *e = s->buckets[bucket_of(mh)]; e; e = e->next)
    if (ipfsa_multihash_equal(&e->mh, mh) && !e->deleted) return e;
  return NULL;
}

static ipfsa_status memory_get(ipfsa_blockstore *self, const ipfsa_multihash *mh, ipfsa_block *ret, ipfsa_error *err) {
  memory_store *s = (memory_store *)self;
  pthread_mutex_lock(&s->lock);
  entry *e = find(s, mh);
  if (e) {
    ipfsa_refbuf_ref(e->block.owner);
    *ret = e->block;
  }
  pthread_mutex_unlock(&s->lock);
  return e ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block");
}

static ipfsa_status memory_get_many(ipfsa_blockstore *self, const ipfsa_cid *cids, size_t n, bool once, ipfsa_block *ret, size_t *ret_n, ipfsa_error *err) {
  (void)once;
  ipfsa_status status = memory_get(self, &cids[0].mh, &ret[0], err);
  if (status) return status;
  for (*ret_n = 1; *ret_n < n && memory_get(self, &cids[*ret_n].mh, &ret[*ret_n], NULL) == IPFSA_OK;) ++*ret_n;
  return IPFSA_OK;
}

static ipfsa_status memory_is_leaf(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err) {
  (void)err;
  memory_store *s = (memory_store *)self;
  pthread_mutex_lock(&s->lock);
  entry *e = find(s, mh);
  *ret = e && e->leaf;
  pthread_mutex_unlock(&s->lock);
  return IPFSA_OK;
}

static ipfsa_status memory_has(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err) {
  (void)err;
  memory_store *s = (memory_store *)self;
  pthread_mutex_lock(&s->lock);
  *ret = find(s, mh) != NULL;
  pthread_mutex_unlock(&s->lock);
  return IPFSA_OK;
}

static ipfsa_status memory_size(ipfsa_blockstore *self, const ipfsa_multihash *mh, uint64_t *ret, ipfsa_error *err) {
  memory_store *s = (memory_store *)self;
  pthread_mutex_lock(&s->lock);
  entry *e = find(s, mh);
  if (e) *ret = e->block.data.len;
  pthread_mutex_unlock(&s->lock);
  return e ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block");
}

static ipfsa_status memory_iterate(ipfsa_blockstore *self, ipfsa_multihash_cb cb, void *ctx, ipfsa_error *err) {
  memory_store *s = (memory_store *)self;
  for (size_t i = 0; i < N_BUCKETS; i++)
    for (entry *e = s->buckets[i]; e; e = e->next)
      if (!e->deleted && cb(ctx, &e->mh, e->block.data.len) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
  return IPFSA_OK;
}

static ipfsa_status put_parts(memory_store *s, const ipfsa_multihash *mh, const ipfsa_bytes *parts, size_t n, bool leaf, ipfsa_error *err) {
  size_t len = 0;
  for (size_t i = 0; i < n; i++) len += parts[i].len;
  pthread_mutex_lock(&s->lock);
  bool there = find(s, mh) != NULL;
  pthread_mutex_unlock(&s->lock);
  if (there) return IPFSA_OK;
  entry *e = ipfsa_calloc(1, sizeof *e);
  uint8_t *data = NULL;
  ipfsa_refbuf *owner = e ? ipfsa_refbuf_new(len, &data) : NULL;
  if (!owner) {
    ipfsa_free(e);
    return ipfsa_fail_nomem(err);
  }
  e->mh = *mh;
  e->block = (ipfsa_block){{data, len}, owner};
  e->pending = true;
  e->leaf = leaf;
  for (size_t i = 0; i < n; data += parts[i++].len)
    if (parts[i].len) memcpy(data, parts[i].data, parts[i].len);
  pthread_mutex_lock(&s->lock);
  size_t b = bucket_of(mh);
  e->next = s->buckets[b];
  s->buckets[b] = e;
  pthread_mutex_unlock(&s->lock);
  return IPFSA_OK;
}

static ipfsa_status memory_put(ipfsa_blockstore_writer *self, const ipfsa_multihash *mh, ipfsa_bytes data, ipfsa_error *err) {
  return put_parts(((memory_writer *)self)->store, mh, &data, 1, false, err);
}

static ipfsa_status put_leaf(memory_store *s, const ipfsa_leaf_run *run, const ipfsa_leaf *leaf, ipfsa_error *err) {
  ipfsa_multihash mh;
  memset(&mh, 0, sizeof mh);
  mh.code = leaf->hash;
  mh.len = (uint8_t)leaf->digest_len;
  memcpy(mh.digest, leaf->digest, leaf->digest_len);
  uint8_t prefix[32], suffix[32];
  ipfsa_bytes parts[3] = {{prefix, 0}, {run->data + leaf->off, leaf->len}, {suffix, 0}};
  ipfsa_leaf_wrap(run->kind, leaf->len, prefix, &parts[0].len, suffix, &parts[2].len);
  return put_parts(s, &mh, parts, 3, true, err);
}

static ipfsa_status memory_put_run(ipfsa_blockstore_writer *self, const ipfsa_leaf_run *run, const ipfsa_held_file *from, uint64_t *ret_ticket,
                                   ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  (void)from;
  if (ret_ticket) *ret_ticket = 0; /* copied at once */
  for (size_t i = 0; status == IPFSA_OK && i < run->n_leaves; i++)
    status = put_leaf(((memory_writer *)self)->store, run, &run->leaves[i], err);
  return status;
}

static ipfsa_status memory_settle(ipfsa_blockstore_writer *self, uint64_t ticket, ipfsa_error *err) {
  (void)self, (void)ticket, (void)err;
  return IPFSA_OK;
}

static ipfsa_status memory_put_external(ipfsa_blockstore_writer *self, const ipfsa_leaf_run *run, const ipfsa_external *where,
                                        ipfsa_error *err) {
  (void)self, (void)run, (void)where;
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "a store in memory has no blocks that stay in files: add with a copy");
}

static ipfsa_status memory_del(ipfsa_blockstore_writer *self, const ipfsa_multihash *mh, ipfsa_error *err) {
  memory_store *s = ((memory_writer *)self)->store;
  pthread_mutex_lock(&s->lock);
  entry *e = find(s, mh);
  if (e) e->deleted = true;
  pthread_mutex_unlock(&s->lock);
  return e ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no such block");
}

/* Drops what `drop` says and settles the rest. */
static void settle(memory_store *s, bool commit) {
  pthread_mutex_lock(&s->lock);
  for (size_t i = 0; i < N_BUCKETS; i++)
    for (entry **at = &s->buckets[i]; *at;) {
      entry *e = *at;
      if (commit ? e->deleted : e->pending) {
        *at = e->next;
        ipfsa_block_release(&e->block);
        ipfsa_free(e);
        continue;
      }
      e->pending = e->deleted = false;
      at = &e->next;
    }
  pthread_mutex_unlock(&s->lock);
}

static ipfsa_status memory_commit(ipfsa_blockstore_writer *self, ipfsa_error *err) {
  (void)err;
  settle(((memory_writer *)self)->store, true);
  return IPFSA_OK;
}

static void memory_writer_close(ipfsa_blockstore_writer *self) {
  memory_store *s = ((memory_writer *)self)->store;
  settle(s, false);
  s->writing = false;
  ipfsa_free(self);
}

static const ipfsa_blockstore_writer_ops writer_ops = {memory_put, memory_put_run, memory_settle, memory_put_external, memory_del, memory_commit,
                                                       memory_writer_close};

static ipfsa_status memory_begin(ipfsa_blockstore *self, ipfsa_blockstore_writer **ret, ipfsa_error *err) {
  memory_store *s = (memory_store *)self;
  if (s->writing) return ipfsa_fail(err, IPFSA_E_LOCKED, "another writer is open");
  memory_writer *w = ipfsa_calloc(1, sizeof *w);
  if (!w) return ipfsa_fail_nomem(err);
  w->base.ops = &writer_ops;
  w->store = s;
  s->writing = true;
  *ret = &w->base;
  return IPFSA_OK;
}

static void memory_close(ipfsa_blockstore *self) {
  memory_store *s = (memory_store *)self;
  for (size_t i = 0; i < N_BUCKETS; i++)
    for (entry *e = s->buckets[i], *next; e; e = next) {
      next = e->next;
      ipfsa_block_release(&e->block);
      ipfsa_free(e);
    }
  pthread_mutex_destroy(&s->lock);
  ipfsa_free(s);
}

static const ipfsa_blockstore_ops store_ops = {memory_get, memory_get_many, memory_is_leaf, memory_has, memory_size, memory_iterate, memory_begin, memory_close, NULL, NULL, NULL, NULL, NULL, NULL, NULL};

ipfsa_status ipfsa_memory_blockstore_new(ipfsa_blockstore **ret, ipfsa_error *err) {
  memory_store *s = ipfsa_calloc(1, sizeof *s);
  if (!s) return ipfsa_fail_nomem(err);
  s->base.ops = &store_ops;
  pthread_mutex_init(&s->lock, NULL);
  *ret = &s->base;
  return IPFSA_OK;
}
