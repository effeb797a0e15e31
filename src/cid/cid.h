/* What the room adds to the public <ipfsa/cid.h>: reading from a cursor, compact bytes, hashing of blocks. */
#ifndef IPFSA_CID_CID_H
#define IPFSA_CID_CID_H

#include <ipfsa/cid.h>

#include "base/buf.h"
#include "base/bytes.h"

/* Reads one binary CID (v0 or v1) and moves on; fails like ipfsa_cid_decode but accepts what follows. */
ipfsa_status ipfsa_cursor_cid(ipfsa_cursor *c, ipfsa_cid *ret, ipfsa_error *err);
void ipfsa_buf_cid(ipfsa_buf *buf, const ipfsa_cid *cid);
size_t ipfsa_cid_size(const ipfsa_cid *cid); /* bytes of the binary form */
ipfsa_status ipfsa_cursor_multihash(ipfsa_cursor *c, ipfsa_multihash *ret, ipfsa_error *err);
void ipfsa_buf_multihash(ipfsa_buf *buf, const ipfsa_multihash *mh);
size_t ipfsa_multihash_encode(const ipfsa_multihash *mh, uint8_t *ret); /* needs IPFSA_MAX_MULTIHASH */
ipfsa_status ipfsa_multihash_check_allowed(const ipfsa_multihash *mh, ipfsa_error *err);
/* CID of a block: hashes data with `hash` (natural digest size when digest_len is 0). */
ipfsa_status ipfsa_cid_of_block(unsigned version, uint64_t codec, uint64_t hash, size_t digest_len, ipfsa_bytes data, ipfsa_cid *ret,
                                ipfsa_error *err);
/* Do these bytes belong to this CID? E_CORRUPT naming the CID when not; identity compares with the digest. */
ipfsa_status ipfsa_cid_verify(const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_error *err);
static inline bool ipfsa_cid_is_identity(const ipfsa_cid *cid) { return cid->mh.code == IPFSA_HASH_IDENTITY; }

#endif
