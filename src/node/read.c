#include <ipfsa/read.h>
#include <unistd.h>

#include "ipld/walk.h"
#include "node/path.h"
#include "unixfs/reader.h"

ipfsa_status ipfsa_path_parse(ipfsa_node *node, const char *path, ipfsa_cid *ret_root, ipfsa_error *err) { return ipfsa_path_check(node, path, ret_root, err); }

ipfsa_status ipfsa_resolve(ipfsa_node *node, const char *path, ipfsa_cid *ret, char **ret_remainder, ipfsa_error *err) {
  ipfsa_resolved at;
  ipfsa_status status = ipfsa_node_resolve(node, path, &at, err);
  if (status) return status;
  if (ret_remainder) {
    *ret_remainder = ipfsa_strdup(at.remainder);
    if (!*ret_remainder) return ipfsa_fail_nomem(err);
  }
  *ret = at.cid;
  return IPFSA_OK;
}

#define MEMORY_PART 8 /* what is larger than this part of it would push out what others use, to be pushed out by itself before it is wanted again */

static bool is_for_memory(uint64_t bytes) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  return pages <= 0 || page <= 0 || bytes / (uint64_t)page <= (uint64_t)pages / MEMORY_PART;
}

static ipfsa_status open_file(ipfsa_node *node, const char *path, ipfsa_file_reader **ret, ipfsa_error *err) {
  ipfsa_cid cid;
  ipfsa_status status = ipfsa_node_resolve_block(node, path, &cid, err);
  return status ? status : ipfsa_file_reader_open(ipfsa_node_reading(node), &cid, ret, err);
}

ipfsa_status ipfsa_file_size(ipfsa_node *node, const char *path, uint64_t *ret, ipfsa_error *err) {
  ipfsa_file_reader *r = NULL;
  ipfsa_status status = open_file(node, path, &r, err);
  if (status == IPFSA_OK) *ret = ipfsa_file_reader_size(r);
  ipfsa_file_reader_close(r);
  return status;
}

