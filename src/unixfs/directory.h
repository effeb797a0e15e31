/* Directories, basic and HAMT: building, listing, finding, editing. No recursion; depth is bounded by the 64 hash bits. */
#ifndef IPFSA_UNIXFS_DIRECTORY_H
#define IPFSA_UNIXFS_DIRECTORY_H

#include "unixfs/params.h"

#define IPFSA_MAX_NAME 255 /* bytes of an entry name */

/* Building: entries in any order, each name once (the last wins). */
typedef struct ipfsa_dir_builder ipfsa_dir_builder;
ipfsa_status ipfsa_dir_builder_new(const ipfsa_import_params *params, const ipfsa_unixfs_meta *meta, ipfsa_dir_builder **ret,
                                   ipfsa_error *err);
void ipfsa_dir_builder_free(ipfsa_dir_builder *b);
ipfsa_status ipfsa_dir_builder_add(ipfsa_dir_builder *b, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize, ipfsa_error *err);
ipfsa_status ipfsa_dir_builder_remove(ipfsa_dir_builder *b, ipfsa_bytes name, ipfsa_error *err); /* E_NOT_FOUND */
size_t ipfsa_dir_builder_count(const ipfsa_dir_builder *b);
/* Writes the directory (basic or HAMT by the params' rule, bottom-up, each shard once). w NULL: only hash. */
ipfsa_status ipfsa_dir_builder_finish(ipfsa_dir_builder *b, ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err);

typedef struct ipfsa_dir_entry {
  ipfsa_bytes name; /* borrowed for the call */
  ipfsa_cid cid;
  uint64_t tsize;
} ipfsa_dir_entry;
typedef int (*ipfsa_dir_cb)(void *ctx, const ipfsa_dir_entry *entry); /* ≠ 0 stops: E_CANCELLED */
/* Lists a directory (basic: link order; HAMT: shard by shard, bounded memory). E_WRONG_TYPE when it is none. */
ipfsa_status ipfsa_dir_list(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_dir_cb cb, void *ctx, ipfsa_error *err);
/* E_NOT_FOUND: no such entry (message: no link named "x" under CID). */
ipfsa_status ipfsa_dir_find(ipfsa_blockstore *bs, const ipfsa_cid *dir, ipfsa_bytes name, ipfsa_dir_entry *ret, ipfsa_error *err);

/* Editing (for files/MFS): returns the new directory; entry with a none CID removes the name. Blocks go to w. The result is the
 * same DAG that building from the resulting entries gives. meta NULL keeps the old one. */
ipfsa_status ipfsa_dir_set(ipfsa_blockstore *bs, ipfsa_blockstore_writer *w, const ipfsa_import_params *params, const ipfsa_cid *dir,
                           ipfsa_bytes name, const ipfsa_dag_ref *entry_or_null, ipfsa_dag_ref *ret, ipfsa_error *err);

#endif
