#include "unixfs/hamt.h"

#include "base/alloc.h"
#include "base/error.h"

bool ipfsa_hamt_fanout_ok(uint64_t fanout) {
  return fanout >= IPFSA_MIN_HAMT_FANOUT && fanout <= IPFSA_MAX_HAMT_FANOUT && (fanout & (fanout - 1)) == 0;
}

unsigned ipfsa_hamt_bits(uint64_t fanout) { return (unsigned)__builtin_ctzll(fanout); }
unsigned ipfsa_hamt_levels(uint64_t fanout) { return 64 / ipfsa_hamt_bits(fanout); }
unsigned ipfsa_hamt_prefix(uint64_t fanout) { return fanout <= 16 ? 1 : fanout <= 256 ? 2 : 3; }

uint64_t ipfsa_hamt_hash(ipfsa_bytes name) {
  uint8_t digest[8];
  uint64_t v = 0;
  ipfsa_murmur3_hamt(name, digest);
  for (int i = 0; i < 8; i++) v = v << 8 | digest[i];
  return v;
}

ipfsa_status ipfsa_hamt_decode(ipfsa_bytes block, uint64_t parent_fanout, ipfsa_pbnode *ret_node, ipfsa_unixfs *ret, ipfsa_error *err) {
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  ipfsa_status status = ipfsa_unixfs_decode_block(block, &node, &u, err);
  if (status) return status;
  if (u.type != IPFSA_UNIXFS_HAMT) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a HAMT links to a shard of another type");
  if (!ipfsa_hamt_fanout_ok(u.fanout) || (parent_fanout && u.fanout != parent_fanout))
    return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS,
                      "not UnixFS: HAMT fan-out %llu; it must be a power of two from %d to %d and the same in all shards",
                      (unsigned long long)u.fanout, IPFSA_MIN_HAMT_FANOUT, IPFSA_MAX_HAMT_FANOUT);
  if (u.hash_type != 0x22) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: HAMT with hash 0x%llx; only murmur3-x64-64 (0x22) is known",
                                             (unsigned long long)u.hash_type);
  if (u.data.len > u.fanout / 8) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: HAMT bitmap of %zu bytes, at most %llu", u.data.len,
                                                   (unsigned long long)u.fanout / 8);
  uint32_t bits = 0;
  for (size_t i = 0; i < u.data.len; i++) bits += (uint32_t)__builtin_popcount(u.data.data[i]);
  if (bits != node.n_links)
    return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a HAMT shard has %u links and %u bits set", node.n_links, bits);
  *ret_node = node;
  *ret = u;
  return IPFSA_OK;
}

static int by_hash(const void *a, const void *b) {
  const ipfsa_hamt_entry *x = a, *y = b;
  return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* A shard being written: entries [at, end) are still to come. */
typedef struct open_shard {
  size_t at, end;
  uint32_t index; /* of this shard in its parent */
  uint64_t tsize;
  ipfsa_buf links;
  uint8_t bitmap[IPFSA_MAX_HAMT_FANOUT / 8];
} open_shard;

typedef struct hamt_writer {
  const ipfsa_import_params *params;
  const ipfsa_unixfs_meta *meta;
  ipfsa_blockstore_writer *w;
  const ipfsa_hamt_entry *entries;
  unsigned bits, prefix;
  open_shard shards[IPFSA_MAX_HAMT_DEPTH + 1];
  size_t depth; /* open shards */
} hamt_writer;

static ipfsa_status add_link(hamt_writer *h, open_shard *s, uint32_t index, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize,
                             ipfsa_error *err) {
  uint8_t text[4 + IPFSA_MAX_NAME], bytes[IPFSA_MAX_CID];
  snprintf((char *)text, 5, "%0*X", (int)h->prefix, index);
  if (name.len) memcpy(text + h->prefix, name.data, name.len);
  ipfsa_pb_link link = {{bytes, ipfsa_cid_encode(cid, bytes)}, {text, h->prefix + name.len}, tsize, true, true};
  ipfsa_buf_pb_link(&s->links, &link);
  s->bitmap[sizeof s->bitmap - 1 - index / 8] |= (uint8_t)(1u << index % 8);
  if (__builtin_add_overflow(s->tsize, tsize, &s->tsize)) return ipfsa_fail(err, IPFSA_E_LIMIT, "a directory of over 2^64 bytes");
  return ipfsa_buf_status(&s->links, err);
}

static void open_shard_over(hamt_writer *h, size_t at, size_t end, uint32_t index) {
  open_shard *s = &h->shards[h->depth++];
  ipfsa_buf_clear(&s->links);
  memset(s->bitmap, 0, sizeof s->bitmap);
  s->at = at;
  s->end = end;
  s->index = index;
  s->tsize = 0;
}

static ipfsa_status close_shard(hamt_writer *h, ipfsa_dag_ref *ret, ipfsa_error *err) {
  open_shard *s = &h->shards[--h->depth];
  size_t skip = 0; /* the bitmap is a big-endian integer without leading zero bytes */
  while (skip < sizeof s->bitmap && s->bitmap[skip] == 0) skip++;
  IPFSA_AUTO_BUF ipfsa_buf message = {0};
  ipfsa_buf_unixfs_hamt(&message, ipfsa_bytes_of(s->bitmap + skip, sizeof s->bitmap - skip), h->params->hamt_fanout,
                        h->depth == 0 ? h->meta : NULL);
  ipfsa_buf_pb_data(&s->links, ipfsa_buf_bytes(&message));
  ipfsa_status status = ipfsa_buf_status(&message, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&s->links, err);
  ipfsa_dag_ref ref = {.tsize = s->tsize + s->links.len};
  if (status == IPFSA_OK) status = ipfsa_params_put(h->params, h->w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&s->links), &ref.cid, err);
  if (status == IPFSA_OK) *ret = ref;
  return status;
}