ipfsa_status ipfsa_cat(ipfsa_node *node, const char *path, uint64_t offset, uint64_t length, ipfsa_write_cb write, void *ctx,
                       ipfsa_progress_cb progress, void *progress_ctx, ipfsa_error *err) {
  ipfsa_file_reader *r = NULL;
  ipfsa_status status = open_file(node, path, &r, err);
  if (status) return status;
  uint64_t size = ipfsa_file_reader_size(r), rest = size > offset ? size - offset : 0;
  ipfsa_progress at = {.total_bytes = rest < length ? rest : length};
  ipfsa_pool *pool = NULL;
  if (at.total_bytes > IPFSA_PARALLEL_MIN && ipfsa_node_pool(node, &pool, NULL) == IPFSA_OK) ipfsa_file_reader_use_pool(r, pool, !is_for_memory(at.total_bytes));
  if (offset && rest) status = ipfsa_file_reader_seek(r, offset, err);
  while (status == IPFSA_OK && at.done_bytes < at.total_bytes) {
    ipfsa_bytes piece;
    status = ipfsa_file_reader_next(r, &piece, err);
    if (status) break;
    uint64_t left = at.total_bytes - at.done_bytes;
    if (piece.len == 0) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the file ends %llu bytes early", (unsigned long long)left);
    size_t n = piece.len < left ? piece.len : (size_t)left;
    if (status == IPFSA_OK && write(ctx, piece.data, n) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "the output takes no more");
    at.done_bytes += n;
    bool stop = ipfsa_node_is_cancelled(node) || (progress && progress(progress_ctx, &at) != 0);
    if (status == IPFSA_OK && stop) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  ipfsa_file_reader_close(r);
  return status;
}

/* ---- ls ---- */

typedef struct ls_run {
  ipfsa_node *node;
  bool resolve_type;
  ipfsa_entry_cb cb;
  void *ctx;
  ipfsa_status status;
  ipfsa_error *err;
} ls_run;

static ipfsa_status describe(ls_run *run, ipfsa_entry *entry, char **ret_target) {
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_unixfs_stat_get(ipfsa_node_reading(run->node), &entry->cid, &st, run->err);
  if (status) return status;
  bool folder = st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT;
  entry->type = folder ? IPFSA_ENTRY_DIRECTORY : st.type == IPFSA_UNIXFS_SYMLINK ? IPFSA_ENTRY_SYMLINK : IPFSA_ENTRY_FILE;
  entry->size = folder ? 0 : st.size;
  entry->mode = st.meta.mode & 07777;
  entry->has_mtime = st.meta.has_mtime;
  entry->mtime_s = st.meta.mtime_s;
  entry->mtime_ns = st.meta.mtime_ns;
  size_t len = 0;
  if (entry->type == IPFSA_ENTRY_SYMLINK) status = ipfsa_unixfs_readlink(ipfsa_node_reading(run->node), &entry->cid, ret_target, &len, run->err);
  entry->target = *ret_target;
  return status;
}

static int ls_entry(void *ctx, const ipfsa_dir_entry *from) {
  ls_run *run = ctx;
  IPFSA_AUTO_FREE char *target = NULL;
  ipfsa_entry entry = {.name = (const char *)from->name.data, .name_len = from->name.len, .cid = from->cid, .size = from->tsize};
  bool raw = from->cid.codec == IPFSA_CODEC_RAW;
  if (raw) entry.type = IPFSA_ENTRY_FILE; /* Tsize of a raw leaf is its length */
  if (run->resolve_type && !raw) run->status = describe(run, &entry, &target);
  if (run->status == IPFSA_OK && (ipfsa_node_is_cancelled(run->node) || run->cb(run->ctx, &entry) != 0))
    run->status = ipfsa_fail(run->err, IPFSA_E_CANCELLED, "cancelled");
  return run->status != IPFSA_OK;
}

ipfsa_status ipfsa_ls(ipfsa_node *node, const char *path, bool resolve_type, ipfsa_entry_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_cid cid;
  ipfsa_unixfs_stat st;
  ipfsa_error why = {0};
  ls_run run = {node, resolve_type, cb, ctx, IPFSA_OK, &why};
  ipfsa_status status = ipfsa_node_resolve_block(node, path, &cid, err);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(ipfsa_node_reading(node), &cid, &st, err);
  if (status || (st.type != IPFSA_UNIXFS_DIRECTORY && st.type != IPFSA_UNIXFS_HAMT)) return status;
  status = ipfsa_dir_list(ipfsa_node_reading(node), &cid, ls_entry, &run, err);
  if (run.status && err) *err = why; /* of the entry, rather than that the listing stopped */
  return run.status ? run.status : status;
}

/* ---- refs ---- */

typedef struct pending_ref {
  ipfsa_cid cid;
  uint64_t depth;
} pending_ref;

typedef struct refs_run {
  ipfsa_node *node;
  uint64_t max_depth;
  bool unique;
  ipfsa_ref_cb cb;
  void *ctx;
  ipfsa_cid_set *seen;
  struct found_ref {
    ipfsa_cid cid;
    char *name;
    size_t name_len;
  } *found; /* links of the block at hand */
  size_t n_found, found_cap;
} refs_run;

static int collect_ref(void *ctx, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize) {
  (void)tsize;
  refs_run *run = ctx;
  if (!ipfsa_grow((void **)&run->found, &run->found_cap, run->n_found + 1, sizeof *run->found)) return 1;
  char *copy = ipfsa_memdup(name.len ? (const void *)name.data : "", name.len);
  if (!copy) return 1;
  run->found[run->n_found++] = (struct found_ref){*cid, copy, name.len};
  return 0;
}

static void drop_found(refs_run *run) {
  for (size_t i = 0; i < run->n_found; i++) ipfsa_free(run->found[i].name);
  run->n_found = 0;
}

static ipfsa_status links_of(refs_run *run, const ipfsa_cid *cid, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  drop_found(run);
  bool leaf = cid->codec == IPFSA_CODEC_RAW;
  ipfsa_status status = leaf ? IPFSA_OK : ipfsa_blockstore_is_leaf(run->node->bs, cid, &leaf, err);
  if (status || leaf) return status;
  status = ipfsa_blockstore_get(run->node->bs, cid, &block, err);
  if (status == IPFSA_OK) status = ipfsa_block_links(cid, block.data, collect_ref, run, err);
  return status == IPFSA_E_CANCELLED ? ipfsa_fail_nomem(err) : status;
}

/* One frame a level: its links, and which is next. Depth-first in link order, each link told when it is met. */
typedef struct ref_level {
  ipfsa_cid from;
  struct found_ref *links;
  size_t n, next;
} ref_level;

#define MAX_REF_DEPTH 1024 /* levels; deeper DAGs are made to exhaust, not to be read */

static ipfsa_status enter_level(refs_run *run, ref_level *levels, size_t *depth, const ipfsa_cid *cid, ipfsa_error *err) {
  if (*depth == MAX_REF_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "a DAG deeper than %d links", MAX_REF_DEPTH);
  ipfsa_status status = links_of(run, cid, err);
  if (status) return status;
  levels[(*depth)++] = (ref_level){*cid, run->found, run->n_found, 0};
  run->found = NULL;
  run->n_found = run->found_cap = 0;
  return IPFSA_OK;
}

static void leave_level(ref_level *level) {
  for (size_t i = 0; i < level->n; i++) ipfsa_free(level->links[i].name);
  ipfsa_free(level->links);
}

static ipfsa_status walk_refs(refs_run *run, const ipfsa_cid *root, ref_level *levels, ipfsa_error *err) {
  size_t depth = 0;
  ipfsa_status status = enter_level(run, levels, &depth, root, err);
  while (status == IPFSA_OK && depth) {
    ref_level *at = &levels[depth - 1];
    if (at->next == at->n) {
      leave_level(at);
      depth--;
      continue;
    }
    struct found_ref *link = &at->links[at->next++];
    bool is_new = true;
    if (run->unique) status = ipfsa_cid_set_add(run->seen, &link->cid, false, &is_new, err);
    if (status || !is_new) continue;
    if (ipfsa_node_is_cancelled(run->node) || run->cb(run->ctx, &at->from, &link->cid, link->name, link->name_len) != 0)
      status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    else if (run->max_depth == 0 || depth < run->max_depth) status = enter_level(run, levels, &depth, &link->cid, err);
  }
  while (depth) leave_level(&levels[--depth]);
  return status;
}

ipfsa_status ipfsa_refs(ipfsa_node *node, const char *const *paths, size_t n, uint64_t max_depth, bool unique, ipfsa_ref_cb cb, void *ctx, ipfsa_error *err) {
  refs_run run = {.node = node, .max_depth = max_depth, .unique = unique, .cb = cb, .ctx = ctx};
  ipfsa_status status = ipfsa_cid_set_new(&run.seen, err);
  IPFSA_AUTO_FREE ref_level *levels = status ? NULL : ipfsa_calloc(MAX_REF_DEPTH, sizeof *levels);
  if (status == IPFSA_OK && !levels) status = ipfsa_fail_nomem(err);
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    ipfsa_cid root;
    status = ipfsa_node_resolve_block(node, paths[i], &root, err);
    if (status == IPFSA_OK) status = walk_refs(&run, &root, levels, err);
  }
  drop_found(&run);
  ipfsa_free(run.found);
  ipfsa_cid_set_free(run.seen);
  return status;
}
