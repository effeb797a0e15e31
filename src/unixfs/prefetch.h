/* Blocks that will be wanted next, read and verified by workers meanwhile. Threads: one caller; the work runs in the pool. */
#ifndef IPFSA_UNIXFS_PREFETCH_H
#define IPFSA_UNIXFS_PREFETCH_H

#include "base/pool.h"
#include "exchange/blockstore.h"

typedef struct ipfsa_prefetch ipfsa_prefetch;
ipfsa_status ipfsa_prefetch_new(ipfsa_blockstore *bs, ipfsa_pool *pool, ipfsa_prefetch **ret, ipfsa_error *err);
void ipfsa_prefetch_free(ipfsa_prefetch *p); /* NULL is fine; waits for what is under way */
bool ipfsa_prefetch_has_room(const ipfsa_prefetch *p);
void ipfsa_prefetch_ask(ipfsa_prefetch *p, const ipfsa_cid *cid); /* needs room */
/* The oldest block asked for, when it is this one (*ret_found); another one there drops them all. */
ipfsa_status ipfsa_prefetch_take(ipfsa_prefetch *p, const ipfsa_cid *cid, ipfsa_block *ret, bool *ret_found, ipfsa_error *err);
void ipfsa_prefetch_drop(ipfsa_prefetch *p); /* NULL is fine */

#endif
