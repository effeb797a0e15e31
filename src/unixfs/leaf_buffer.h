/* A buffer of leaves under way: the bytes, where they are cut, and their digests. Threads: one at a time; it passes from hand to hand. */
#ifndef IPFSA_UNIXFS_LEAF_BUFFER_H
#define IPFSA_UNIXFS_LEAF_BUFFER_H

#include "unixfs/cuts.h"
#include "unixfs/params.h"

#define IPFSA_MAX_BUFFER_LEAVES 16384 /* whatever the chunk size */
#define IPFSA_LEAF_ALIGNMENT 4096     /* bytes; what O_DIRECT asks for */

typedef struct ipfsa_leaf_buffer {
  const ipfsa_import_params *params;
  ipfsa_leaf_kind kind;
  uint8_t *room;       /* own memory, page-aligned; made by the first reserve */
  bool huge;           /* … in huge pages */
  const uint8_t *data; /* the room, or a mapping that somebody else holds */
  size_t len;
  ipfsa_leaf *leaves;
  uint8_t *digests; /* 32 bytes a leaf for sha2-256, else IPFSA_MAX_DIGEST */
  size_t n_leaves, cap;
  const ipfsa_cuts *cuts; /* where to cut, instead of the chunker; NULL: none */
  uint64_t at;            /* with cuts: where data begins in the file */
} ipfsa_leaf_buffer;

void ipfsa_leaf_buffer_init(ipfsa_leaf_buffer *b, const ipfsa_import_params *params);
void ipfsa_leaf_buffer_release(ipfsa_leaf_buffer *b);
/* Empties it; the room (always asked for with the same size) becomes its data. huge: it will be filled from end to end and written from, so huge pages are worth being
 * zeroed whole. */
ipfsa_status ipfsa_leaf_buffer_reserve(ipfsa_leaf_buffer *b, size_t size, bool huge, ipfsa_error *err);
/* Cuts data[off, off + len) into leaves; what is too short to cut while the file goes on (ended false) stays: *ret_used bytes were cut. */
ipfsa_status ipfsa_leaf_buffer_cut(ipfsa_leaf_buffer *b, size_t off, size_t len, bool ended, size_t *ret_used, ipfsa_error *err);
ipfsa_status ipfsa_leaf_buffer_add(ipfsa_leaf_buffer *b, size_t off, size_t len, ipfsa_error *err); /* one leaf, perhaps empty */
ipfsa_status ipfsa_leaf_buffer_hash(ipfsa_leaf_buffer *b, ipfsa_error *err);                        /* all of them, lanes full */
size_t ipfsa_leaf_buffer_block_len(const ipfsa_leaf_buffer *b, size_t i);                           /* of leaf i as a block */
ipfsa_status ipfsa_leaf_buffer_ref(const ipfsa_leaf_buffer *b, size_t i, ipfsa_dag_ref *ret, ipfsa_error *err);

#endif
