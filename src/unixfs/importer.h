/* Files into DAGs: chunk, hash, build, in one pass and bounded memory. Threads: one importer, one caller; hashing uses the pool. */
#ifndef IPFSA_UNIXFS_IMPORTER_H
#define IPFSA_UNIXFS_IMPORTER_H

#include "base/pool.h"
#include "base/source.h"
#include "unixfs/params.h"

typedef struct ipfsa_importer ipfsa_importer;
/* Borrows all of it until free. pool NULL: hash in the calling thread. */
ipfsa_status ipfsa_importer_new(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_pool *pool, ipfsa_importer **ret,
                                ipfsa_error *err);
void ipfsa_importer_free(ipfsa_importer *importer);
/* Imports one file. meta may be NULL; with mode or mtime the root carries them (params must have raw_leaves off then).
 * external (may be NULL): leaves are referred to where they lie instead of copied; off is the position of byte 0. */
ipfsa_status ipfsa_importer_file(ipfsa_importer *importer, ipfsa_source *source, const ipfsa_unixfs_meta *meta,
                                 const ipfsa_external *external, ipfsa_progress_cb progress, void *progress_ctx, ipfsa_dag_ref *ret,
                                 ipfsa_error *err);
ipfsa_status ipfsa_import_symlink(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_bytes target,
                                  const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err);

#endif
