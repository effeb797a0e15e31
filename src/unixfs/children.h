/* The children of a node of a file, and which bytes of the file each has. Threads: any. */
#ifndef IPFSA_UNIXFS_CHILDREN_H
#define IPFSA_UNIXFS_CHILDREN_H

#include "unixfs/layout.h"
#include "unixfs/unixfs.h"

/* Borrows the block that it was decoded from. */
typedef struct ipfsa_file_node {
  ipfsa_pbnode node;
  ipfsa_unixfs u;
  uint64_t start; /* of its first byte in the file; set by who decodes it */
} ipfsa_file_node;
bool ipfsa_file_node_decode(ipfsa_bytes block, ipfsa_file_node *ret); /* false: no node of a file that has links */

typedef struct ipfsa_child {
  ipfsa_cid cid;
  uint64_t start, size;
} ipfsa_child;
typedef struct ipfsa_child_iter {
  ipfsa_pb_link_iter links;
  ipfsa_blocksize_iter sizes;
  uint64_t at; /* where the next one begins */
} ipfsa_child_iter;
ipfsa_child_iter ipfsa_file_children(const ipfsa_file_node *node);
bool ipfsa_child_next(ipfsa_child_iter *it, ipfsa_child *ret); /* false: no more, or what is no child of a file */

#endif
