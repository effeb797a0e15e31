#include "unixfs/children.h"

bool ipfsa_file_node_decode(ipfsa_bytes block, ipfsa_file_node *ret) {
  return ipfsa_unixfs_decode_block(block, &ret->node, &ret->u, NULL) == IPFSA_OK && ret->node.n_links > 0 &&
         (ret->u.type == IPFSA_UNIXFS_FILE || ret->u.type == IPFSA_UNIXFS_RAW);
}

ipfsa_child_iter ipfsa_file_children(const ipfsa_file_node *node) {
  return (ipfsa_child_iter){ipfsa_pbnode_links(&node->node), ipfsa_unixfs_blocksizes(&node->u), node->start + node->u.data.len};
}

bool ipfsa_child_next(ipfsa_child_iter *it, ipfsa_child *ret) {
  ipfsa_pb_link link;
  if (!ipfsa_pb_link_next(&it->links, &link) || !ipfsa_blocksize_next(&it->sizes, &ret->size) || ipfsa_pb_link_cid(&link, &ret->cid, NULL) != IPFSA_OK) return false;
  ret->start = it->at;
  return !link.name.len && !__builtin_add_overflow(it->at, ret->size, &it->at);
}
