/* The same content with another mode or time: its root block is written anew, all below it stays. */
#include "base/error.h"
#include "codec/protobuf.h"
#include "unixfs/reader.h"

/* The message as it was, but for mode and mtime. */
static void put_message(ipfsa_buf *buf, const ipfsa_unixfs *u, const ipfsa_unixfs_meta *meta) {
  ipfsa_buf_pb_varint(buf, 1, u->type);
  if (u->has_data) ipfsa_buf_pb_bytes(buf, 2, u->data);
  if (u->has_filesize) ipfsa_buf_pb_varint(buf, 3, u->filesize);
  ipfsa_blocksize_iter sizes = ipfsa_unixfs_blocksizes(u);
  uint64_t size;
  while (ipfsa_blocksize_next(&sizes, &size)) ipfsa_buf_pb_varint(buf, 4, size);
  if (u->type == IPFSA_UNIXFS_HAMT) {
    ipfsa_buf_pb_varint(buf, 5, u->hash_type);
    ipfsa_buf_pb_varint(buf, 6, u->fanout);
  }
  ipfsa_buf_unixfs_meta(buf, meta);
}

static ipfsa_status build(const ipfsa_cid *cid, ipfsa_bytes block, const ipfsa_unixfs_meta *meta, ipfsa_buf *ret, ipfsa_dag_ref *ref, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf message = {0};
  ipfsa_pbnode node = {0};
  ipfsa_unixfs u;
  if (cid->codec == IPFSA_CODEC_RAW) { /* a bare block has no place for them: it becomes a node that holds the same bytes */
    ipfsa_buf_unixfs_leaf(&message, IPFSA_UNIXFS_FILE, block, meta);
    ref->filesize = block.len;
  } else {
    ipfsa_status status = ipfsa_unixfs_decode_block(block, &node, &u, err);
    if (status) return status;
    put_message(&message, &u, meta);
    ref->filesize = u.filesize;
  }
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  while (ipfsa_pb_link_next(&links, &link)) {
    ipfsa_buf_pb_link(ret, &link);
    if (__builtin_add_overflow(ref->tsize, link.tsize, &ref->tsize)) ref->tsize = UINT64_MAX; /* Tsize is a hint */
  }
  ipfsa_buf_pb_data(ret, ipfsa_buf_bytes(&message));
  if (__builtin_add_overflow(ref->tsize, ret->len, &ref->tsize)) ref->tsize = UINT64_MAX;
  ipfsa_status status = ipfsa_buf_status(&message, err);
  return status ? status : ipfsa_buf_status(ret, err);
}

ipfsa_status ipfsa_unixfs_set_meta(ipfsa_blockstore *bs, ipfsa_blockstore_writer *w, const ipfsa_import_params *params, const ipfsa_cid *cid,
                                   const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  IPFSA_AUTO_BUF ipfsa_buf made = {0};
  ipfsa_dag_ref ref = {0};
  ipfsa_status status = ipfsa_blockstore_get(bs, cid, &block, err);
  if (status == IPFSA_OK) status = build(cid, block.data, meta, &made, &ref, err);
  if (status == IPFSA_OK) status = ipfsa_params_put(params, w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&made), &ref.cid, err);
  if (status == IPFSA_OK) *ret = ref;
  return status;
}
