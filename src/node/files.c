#include "node/files.h"

#include "unixfs/reader.h"

static ipfsa_status empty_root_stat(ipfsa_files_stat *ret) {
  static const char empty[] = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"; /* the empty folder: what a root is before its first change */
  *ret = (ipfsa_files_stat){.type = IPFSA_ENTRY_DIRECTORY, .cumulative = 4};
  return ipfsa_cid_parse(empty, sizeof empty - 1, &ret->cid, NULL);
}

/* What lies at a path now. *ret_virgin: the root, before anything was put into it. */
static ipfsa_status locate(ipfsa_node *node, const char *text, ipfsa_cid *ret, bool *ret_virgin, ipfsa_error *err) {
  ipfsa_files_path path;
  ipfsa_cid root;
  *ret_virgin = false;
  ipfsa_status status = ipfsa_files_parse(text, &path, err);
  if (status == IPFSA_OK) status = ipfsa_roots_get(node->store, IPFSA_FILES_ROOT, &root, err);
  if (status == IPFSA_E_NOT_FOUND) {
    *ret_virgin = path.n == 0;
    return path.n ? ipfsa_fail(err, IPFSA_E_NOT_FOUND, "file does not exist") : IPFSA_OK;
  }
  return status ? status : ipfsa_files_find(node, &root, &path, path.n, ret, err);
}

static bool is_folder(const ipfsa_unixfs_stat *st) { return st->type == IPFSA_UNIXFS_DIRECTORY || st->type == IPFSA_UNIXFS_HAMT; }

/* Content by its CID can be looked at, too. */
static ipfsa_status locate_any(ipfsa_node *node, const char *path, ipfsa_cid *ret, bool *ret_virgin, ipfsa_error *err) {
  ipfsa_resolved at;
  if (strncmp(path, "/ipfs/", 6) != 0) return locate(node, path, ret, ret_virgin, err);
  ipfsa_status status = ipfsa_node_resolve(node, path, &at, err);
  *ret_virgin = false;
  if (status == IPFSA_OK) *ret = at.cid;
  return status;
}

ipfsa_status ipfsa_files_stat_get(ipfsa_node *node, const char *path, ipfsa_files_stat *ret, ipfsa_error *err) {
  ipfsa_cid cid;
  ipfsa_unixfs_stat st;
  bool virgin;
  ipfsa_status status = locate_any(node, path, &cid, &virgin, err);
  if (status == IPFSA_OK && virgin) return empty_root_stat(ret);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(node->bs, &cid, &st, err);
  if (status) return status;
  *ret = (ipfsa_files_stat){.cid = cid, .size = is_folder(&st) ? 0 : st.size, .cumulative = st.cumulative, .n_links = st.n_links, .mode = st.meta.mode & 07777,
                            .has_mtime = st.meta.has_mtime, .mtime_s = st.meta.mtime_s, .mtime_ns = st.meta.mtime_ns,
                            .type = is_folder(&st) ? IPFSA_ENTRY_DIRECTORY : st.type == IPFSA_UNIXFS_SYMLINK ? IPFSA_ENTRY_SYMLINK : IPFSA_ENTRY_FILE};
  return IPFSA_OK;
}

static void ipfs_path(const ipfsa_cid *cid, char ret[IPFSA_MAX_CID_TEXT + 8]) {
  memcpy(ret, "/ipfs/", 7);
  ipfsa_cid_format(cid, ret + 6);
}

ipfsa_status ipfsa_files_ls(ipfsa_node *node, const char *path, ipfsa_entry_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_files_stat st;
  char text[IPFSA_MAX_CID_TEXT + 8];
  bool virgin;
  ipfsa_cid cid;
  ipfsa_status status = locate(node, path, &cid, &virgin, err);
  if (status || virgin) return status;
  status = ipfsa_files_stat_get(node, path, &st, err);
  if (status) return status;
  ipfs_path(&cid, text);
  if (st.type == IPFSA_ENTRY_DIRECTORY) return ipfsa_ls(node, text, true, cb, ctx, err);
  const char *name = strrchr(path, '/') + 1;
  ipfsa_entry entry = {.name = name, .name_len = strlen(name), .cid = cid, .type = st.type, .size = st.size};
  return cb(ctx, &entry) == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
}

ipfsa_status ipfsa_files_read(ipfsa_node *node, const char *path, uint64_t offset, uint64_t count, ipfsa_write_cb write, void *ctx, ipfsa_error *err) {
  ipfsa_files_stat st;
  char text[IPFSA_MAX_CID_TEXT + 8];
  bool virgin;
  ipfsa_status status = locate(node, path, &st.cid, &virgin, err);
  if (status == IPFSA_OK) status = ipfsa_files_stat_get(node, path, &st, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_error_prefix(err, status, "%.200s", path);
  if (status) return status;
  if (st.type == IPFSA_ENTRY_DIRECTORY) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "%.200s was not a file", path);
  if (offset > st.size) return ipfsa_fail(err, IPFSA_E_INVALID, "offset was past end of file (%llu > %llu)", (unsigned long long)offset, (unsigned long long)st.size);
  ipfs_path(&st.cid, text);
  return ipfsa_cat(node, text, offset, count, write, ctx, NULL, NULL, err);
}

