/* What a CID is, from its root block alone. */
#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/reader.h"

ipfsa_status ipfsa_unixfs_stat_get(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_unixfs_stat *ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(bs, cid, &block, err);
  if (status) return status;
  ipfsa_unixfs_stat st = {.block_size = block.data.len, .cumulative = block.data.len};
  if (cid->codec != IPFSA_CODEC_DAG_PB) {
    if (cid->codec != IPFSA_CODEC_RAW) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the block is neither raw nor dag-pb");
    st.is_raw_block = true;
    st.size = block.data.len;
    return *ret = st, IPFSA_OK;
  }
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  status = ipfsa_unixfs_decode_block(block.data, &node, &u, err);
  if (status) return status;
  st.type = u.type;
  st.n_links = node.n_links;
  st.meta = u.meta;
  if (u.type == IPFSA_UNIXFS_FILE || u.type == IPFSA_UNIXFS_RAW) st.size = u.filesize;
  if (u.type == IPFSA_UNIXFS_SYMLINK) st.size = u.data.len;
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  while (ipfsa_pb_link_next(&links, &link))
    if (__builtin_add_overflow(st.cumulative, link.tsize, &st.cumulative)) st.cumulative = UINT64_MAX; /* Tsize is a hint */
  *ret = st;
  return IPFSA_OK;
}

ipfsa_status ipfsa_unixfs_readlink(ipfsa_blockstore *bs, const ipfsa_cid *cid, char **ret_target, size_t *ret_len, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  ipfsa_status status = ipfsa_blockstore_get(bs, cid, &block, err);
  if (status == IPFSA_OK) status = ipfsa_unixfs_decode_block(block.data, &node, &u, err);
  if (status) return status;
  if (u.type != IPFSA_UNIXFS_SYMLINK) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "not a symbolic link");
  char *copy = ipfsa_malloc(u.data.len + 1);
  if (!copy) return ipfsa_fail_nomem(err);
  if (u.data.len) memcpy(copy, u.data.data, u.data.len);
  copy[u.data.len] = '\0';
  *ret_target = copy;
  *ret_len = u.data.len;
  return IPFSA_OK;
}
