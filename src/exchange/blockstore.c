#include "exchange/blockstore.h"

#include "base/alloc.h"
#include "base/error.h"

static ipfsa_status get_identity(const ipfsa_cid *cid, ipfsa_block *ret, ipfsa_error *err) {
  uint8_t *data = NULL;
  ipfsa_refbuf *owner = ipfsa_refbuf_new(cid->mh.len, &data);
  if (!owner) return ipfsa_fail_nomem(err);
  memcpy(data, cid->mh.digest, cid->mh.len);
  *ret = (ipfsa_block){{data, cid->mh.len}, owner};
  return IPFSA_OK;
}

/* Kubo's words: scripts match on "could not find". */
static ipfsa_status not_found(const ipfsa_cid *cid, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_cid_format(cid, text);
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "block was not found locally (offline): ipld: could not find %.200s", text);
}

ipfsa_status ipfsa_blockstore_get(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_block *ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_cid_check_allowed(cid, err);
  if (status) return status;
  if (ipfsa_cid_is_identity(cid)) return get_identity(cid, ret, err);
  status = bs->ops->get(bs, &cid->mh, ret, err);
  return status == IPFSA_E_NOT_FOUND ? not_found(cid, err) : status;
}

static bool is_plain(const ipfsa_cid *cid) { return !ipfsa_cid_is_identity(cid) && ipfsa_cid_check_allowed(cid, NULL) == IPFSA_OK; }

ipfsa_status ipfsa_blockstore_get_many(ipfsa_blockstore *bs, const ipfsa_cid *cids, size_t n, bool once, ipfsa_block *ret, size_t *ret_n, ipfsa_error *err) {
  size_t plain = 0;
  while (plain < n && plain < IPFSA_MAX_GET_MANY && is_plain(&cids[plain])) plain++;
  ipfsa_status status = plain > 1 ? bs->ops->get_many(bs, cids, plain, once, ret, ret_n, err) : ipfsa_blockstore_get(bs, cids, ret, err);
  if (status == IPFSA_OK && plain <= 1) *ret_n = 1;
  return status == IPFSA_E_NOT_FOUND && plain > 1 ? not_found(cids, err) : status;
}

ipfsa_status ipfsa_blockstore_is_leaf(ipfsa_blockstore *bs, const ipfsa_cid *cid, bool *ret, ipfsa_error *err) {
  bool plain = is_plain(cid);
  *ret = false;
  if (cid->codec == IPFSA_CODEC_RAW && plain) return bs->ops->has(bs, &cid->mh, ret, err);
  return cid->codec == IPFSA_CODEC_DAG_PB && plain ? bs->ops->is_leaf(bs, &cid->mh, ret, err) : IPFSA_OK;
}

ipfsa_status ipfsa_blockstore_has(ipfsa_blockstore *bs, const ipfsa_cid *cid, bool *ret, ipfsa_error *err) {
  if (ipfsa_cid_is_identity(cid)) return *ret = true, IPFSA_OK;
  return bs->ops->has(bs, &cid->mh, ret, err);
}

ipfsa_status ipfsa_blockstore_size(ipfsa_blockstore *bs, const ipfsa_cid *cid, uint64_t *ret, ipfsa_error *err) {
  if (ipfsa_cid_is_identity(cid)) return *ret = cid->mh.len, IPFSA_OK;
  ipfsa_status status = bs->ops->size(bs, &cid->mh, ret, err);
  return status == IPFSA_E_NOT_FOUND ? not_found(cid, err) : status;
}

ipfsa_status ipfsa_blockstore_iterate(ipfsa_blockstore *bs, ipfsa_multihash_cb cb, void *ctx, ipfsa_error *err) {
  return bs->ops->iterate(bs, cb, ctx, err);
}

/* What a codec and a kind of leaf make of each other: the bytes of a raw block are all of it, those of a dag-pb one are what is wrapped. */
bool ipfsa_blockstore_locate(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_place *ret) {
  bool raw = cid->codec == IPFSA_CODEC_RAW;
  if (!bs->ops->locate || !is_plain(cid) || (!raw && cid->codec != IPFSA_CODEC_DAG_PB)) return false;
  return bs->ops->locate(bs, &cid->mh, ret) && raw == (ret->kind == IPFSA_LEAF_RAW);
}

bool ipfsa_blockstore_read_place(ipfsa_blockstore *bs, const ipfsa_place *place, uint32_t from, uint32_t len, void *data) {
  return bs->ops->read_place && from <= place->len && len <= place->len - from && bs->ops->read_place(bs, place, from, len, data);
}

