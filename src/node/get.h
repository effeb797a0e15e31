/* Content to disk: what get to disk, get to an archive and materialisations share. */
#ifndef IPFSA_NODE_GET_H
#define IPFSA_NODE_GET_H

#include <ipfsa/read.h>

#include "node/node.h"
#include "unixfs/unixfs.h"

/* What becomes of a get that this program owns: files 0444 and the x bits they have, folders 0555, each on the disk before the call returns. */
typedef struct ipfsa_get_owned {
  /* True: the file stands at `name` now, as a second name of one that is here already. */
  bool (*link)(void *ctx, const ipfsa_cid *cid, uint64_t size, int dirfd, const char *name);
  /* A file was written, n_cloned of its bytes as extents shared with the packs. */
  void (*written)(void *ctx, const ipfsa_cid *cid, uint64_t size, uint64_t n_cloned, int dirfd, const char *name);
  void *ctx;
} ipfsa_get_owned;
/* Makes `name` in dirfd, where nothing of that name is. A failure may leave some of it there. owned NULL: as ipfsa_get. */
ipfsa_status ipfsa_get_at(ipfsa_node *node, const ipfsa_cid *cid, int dirfd, const char *name, const ipfsa_get_options *options,
                          const ipfsa_get_owned *owned, ipfsa_error *err);

/* Mode without setuid, setgid and sticky; the time as it is. Best effort: the bytes are what was asked for. */
void ipfsa_get_restore_meta(int fd, const ipfsa_unixfs_meta *meta);

#endif
