#include "ipld/walk.h"

#include "base/alloc.h"
#include "base/error.h"
#include "ipld/dagcbor.h"
#include "ipld/dagjson.h"
#include "ipld/dagpb.h"

static ipfsa_status pb_links(ipfsa_bytes data, ipfsa_link_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_pbnode node;
  ipfsa_status status = ipfsa_pbnode_decode(data, &node, err);
  if (status) return status;
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  while (ipfsa_pb_link_next(&links, &link)) {
    ipfsa_cid cid;
    status = ipfsa_pb_link_cid(&link, &cid, err);
    if (status) return status;
    if (cb(ctx, link.name, &cid, link.tsize) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_block_links(const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_link_cb cb, void *ctx, ipfsa_error *err) {
  switch (cid->codec) {
  case IPFSA_CODEC_DAG_PB: return pb_links(data, cb, ctx, err);
  case IPFSA_CODEC_DAG_CBOR: return ipfsa_dagcbor_links(data, cb, ctx, err);
  case IPFSA_CODEC_DAG_JSON: return ipfsa_dagjson_links(data, cb, ctx, err);
  default: return IPFSA_OK;
  }
}

typedef struct pending {
  ipfsa_cid cid;
  unsigned depth;
} pending;

typedef struct walk_stack {
  pending *items;
  size_t n, cap;
  unsigned depth;
  bool failed;
} walk_stack;

static int push_link(void *ctx, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize) {
  (void)name, (void)tsize;
  walk_stack *s = ctx;
  if (!ipfsa_grow((void **)&s->items, &s->cap, s->n + 1, sizeof *s->items)) {
    s->failed = true;
    return 1;
  }
  s->items[s->n++] = (pending){*cid, s->depth};
  return 0;
}

static void reverse(pending *items, size_t n) {
  for (size_t i = 0; i < n / 2; i++) {
    pending t = items[i];
    items[i] = items[n - 1 - i];
    items[n - 1 - i] = t;
  }
}

static ipfsa_status visit_one(const ipfsa_walk_options *o, walk_stack *stack, const pending *at, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  bool skip_read = o->skip_raw_reads && at->cid.codec == IPFSA_CODEC_RAW;
  ipfsa_status status = skip_read ? IPFSA_OK : o->get(o->get_ctx, &at->cid, &block, err);
  if (status) return status;
  ipfsa_walk_step step = o->visit ? o->visit(o->visit_ctx, &at->cid, block.data, at->depth) : IPFSA_WALK_GO;
  if (step == IPFSA_WALK_STOP) return ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
  if (step == IPFSA_WALK_SKIP_CHILDREN || skip_read || (o->max_depth && at->depth >= o->max_depth)) return IPFSA_OK;
  size_t before = stack->n;
  stack->depth = at->depth + 1;
  status = ipfsa_block_links(&at->cid, block.data, push_link, stack, err);
  if (stack->failed) return ipfsa_fail_nomem(err);
  if (status) {
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_cid_format(&at->cid, text);
    return ipfsa_error_prefix(err, status, "%.200s", text);
  }
  reverse(stack->items + before, stack->n - before);
  return IPFSA_OK;
}

ipfsa_status ipfsa_walk(const ipfsa_cid *root, const ipfsa_walk_options *o, ipfsa_error *err) {
  ipfsa_cid_set *own = NULL, *seen = o->seen;
  ipfsa_status status = seen ? IPFSA_OK : ipfsa_cid_set_new(&own, err);
  if (!seen) seen = own;
  walk_stack stack = {0};
  if (status == IPFSA_OK && push_link(&stack, (ipfsa_bytes){0}, root, 0) != 0) status = ipfsa_fail_nomem(err);
  while (status == IPFSA_OK && stack.n) {
    pending at = stack.items[--stack.n];
    bool is_new = false;
    status = ipfsa_cid_set_add(seen, &at.cid, o->by_multihash, &is_new, err);
    if (status == IPFSA_OK && is_new) status = visit_one(o, &stack, &at, err);
  }
  ipfsa_free(stack.items);
  ipfsa_cid_set_free(own);
  return status;
}
