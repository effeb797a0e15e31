/* A file's bytes in order. A walk over the nodes goes ahead and makes a list of what comes next: leaves that workers were asked for, and blocks
 * that are there already because only their content told what they are. */
#include "unixfs/reader.h"

#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/layout.h"
#include "unixfs/prefetch.h"

#define MAX_ITEMS (IPFSA_MAX_PREFETCH + 16)
#define MAX_READY (4u << 20) /* bytes of blocks that the walk holds ready */

/* A node on the way to the walk's position. */
typedef struct open_node {
  ipfsa_block block;
  ipfsa_pb_link_iter links;
  ipfsa_blocksize_iter sizes;
  bool leaves; /* its last child had no links: the next is taken for one too */
} open_node;

/* What comes next in the file. */
typedef struct item {
  ipfsa_cid cid;
  uint64_t expected; /* bytes, as the parent says */
  uint64_t skip;     /* of them not wanted, after a seek */
  bool asked;        /* a worker brings it */
  ipfsa_block block; /* else: it is here, and these are its own bytes */
  ipfsa_bytes data;
} item;

struct ipfsa_file_reader {
  ipfsa_blockstore *bs;
  ipfsa_cid root;
  uint64_t size, pos;
  ipfsa_unixfs_meta meta;
  /* the walk */
  open_node nodes[IPFSA_MAX_FILE_DEPTH];
  size_t depth;
  uint64_t skip;       /* bytes still to pass after a seek */
  bool never_guess;    /* a child taken for a leaf had links: each is looked at first */
  ipfsa_status failed; /* where the walk ended; told when the list is used up */
  ipfsa_error why;
  item items[MAX_ITEMS]; /* a ring */
  size_t first, n_items;
  size_t ready; /* bytes of the blocks in it */
  /* the reading */
  ipfsa_block leaf;         /* owns what next() gave out */
  ipfsa_bytes pending;      /* not yet given out */
  ipfsa_prefetch *prefetch; /* NULL: one block after the other */
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

static ipfsa_status check_size(const file_part *part, uint64_t expected, ipfsa_error *err) {
  if (part->size == expected) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a part of a file has %llu bytes where its parent says %llu", (unsigned long long)part->size,
                    (unsigned long long)expected);
}

static bool has_links(const file_part *part) { return !part->is_raw && part->node.n_links > 0; }

/* ---- the walk ---- */

static item *add_item(ipfsa_file_reader *r) {
  item *it = &r->items[(r->first + r->n_items++) % MAX_ITEMS];
  it->asked = false;
  it->block = (ipfsa_block){0};
  it->skip = 0;
  return it;
}

/* Less the bytes that a seek passes over. */
static ipfsa_bytes wanted(ipfsa_file_reader *r, ipfsa_bytes data) {
  uint64_t pass = r->skip < data.len ? r->skip : data.len;
  r->skip -= pass;
  return pass ? ipfsa_bytes_of(data.data + pass, data.len - pass) : data;
}

/* A block that the walk has read: its own bytes come next, then its children. Takes the block. */
static ipfsa_status enter(ipfsa_file_reader *r, ipfsa_block *block, const file_part *part, ipfsa_error *err) {
  ipfsa_bytes data = wanted(r, part->data);
  if (has_links(part) && r->depth == IPFSA_MAX_FILE_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "a file DAG deeper than %d levels", IPFSA_MAX_FILE_DEPTH);
  if (data.len) {
    item *it = add_item(r);
    it->block = (ipfsa_block){block->data, ipfsa_refbuf_ref(block->owner)};
    it->data = data;
    r->ready += block->data.len;
  }
  if (has_links(part)) r->nodes[r->depth++] = (open_node){*block, ipfsa_pbnode_links(&part->node), ipfsa_unixfs_blocksizes(&part->u), false};
  else ipfsa_block_release(block);
  *block = (ipfsa_block){0};
  return IPFSA_OK;
}

/* May a worker fetch this child without anyone looking at it first? */
static bool is_leaf(ipfsa_file_reader *r, const open_node *n, const ipfsa_cid *cid) {
  bool known = false;
  if (cid->codec == IPFSA_CODEC_RAW) return true;
  if (n->leaves && !r->never_guess) return true;
  return ipfsa_blockstore_is_leaf(r->bs, cid, &known, NULL) == IPFSA_OK && known;
}

static ipfsa_status walk_child(ipfsa_file_reader *r, open_node *n, const ipfsa_pb_link *link, uint64_t size, ipfsa_error *err) {
  ipfsa_cid cid;
  file_part part;
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_pb_link_cid(link, &cid, err);
  if (status) return status;
  if (r->prefetch && is_leaf(r, n, &cid)) {
    item *it = add_item(r);
    it->cid = cid;
    it->expected = size;
    it->asked = n->leaves = true;
    it->skip = r->skip;
    r->skip = 0;
    ipfsa_prefetch_ask(r->prefetch, &cid, size);
    return IPFSA_OK;
  }
  status = ipfsa_blockstore_get(r->bs, &cid, &block, err);
  if (status == IPFSA_OK) status = decode_part(&cid, block.data, &part, err);
  if (status == IPFSA_OK) status = check_size(&part, size, err);
  if (status) return status;
  n->leaves = !has_links(&part);
  return enter(r, &block, &part, err);
}

