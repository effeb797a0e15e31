/* Is an LMDB file what LMDB believes it to be? LMDB trusts its pages: a flipped bit can make it read outside of its map, abort, or not see
 * entries. So its file is looked through before it is used. Format: LMDB 0.9, data version 1. Threads: any. */
#ifndef IPFSA_STORE_META_CHECK_H
#define IPFSA_STORE_META_CHECK_H

#include <ipfsa/base.h>

#define IPFSA_MAX_META_LOOKED_THROUGH (4u << 20) /* bytes of a file that is looked through at each opening: about a millisecond */
#define IPFSA_MAX_META_VERIFIED (32u << 20)      /* bytes of one that verify looks through: what it may hold in memory */

/* The two header pages: a shape that LMDB can open. A file of less than two pages is not looked at (LMDB refuses it). */
ipfsa_status ipfsa_meta_check_header(int fd, ipfsa_error *err);
/* All pages of the snapshot `txn_id`, which a read transaction must hold: trees of the right depth and order, every entry inside its page, no page
 * used twice or free and used. Nothing is done for a file of over max bytes. E_BUSY: others have committed twice since, and with that written over
 * the snapshot's header: try with another one. */
ipfsa_status ipfsa_meta_check_pages(int fd, uint64_t txn_id, uint64_t max, ipfsa_error *err);

#endif
