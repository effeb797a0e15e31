/* Layouts: leaves in order become a tree of File nodes, balanced or trickle. One small array a level; no recursion. */
#ifndef IPFSA_UNIXFS_LAYOUT_H
#define IPFSA_UNIXFS_LAYOUT_H

#include "unixfs/params.h"

#define IPFSA_MAX_FILE_DEPTH 64 /* two links a node and an exabyte of 256 KiB leaves need 43 */

typedef struct ipfsa_layout_level {
  ipfsa_dag_ref *refs; /* links of the node that is open on this level */
  size_t n, cap;
  uint64_t filesize, tsize; /* sums over refs */
  /* trickle only */
  size_t n_leaves;
  uint32_t max_depth; /* 0 = the root: no limit */
  uint32_t child_depth, repeat;
} ipfsa_layout_level;

typedef struct ipfsa_layout_builder {
  const ipfsa_import_params *params;
  ipfsa_blockstore_writer *w;
  const ipfsa_unixfs_meta *meta; /* of the root; may be NULL */
  ipfsa_layout_level levels[IPFSA_MAX_FILE_DEPTH];
  size_t n_levels;
  ipfsa_buf block, message;
  uint64_t *blocksizes;
  size_t blocksizes_cap;
} ipfsa_layout_builder;

void ipfsa_layout_start(ipfsa_layout_builder *b, const ipfsa_import_params *params, ipfsa_blockstore_writer *w,
                        const ipfsa_unixfs_meta *meta); /* keeps the memory of an earlier file */
void ipfsa_layout_release(ipfsa_layout_builder *b);
ipfsa_status ipfsa_layout_add(ipfsa_layout_builder *b, const ipfsa_dag_ref *leaf, ipfsa_error *err);
/* At least one leaf was added, unless the layout is trickle. A lone balanced leaf is the file (and cannot carry meta here). */
ipfsa_status ipfsa_layout_finish(ipfsa_layout_builder *b, ipfsa_dag_ref *ret, ipfsa_error *err);

#endif
