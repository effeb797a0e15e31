/* Blocks that will be wanted next, read and verified by workers meanwhile, in groups that fill the lanes of the hash. They come back in the order
 * they were asked for. Threads: one caller; the work runs in the pool. */
#ifndef IPFSA_UNIXFS_PREFETCH_H
#define IPFSA_UNIXFS_PREFETCH_H

#include "base/pool.h"
#include "exchange/blockstore.h"

#define IPFSA_MAX_PREFETCH 96 /* blocks asked for and not taken */

typedef struct ipfsa_prefetch ipfsa_prefetch;
/* once: as ipfsa_blockstore_get_many takes it. */
ipfsa_status ipfsa_prefetch_new(ipfsa_blockstore *bs, ipfsa_pool *pool, bool once, ipfsa_prefetch **ret, ipfsa_error *err);
void ipfsa_prefetch_free(ipfsa_prefetch *p); /* NULL is fine; waits for what is under way */
bool ipfsa_prefetch_has_room(const ipfsa_prefetch *p);
void ipfsa_prefetch_ask(ipfsa_prefetch *p, const ipfsa_cid *cid, uint64_t size); /* needs room; size: about how many bytes */
void ipfsa_prefetch_flush(ipfsa_prefetch *p);                                    /* nothing more will be asked for soon */
/* The oldest block asked for, which must be there. */
ipfsa_status ipfsa_prefetch_take(ipfsa_prefetch *p, ipfsa_block *ret, ipfsa_error *err);
void ipfsa_prefetch_drop(ipfsa_prefetch *p); /* forgets all that was asked for; NULL is fine */

#endif
