/* One transaction over the mutable file system: new blocks first, then the root, then the answer. */
#ifndef IPFSA_NODE_FILES_H
#define IPFSA_NODE_FILES_H

#include <ipfsa/files.h>

#include "node/node.h"
#include "node/path.h"
#include "unixfs/directory.h"

#define IPFSA_FILES_ROOT "mfs" /* its name among the roots */

typedef struct ipfsa_files_path {
  char text[IPFSA_MAX_PATH];
  const char *names[IPFSA_MAX_PATH_SEGMENTS];
  size_t n;
  bool wants_folder; /* ends in "/" */
} ipfsa_files_path;
ipfsa_status ipfsa_files_parse(const char *path, ipfsa_files_path *ret, ipfsa_error *err);

typedef struct ipfsa_files_txn {
  ipfsa_node *node;
  ipfsa_blockstore_writer *w; /* borrowed when it was given */
  bool own_writer;
  ipfsa_import_params params; /* as configured */
  ipfsa_cid root;
} ipfsa_files_txn;
/* w NULL: a writer of its own. */
ipfsa_status ipfsa_files_begin(ipfsa_node *node, ipfsa_blockstore_writer *w, ipfsa_files_txn *ret, ipfsa_error *err);
ipfsa_status ipfsa_files_commit(ipfsa_files_txn *txn, ipfsa_error *err); /* ends it, also on failure */
void ipfsa_files_abort(ipfsa_files_txn *txn);

/* What lies at the first n names; *ret_exists tells whether anything does. A block that is missing on the way is a failure that names it. */
ipfsa_status ipfsa_files_look(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_files_path *path, size_t n, ipfsa_cid *ret, bool *ret_exists,
                              ipfsa_error *err);
/* The same, where something must be: E_NOT_FOUND "file does not exist". */
ipfsa_status ipfsa_files_find(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_files_path *path, size_t n, ipfsa_cid *ret, ipfsa_error *err);
/* Puts entry (NULL: removes) at path; folders on the way are made when parents says so. */
ipfsa_status ipfsa_files_set(ipfsa_files_txn *txn, const ipfsa_files_path *path, const ipfsa_dag_ref *entry, bool parents, ipfsa_error *err);
ipfsa_status ipfsa_files_put_empty(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err); /* a folder */
/* The params by which a CID's own kind is kept: its version and hash function. */
ipfsa_import_params ipfsa_files_params_like(const ipfsa_files_txn *txn, const ipfsa_cid *cid);
ipfsa_status ipfsa_files_choose(ipfsa_import_params *params, ipfsa_option cid_version_1, const char *hash, ipfsa_error *err);
/* For `add --to-files`: in the add's own writer, before it is closed. name: where path ends in "/". */
ipfsa_status ipfsa_files_put_ref(ipfsa_node *node, ipfsa_blockstore_writer *w, const char *path, const char *name, const ipfsa_dag_ref *ref,
                                 ipfsa_error *err);

#endif
