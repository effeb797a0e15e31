#include "exchange/fetching.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "hash/hash.h"

typedef struct fetching {
  ipfsa_blockstore base;
  ipfsa_blockstore *below;
  ipfsa_block_source source;
  bool keep;
  pthread_mutex_t lock; /* over calls of the source */
  uint64_t n_fetched;
} fetching;

static fetching *of(ipfsa_blockstore *self) { return (fetching *)self; }

static ipfsa_status ask(fetching *f, const ipfsa_cid *cid, uint8_t *room, size_t *ret_len, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT];
  int answer = f->source.get(f->source.ctx, cid, room, IPFSA_MAX_BLOCK, ret_len);
  if (answer == 1) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "neither here nor at the block source");
  ipfsa_cid_format(cid, text);
  if (answer != 0) return ipfsa_fail(err, IPFSA_E_IO, "the block source failed at %.200s", text);
  if (*ret_len > IPFSA_MAX_BLOCK) return ipfsa_fail(err, IPFSA_E_INVALID, "the block source says that it wrote past its room at %.200s", text);
  ipfsa_bytes data = ipfsa_bytes_of(room, *ret_len);
  ipfsa_status status = ipfsa_hash_verify(&cid->mh, &data, 1, err);
  if (status == IPFSA_E_CORRUPT) return ipfsa_fail(err, IPFSA_E_CORRUPT, "the block source gave other bytes for %.200s; they are not used", text);
  return status;
}

/* As a run: a leaf that is large enough lies at a page border, and can be mapped. What cannot be kept is used all the same. */
static void put_below(fetching *f, const ipfsa_multihash *mh, ipfsa_bytes data) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_leaf leaf = {.hash = mh->code, .digest = mh->digest, .digest_len = mh->len, .len = (uint32_t)data.len};
  ipfsa_leaf_run run = {.data = data.data, .len = data.len, .kind = IPFSA_LEAF_RAW, .leaves = &leaf, .n_leaves = 1};
  if (!f->keep || ipfsa_blockstore_begin(f->below, &w, NULL) != IPFSA_OK) return;
  if (ipfsa_writer_put_run(w, &run, NULL) == IPFSA_OK) (void)ipfsa_writer_commit(w, NULL);
  ipfsa_writer_close(w);
}

/* Another thread may have fetched it while this one waited for its turn. */
static ipfsa_status fetch(fetching *f, const ipfsa_multihash *mh, ipfsa_block *ret, ipfsa_error *err) {
  const ipfsa_cid cid = {.version = 1, .codec = IPFSA_CODEC_RAW, .mh = *mh};
  ipfsa_status status = f->below->ops->get(f->below, mh, ret, err);
  if (status != IPFSA_E_NOT_FOUND) return status;
  uint8_t *room = NULL;
  ipfsa_refbuf *owner = ipfsa_refbuf_new(IPFSA_MAX_BLOCK, &room);
  size_t len = 0;
  if (!owner) return ipfsa_fail_nomem(err);
  status = ask(f, &cid, room, &len, err);
  if (status) return ipfsa_refbuf_unref(owner), status;
  put_below(f, mh, ipfsa_bytes_of(room, len));
  __atomic_add_fetch(&f->n_fetched, 1, __ATOMIC_RELAXED);
  *ret = (ipfsa_block){{room, len}, owner};
  return IPFSA_OK;
}

static ipfsa_status fetching_get(ipfsa_blockstore *self, const ipfsa_multihash *mh, ipfsa_block *ret, ipfsa_error *err) {
  fetching *f = of(self);
  ipfsa_status status = f->below->ops->get(f->below, mh, ret, err);
  if (status != IPFSA_E_NOT_FOUND) return status;
  pthread_mutex_lock(&f->lock);
  status = fetch(f, mh, ret, err);
  pthread_mutex_unlock(&f->lock);
  return status;
}

