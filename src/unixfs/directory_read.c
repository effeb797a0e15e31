/* Listing and finding, one shard in memory per level. */
#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/hamt.h"

static ipfsa_status open_directory(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_block *ret, ipfsa_pbnode *ret_node, ipfsa_unixfs *ret_u,
                                   ipfsa_error *err) {
  if (dir->codec != IPFSA_CODEC_DAG_PB) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "not a directory");
  ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(bs, dir, &block, err);
  if (status == IPFSA_OK) status = ipfsa_unixfs_decode_block(block.data, ret_node, ret_u, err);
  if (status == IPFSA_OK && ret_u->type == IPFSA_UNIXFS_HAMT) status = ipfsa_hamt_decode(block.data, 0, ret_node, ret_u, err);
  else if (status == IPFSA_OK && ret_u->type != IPFSA_UNIXFS_DIRECTORY) status = ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "not a directory");
  if (status) ipfsa_block_release(&block);
  else *ret = block;
  return status;
}

static ipfsa_status give_entry(const ipfsa_pb_link *link, ipfsa_bytes name, ipfsa_dir_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_dir_entry entry = {.name = name, .tsize = link->tsize};
  ipfsa_status status = ipfsa_pb_link_cid(link, &entry.cid, err);
  if (status) return status;
  return cb(ctx, &entry) == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_CANCELLED, "listing stopped");
}

/* "0A" in front of a name: upper-case hex of the index. */
static bool prefix_is_hex(ipfsa_bytes name, unsigned prefix) {
  if (name.len < prefix) return false;
  for (unsigned i = 0; i < prefix; i++)
    if (!((name.data[i] >= '0' && name.data[i] <= '9') || (name.data[i] >= 'A' && name.data[i] <= 'F'))) return false;
  return true;
}

typedef struct open_shard {
  ipfsa_block block;
  ipfsa_pb_link_iter links;
} open_shard;

typedef struct hamt_walk {
  ipfsa_blockstore *bs;
  uint64_t fanout;
  open_shard shards[IPFSA_MAX_HAMT_DEPTH + 1];
  unsigned depth;
} hamt_walk;

static ipfsa_status enter_shard(hamt_walk *h, const ipfsa_pb_link *link, ipfsa_error *err) {
  if (h->depth >= ipfsa_hamt_levels(h->fanout)) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a HAMT deeper than its hash has bits");
  open_shard *s = &h->shards[h->depth];
  ipfsa_cid cid;
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  ipfsa_status status = ipfsa_pb_link_cid(link, &cid, err);
  if (status == IPFSA_OK) status = ipfsa_blockstore_get(h->bs, &cid, &s->block, err);
  if (status) return status;
  h->depth++; /* owns the block now */
  status = ipfsa_hamt_decode(s->block.data, h->fanout, &node, &u, err);
  if (status == IPFSA_OK) s->links = ipfsa_pbnode_links(&node);
  return status;
}

static ipfsa_status list_hamt(hamt_walk *h, ipfsa_dir_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  unsigned prefix = ipfsa_hamt_prefix(h->fanout);
  while (status == IPFSA_OK && h->depth) {
    ipfsa_pb_link link;
    if (!ipfsa_pb_link_next(&h->shards[h->depth - 1].links, &link)) {
      ipfsa_block_release(&h->shards[--h->depth].block);
      continue;
    }
    if (!prefix_is_hex(link.name, prefix)) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a link of a HAMT without its index");
    ipfsa_bytes name = ipfsa_bytes_of(link.name.data + prefix, link.name.len - prefix);
    status = name.len ? give_entry(&link, name, cb, ctx, err) : enter_shard(h, &link, err);
  }
  return status;
}

