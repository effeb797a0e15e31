/* Paths: "/ipfs/<cid>/a/b", "ipfs://<cid>/a", a bare CID with or without segments; an alias may stand for the CID. Source: content-addressing rules of path resolution. */
#ifndef IPFSA_NODE_PATH_H
#define IPFSA_NODE_PATH_H

#include "node/node.h"

#define IPFSA_MAX_PATH 4096       /* bytes; POSIX */
#define IPFSA_MAX_PATH_SEGMENTS 128 /* own limit */

typedef struct ipfsa_resolved {
  ipfsa_cid root, cid;            /* the first CID of the path, and the block where it ends */
  char remainder[IPFSA_MAX_PATH]; /* segments inside that block (dag-cbor, dag-json), "a/0"; empty: the block itself */
  char name[256];                 /* last segment; empty for a bare CID */
} ipfsa_resolved;

/* Resolves as far as links go. Errors in Kubo's words: invalid path "x": …, no link named "a" under CID. */
ipfsa_status ipfsa_node_resolve(ipfsa_node *node, const char *text, ipfsa_resolved *ret, ipfsa_error *err);
/* To the end of the path: nothing may be left inside a block. For calls that only read: asks the block source, if there is one. */
ipfsa_status ipfsa_node_resolve_block(ipfsa_node *node, const char *path, ipfsa_cid *ret, ipfsa_error *err);
/* Only the syntax: no block is read. node: for aliases; NULL: there are none. */
ipfsa_status ipfsa_path_check(ipfsa_node *node, const char *text, ipfsa_cid *ret_root, ipfsa_error *err);

#endif
