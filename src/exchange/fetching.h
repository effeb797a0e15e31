/* A blockstore that asks a source for what another one has not. Threads: as those of the blockstore below; the source is called by one at a time. */
#ifndef IPFSA_EXCHANGE_FETCHING_H
#define IPFSA_EXCHANGE_FETCHING_H

#include <ipfsa/node.h>

#include "exchange/blockstore.h"

/* Borrows `below`; source is copied. What came is verified, and put below when keep is set and that can be done: so no writer of `below` may be open in the
 * thread that gets. has, size, locate and the like tell of what is below only. */
ipfsa_status ipfsa_fetching_new(ipfsa_blockstore *below, const ipfsa_block_source *source, bool keep, ipfsa_blockstore **ret, ipfsa_error *err);
uint64_t ipfsa_fetching_count(const ipfsa_blockstore *fetching); /* blocks that came until now */

#endif