ipfsa_status ipfsa_files_flush(ipfsa_node *node, const char *path, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_files_stat st;
  ipfsa_status status = ipfsa_files_stat_get(node, path, &st, err);
  if (status == IPFSA_OK) *ret = st.cid;
  return status;
}

/* ---- changes ---- */

static ipfsa_status end(ipfsa_files_txn *txn, ipfsa_status status, ipfsa_error *err) {
  if (status == IPFSA_OK) return ipfsa_files_commit(txn, err);
  ipfsa_files_abort(txn);
  return status;
}

ipfsa_status ipfsa_files_mkdir(ipfsa_node *node, const char *text, bool parents, ipfsa_option cid_version_1, const char *hash, ipfsa_error *err) {
  ipfsa_files_path path;
  ipfsa_files_txn txn;
  ipfsa_cid there;
  ipfsa_dag_ref empty;
  ipfsa_dir_builder *b = NULL;
  ipfsa_status status = ipfsa_files_parse(text, &path, err);
  if (status == IPFSA_OK && path.n == 0) return parents ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_EXISTS, "cannot create directory '/': Already exists");
  if (status == IPFSA_OK) status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  bool exists = false;
  status = ipfsa_files_look(node, &txn.root, &path, path.n, &there, &exists, err);
  if (status == IPFSA_OK && exists && parents) return ipfsa_files_abort(&txn), IPFSA_OK;
  if (exists) status = ipfsa_fail(err, IPFSA_E_EXISTS, "file already exists");
  ipfsa_import_params params = ipfsa_files_params_like(&txn, &txn.root);
  if (status == IPFSA_OK) status = ipfsa_files_choose(&params, cid_version_1, hash, err);
  if (status == IPFSA_OK) status = ipfsa_dir_builder_new(&params, NULL, &b, err);
  if (status == IPFSA_OK) status = ipfsa_dir_builder_finish(b, txn.w, &empty, err);
  ipfsa_dir_builder_free(b);
  if (status == IPFSA_OK) status = ipfsa_files_set(&txn, &path, &empty, parents, err);
  return end(&txn, status, err);
}

/* A reference to what a path holds: of this file system, or /ipfs/…. */
static ipfsa_status source_ref(ipfsa_files_txn *txn, const char *from, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_status status;
  if (strncmp(from, "/ipfs/", 6) == 0) {
    ipfsa_resolved at;
    status = ipfsa_node_resolve(txn->node, from, &at, err);
    ret->cid = at.cid;
  } else {
    ipfsa_files_path path;
    status = ipfsa_files_parse(from, &path, err);
    if (status == IPFSA_OK) status = ipfsa_files_find(txn->node, &txn->root, &path, path.n, &ret->cid, err);
  }
  ipfsa_unixfs_stat st;
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(txn->node->bs, &ret->cid, &st, err);
  if (status == IPFSA_E_NOT_UNIXFS) return ipfsa_fail(err, status, "cp: source must be a valid UnixFS (dag-pb or raw codec)");
  if (status) return status;
  ret->tsize = st.cumulative;
  return IPFSA_OK;
}

/* The path that a copy or move ends at: in a folder that is named with "/", or for a move in any that exists, under the source's last name. */
static ipfsa_status target_path(ipfsa_files_txn *txn, const char *from, const char *to, bool into_folder, ipfsa_files_path *ret, ipfsa_error *err) {
  ipfsa_cid there;
  ipfsa_unixfs_stat st;
  bool exists = false;
  ipfsa_status status = ipfsa_files_parse(to, ret, err);
  if (status == IPFSA_OK) status = ipfsa_files_look(txn->node, &txn->root, ret, ret->n, &there, &exists, err);
  if (status == IPFSA_OK && exists) status = ipfsa_unixfs_stat_get(txn->node->bs, &there, &st, err);
  if (status) return status;
  if (!ret->wants_folder && !(into_folder && exists && is_folder(&st))) return IPFSA_OK;
  size_t len = strlen(from), used = strlen(to) + 1;
  while (len && from[len - 1] == '/') len--;
  size_t start = len;
  while (start && from[start - 1] != '/') start--;
  if (len == start || used + len - start + 1 > sizeof ret->text || ret->n == IPFSA_MAX_PATH_SEGMENTS) return ipfsa_fail(err, IPFSA_E_INVALID, "no name to copy to: %.200s", to);
  memcpy(ret->text + used, from + start, len - start);
  ret->text[used + len - start] = '\0';
  ret->names[ret->n++] = ret->text + used;
  return IPFSA_OK;
}

