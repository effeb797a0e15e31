/* Room for content that goes to disk. Threads: a claim has one owner. */
#ifndef IPFSA_NODE_GET_ROOM_H
#define IPFSA_NODE_GET_ROOM_H

#include "node/node.h"

/* E_NO_SPACE when the file system of `where` has not `size` bytes left, as `what` says of itself. Where nobody can tell, the writing will. `repo`: where the packs
 * are, which a file there may share its bytes with and take no room; NULL: it is copied in any case. */
ipfsa_status ipfsa_get_check_room(const char *repo, const char *what, const char *where, uint64_t size, ipfsa_error *err);
/* A file at `where` may share extents with those of `repo`: the same file system, of a kind that can. */
bool ipfsa_get_may_share(const char *repo, const char *where);

/* What content said of itself, and what has come of it. */
typedef struct ipfsa_get_claim {
  uint64_t said;           /* bytes */
  uint64_t bytes, entries; /* kept by the owner */
  uint64_t checked_bytes, checked_entries;
} ipfsa_get_claim;
/* E_NO_SPACE: it has more than it said, and the file system of dirfd is nearly full (of bytes or names). Cheap enough to be asked at every entry. */
ipfsa_status ipfsa_get_check_claim(ipfsa_get_claim *claim, int dirfd, ipfsa_error *err);

#endif
