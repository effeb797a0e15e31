/* What of a file the store has not. Threads: any. */
#ifndef IPFSA_UNIXFS_MISSING_H
#define IPFSA_UNIXFS_MISSING_H

#include "base/source.h"
#include "exchange/blockstore.h"

#define IPFSA_MAX_MISSING_NODES 1048576u /* blocks looked at: 1 TiB in chunks of 1 MiB; equal ones count each time */

/* Tells ranges in their order, each once; a block below one that is not here is not here. Leaves are not read. E_CANCELLED: cb gave other than 0. */
ipfsa_status ipfsa_file_missing(ipfsa_blockstore *bs, const ipfsa_cid *file, uint64_t size, ipfsa_range_cb cb, void *ctx, ipfsa_error *err);

#endif