ipfsa_status ipfsa_files_cp(ipfsa_node *node, const char *from, const char *to, bool parents, bool force, ipfsa_error *err) {
  ipfsa_files_txn txn;
  ipfsa_files_path path;
  ipfsa_dag_ref ref = {0};
  ipfsa_cid there;
  ipfsa_status status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  status = source_ref(&txn, from, &ref, err);
  if (status == IPFSA_E_NOT_FOUND) status = ipfsa_error_prefix(err, status, "cp: cannot get node from path %.200s", from);
  bool exists = false;
  if (status == IPFSA_OK) status = target_path(&txn, from, to, false, &path, err);
  if (status == IPFSA_OK) status = ipfsa_files_look(node, &txn.root, &path, path.n, &there, &exists, err);
  if (status == IPFSA_OK && exists && !force)
    status = ipfsa_fail(err, IPFSA_E_EXISTS, "cp: cannot put node in path %.200s%.200s: directory already has entry by that name", to,
                        path.wants_folder ? path.names[path.n - 1] : "");
  if (status == IPFSA_OK) {
    status = ipfsa_files_set(&txn, &path, &ref, parents, err);
    if (status == IPFSA_E_NOT_FOUND) status = ipfsa_error_prefix(err, status, "cp: cannot put node in path %.200s", to);
  }
  return end(&txn, status, err);
}

static bool lies_inside(const ipfsa_files_path *inner, const ipfsa_files_path *outer) {
  if (inner->n < outer->n) return false;
  for (size_t i = 0; i < outer->n; i++)
    if (strcmp(inner->names[i], outer->names[i]) != 0) return false;
  return true;
}

ipfsa_status ipfsa_files_mv(ipfsa_node *node, const char *from, const char *to, ipfsa_error *err) {
  ipfsa_files_txn txn;
  ipfsa_files_path source, target;
  ipfsa_dag_ref ref = {0};
  ipfsa_status status = ipfsa_files_parse(from, &source, err);
  if (status == IPFSA_OK) status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  status = source_ref(&txn, from, &ref, err);
  if (status == IPFSA_OK) status = target_path(&txn, from, to, true, &target, err);
  if (status == IPFSA_OK && lies_inside(&target, &source))
    status = target.n == source.n ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_INVALID, "cannot move %.100s into itself", from);
  else if (status == IPFSA_OK) {
    status = ipfsa_files_set(&txn, &source, NULL, false, err);
    if (status == IPFSA_OK) status = ipfsa_files_set(&txn, &target, &ref, false, err);
  }
  return end(&txn, status, err);
}

ipfsa_status ipfsa_files_rm(ipfsa_node *node, const char *text, bool recursive, bool force, ipfsa_error *err) {
  ipfsa_files_path path;
  ipfsa_files_txn txn;
  ipfsa_cid there;
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_files_parse(text, &path, err);
  if (status == IPFSA_OK && path.n == 0) return ipfsa_fail(err, IPFSA_E_INVALID, "cannot delete root");
  if (status == IPFSA_OK) status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  status = ipfsa_files_find(node, &txn.root, &path, path.n, &there, err);
  if (status == IPFSA_E_NOT_FOUND && force) return ipfsa_files_abort(&txn), IPFSA_OK;
  if (status == IPFSA_OK && !force) status = ipfsa_unixfs_stat_get(node->bs, &there, &st, err);
  if (status == IPFSA_OK && !force && !recursive && is_folder(&st))
    status = ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "path is a directory, use -r to remove directories");
  if (status == IPFSA_OK) status = ipfsa_files_set(&txn, &path, NULL, false, err);
  return end(&txn, status, err);
}

static int copy_entry(void *ctx, const ipfsa_dir_entry *entry) { return ipfsa_dir_builder_add(ctx, entry->name, &entry->cid, entry->tsize, NULL) != IPFSA_OK; }

ipfsa_status ipfsa_files_chcid(ipfsa_node *node, const char *text, ipfsa_option cid_version_1, const char *hash, ipfsa_error *err) {
  ipfsa_files_path path;
  ipfsa_files_txn txn;
  ipfsa_cid there;
  ipfsa_dag_ref ref = {0};
  ipfsa_dir_builder *b = NULL;
  ipfsa_status status = ipfsa_files_parse(text, &path, err);
  if (status == IPFSA_OK) status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  status = ipfsa_files_find(node, &txn.root, &path, path.n, &there, err);
  ipfsa_import_params params = ipfsa_files_params_like(&txn, &txn.root);
  if (status == IPFSA_OK) status = ipfsa_files_choose(&params, cid_version_1, hash, err);
  if (status == IPFSA_OK) status = ipfsa_dir_builder_new(&params, NULL, &b, err);
  if (status == IPFSA_OK) status = ipfsa_dir_list(node->bs, &there, copy_entry, b, err);
  if (status == IPFSA_E_WRONG_TYPE) status = ipfsa_fail(err, status, "can only update directories");
  if (status == IPFSA_OK) status = ipfsa_dir_builder_finish(b, txn.w, &ref, err);
  ipfsa_dir_builder_free(b);
  if (status == IPFSA_OK && path.n == 0) txn.root = ref.cid;
  else if (status == IPFSA_OK) status = ipfsa_files_set(&txn, &path, &ref, false, err);
  return end(&txn, status, err);
}
