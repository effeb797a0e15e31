/* What the importer's own files share: importer.c and import_batch.c. */
#ifndef IPFSA_UNIXFS_IMPORTER_INSIDE_H
#define IPFSA_UNIXFS_IMPORTER_INSIDE_H

#include "unixfs/importer.h"
#include "unixfs/layout.h"
#include "unixfs/leaf_buffer.h"

const ipfsa_import_params *ipfsa_importer_params(const ipfsa_importer *im);
ipfsa_pool *ipfsa_importer_pool(const ipfsa_importer *im);
/* Stores leaves [first, first + n) that are neither inlined nor identity CIDs; external: where byte 0 of the buffer lies. The bytes stay as they
 * are until the ticket is settled; from: the file they are mapped from, or NULL. */
ipfsa_status ipfsa_importer_store(ipfsa_importer *im, const ipfsa_leaf_buffer *b, size_t first, size_t n, const ipfsa_external *external,
                                  const ipfsa_held_file *from, uint64_t *ret_ticket, ipfsa_error *err);
ipfsa_status ipfsa_importer_settle(ipfsa_importer *im, uint64_t *ticket /* 0 afterwards */, ipfsa_error *err);
/* Is the file one dag-pb leaf that carries mode or mtime itself? Then its leaf is not stored; build makes the block. */
bool ipfsa_importer_carries_meta(const ipfsa_importer *im, const ipfsa_unixfs_meta *meta, size_t n_leaves);
/* A file whose leaves are all in one buffer, stored before. */
ipfsa_status ipfsa_importer_build(ipfsa_importer *im, const ipfsa_leaf_buffer *b, size_t first, size_t n, const ipfsa_unixfs_meta *meta,
                                  ipfsa_dag_ref *ret, ipfsa_error *err);

#endif
