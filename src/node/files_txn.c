#include "node/add_params.h"
#include "node/files.h"
#include "unixfs/reader.h"

ipfsa_status ipfsa_files_parse(const char *path, ipfsa_files_path *ret, ipfsa_error *err) {
  if (path[0] != '/') return ipfsa_fail(err, IPFSA_E_INVALID, "paths must start with a leading slash");
  size_t len = strlen(path);
  if (len >= IPFSA_MAX_PATH) return ipfsa_fail(err, IPFSA_E_LIMIT, "a path of over %d bytes", IPFSA_MAX_PATH - 1);
  memcpy(ret->text, path, len + 1);
  ret->n = 0;
  ret->wants_folder = path[len - 1] == '/';
  for (char *at = ret->text; *at;) {
    size_t n = strcspn(at, "/");
    bool more = at[n] == '/';
    at[n] = '\0';
    if (strcmp(at, "..") == 0) return ipfsa_fail(err, IPFSA_E_INVALID, "a path may not hold \"..\": %.200s", path);
    if (n && strcmp(at, ".") != 0) {
      if (ret->n == IPFSA_MAX_PATH_SEGMENTS) return ipfsa_fail(err, IPFSA_E_LIMIT, "a path of over %d names", IPFSA_MAX_PATH_SEGMENTS);
      if (n > IPFSA_MAX_NAME) return ipfsa_fail(err, IPFSA_E_LIMIT, "a name of %zu bytes; at most %d are taken", n, IPFSA_MAX_NAME);
      ret->names[ret->n++] = at;
    }
    at += n + more;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_files_put_empty(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_dir_builder *b = NULL;
  ipfsa_status status = ipfsa_dir_builder_new(params, NULL, &b, err);
  if (status == IPFSA_OK) status = ipfsa_dir_builder_finish(b, w, ret, err);
  ipfsa_dir_builder_free(b);
  return status;
}

ipfsa_status ipfsa_files_begin(ipfsa_node *node, ipfsa_blockstore_writer *w, ipfsa_files_txn *ret, ipfsa_error *err) {
  ipfsa_files_txn txn = {.node = node, .w = w, .own_writer = w == NULL};
  ipfsa_add_options none = {.struct_size = sizeof none};
  ipfsa_dag_ref empty;
  ipfsa_status status = ipfsa_add_params(node->config, &none, &txn.params, err);
  if (status == IPFSA_OK && !w) status = ipfsa_blockstore_begin(node->bs, &txn.w, err);
  if (status) return status;
  status = ipfsa_roots_get(node->store, IPFSA_FILES_ROOT, &txn.root, err);
  if (status == IPFSA_E_NOT_FOUND) {
    status = ipfsa_files_put_empty(&txn.params, txn.w, &empty, err);
    txn.root = empty.cid;
  }
  if (status) ipfsa_files_abort(&txn);
  else *ret = txn;
  return status;
}

void ipfsa_files_abort(ipfsa_files_txn *txn) {
  if (txn->own_writer) ipfsa_writer_close(txn->w);
  txn->w = NULL;
}

ipfsa_status ipfsa_files_commit(ipfsa_files_txn *txn, ipfsa_error *err) {
  ipfsa_status status = ipfsa_writer_commit(txn->w, err);
  if (status == IPFSA_OK) status = ipfsa_roots_set(txn->node->store, IPFSA_FILES_ROOT, &txn->root, err);
  ipfsa_files_abort(txn);
  return status;
}

/* A name that a folder does not have, unlike a block that is not here: both are E_NOT_FOUND, and must not be taken for one another. */
static bool is_absent_name(ipfsa_status status, const ipfsa_error *why) {
  return status == IPFSA_E_WRONG_TYPE || (status == IPFSA_E_NOT_FOUND && strncmp(why->message, "no link named ", 14) == 0);
}

ipfsa_status ipfsa_files_look(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_files_path *path, size_t n, ipfsa_cid *ret, bool *ret_exists,
                              ipfsa_error *err) {
  ipfsa_cid at = *root;
  for (size_t i = 0; i < n; i++) {
    ipfsa_dir_entry entry;
    ipfsa_error why = {0};
    ipfsa_status status = ipfsa_dir_find(node->bs, &at, ipfsa_bytes_str(path->names[i]), &entry, &why);
    if (is_absent_name(status, &why)) return *ret_exists = false, IPFSA_OK;
    if (status && err) *err = why;
    if (status) return status;
    at = entry.cid;
  }
  *ret = at;
  *ret_exists = true;
  return IPFSA_OK;
}

ipfsa_status ipfsa_files_find(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_files_path *path, size_t n, ipfsa_cid *ret, ipfsa_error *err) {
  bool exists = false;
  ipfsa_status status = ipfsa_files_look(node, root, path, n, ret, &exists, err);
  return status || exists ? status : ipfsa_fail(err, IPFSA_E_NOT_FOUND, "file does not exist");
}

ipfsa_import_params ipfsa_files_params_like(const ipfsa_files_txn *txn, const ipfsa_cid *cid) {
  ipfsa_import_params params = txn->params;
  params.cid_version = cid->version;
  if (!ipfsa_cid_is_identity(cid)) params.hash = cid->mh.code;
  return params;
}

ipfsa_status ipfsa_files_choose(ipfsa_import_params *params, ipfsa_option cid_version_1, const char *hash, ipfsa_error *err) {
  if (cid_version_1 != IPFSA_UNSET) params->cid_version = cid_version_1 == IPFSA_ON;
  if (hash && !ipfsa_hash_from_string(hash, &params->hash)) return ipfsa_fail(err, IPFSA_E_INVALID, "unrecognized hash function: \"%s\"", hash);
  if (params->hash == IPFSA_HASH_SHA2_256 || params->cid_version == 1) return IPFSA_OK;
  if (cid_version_1 == IPFSA_OFF) return ipfsa_fail(err, IPFSA_E_INVALID, "CIDv0 only supports sha2-256");
  params->cid_version = 1;
  return IPFSA_OK;
}

/* The folder at the first i names, made when it is missing and may be. */
static ipfsa_status folder_below(ipfsa_files_txn *txn, const ipfsa_files_path *path, size_t i, const ipfsa_cid *parent, bool parents, ipfsa_cid *ret,
                                 ipfsa_error *err) {
  ipfsa_files_path one = {.names = {path->names[i]}, .n = 1};
  ipfsa_dag_ref made;
  bool exists = false;
  ipfsa_status status = ipfsa_files_look(txn->node, parent, &one, 1, ret, &exists, err);
  if (status || exists) return status;
  if (!parents) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "file does not exist");
  ipfsa_import_params params = ipfsa_files_params_like(txn, parent);
  status = ipfsa_files_put_empty(&params, txn->w, &made, err);
  if (status == IPFSA_OK) *ret = made.cid;
  return status;
}

ipfsa_status ipfsa_files_set(ipfsa_files_txn *txn, const ipfsa_files_path *path, const ipfsa_dag_ref *entry, bool parents, ipfsa_error *err) {
  IPFSA_AUTO_FREE ipfsa_cid *folders = ipfsa_calloc(path->n + 1, sizeof *folders);
  if (!folders) return ipfsa_fail_nomem(err);
  if (path->n == 0) return ipfsa_fail(err, IPFSA_E_INVALID, "the root itself cannot be replaced or removed");
  folders[0] = txn->root;
  for (size_t i = 0; i + 1 < path->n; i++) {
    ipfsa_status status = folder_below(txn, path, i, &folders[i], parents, &folders[i + 1], err);
    if (status) return status;
  }
  /* From the innermost folder up: each gets the new form of the one below it. */
  ipfsa_dag_ref ref = entry ? *entry : (ipfsa_dag_ref){0};
  for (size_t i = path->n; i-- > 0;) {
    ipfsa_import_params params = ipfsa_files_params_like(txn, &folders[i]);
    ipfsa_dag_ref next;
    bool remove = !entry && i + 1 == path->n; /* of a name that was found */
    ipfsa_status status = ipfsa_dir_set(txn->node->bs, txn->w, &params, &folders[i], ipfsa_bytes_str(path->names[i]), remove ? NULL : &ref, &next, err);
    if (status == IPFSA_E_WRONG_TYPE) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "%s is not a directory", i ? path->names[i - 1] : "/");
    if (status) return status;
    ref = next;
  }
  txn->root = ref.cid;
  return IPFSA_OK;
}

