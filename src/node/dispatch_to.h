/* Dispatching to an endpoint that the configuration need not have. Threads: any. */
#ifndef IPFSA_NODE_DISPATCH_TO_H
#define IPFSA_NODE_DISPATCH_TO_H

#include <ipfsa/dispatch.h>

#include "dispatch/endpoint.h"
#include "node/node.h"

/* ipfsa_dispatch with the endpoint itself, whose token may be in `config`; `options` are complete, `err` is not NULL. */
ipfsa_status ipfsa_dispatch_to(ipfsa_node *node, const ipfsa_config *config, const ipfsa_endpoint *endpoint, const char *path, const ipfsa_dispatch_options *options,
                               ipfsa_dispatched **ret, ipfsa_error *err);

#endif
