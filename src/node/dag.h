/* What dag.c, dag_car.c and block.c share. */
#ifndef IPFSA_NODE_DAG_H
#define IPFSA_NODE_DAG_H

#include "node/node.h"

/* One block, durable; pinned recursively before gc may look. */
ipfsa_status ipfsa_node_put_block(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_bytes block, bool pin, ipfsa_error *err);

#endif
