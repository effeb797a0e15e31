/* Content as files that others may open: a file or folder out of the store becomes a read-only tree in the repo's folder, made once and shared by
 * all who use the same CID, for as long as they do. Calls from any thread. */
#ifndef IPFSA_MATERIALISE_H
#define IPFSA_MATERIALISE_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How the bytes of a tree came to be there, from the cheapest to the dearest; of several the dearest. */
typedef enum ipfsa_way {
  IPFSA_WAY_REFLINK = 1, /* extents shared with the store's packs: no second copy on the disk */
  IPFSA_WAY_LINK = 2,    /* second names of files that another tree has */
  IPFSA_WAY_COPY = 3
} ipfsa_way;
IPFSA_API const char *ipfsa_way_name(ipfsa_way way); /* "reflink", "link", "copy" */

typedef struct ipfsa_materialised {
  ipfsa_cid cid;     /* version 1 */
  const char *path;  /* absolute; a file, or a folder. Files are 0444 (0555 when the content says x), folders 0555. */
  bool is_folder;
  bool made;         /* by this call; else it was there */
  ipfsa_way way;
  uint64_t size;     /* bytes of its files */
  uint64_t n_reflinked, n_linked, n_copied; /* bytes of them */
} ipfsa_materialised;
IPFSA_API void ipfsa_materialised_free(ipfsa_materialised *tree); /* NULL is fine */

typedef struct ipfsa_materialise_options {
  size_t struct_size;
  ipfsa_progress_cb progress;
  void *progress_ctx;
} ipfsa_materialise_options;
/* path: a CID or /ipfs/CID/path. Every byte was verified, and all is on the disk, when it returns; a failure leaves nothing. user: who uses it (1 to
 * 250 bytes, no control characters); that is remembered, and gc keeps the tree and its blocks until the user is released. The same again is no error.
 * E_NOT_UNIXFS, E_WRONG_TYPE (a symbolic link), E_DENIED (a link that leads out of the content), E_NO_SPACE and E_QUOTA: before anything
 * is written where bytes are copied; where extents are shared, what was made is counted then and goes again. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_materialise(ipfsa_node *node, const char *path, const char *user, const ipfsa_materialise_options *options,
                                                     ipfsa_materialised **ret, ipfsa_error *err);
/* The user needs this CID (NULL: any of its) no more. Trees that nobody uses go with the next gc. *ret_n (may be NULL): uses that ended. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_materialise_release(ipfsa_node *node, const ipfsa_cid *cid, const char *user, size_t *ret_n, ipfsa_error *err);
typedef int (*ipfsa_use_cb)(void *ctx, const ipfsa_cid *cid, const char *user); /* other than 0 stops: E_CANCELLED */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_materialise_uses(ipfsa_node *node, ipfsa_use_cb cb, void *ctx, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
