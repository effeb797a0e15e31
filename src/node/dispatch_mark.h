/* What the last success of a dispatch to a server left: one line a server and model (or "", of the server as such), durable. Threads: any. */
#ifndef IPFSA_NODE_DISPATCH_MARK_H
#define IPFSA_NODE_DISPATCH_MARK_H

#include "node/node.h"

/* *ret_text owned; "" where there is none, or none that this program wrote. */
ipfsa_status ipfsa_dispatch_mark_get(ipfsa_node *node, const char *server, const char *model, char **ret_text, ipfsa_error *err);
ipfsa_status ipfsa_dispatch_mark_set(ipfsa_node *node, const char *server, const char *model, const char *text, ipfsa_error *err);

#endif