/* Where `add --to-files` puts its result: at the path, or in the folder that it names. */
static ipfsa_status choose_place(ipfsa_files_txn *txn, ipfsa_files_path *at, const char *path, const char *name, ipfsa_error *err) {
  ipfsa_cid there;
  ipfsa_unixfs_stat st;
  bool exists = false, taken = false;
  ipfsa_status status = ipfsa_files_look(txn->node, &txn->root, at, at->n, &there, &exists, err);
  if (status == IPFSA_OK && exists) status = ipfsa_unixfs_stat_get(txn->node->bs, &there, &st, err);
  if (status) return status;
  if (!exists && at->wants_folder) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "to-files: MFS destination directory \"%.200s\" does not exist: file does not exist", path);
  bool folder = exists && (st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT);
  if (folder && at->n == IPFSA_MAX_PATH_SEGMENTS) return ipfsa_fail(err, IPFSA_E_LIMIT, "a path of over %d names", IPFSA_MAX_PATH_SEGMENTS);
  if (folder) at->names[at->n++] = name;
  status = ipfsa_files_look(txn->node, &txn->root, at, at->n, &there, &taken, err);
  if (status == IPFSA_OK && taken)
    return ipfsa_fail(err, IPFSA_E_EXISTS, "to-files: cannot put node in path \"%.200s%s%s\": directory already has entry by that name", path,
                      folder && !at->wants_folder ? "/" : "", folder ? name : "");
  status = status ? status : ipfsa_files_look(txn->node, &txn->root, at, at->n - 1, &there, &exists, err);
  return status || exists ? status : ipfsa_fail(err, IPFSA_E_NOT_FOUND, "to-files: the folder that \"%.200s\" is to lie in does not exist: file does not exist", path);
}

ipfsa_status ipfsa_files_put_ref(ipfsa_node *node, ipfsa_blockstore_writer *w, const char *path, const char *name, const ipfsa_dag_ref *ref,
                                 ipfsa_error *err) {
  ipfsa_files_path at;
  ipfsa_files_txn txn;
  ipfsa_status status = ipfsa_files_parse(path, &at, err);
  if (status) return ipfsa_error_prefix(err, status, "to-files");
  status = ipfsa_files_begin(node, w, &txn, err);
  if (status) return status;
  status = choose_place(&txn, &at, path, name, err);
  if (status == IPFSA_OK) status = ipfsa_files_set(&txn, &at, ref, false, err);
  if (status == IPFSA_OK) return ipfsa_files_commit(&txn, err);
  ipfsa_files_abort(&txn);
  return status;
}