ipfsa_status ipfsa_blockstore_share(ipfsa_blockstore *bs, const ipfsa_place *place, uint64_t len, int fd, uint64_t off, ipfsa_error *err) {
  if (bs->ops->share) return bs->ops->share(bs, place, len, fd, off, err);
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "this store has no files to share");
}

bool ipfsa_blockstore_map(ipfsa_blockstore *bs, const ipfsa_place *place, uint64_t off, uint64_t len, uint8_t *at) {
  return bs->ops->map && bs->ops->map(bs, place, off, len, at);
}

void ipfsa_blockstore_check_places(ipfsa_blockstore *bs, const ipfsa_place *const *places, size_t n, bool hash, bool *ret_good) {
  if (bs->ops->check_places) bs->ops->check_places(bs, places, n, hash, ret_good);
  else memset(ret_good, 0, n * sizeof *ret_good);
}

void ipfsa_blockstore_read_ahead(ipfsa_blockstore *bs, const ipfsa_place *place, uint64_t len) {
  if (bs->ops->read_ahead) bs->ops->read_ahead(bs, place, len);
}

uint64_t ipfsa_blockstore_changed_ns(ipfsa_blockstore *bs, const ipfsa_place *place) {
  return bs->ops->changed_ns ? bs->ops->changed_ns(bs, place) : 0;
}

void ipfsa_blockstore_close(ipfsa_blockstore *bs) {
  if (bs) bs->ops->close(bs);
}

ipfsa_status ipfsa_blockstore_begin(ipfsa_blockstore *bs, ipfsa_blockstore_writer **ret, ipfsa_error *err) {
  return bs->ops->begin(bs, ret, err);
}

static ipfsa_status check_size(uint64_t len, ipfsa_error *err) {
  if (len <= IPFSA_MAX_BLOCK) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_LIMIT, "object size limit exceeded: a block of %llu bytes, at most %d can be shared",
                    (unsigned long long)len, IPFSA_MAX_BLOCK);
}

ipfsa_status ipfsa_writer_put(ipfsa_blockstore_writer *w, const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_error *err) {
  ipfsa_status status = check_size(data.len, err);
  if (status == IPFSA_OK) status = ipfsa_cid_check_allowed(cid, err);
  if (status || ipfsa_cid_is_identity(cid)) return status;
  return w->ops->put(w, &cid->mh, data, err);
}

static ipfsa_status check_run(const ipfsa_leaf_run *run, ipfsa_error *err) {
  for (size_t i = 0; i < run->n_leaves; i++) {
    const ipfsa_leaf *leaf = &run->leaves[i];
    uint8_t prefix[32], suffix[32];
    size_t prefix_len, suffix_len;
    ipfsa_leaf_wrap(run->kind, leaf->len, prefix, &prefix_len, suffix, &suffix_len);
    ipfsa_status status = check_size(leaf->len + prefix_len + suffix_len, err);
    if (status) return status;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_writer_put_run(ipfsa_blockstore_writer *w, const ipfsa_leaf_run *run, ipfsa_error *err) {
  ipfsa_status status = check_run(run, err);
  return status ? status : w->ops->put_run(w, run, NULL, NULL, err);
}

ipfsa_status ipfsa_writer_put_run_later(ipfsa_blockstore_writer *w, const ipfsa_leaf_run *run, const ipfsa_held_file *from, uint64_t *ret_ticket,
                                        ipfsa_error *err) {
  ipfsa_status status = check_run(run, err);
  return status ? status : w->ops->put_run(w, run, from, ret_ticket, err);
}

ipfsa_status ipfsa_writer_settle(ipfsa_blockstore_writer *w, uint64_t ticket, ipfsa_error *err) {
  return ticket ? w->ops->settle(w, ticket, err) : IPFSA_OK;
}

ipfsa_status ipfsa_writer_put_external(ipfsa_blockstore_writer *w, const ipfsa_leaf_run *run, const ipfsa_external *where,
                                       ipfsa_error *err) {
  ipfsa_status status = check_run(run, err);
  return status ? status : w->ops->put_external(w, run, where, err);
}

ipfsa_status ipfsa_writer_del(ipfsa_blockstore_writer *w, const ipfsa_cid *cid, ipfsa_error *err) { return w->ops->del(w, &cid->mh, err); }

ipfsa_status ipfsa_writer_commit(ipfsa_blockstore_writer *w, ipfsa_error *err) { return w->ops->commit(w, err); }

void ipfsa_writer_close(ipfsa_blockstore_writer *w) {
  if (w) w->ops->close(w);
}
