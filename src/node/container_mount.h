/* Content in containers, for other nouns of the node. Threads: any. */
#ifndef IPFSA_NODE_CONTAINER_MOUNT_H
#define IPFSA_NODE_CONTAINER_MOUNT_H

#include "container/engine.h"
#include "node/node.h"

/* A container of this name was removed: what it was shown is released, without a look at the engine. */
ipfsa_status ipfsa_mounts_forget(ipfsa_node *node, ipfsa_engine *engine, const char *container, ipfsa_error *err);

#endif
