/* Building directories: entries are gathered, then written once, as one block or as a HAMT. */
#include "unixfs/directory.h"

#include "base/alloc.h"
#include "base/error.h"
#include "codec/varint.h"
#include "unixfs/hamt.h"

typedef struct dir_item {
  size_t name_off, order;
  uint32_t name_len;
  bool removed;
  uint64_t tsize;
  ipfsa_cid cid;
} dir_item;

struct ipfsa_dir_builder {
  const ipfsa_import_params *params;
  ipfsa_unixfs_meta meta;
  dir_item *items;
  size_t n, cap;
  ipfsa_buf names;
  bool sorted; /* by name, each once */
};

ipfsa_status ipfsa_dir_builder_new(const ipfsa_import_params *params, const ipfsa_unixfs_meta *meta, ipfsa_dir_builder **ret,
                                   ipfsa_error *err) {
  ipfsa_dir_builder *b = ipfsa_calloc(1, sizeof *b);
  if (!b) return ipfsa_fail_nomem(err);
  b->params = params;
  if (meta) b->meta = *meta;
  b->names.max = SIZE_MAX / 2;
  b->sorted = true;
  *ret = b;
  return IPFSA_OK;
}

void ipfsa_dir_builder_free(ipfsa_dir_builder *b) {
  if (!b) return;
  ipfsa_buf_release(&b->names);
  ipfsa_free(b->items);
  ipfsa_free(b);
}

static ipfsa_bytes name_of(const ipfsa_dir_builder *b, const dir_item *item) {
  return ipfsa_bytes_of(b->names.data + item->name_off, item->name_len);
}

static ipfsa_status check_name(ipfsa_bytes name, ipfsa_error *err) {
  bool dots = (name.len == 1 && name.data[0] == '.') || (name.len == 2 && memcmp(name.data, "..", 2) == 0);
  if (name.len == 0 || dots || memchr(name.data, '/', name.len) || memchr(name.data, 0, name.len))
    return ipfsa_fail(err, IPFSA_E_INVALID, "\"%.*s\" cannot be the name of a directory entry", (int)name.len, name.data);
  if (name.len > IPFSA_MAX_NAME)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "a name of %zu bytes; at most %d are taken", name.len, IPFSA_MAX_NAME);
  return IPFSA_OK;
}

ipfsa_status ipfsa_dir_builder_add(ipfsa_dir_builder *b, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize, ipfsa_error *err) {
  ipfsa_status status = check_name(name, err);
  if (status) return status;
  if (!ipfsa_grow((void **)&b->items, &b->cap, b->n + 1, sizeof *b->items)) return ipfsa_fail_nomem(err);
  size_t off = b->names.len;
  ipfsa_buf_append_bytes(&b->names, name);
  status = ipfsa_buf_status(&b->names, err);
  if (status) {
    b->names.failed = IPFSA_OK;
    return status;
  }
  b->items[b->n] = (dir_item){off, b->n, (uint32_t)name.len, false, tsize, *cid};
  b->n++;
  b->sorted = false;
  return IPFSA_OK;
}

static int by_name(const void *x, const void *y, void *ctx) {
  const dir_item *a = x, *c = y;
  int order = ipfsa_bytes_compare(name_of(ctx, a), name_of(ctx, c));
  return order ? order : a->order < c->order ? -1 : 1;
}

/* Sorts by name; of equal names the last added stays. */
static void settle(ipfsa_dir_builder *b) {
  if (b->sorted) return;
  qsort_r(b->items, b->n, sizeof *b->items, by_name, b);
  size_t kept = 0;
  for (size_t i = 0; i < b->n; i++) {
    if (i + 1 < b->n && ipfsa_bytes_equal(name_of(b, &b->items[i]), name_of(b, &b->items[i + 1]))) continue;
    if (kept != i) b->items[kept] = b->items[i];
    kept++;
  }
  b->n = kept;
  for (size_t i = 0; i < b->n; i++) b->items[i].order = i;
  b->sorted = true;
}

size_t ipfsa_dir_builder_count(const ipfsa_dir_builder *b) {
  settle((ipfsa_dir_builder *)(uintptr_t)b);
  return b->n;
}

ipfsa_status ipfsa_dir_builder_remove(ipfsa_dir_builder *b, ipfsa_bytes name, ipfsa_error *err) {
  settle(b);
  for (size_t lo = 0, hi = b->n; lo < hi;) {
    size_t mid = lo + (hi - lo) / 2;
    int order = ipfsa_bytes_compare(name_of(b, &b->items[mid]), name);
    if (order == 0) {
      memmove(b->items + mid, b->items + mid + 1, (b->n - mid - 1) * sizeof *b->items);
      b->n--;
      return IPFSA_OK;
    }
    if (order < 0) lo = mid + 1;
    else hi = mid;
  }
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no link named \"%.*s\"", (int)name.len, name.data);
}

static size_t meta_size(const ipfsa_unixfs_meta *meta) {
  IPFSA_AUTO_BUF ipfsa_buf buf = {0};
  ipfsa_buf_unixfs_directory(&buf, meta);
  return buf.len;
}

