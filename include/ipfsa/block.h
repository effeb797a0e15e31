/* Raw blocks. Calls from any thread. */
#ifndef IPFSA_BLOCK_H
#define IPFSA_BLOCK_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_block_get(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_write_cb write, void *ctx, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_block_size(ipfsa_node *node, const ipfsa_cid *cid, uint64_t *ret, ipfsa_error *err);
/* version 0 needs dag-pb and sha2-256. digest_len 0 = the function's own. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_block_put(ipfsa_node *node, ipfsa_bytes data, unsigned version, uint64_t codec, uint64_t hash,
                                                   size_t digest_len, bool pin, ipfsa_cid *ret, ipfsa_error *err);
/* E_PINNED "pinned: recursive" when a pin needs it. E_NOT_FOUND unless force. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_block_rm(ipfsa_node *node, const ipfsa_cid *cid, bool force, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
