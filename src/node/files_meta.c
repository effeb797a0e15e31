/* What belongs to a path without being its content: mode, time, how much of it is here; and which folder is the root. */
#include "node/dag_walk.h"
#include "node/files.h"
#include "unixfs/reader.h"

typedef void (*meta_change)(ipfsa_unixfs_meta *meta, const ipfsa_unixfs_meta *with);

static void take_mode(ipfsa_unixfs_meta *meta, const ipfsa_unixfs_meta *with) { meta->mode = with->mode; }

static void take_time(ipfsa_unixfs_meta *meta, const ipfsa_unixfs_meta *with) {
  meta->has_mtime = true;
  meta->mtime_s = with->mtime_s;
  meta->mtime_ns = with->mtime_ns;
}

static ipfsa_status change_in(ipfsa_files_txn *txn, const ipfsa_files_path *path, meta_change change, const ipfsa_unixfs_meta *with, ipfsa_error *err) {
  ipfsa_cid there;
  ipfsa_unixfs_stat st;
  ipfsa_dag_ref ref;
  ipfsa_status status = ipfsa_files_find(txn->node, &txn->root, path, path->n, &there, err);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(txn->node->bs, &there, &st, err);
  if (status) return status;
  change(&st.meta, with);
  ipfsa_import_params params = ipfsa_files_params_like(txn, &there);
  status = ipfsa_unixfs_set_meta(txn->node->bs, txn->w, &params, &there, &st.meta, &ref, err);
  if (status) return status;
  if (path->n) return ipfsa_files_set(txn, path, &ref, false, err);
  txn->root = ref.cid;
  return IPFSA_OK;
}

static ipfsa_status change_meta(ipfsa_node *node, const char *text, meta_change change, const ipfsa_unixfs_meta *with, ipfsa_error *err) {
  ipfsa_files_path path;
  ipfsa_files_txn txn;
  ipfsa_status status = ipfsa_files_parse(text, &path, err);
  if (status == IPFSA_OK) status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  status = change_in(&txn, &path, change, with, err);
  if (status == IPFSA_OK) return ipfsa_files_commit(&txn, err);
  ipfsa_files_abort(&txn);
  return status;
}

ipfsa_status ipfsa_files_chmod(ipfsa_node *node, const char *path, uint32_t mode, ipfsa_error *err) {
  if (mode > 07777) return ipfsa_fail(err, IPFSA_E_INVALID, "%o is no file mode; it has at most four octal digits", mode);
  return change_meta(node, path, take_mode, &(ipfsa_unixfs_meta){.mode = mode}, err);
}

ipfsa_status ipfsa_files_touch(ipfsa_node *node, const char *path, int64_t mtime_s, uint32_t mtime_ns, ipfsa_error *err) {
  if (mtime_ns > 999999999) return ipfsa_fail(err, IPFSA_E_INVALID, "%u nanoseconds are over a second", mtime_ns);
  return change_meta(node, path, take_time, &(ipfsa_unixfs_meta){.mtime_s = mtime_s, .mtime_ns = mtime_ns}, err);
}

static ipfsa_status check_folder(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_error *err) {
  static const char *const words[] = {"Raw", "Directory", "File", "Metadata", "Symlink", "HAMTShard"};
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_unixfs_stat_get(node->bs, cid, &st, err);
  if (status || st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT) return status;
  return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "new root must be a directory, got %s", st.is_raw_block ? "a raw block" : words[st.type]);
}

/* The writer is held throughout: gc cannot come between the look at the new root and its being the root. */
ipfsa_status ipfsa_files_chroot(ipfsa_node *node, const ipfsa_cid *root, ipfsa_cid *ret_old, ipfsa_cid *ret_new, ipfsa_error *err) {
  ipfsa_files_txn txn;
  ipfsa_dag_ref empty;
  ipfsa_status status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  ipfsa_cid old = txn.root;
  if (root) status = check_folder(node, root, err);
  else status = ipfsa_files_put_empty(&txn.params, txn.w, &empty, err);
  if (status) {
    ipfsa_files_abort(&txn);
    return status;
  }
  txn.root = root ? *root : empty.cid;
  ipfsa_cid made = txn.root;
  status = ipfsa_files_commit(&txn, err);
  if (status) return status;
  *ret_old = old;
  *ret_new = made;
  return IPFSA_OK;
}

static int count_local(void *ctx, const ipfsa_dag_visit *at) {
  ipfsa_files_local *local = ctx;
  if (at->status == IPFSA_OK) local->n_bytes += at->size;
  else local->complete = false;
  return 0;
}

ipfsa_status ipfsa_files_local_get(ipfsa_node *node, const char *path, ipfsa_files_local *ret, ipfsa_error *err) {
  ipfsa_files_stat st;
  ipfsa_files_local local = {.complete = true};
  ipfsa_status status = ipfsa_files_stat_get(node, path, &st, err);
  if (status) return status;
  ipfsa_dag_walk_options walk = {.leaves = IPFSA_DAG_LEAVES_SIZED, .take_faults = true, .visit = count_local, .ctx = &local};
  bool here = false;
  status = ipfsa_blockstore_has(node->bs, &st.cid, &here, err);
  if (status == IPFSA_OK && here) status = ipfsa_dag_walk(node, &st.cid, &walk, err);
  else if (status == IPFSA_OK) local.n_bytes = st.cumulative; /* the root before its first change: known, and in no pack */
  if (status == IPFSA_OK) *ret = local;
  return status;
}