static ipfsa_status fetching_get_many(ipfsa_blockstore *self, const ipfsa_cid *cids, size_t n, bool once, ipfsa_block *ret, size_t *ret_n, ipfsa_error *err) {
  fetching *f = of(self);
  ipfsa_status status = f->below->ops->get_many(f->below, cids, n, once, ret, ret_n, err);
  if (status != IPFSA_E_NOT_FOUND) return status;
  status = fetching_get(self, &cids[0].mh, ret, err);
  if (status == IPFSA_OK) *ret_n = 1;
  return status;
}

static ipfsa_status fetching_is_leaf(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err) {
  return of(self)->below->ops->is_leaf(of(self)->below, mh, ret, err);
}
static ipfsa_status fetching_has(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err) {
  return of(self)->below->ops->has(of(self)->below, mh, ret, err);
}
static ipfsa_status fetching_size(ipfsa_blockstore *self, const ipfsa_multihash *mh, uint64_t *ret, ipfsa_error *err) {
  return of(self)->below->ops->size(of(self)->below, mh, ret, err);
}
static ipfsa_status fetching_iterate(ipfsa_blockstore *self, ipfsa_multihash_cb cb, void *ctx, ipfsa_error *err) {
  return of(self)->below->ops->iterate(of(self)->below, cb, ctx, err);
}
static ipfsa_status fetching_begin(ipfsa_blockstore *self, ipfsa_blockstore_writer **ret, ipfsa_error *err) {
  return of(self)->below->ops->begin(of(self)->below, ret, err);
}
static bool fetching_locate(ipfsa_blockstore *self, const ipfsa_multihash *mh, ipfsa_place *ret) {
  const ipfsa_blockstore_ops *ops = of(self)->below->ops;
  return ops->locate && ops->locate(of(self)->below, mh, ret);
}
static bool fetching_read_place(ipfsa_blockstore *self, const ipfsa_place *place, uint32_t from, uint32_t len, void *data) {
  return ipfsa_blockstore_read_place(of(self)->below, place, from, len, data);
}
static ipfsa_status fetching_share(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t len, int fd, uint64_t off, ipfsa_error *err) {
  return ipfsa_blockstore_share(of(self)->below, place, len, fd, off, err);
}
static bool fetching_map(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t off, uint64_t len, uint8_t *at) {
  return ipfsa_blockstore_map(of(self)->below, place, off, len, at);
}

static void fetching_check_places(ipfsa_blockstore *self, const ipfsa_place *const *places, size_t n, bool hash, bool *ret_good) {
  ipfsa_blockstore_check_places(of(self)->below, places, n, hash, ret_good);
}
static void fetching_read_ahead(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t len) { ipfsa_blockstore_read_ahead(of(self)->below, place, len); }

static uint64_t fetching_changed_ns(ipfsa_blockstore *self, const ipfsa_place *place) { return ipfsa_blockstore_changed_ns(of(self)->below, place); }

static void fetching_close(ipfsa_blockstore *self) {
  pthread_mutex_destroy(&of(self)->lock);
  ipfsa_free(self);
}

static const ipfsa_blockstore_ops ops = {fetching_get,   fetching_get_many, fetching_is_leaf, fetching_has,        fetching_size,  fetching_iterate,
                                         fetching_begin, fetching_close,    fetching_locate,  fetching_read_place, fetching_share, fetching_map,
                                         fetching_check_places, fetching_read_ahead, fetching_changed_ns};

ipfsa_status ipfsa_fetching_new(ipfsa_blockstore *below, const ipfsa_block_source *source, bool keep, ipfsa_blockstore **ret, ipfsa_error *err) {
  fetching *f = ipfsa_calloc(1, sizeof *f);
  if (!f) return ipfsa_fail_nomem(err);
  *f = (fetching){.base = {&ops}, .below = below, .source = IPFSA_OPTIONS(ipfsa_block_source, source), .keep = keep};
  pthread_mutex_init(&f->lock, NULL);
  if (f->source.get) return *ret = &f->base, IPFSA_OK;
  fetching_close(&f->base);
  return ipfsa_fail(err, IPFSA_E_INVALID, "a block source without get");
}

uint64_t ipfsa_fetching_count(const ipfsa_blockstore *fetching_) { return __atomic_load_n(&((const fetching *)fetching_)->n_fetched, __ATOMIC_RELAXED); }
