/* Files into DAGs: chunk, hash, build, in one pass and bounded memory. Threads: one importer, one caller; hashing uses the pool. */
#ifndef IPFSA_UNIXFS_IMPORTER_H
#define IPFSA_UNIXFS_IMPORTER_H

#include <sys/stat.h>

#include "base/pool.h"
#include "base/source.h"
#include "unixfs/cuts.h"
#include "unixfs/params.h"

typedef struct ipfsa_importer ipfsa_importer;
/* Borrows all of it until free. pool NULL: hash in the calling thread. */
ipfsa_status ipfsa_importer_new(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_pool *pool, ipfsa_importer **ret,
                                ipfsa_error *err);
void ipfsa_importer_free(ipfsa_importer *importer);
bool ipfsa_importer_is_large(const ipfsa_importer *importer); /* its own buffers take over 24 MiB */
/* Imports one file. meta may be NULL; with mode or mtime the root carries them (params must have raw_leaves off then).
 * cuts (may be NULL, else of the chunker's size): where the file is cut; it is one of fixed chunks then.
 * external (may be NULL): leaves are referred to where they lie instead of copied; off is the position of byte 0. */
ipfsa_status ipfsa_importer_file(ipfsa_importer *importer, ipfsa_source *source, const ipfsa_unixfs_meta *meta,
                                 const ipfsa_external *external, const ipfsa_cuts *cuts, ipfsa_progress_cb progress, void *progress_ctx,
                                 ipfsa_dag_ref *ret, ipfsa_error *err);

/* Many small files at once: a worker opens, reads, cuts and hashes them, their leaves sharing the lanes; then the caller stores all leaves in
 * one go and builds file after file. A file that is no small one, or gives trouble, is left unread: importing it by itself tells. */
#define IPFSA_MAX_BATCH_FILES 256
#define IPFSA_BATCH_ROOM (4u << 20) /* bytes of all files of a batch */
typedef struct ipfsa_batch_file {
  int dirfd; /* given; both borrowed until the batch is cleared */
  const char *name;
  bool follow;            /* symbolic links */
  ipfsa_unixfs_meta meta; /* given after wait, before store */
  bool is_read;           /* told by wait: these, and st */
  struct stat st;
  size_t first_leaf, n_leaves;
} ipfsa_batch_file;
typedef struct ipfsa_import_batch ipfsa_import_batch;
ipfsa_status ipfsa_import_batch_new(ipfsa_importer *importer, ipfsa_import_batch **ret, ipfsa_error *err); /* free it before the importer */
void ipfsa_import_batch_free(ipfsa_import_batch *b); /* NULL is fine; waits */
void ipfsa_import_batch_clear(ipfsa_import_batch *b);
size_t ipfsa_import_batch_add(ipfsa_import_batch *b, int dirfd, const char *name, bool follow); /* its number; needs room: at most MAX_BATCH_FILES */
void ipfsa_import_batch_start(ipfsa_import_batch *b);
void ipfsa_import_batch_wait(ipfsa_import_batch *b);
ipfsa_batch_file *ipfsa_import_batch_file(ipfsa_import_batch *b, size_t i);
uint64_t ipfsa_import_batch_bytes(const ipfsa_import_batch *b); /* of all its files, also those left unread */
ipfsa_status ipfsa_import_batch_store(ipfsa_import_batch *b, ipfsa_error *err);
ipfsa_status ipfsa_import_batch_build(ipfsa_import_batch *b, size_t i, ipfsa_dag_ref *ret, ipfsa_error *err);

ipfsa_status ipfsa_import_symlink(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_bytes target,
                                  const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err);

#endif