/* One step in the innermost open shard: its next value, its next child shard, or its end. */
static ipfsa_status step(hamt_writer *h, ipfsa_dag_ref *ret, ipfsa_error *err) {
  open_shard *s = &h->shards[h->depth - 1];
  unsigned level = (unsigned)h->depth - 1;
  if (s->at == s->end) {
    uint32_t index = s->index;
    ipfsa_status status = close_shard(h, ret, err);
    if (status || h->depth == 0) return status;
    return add_link(h, &h->shards[h->depth - 1], index, (ipfsa_bytes){0}, &ret->cid, ret->tsize, err);
  }
  const ipfsa_hamt_entry *e = &h->entries[s->at];
  uint32_t index = ipfsa_hamt_index(e->hash, h->bits, level);
  size_t end = s->at + 1;
  while (end < s->end && ipfsa_hamt_index(h->entries[end].hash, h->bits, level) == index) end++;
  size_t start = s->at;
  s->at = end;
  if (end - start == 1) return add_link(h, s, index, e->name, e->cid, e->tsize, err);
  if (level + 1 >= 64 / h->bits) return ipfsa_fail(err, IPFSA_E_LIMIT, "sharded directory too deep: two names share all bits of their hash");
  open_shard_over(h, start, end, index);
  return IPFSA_OK;
}

ipfsa_status ipfsa_hamt_build(const ipfsa_import_params *params, const ipfsa_unixfs_meta *meta, ipfsa_hamt_entry *entries, size_t n,
                              ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err) {
  if (!ipfsa_hamt_fanout_ok(params->hamt_fanout))
    return ipfsa_fail(err, IPFSA_E_INVALID, "HAMT fanout must be a power of two and a multiple of 8, at most %d: got %u", IPFSA_MAX_HAMT_FANOUT,
                      params->hamt_fanout);
  hamt_writer *h = ipfsa_calloc(1, sizeof *h);
  if (!h) return ipfsa_fail_nomem(err);
  h->params = params;
  h->meta = meta;
  h->w = w;
  h->entries = entries;
  h->bits = ipfsa_hamt_bits(params->hamt_fanout);
  h->prefix = ipfsa_hamt_prefix(params->hamt_fanout);
  qsort(entries, n, sizeof *entries, by_hash);
  open_shard_over(h, 0, n, 0);
  ipfsa_status status = IPFSA_OK;
  ipfsa_dag_ref ref;
  while (status == IPFSA_OK && h->depth) status = step(h, &ref, err);
  for (size_t i = 0; i <= IPFSA_MAX_HAMT_DEPTH; i++) ipfsa_buf_release(&h->shards[i].links);
  ipfsa_free(h);
  if (status == IPFSA_OK) *ret = ref;
  return status;
}