/* Goes on to the next child; those before a sought position are passed by their size, unread. */
static ipfsa_status walk_on(ipfsa_file_reader *r, ipfsa_error *err) {
  while (r->depth) {
    open_node *n = &r->nodes[r->depth - 1];
    ipfsa_pb_link link;
    uint64_t size;
    if (!ipfsa_pb_link_next(&n->links, &link) || !ipfsa_blocksize_next(&n->sizes, &size)) {
      ipfsa_block_release(&r->nodes[--r->depth].block);
      continue;
    }
    if (link.name.len) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a link inside a file has a name");
    if (size > r->skip) return walk_child(r, n, &link, size, err);
    r->skip -= size; /* an empty child is passed by as well: it adds nothing, and may repeat without end */
  }
  return IPFSA_OK;
}

static bool wants_more(const ipfsa_file_reader *r) {
  if (!r->depth || r->failed || r->n_items == MAX_ITEMS || r->ready >= MAX_READY) return false;
  return r->prefetch ? ipfsa_prefetch_has_room(r->prefetch) : r->n_items == 0;
}

static void fill(ipfsa_file_reader *r) {
  if (!wants_more(r)) return;
  while (wants_more(r)) r->failed = walk_on(r, &r->why);
  if (r->prefetch && (!r->depth || r->failed)) ipfsa_prefetch_flush(r->prefetch);
}

static void reset(ipfsa_file_reader *r) {
  ipfsa_prefetch_drop(r->prefetch);
  while (r->depth) ipfsa_block_release(&r->nodes[--r->depth].block);
  for (; r->n_items; r->n_items--, r->first = (r->first + 1) % MAX_ITEMS) ipfsa_block_release(&r->items[r->first].block);
  r->ready = 0;
  r->failed = IPFSA_OK;
  r->why = (ipfsa_error){0};
  ipfsa_block_release(&r->leaf);
  r->pending = (ipfsa_bytes){0};
}

/* ---- reading ---- */

/* What a worker brought. *ret_wrong: it has links, and what the walk did behind it is worth nothing. */
static ipfsa_status take_asked(ipfsa_file_reader *r, const item *it, bool *ret_wrong, ipfsa_error *err) {
  file_part part;
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_prefetch_take(r->prefetch, &block, err);
  if (status == IPFSA_OK) status = decode_part(&it->cid, block.data, &part, err);
  if (status == IPFSA_OK) status = check_size(&part, it->expected, err);
  if (status) return status;
  *ret_wrong = has_links(&part);
  if (*ret_wrong) return IPFSA_OK;
  if (it->skip > part.data.len) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a leaf has fewer bytes than it says");
  r->pending = ipfsa_bytes_of(part.data.data + it->skip, part.data.len - it->skip);
  ipfsa_block_release(&r->leaf);
  r->leaf = block;
  block = (ipfsa_block){0};
  return IPFSA_OK;
}

/* What follows a part that could not be had must not be taken for it: from here on every call fails so. */
static ipfsa_status fail_for_good(ipfsa_file_reader *r, ipfsa_status status, const ipfsa_error *why) {
  ipfsa_error copy = *why;
  reset(r);
  r->why = copy;
  return r->failed = status;
}

static ipfsa_status take_item(ipfsa_file_reader *r, ipfsa_error *err) {
  item *it = &r->items[r->first];
  r->first = (r->first + 1) % MAX_ITEMS;
  r->n_items--;
  if (it->asked) {
    bool wrong = false;
    ipfsa_status status = take_asked(r, it, &wrong, err);
    if (status || !wrong) return status;
    r->never_guess = true;
    return ipfsa_file_reader_seek(r, r->pos, err);
  }
  r->ready -= it->block.data.len;
  r->pending = it->data;
  ipfsa_block_release(&r->leaf);
  r->leaf = it->block;
  it->block = (ipfsa_block){0};
  return IPFSA_OK;
}

static ipfsa_status read_root(ipfsa_file_reader *r, file_part *ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(r->bs, &r->root, &block, err);
  if (status == IPFSA_OK) status = decode_part(&r->root, block.data, ret, err);
  return status ? status : enter(r, &block, ret, err);
}

ipfsa_status ipfsa_file_reader_seek(ipfsa_file_reader *r, uint64_t off, ipfsa_error *err) {
  file_part part;
  reset(r);
  r->pos = r->skip = off;
  return read_root(r, &part, err);
}

ipfsa_status ipfsa_file_reader_open(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_file_reader **ret, ipfsa_error *err) {
  file_part part;
  ipfsa_file_reader *r = ipfsa_calloc(1, sizeof *r);
  if (!r) return ipfsa_fail_nomem(err);
  r->bs = bs;
  r->root = *cid;
  ipfsa_status status = read_root(r, &part, err);
  if (status) {
    ipfsa_file_reader_close(r);
    return status;
  }
  r->size = part.size;
  r->meta = part.u.meta;
  *ret = r;
  return IPFSA_OK;
}

void ipfsa_file_reader_close(ipfsa_file_reader *r) {
  if (!r) return;
  reset(r);
  ipfsa_prefetch_free(r->prefetch);
  ipfsa_free(r);
}

void ipfsa_file_reader_use_pool(ipfsa_file_reader *r, ipfsa_pool *pool, bool once) {
  if (!r->prefetch) (void)ipfsa_prefetch_new(r->bs, pool, once, &r->prefetch, NULL); /* without memory for it: slower, not wrong */
}

uint64_t ipfsa_file_reader_size(const ipfsa_file_reader *r) { return r->size; }
ipfsa_unixfs_meta ipfsa_file_reader_meta(const ipfsa_file_reader *r) { return r->meta; }

ipfsa_status ipfsa_file_reader_next(ipfsa_file_reader *r, ipfsa_bytes *ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  while (r->pending.len == 0) {
    fill(r);
    if (r->n_items == 0 && r->failed) return *err = r->why, r->failed;
    if (r->n_items == 0) break;
    ipfsa_status status = take_item(r, err);
    if (status) return fail_for_good(r, status, err);
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
