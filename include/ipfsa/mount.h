/* Content out of the store in containers: a file or folder is materialised, shown read-only, and kept as long as a container shows it, also when engine
 * and program were started again meanwhile. */
#ifndef IPFSA_MOUNT_H
#define IPFSA_MOUNT_H

#include <ipfsa/container.h>
#include <ipfsa/materialise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Told of each mount before the container is made. */
typedef void (*ipfsa_mount_cb)(void *ctx, const ipfsa_materialised *tree, const char *target);
typedef struct ipfsa_mount_options {
  size_t struct_size;
  ipfsa_texts mounts; /* "CID:/target[:ro]" or "/ipfs/CID/path:/target[:ro]" */
  ipfsa_mount_cb told;
  void *told_ctx;
  ipfsa_progress_cb progress; /* of making the files */
  void *progress_ctx;
} ipfsa_mount_options;
/* ipfsa_container_start with content in it. The engine must be on this machine (E_NOT_SUPPORTED). A failure releases what it took. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_start_mounted(ipfsa_node *node, ipfsa_engine *engine, const char *name, const char *image,
                                                                 const ipfsa_mount_options *mounts, const ipfsa_container_start_options *options,
                                                                 ipfsa_container **ret, bool *ret_changed, ipfsa_error *err);
/* Content that was mounted through this engine and that no container of ours shows any more is released; the next gc removes it. For after a container
 * was removed, by whomever. repo_path: as for ipfsa_engine_open; without a repo, or mounts in it, nothing is done. *ret_n (may be NULL): how many. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_mounts_release_unused(ipfsa_engine *engine, const char *repo_path, size_t *ret_n, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
