/* What dag.c, dag_car.c and block.c share. */
#ifndef IPFSA_NODE_DAG_H
#define IPFSA_NODE_DAG_H

#include "node/node.h"

/* An ipfsa_block_get over a node; fails once the node is cancelled. ctx: the node. */
ipfsa_status ipfsa_node_get_block(void *ctx, const ipfsa_cid *cid, ipfsa_block *ret, ipfsa_error *err);
/* One block, durable; pinned recursively before gc may look. */
ipfsa_status ipfsa_node_put_block(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_bytes block, bool pin, ipfsa_error *err);

#endif
