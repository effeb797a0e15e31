#include "unixfs/reader.h"

#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/layout.h"
#include "unixfs/prefetch.h"

/* A node on the way to the current position. */
typedef struct open_node {
  ipfsa_block block;
  ipfsa_pb_link_iter links;
  ipfsa_blocksize_iter sizes;
  ipfsa_pb_link_iter ahead; /* the first link that no worker was asked for */
} open_node;

struct ipfsa_file_reader {
  ipfsa_blockstore *bs;
  ipfsa_cid root;
  uint64_t size, pos;
  uint64_t skip; /* bytes still to pass after a seek */
  ipfsa_unixfs_meta meta;
  open_node nodes[IPFSA_MAX_FILE_DEPTH];
  size_t depth;
  ipfsa_block leaf;    /* owns what next() gave out */
  ipfsa_bytes pending; /* not yet given out */
  ipfsa_prefetch *prefetch; /* NULL: one block after the other */
  size_t prefetch_depth;    /* the node whose links are asked for */
};

typedef struct file_part {
  ipfsa_bytes data; /* own bytes */
  uint64_t size;    /* with all below */
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  bool is_raw;
} file_part;

static ipfsa_status decode_part(const ipfsa_cid *cid, ipfsa_bytes block, file_part *ret, ipfsa_error *err) {
  memset(ret, 0, sizeof *ret);
  if (cid->codec == IPFSA_CODEC_RAW) {
    *ret = (file_part){.data = block, .size = block.len, .is_raw = true};
    return IPFSA_OK;
  }
  if (cid->codec != IPFSA_CODEC_DAG_PB) {
    const char *name = ipfsa_codec_to_string(cid->codec);
    return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a block of codec %s (0x%llx) is no file", name ? name : "unknown",
                      (unsigned long long)cid->codec);
  }
  ipfsa_status status = ipfsa_unixfs_decode_block(block, &ret->node, &ret->u, err);
  if (status) return status;
  if (ret->u.type == IPFSA_UNIXFS_DIRECTORY || ret->u.type == IPFSA_UNIXFS_HAMT)
    return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "this dag node is a directory");
  if (ret->u.type == IPFSA_UNIXFS_SYMLINK) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "this dag node is a symbolic link");
  if (ret->u.type != IPFSA_UNIXFS_FILE && ret->u.type != IPFSA_UNIXFS_RAW)
    return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a node of type %d is no file", ret->u.type);
  ret->data = ret->u.data;
  ret->size = ret->u.filesize;
  return IPFSA_OK;
}

/* Makes a block current: its own bytes are next (less those to skip), then its children. Takes the block. */
static ipfsa_status enter(ipfsa_file_reader *r, const ipfsa_cid *cid, ipfsa_block *block, const uint64_t *expected, ipfsa_error *err) {
  file_part part;
  ipfsa_status status = decode_part(cid, block->data, &part, err);
  if (status) return status;
  if (expected && *expected != part.size)
    return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a part of a file has %llu bytes where its parent says %llu",
                      (unsigned long long)part.size, (unsigned long long)*expected);
  uint64_t own = r->skip < part.data.len ? r->skip : part.data.len;
  r->skip -= own;
  r->pending = ipfsa_bytes_of(part.data.data + own, part.data.len - own);
  if (part.is_raw || part.node.n_links == 0) {
    ipfsa_block_release(&r->leaf);
    r->leaf = *block;
    *block = (ipfsa_block){0};
    return IPFSA_OK;
  }
  if (r->depth == IPFSA_MAX_FILE_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "a file DAG deeper than %d levels", IPFSA_MAX_FILE_DEPTH);
  r->nodes[r->depth++] = (open_node){*block, ipfsa_pbnode_links(&part.node), ipfsa_unixfs_blocksizes(&part.u), ipfsa_pbnode_links(&part.node)};
  *block = (ipfsa_block){0};
  return IPFSA_OK;
}

