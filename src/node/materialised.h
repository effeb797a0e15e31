/* The folder `materialised` of a repo (docs/formats/materialised.md): its lock, records, uses, and what gc removes of it. Threads: any. */
#ifndef IPFSA_NODE_MATERIALISED_H
#define IPFSA_NODE_MATERIALISED_H

#include <ipfsa/materialise.h>

#include "node/node.h"

#define IPFSA_MATERIALISED_DIR "materialised"
#define IPFSA_MATERIALISED_CONTENT "content"
#define IPFSA_MATERIALISED_FILES "files"    /* files that were copied, by CID, for later trees to link to */
#define IPFSA_MATERIALISED_LINK_MIN 65536u  /* bytes; a smaller file is copied as fast as it is linked */
#define IPFSA_MAX_USE_USER 250              /* bytes */

/* What is written beside a tree. */
typedef struct ipfsa_materialised_record {
  bool is_folder;
  ipfsa_way way;
  uint64_t size, n_reflinked, n_linked, n_copied;
  uint64_t own;        /* bytes on the disk that nothing else holds */
  char print[65];      /* over name, kind, size, mtime and inode of every entry: a tree that was touched is not handed out again */
} ipfsa_materialised_record;

typedef char ipfsa_materialised_name[IPFSA_MAX_CID_TEXT]; /* the CID as version 1, in its default base */
void ipfsa_materialised_name_of(const ipfsa_cid *cid, ipfsa_cid *ret_v1, ipfsa_materialised_name ret);

/* Opens the folder; with make, where it is missing it is made. E_NOT_FOUND. */
ipfsa_status ipfsa_materialised_open(ipfsa_node *node, bool make, int *ret_dirfd, ipfsa_error *err);
/* One at a time over all processes, until *ret_fd is closed. */
ipfsa_status ipfsa_materialised_lock(int dirfd, int *ret_fd, ipfsa_error *err);

ipfsa_status ipfsa_materialised_print(int dirfd, const char *content, char ret[65], ipfsa_error *err);
ipfsa_status ipfsa_materialised_write(int treefd, const ipfsa_materialised_record *record, ipfsa_error *err);
/* E_NOT_FOUND: there is none of this name; E_CHANGED: not as it was made. */
ipfsa_status ipfsa_materialised_read(int dirfd, const char *name, ipfsa_materialised_record *ret, ipfsa_error *err);
/* Files to link to. `shared` is a path below dirfd. True: it is the very file that was kept, untouched. */
bool ipfsa_materialised_is_as_kept(int dirfd, const char *shared);
/* Keeps a second name of a file that was just written, in the place of one that is of no use; false: it could not be had. */
bool ipfsa_materialised_keep(int dirfd, const char *shared, int from_dirfd, const char *from);

/* Out of the way, for removal by the next gc or at once. The lock is held. */
ipfsa_status ipfsa_materialised_retire(int dirfd, const char *name, char ret_name[64], ipfsa_error *err);

ipfsa_status ipfsa_use_set(ipfsa_node *node, const ipfsa_cid *v1, const char *user, ipfsa_error *err);
ipfsa_status ipfsa_use_remove(ipfsa_node *node, const ipfsa_cid *v1, const char *user, ipfsa_error *err);

/* Removes trees that neither a use nor a lease names, what was cut short, and shared files that no tree has any more. */
ipfsa_status ipfsa_materialised_evict(ipfsa_node *node, uint64_t lease_grace_s, ipfsa_error *err);
/* Bytes on the disk that the packs do not hold; for the store's quota. ctx: the node. */
uint64_t ipfsa_materialised_bytes(void *ctx);

#endif
