/* The walk over a DAG that a node has: depth-first, parent before children, children in link order, each CID once. Leaves are read ahead by
 * workers in groups that fill the lanes, or not read at all. Threads: one at a time per call. */
#ifndef IPFSA_NODE_DAG_WALK_H
#define IPFSA_NODE_DAG_WALK_H

#include "ipld/walk.h"
#include "node/node.h"

typedef enum ipfsa_dag_leaves {
  IPFSA_DAG_LEAVES_READ,  /* data and size */
  IPFSA_DAG_LEAVES_SIZED, /* known to be here, with their size; not read */
  IPFSA_DAG_LEAVES_NAMED, /* neither; raw ones may be missing */
} ipfsa_dag_leaves;

typedef struct ipfsa_dag_visit {
  const ipfsa_cid *cid;
  unsigned depth;          /* 0: the root */
  ipfsa_bytes data;        /* until the visit returns; empty for leaves that are not read */
  uint64_t size;           /* bytes of the block */
  ipfsa_status status;     /* other than OK only with take_faults */
  const ipfsa_error *why;
} ipfsa_dag_visit;
typedef int (*ipfsa_dag_visit_cb)(void *ctx, const ipfsa_dag_visit *at); /* other than 0 stops: E_CANCELLED "stopped" */

typedef struct ipfsa_dag_walk_options {
  ipfsa_dag_leaves leaves;
  bool take_faults; /* blocks that are missing, damaged or malformed are visited, and the walk goes on; else they end it */
  ipfsa_dag_visit_cb visit;
  void *ctx;
  ipfsa_cid_set *seen; /* over several roots; NULL: one of its own */
} ipfsa_dag_walk_options;
ipfsa_status ipfsa_dag_walk(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_dag_walk_options *options, ipfsa_error *err);

/* What a block can be at fault for; all else (memory, disk) is a failure to look. */
bool ipfsa_is_fault_of_block(ipfsa_status status);

#endif