/* Does the folder outgrow one block by the rule of the params? The size is the one of the whole folder as a basic one. */
static ipfsa_status needs_hamt(const ipfsa_dir_builder *b, bool *ret, ipfsa_error *err) {
  const ipfsa_import_params *p = b->params;
  bool too_many = p->max_directory_links && b->n > p->max_directory_links;
  if (p->hamt_estimate != IPFSA_HAMT_DISABLED && p->hamt_threshold == 0 && too_many)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "BasicDirectory: cannot add child: maxLinks reached");
  *ret = too_many;
  if (too_many || p->hamt_estimate == IPFSA_HAMT_DISABLED || p->hamt_threshold == 0) return IPFSA_OK;
  uint64_t size = 0;
  if (p->hamt_estimate == IPFSA_HAMT_BLOCK) {
    size_t message = meta_size(&b->meta);
    size = 1 + ipfsa_varint_size(message) + message;
  }
  for (size_t i = 0; i < b->n; i++) {
    size_t cid = ipfsa_cid_size(&b->items[i].cid), name = b->items[i].name_len;
    size += p->hamt_estimate == IPFSA_HAMT_BLOCK ? ipfsa_pb_link_size(cid, name, b->items[i].tsize) : cid + name;
  }
  *ret = size > p->hamt_threshold;
  return IPFSA_OK;
}

static ipfsa_status write_basic(const ipfsa_dir_builder *b, ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf block = {0}, message = {0};
  ipfsa_dag_ref ref = {0};
  for (size_t i = 0; i < b->n; i++) {
    uint8_t cid[IPFSA_MAX_CID];
    ipfsa_pb_link link = {{cid, ipfsa_cid_encode(&b->items[i].cid, cid)}, name_of(b, &b->items[i]), b->items[i].tsize, true, true};
    ipfsa_buf_pb_link(&block, &link);
    if (__builtin_add_overflow(ref.tsize, link.tsize, &ref.tsize)) return ipfsa_fail(err, IPFSA_E_LIMIT, "a directory of over 2^64 bytes");
  }
  ipfsa_buf_unixfs_directory(&message, &b->meta);
  ipfsa_buf_pb_data(&block, ipfsa_buf_bytes(&message));
  ipfsa_status status = ipfsa_buf_status(&message, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&block, err);
  ref.tsize += block.len;
  if (status == IPFSA_OK) status = ipfsa_params_put(b->params, w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&block), &ref.cid, err);
  if (status == IPFSA_OK) *ret = ref;
  return status;
}

static ipfsa_status write_hamt(const ipfsa_dir_builder *b, ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE ipfsa_hamt_entry *entries = ipfsa_calloc(b->n, sizeof *entries);
  if (!entries) return ipfsa_fail_nomem(err);
  for (size_t i = 0; i < b->n; i++) {
    ipfsa_bytes name = name_of(b, &b->items[i]);
    entries[i] = (ipfsa_hamt_entry){ipfsa_hamt_hash(name), name, &b->items[i].cid, b->items[i].tsize};
  }
  return ipfsa_hamt_build(b->params, &b->meta, entries, b->n, w, ret, err);
}

ipfsa_status ipfsa_dir_builder_finish(ipfsa_dir_builder *b, ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err) {
  settle(b);
  bool hamt = false;
  ipfsa_status status = needs_hamt(b, &hamt, err);
  if (status) return status;
  return hamt ? write_hamt(b, w, ret, err) : write_basic(b, w, ret, err);
}

typedef struct entry_copy {
  ipfsa_dir_builder *to;
  ipfsa_status status;
  ipfsa_error *err;
} entry_copy;

static int copy_entry(void *ctx, const ipfsa_dir_entry *entry) {
  entry_copy *copy = ctx;
  copy->status = ipfsa_dir_builder_add(copy->to, entry->name, &entry->cid, entry->tsize, copy->err);
  return copy->status != IPFSA_OK;
}

static ipfsa_status copy_entries(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_dir_builder *to, ipfsa_error *err) {
  ipfsa_error why = {0};
  entry_copy copy = {to, IPFSA_OK, &why};
  ipfsa_status status = ipfsa_dir_list(bs, dir, copy_entry, &copy, err);
  if (copy.status && err) *err = why;
  return copy.status ? copy.status : status;
}

static ipfsa_status root_meta(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_unixfs_meta *ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  ipfsa_status status = ipfsa_blockstore_get(bs, dir, &block, err);
  if (status == IPFSA_OK) status = ipfsa_unixfs_decode_block(block.data, &node, &u, err);
  if (status == IPFSA_OK) *ret = u.meta;
  return status;
}

ipfsa_status ipfsa_dir_set(ipfsa_blockstore *bs, ipfsa_blockstore_writer *w, const ipfsa_import_params *params, const ipfsa_cid *dir,
                           ipfsa_bytes name, const ipfsa_dag_ref *entry, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_unixfs_meta meta = {0};
  ipfsa_dir_builder *b = NULL;
  ipfsa_status status = root_meta(bs, dir, &meta, err);
  if (status == IPFSA_OK) status = ipfsa_dir_builder_new(params, &meta, &b, err);
  if (status == IPFSA_OK) status = copy_entries(bs, dir, b, err);
  if (status == IPFSA_OK && entry) status = ipfsa_dir_builder_add(b, name, &entry->cid, entry->tsize, err);
  else if (status == IPFSA_OK) status = ipfsa_dir_builder_remove(b, name, err);
  if (status == IPFSA_OK) status = ipfsa_dir_builder_finish(b, w, ret, err);
  ipfsa_dir_builder_free(b);
  return status;
}
