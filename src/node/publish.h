/* Content to a folder of somebody else, under a name, whole or not at all. Threads: any. */
#ifndef IPFSA_NODE_PUBLISH_H
#define IPFSA_NODE_PUBLISH_H

#include <ipfsa/materialise.h>

#include "node/node.h"

#define IPFSA_PUBLISHED_DIR "published" /* of the repo: what this program put where (docs/dispatch.md) */

typedef struct ipfsa_published {
  bool changed;   /* by this call; else it stood there, untouched */
  ipfsa_way way;  /* when changed */
  uint64_t bytes; /* put there by this call */
} ipfsa_published;
/* Makes the content of the CID (version 1, leased by the caller) stand at folder/name; name may have folders in it, which are made. What this program put
 * there before is exchanged for it in one step; anything else is left alone: E_EXISTS. Files are 0444, folders 0755. */
ipfsa_status ipfsa_publish(ipfsa_node *node, const ipfsa_cid *v1, const char *folder, const char *name, ipfsa_progress_cb progress, void *progress_ctx,
                           ipfsa_published *ret, ipfsa_error *err);

#endif
