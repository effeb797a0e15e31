/* Content out of the store that a container gets to see: the one kind of bind that no user wrote. Its folder lies in the repo, which is refused to
 * everybody else. Threads: any. */
#ifndef IPFSA_CONTAINER_CONTENT_H
#define IPFSA_CONTAINER_CONTENT_H

#include "container/engine.h"

#define IPFSA_LABEL_CID "io.ipfs-accelerate.cid" /* CIDs, separated by spaces */

typedef struct ipfsa_content {
  const char *cid;    /* as text */
  const char *source; /* absolute, on this machine */
  const char *target; /* absolute, in the container */
} ipfsa_content;

/* ipfsa_container_start with contents beside the user's volumes, read-only, and named in a label. *ret_made: it was not there before, and can go again. */
ipfsa_status ipfsa_container_start_with(ipfsa_engine *engine, const char *name, const char *image, const ipfsa_container_start_options *options,
                                        const ipfsa_content *contents, size_t n_contents, ipfsa_container **ret, bool *ret_changed, bool *ret_made, ipfsa_error *err);

/* Every CID that a label of our containers names; a return other than 0 stops: E_CANCELLED. */
typedef int (*ipfsa_content_cb)(void *ctx, const char *cid);
ipfsa_status ipfsa_container_each_content(ipfsa_engine *engine, ipfsa_content_cb cb, void *ctx, ipfsa_error *err);

#endif