/* The next block of the innermost node, from a worker where one has it, and more asked for behind it. */
static ipfsa_status get_next(ipfsa_file_reader *r, open_node *n, const ipfsa_cid *cid, ipfsa_block *ret, ipfsa_error *err) {
  if (!r->prefetch) return ipfsa_blockstore_get(r->bs, cid, ret, err);
  if (r->prefetch_depth != r->depth) {
    ipfsa_prefetch_drop(r->prefetch);
    r->prefetch_depth = r->depth;
    n->ahead = n->links;
  }
  bool found = false;
  ipfsa_status status = ipfsa_prefetch_take(r->prefetch, cid, ret, &found, err);
  if (!found) n->ahead = n->links; /* nobody was asked, or for other links: begin behind this one */
  ipfsa_pb_link link;
  ipfsa_cid next;
  while (status == IPFSA_OK && ipfsa_prefetch_has_room(r->prefetch) && ipfsa_pb_link_next(&n->ahead, &link))
    if (ipfsa_pb_link_cid(&link, &next, NULL) == IPFSA_OK) ipfsa_prefetch_ask(r->prefetch, &next);
  return found || status ? status : ipfsa_blockstore_get(r->bs, cid, ret, err);
}

/* Goes on to the next child; those before a sought position are passed by their size, unread. */
static ipfsa_status advance(ipfsa_file_reader *r, bool *ret_more, ipfsa_error *err) {
  while (r->depth) {
    open_node *n = &r->nodes[r->depth - 1];
    ipfsa_pb_link link;
    uint64_t size;
    if (!ipfsa_pb_link_next(&n->links, &link) || !ipfsa_blocksize_next(&n->sizes, &size)) {
      ipfsa_block_release(&r->nodes[--r->depth].block);
      continue;
    }
    if (link.name.len) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a link inside a file has a name");
    if (size <= r->skip) { /* an empty child is passed by as well: it adds nothing, and may repeat without end */
      r->skip -= size;
      continue;
    }
    ipfsa_cid cid;
    IPFSA_AUTO_BLOCK ipfsa_block block = {0};
    ipfsa_status status = ipfsa_pb_link_cid(&link, &cid, err);
    if (status == IPFSA_OK) status = get_next(r, n, &cid, &block, err);
    return status ? status : enter(r, &cid, &block, &size, err);
  }
  *ret_more = false;
  return IPFSA_OK;
}

static void close_nodes(ipfsa_file_reader *r) {
  ipfsa_prefetch_drop(r->prefetch);
  r->prefetch_depth = 0;
  while (r->depth) ipfsa_block_release(&r->nodes[--r->depth].block);
  ipfsa_block_release(&r->leaf);
  r->pending = (ipfsa_bytes){0};
}

ipfsa_status ipfsa_file_reader_seek(ipfsa_file_reader *r, uint64_t off, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  close_nodes(r);
  ipfsa_status status = ipfsa_blockstore_get(r->bs, &r->root, &block, err);
  if (status) return status;
  r->pos = r->skip = off;
  return enter(r, &r->root, &block, NULL, err);
}

ipfsa_status ipfsa_file_reader_open(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_file_reader **ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  file_part part;
  ipfsa_status status = ipfsa_blockstore_get(bs, cid, &block, err);
  if (status == IPFSA_OK) status = decode_part(cid, block.data, &part, err);
  if (status) return status;
  ipfsa_file_reader *r = ipfsa_calloc(1, sizeof *r);
  if (!r) return ipfsa_fail_nomem(err);
  r->bs = bs;
  r->root = *cid;
  r->size = part.size;
  r->meta = part.u.meta;
  status = enter(r, cid, &block, NULL, err);
  if (status) ipfsa_file_reader_close(r);
  else *ret = r;
  return status;
}

void ipfsa_file_reader_close(ipfsa_file_reader *r) {
  if (!r) return;
  close_nodes(r);
  ipfsa_prefetch_free(r->prefetch);
  ipfsa_free(r);
}

