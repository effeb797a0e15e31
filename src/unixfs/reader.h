/* Files out of DAGs, and paths through them. Threads: one reader, one caller. */
#ifndef IPFSA_UNIXFS_READER_H
#define IPFSA_UNIXFS_READER_H

#include "base/pool.h"
#include "unixfs/directory.h"

typedef struct ipfsa_file_reader ipfsa_file_reader;
/* Opens raw, dag-pb File/Raw of every layout. E_WRONG_TYPE "this dag node is a directory" (or symlink). */
ipfsa_status ipfsa_file_reader_open(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_file_reader **ret, ipfsa_error *err);
/* Lets workers read and verify the next blocks while this one is used. Borrows the pool until close. once: what they read of the disk is not wanted in memory
 * afterwards (ipfsa_blockstore_get_many). */
void ipfsa_file_reader_use_pool(ipfsa_file_reader *r, ipfsa_pool *pool, bool once);
void ipfsa_file_reader_close(ipfsa_file_reader *r);
uint64_t ipfsa_file_reader_size(const ipfsa_file_reader *r);
ipfsa_unixfs_meta ipfsa_file_reader_meta(const ipfsa_file_reader *r);
/* The next verified bytes from the current position, borrowed until the next call; len 0 at the end. No copy. */
ipfsa_status ipfsa_file_reader_next(ipfsa_file_reader *r, ipfsa_bytes *ret, ipfsa_error *err);
ipfsa_status ipfsa_file_reader_seek(ipfsa_file_reader *r, uint64_t off, ipfsa_error *err);
ipfsa_status ipfsa_file_reader_read_at(ipfsa_file_reader *r, void *data, size_t len, uint64_t off, size_t *ret_len, ipfsa_error *err);

/* What a CID is, without reading more than its root block. */
typedef struct ipfsa_unixfs_stat {
  ipfsa_unixfs_type type; /* a raw block: RAW with is_raw_block */
  bool is_raw_block;
  uint64_t size;       /* file bytes; symlink: target length; directories 0 */
  uint64_t cumulative; /* block + Σ Tsize */
  uint64_t block_size;
  uint32_t n_links;
  ipfsa_unixfs_meta meta;
} ipfsa_unixfs_stat;
ipfsa_status ipfsa_unixfs_stat_get(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_unixfs_stat *ret, ipfsa_error *err);
/* The DAG with this mode and mtime (zeroed: none) in its root, whose new block goes to w; a raw block becomes a dag-pb one. */
ipfsa_status ipfsa_unixfs_set_meta(ipfsa_blockstore *bs, ipfsa_blockstore_writer *w, const ipfsa_import_params *params, const ipfsa_cid *cid,
                                   const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err);
/* *ret_target owned, terminated. */
ipfsa_status ipfsa_unixfs_readlink(ipfsa_blockstore *bs, const ipfsa_cid *cid, char **ret_target, size_t *ret_len, ipfsa_error *err);

#endif