static ipfsa_status list_sharded(ipfsa_blockstore *bs, uint64_t fanout, ipfsa_block *root, const ipfsa_pbnode *node, ipfsa_dir_cb cb, void *ctx,
                                 ipfsa_error *err) {
  hamt_walk *h = ipfsa_calloc(1, sizeof *h);
  if (!h) return ipfsa_fail_nomem(err);
  h->bs = bs;
  h->fanout = fanout;
  h->shards[0] = (open_shard){*root, ipfsa_pbnode_links(node)};
  h->depth = 1;
  *root = (ipfsa_block){0};
  ipfsa_status status = list_hamt(h, cb, ctx, err);
  while (h->depth) ipfsa_block_release(&h->shards[--h->depth].block);
  ipfsa_free(h);
  return status;
}

ipfsa_status ipfsa_dir_list(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_dir_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  ipfsa_status status = open_directory(bs, dir, &block, &node, &u, err);
  if (status) return status;
  if (u.type == IPFSA_UNIXFS_HAMT) return list_sharded(bs, u.fanout, &block, &node, cb, ctx, err);
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  while (status == IPFSA_OK && ipfsa_pb_link_next(&links, &link)) status = give_entry(&link, link.name, cb, ctx, err);
  return status;
}

static ipfsa_status no_link(const ipfsa_cid *dir, ipfsa_bytes name, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_cid_format(dir, text);
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no link named \"%.*s\" under %.200s", (int)(name.len < 255 ? name.len : 255), name.data, text);
}

/* The link of one shard that the name's hash leads to: the value itself, or the child shard. */
static bool find_in_shard(const ipfsa_pbnode *node, unsigned prefix, uint32_t index, ipfsa_bytes name, ipfsa_pb_link *ret, bool *ret_value) {
  char text[5];
  snprintf(text, sizeof text, "%0*X", (int)prefix, index);
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(node);
  while (ipfsa_pb_link_next(&links, ret)) {
    if (ret->name.len < prefix || memcmp(ret->name.data, text, prefix) != 0) continue;
    *ret_value = ret->name.len > prefix;
    if (!*ret_value) return true;
    return ipfsa_bytes_equal(ipfsa_bytes_of(ret->name.data + prefix, ret->name.len - prefix), name);
  }
  return false;
}

static ipfsa_status find_sharded(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_block *block, ipfsa_pbnode *node, uint64_t fanout,
                                 ipfsa_bytes name, ipfsa_dir_entry *ret, ipfsa_error *err) {
  uint64_t hash = ipfsa_hamt_hash(name);
  unsigned bits = ipfsa_hamt_bits(fanout), prefix = ipfsa_hamt_prefix(fanout);
  for (unsigned level = 0; level < ipfsa_hamt_levels(fanout); level++) {
    ipfsa_pb_link link;
    ipfsa_unixfs u;
    bool is_value = false;
    if (!find_in_shard(node, prefix, ipfsa_hamt_index(hash, bits, level), name, &link, &is_value)) return no_link(dir, name, err);
    ipfsa_cid cid;
    ipfsa_status status = ipfsa_pb_link_cid(&link, &cid, err);
    if (status) return status;
    if (is_value) return *ret = (ipfsa_dir_entry){name, cid, link.tsize}, IPFSA_OK;
    ipfsa_block_release(block);
    status = ipfsa_blockstore_get(bs, &cid, block, err);
    if (status == IPFSA_OK) status = ipfsa_hamt_decode(block->data, fanout, node, &u, err);
    if (status) return status;
  }
  return no_link(dir, name, err);
}

ipfsa_status ipfsa_dir_find(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_bytes name, ipfsa_dir_entry *ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  ipfsa_status status = open_directory(bs, dir, &block, &node, &u, err);
  if (status) return status;
  if (u.type == IPFSA_UNIXFS_HAMT) return find_sharded(bs, dir, &block, &node, u.fanout, name, ret, err);
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  while (ipfsa_pb_link_next(&links, &link)) {
    if (!ipfsa_bytes_equal(link.name, name)) continue;
    ipfsa_cid cid;
    status = ipfsa_pb_link_cid(&link, &cid, err);
    if (status == IPFSA_OK) *ret = (ipfsa_dir_entry){name, cid, link.tsize};
    return status;
  }
  return no_link(dir, name, err);
}
