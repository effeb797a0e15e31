#include "unixfs/missing.h"

#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/children.h"

typedef struct level {
  ipfsa_block block;
  ipfsa_file_node node;
  ipfsa_child_iter next;
} level;

typedef struct walk {
  ipfsa_blockstore *bs;
  level *levels; /* IPFSA_MAX_FILE_DEPTH */
  size_t depth;
  uint32_t n_seen;
  ipfsa_range_cb cb;
  void *ctx;
} walk;

static ipfsa_status tell(walk *w, const ipfsa_child *c, ipfsa_error *err) {
  if (c->size == 0 || w->cb(w->ctx, c->start, c->start + c->size) == 0) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
}

static ipfsa_status enter(walk *w, const ipfsa_child *c, ipfsa_error *err) {
  if (w->depth == IPFSA_MAX_FILE_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "a file of over %d levels", IPFSA_MAX_FILE_DEPTH);
  level *l = &w->levels[w->depth];
  ipfsa_status status = ipfsa_blockstore_get(w->bs, &c->cid, &l->block, err);
  if (status) return status == IPFSA_E_NOT_FOUND ? tell(w, c, err) : status;
  l->node.start = c->start;
  if (!ipfsa_file_node_decode(l->block.data, &l->node)) return ipfsa_block_release(&l->block), IPFSA_OK; /* a leaf */
  l->next = ipfsa_file_children(&l->node);
  w->depth++;
  return IPFSA_OK;
}

static ipfsa_status look_at(walk *w, const ipfsa_child *c, ipfsa_error *err) {
  bool here = false;
  if (w->n_seen++ == IPFSA_MAX_MISSING_NODES) return ipfsa_fail(err, IPFSA_E_LIMIT, "a file of over %u blocks", IPFSA_MAX_MISSING_NODES);
  if (c->cid.codec != IPFSA_CODEC_RAW) {
    ipfsa_status status = ipfsa_blockstore_is_leaf(w->bs, &c->cid, &here, err);
    return status || here ? status : enter(w, c, err);
  }
  ipfsa_status status = ipfsa_blockstore_has(w->bs, &c->cid, &here, err);
  return status || here ? status : tell(w, c, err);
}

ipfsa_status ipfsa_file_missing(ipfsa_blockstore *bs, const ipfsa_cid *file, uint64_t size, ipfsa_range_cb cb, void *ctx, ipfsa_error *err) {
  walk w = {.bs = bs, .levels = ipfsa_calloc(IPFSA_MAX_FILE_DEPTH, sizeof(level)), .cb = cb, .ctx = ctx};
  if (!w.levels) return ipfsa_fail_nomem(err);
  ipfsa_child c = {.cid = *file, .size = size};
  ipfsa_status status = look_at(&w, &c, err);
  while (status == IPFSA_OK && w.depth) {
    level *l = &w.levels[w.depth - 1];
    if (ipfsa_child_next(&l->next, &c)) status = look_at(&w, &c, err);
    else ipfsa_block_release(&w.levels[--w.depth].block);
  }
  while (w.depth) ipfsa_block_release(&w.levels[--w.depth].block);
  ipfsa_free(w.levels);
  return status;
}
