#include "unixfs/params.h"

#include "base/error.h"

ipfsa_status ipfsa_params_cid(const ipfsa_import_params *params, uint64_t codec, size_t len, const ipfsa_multihash *mh, ipfsa_bytes whole,
                              ipfsa_cid *ret, ipfsa_error *err) {
  if (ipfsa_params_inlines(params, len)) {
    ipfsa_multihash identity;
    memset(&identity, 0, sizeof identity);
    identity.code = IPFSA_HASH_IDENTITY;
    identity.len = (uint8_t)len;
    if (len) memcpy(identity.digest, whole.data, len);
    return ipfsa_cid_make(1, codec, &identity, ret, err);
  }
  bool v0 = params->cid_version == 0 && codec == IPFSA_CODEC_DAG_PB && mh->code == IPFSA_HASH_SHA2_256 && mh->len == 32;
  return ipfsa_cid_make(v0 ? 0 : 1, codec, mh, ret, err);
}

ipfsa_status ipfsa_params_put(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, uint64_t codec, ipfsa_bytes block,
                              ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_multihash mh;
  memset(&mh, 0, sizeof mh);
  bool inlined = ipfsa_params_inlines(params, block.len);
  ipfsa_status status = inlined ? IPFSA_OK : ipfsa_hash_digest(params->hash, 0, &block, 1, &mh, err);
  ipfsa_cid cid;
  if (status == IPFSA_OK) status = ipfsa_params_cid(params, codec, block.len, &mh, block, &cid, err);
  if (status) return status;
  if (block.len > IPFSA_MAX_BLOCK)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "object size limit exceeded: a block of %zu bytes, at most %d can be shared", block.len, IPFSA_MAX_BLOCK);
  status = w ? ipfsa_writer_put(w, &cid, block, err) : ipfsa_cid_check_allowed(&cid, err);
  if (status == IPFSA_OK) *ret = cid;
  return status;
}
