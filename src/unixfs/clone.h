/* A file out of the store by sharing its bytes with the packs, where the file system can (reflink), instead of copying them. Threads: one caller; the
 * hashing runs in the pool. */
#ifndef IPFSA_UNIXFS_CLONE_H
#define IPFSA_UNIXFS_CLONE_H

#include "base/pool.h"
#include "unixfs/span.h"

/* Told how many more bytes are shared and verified. True: stop here. */
typedef struct ipfsa_clone_told {
  bool (*more)(void *ctx, uint64_t len);
  void *ctx;
} ipfsa_clone_told;

bool ipfsa_clone_is_off(void); /* by IPFSA_REFLINK=off */

/* Shares the first bytes of a file of `size` bytes with fd (open for reading and writing, empty) and hashes what fd then has. Returns how many bytes are there and
 * verified, 0 at worst; the rest is to be written by the caller. *ret_refused: this file system shares nothing, so there is no use in asking again. */
uint64_t ipfsa_clone_file(ipfsa_blockstore *bs, const ipfsa_cid *file, uint64_t size, int fd, ipfsa_pool *pool, const ipfsa_clone_told *told,
                          bool *ret_refused);

#endif
