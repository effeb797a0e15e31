/* A block: bytes and who owns them. */
#ifndef IPFSA_IPLD_BLOCK_H
#define IPFSA_IPLD_BLOCK_H

#include "base/refbuf.h"
#include "cid/cid.h"

#define IPFSA_MAX_BLOCK 2097152 /* bytes accepted and produced; ipfs/specs bitswap */

/* Zeroed = empty. data lives until release. */
typedef struct ipfsa_block {
  ipfsa_bytes data;
  ipfsa_refbuf *owner; /* NULL: borrowed */
} ipfsa_block;

static inline void ipfsa_block_release(ipfsa_block *block) {
  block->owner = ipfsa_refbuf_unref(block->owner);
  block->data = (ipfsa_bytes){0};
}
#define IPFSA_AUTO_BLOCK __attribute__((cleanup(ipfsa_block_release)))

#endif