void ipfsa_file_reader_use_pool(ipfsa_file_reader *r, ipfsa_pool *pool) {
  if (!r->prefetch) (void)ipfsa_prefetch_new(r->bs, pool, &r->prefetch, NULL); /* without memory for it: slower, not wrong */
}

uint64_t ipfsa_file_reader_size(const ipfsa_file_reader *r) { return r->size; }
ipfsa_unixfs_meta ipfsa_file_reader_meta(const ipfsa_file_reader *r) { return r->meta; }

ipfsa_status ipfsa_file_reader_next(ipfsa_file_reader *r, ipfsa_bytes *ret, ipfsa_error *err) {
  bool more = true;
  while (r->pending.len == 0 && more) {
    ipfsa_status status = advance(r, &more, err);
    if (status) return status;
  }
  *ret = r->pending;
  r->pos += r->pending.len;
  r->pending = (ipfsa_bytes){0};
  return IPFSA_OK;
}

ipfsa_status ipfsa_file_reader_read_at(ipfsa_file_reader *r, void *data, size_t len, uint64_t off, size_t *ret_len, ipfsa_error *err) {
  ipfsa_status status = off == r->pos ? IPFSA_OK : ipfsa_file_reader_seek(r, off, err);
  size_t done = 0;
  while (status == IPFSA_OK && done < len) {
    ipfsa_bytes got;
    status = ipfsa_file_reader_next(r, &got, err);
    if (status || got.len == 0) break;
    size_t n = got.len < len - done ? got.len : len - done;
    memcpy((uint8_t *)data + done, got.data, n);
    done += n;
    r->pos -= got.len - n; /* what was not taken stays pending */
    r->pending = ipfsa_bytes_of(got.data + n, got.len - n);
  }
  if (status == IPFSA_OK) *ret_len = done;
  return status;
}

ipfsa_status ipfsa_unixfs_stat_get(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_unixfs_stat *ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(bs, cid, &block, err);
  if (status) return status;
  ipfsa_unixfs_stat st = {.block_size = block.data.len, .cumulative = block.data.len};
  if (cid->codec != IPFSA_CODEC_DAG_PB) {
    if (cid->codec != IPFSA_CODEC_RAW) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the block is neither raw nor dag-pb");
    st.is_raw_block = true;
    st.size = block.data.len;
    return *ret = st, IPFSA_OK;
  }
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  status = ipfsa_unixfs_decode_block(block.data, &node, &u, err);
  if (status) return status;
  st.type = u.type;
  st.n_links = node.n_links;
  st.meta = u.meta;
  if (u.type == IPFSA_UNIXFS_FILE || u.type == IPFSA_UNIXFS_RAW) st.size = u.filesize;
  if (u.type == IPFSA_UNIXFS_SYMLINK) st.size = u.data.len;
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  while (ipfsa_pb_link_next(&links, &link))
    if (__builtin_add_overflow(st.cumulative, link.tsize, &st.cumulative)) st.cumulative = UINT64_MAX; /* Tsize is a hint */
  *ret = st;
  return IPFSA_OK;
}

ipfsa_status ipfsa_unixfs_readlink(ipfsa_blockstore *bs, const ipfsa_cid *cid, char **ret_target, size_t *ret_len, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  ipfsa_status status = ipfsa_blockstore_get(bs, cid, &block, err);
  if (status == IPFSA_OK) status = ipfsa_unixfs_decode_block(block.data, &node, &u, err);
  if (status) return status;
  if (u.type != IPFSA_UNIXFS_SYMLINK) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "not a symbolic link");
  char *copy = ipfsa_malloc(u.data.len + 1);
  if (!copy) return ipfsa_fail_nomem(err);
  if (u.data.len) memcpy(copy, u.data.data, u.data.len);
  copy[u.data.len] = '\0';
  *ret_target = copy;
  *ret_len = u.data.len;
  return IPFSA_OK;
}
