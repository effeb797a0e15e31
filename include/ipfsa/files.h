/* The mutable file system of a repo: paths from "/" on, durable like pins. Each change is one transaction: when it returns, it is on the disk.
 * Calls from any thread; those that write take the repo's writer lock. Errors in Kubo's words ("file does not exist"). */
#ifndef IPFSA_FILES_H
#define IPFSA_FILES_H

#include <ipfsa/read.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ipfsa_files_stat {
  ipfsa_cid cid;
  ipfsa_entry_type type;
  uint64_t size, cumulative;
  uint32_t n_links;
  uint32_t mode; /* 0 = not set */
  bool has_mtime;
  int64_t mtime_s;
  uint32_t mtime_ns;
} ipfsa_files_stat;

/* path may be "/ipfs/<cid>…" here. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_stat_get(ipfsa_node *node, const char *path, ipfsa_files_stat *ret, ipfsa_error *err);
/* Entries of a folder; of a file, the file itself. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_ls(ipfsa_node *node, const char *path, ipfsa_entry_cb cb, void *ctx, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_read(ipfsa_node *node, const char *path, uint64_t offset, uint64_t count, ipfsa_write_cb write, void *ctx,
                                                    ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_mkdir(ipfsa_node *node, const char *path, bool parents, ipfsa_option cid_version_1, const char *hash,
                                                     ipfsa_error *err);
/* from: a path here, or "/ipfs/<cid>…", whose blocks need not all be present. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_cp(ipfsa_node *node, const char *from, const char *to, bool parents, bool force, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_mv(ipfsa_node *node, const char *from, const char *to, ipfsa_error *err);
/* E_WRONG_TYPE "path is a directory, use -r to remove directories". */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_rm(ipfsa_node *node, const char *path, bool recursive, bool force, ipfsa_error *err);

#define IPFSA_FILES_NOTHING UINT64_MAX
typedef struct ipfsa_files_write_options {
  size_t struct_size;
  uint64_t offset, count; /* count 0 = all of fd, IPFSA_FILES_NOTHING = no byte of it */
  bool create, truncate, parents;
  ipfsa_option raw_leaves, cid_version_1; /* unset: as the file is, or as configured */
  const char *hash;
} ipfsa_files_write_options;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_write(ipfsa_node *node, const char *path, int fd, const ipfsa_files_write_options *options,
                                                     ipfsa_error *err);
/* Mode and time of a file or folder; 0 takes the mode away. Its root block is written anew (a raw one becomes dag-pb), so its CID changes. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_chmod(ipfsa_node *node, const char *path, uint32_t mode, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_touch(ipfsa_node *node, const char *path, int64_t mtime_s, uint32_t mtime_ns, ipfsa_error *err);
/* Makes a folder the root of it all, at once; NULL = an empty one. The blocks of the folder need not all be here, its own must. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_chroot(ipfsa_node *node, const ipfsa_cid *root, ipfsa_cid *ret_old, ipfsa_cid *ret_new, ipfsa_error *err);

typedef struct ipfsa_files_local {
  uint64_t n_bytes; /* of the distinct blocks that are here */
  bool complete;    /* none is missing */
} ipfsa_files_local;
/* How much of a path ("/ipfs/<cid>" too) is in the repo. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_local_get(ipfsa_node *node, const char *path, ipfsa_files_local *ret, ipfsa_error *err);
/* CID of a path. Everything is on the disk already. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_flush(ipfsa_node *node, const char *path, ipfsa_cid *ret, ipfsa_error *err);
/* Writes a folder anew with another CID version or hash function. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_files_chcid(ipfsa_node *node, const char *path, ipfsa_option cid_version_1, const char *hash, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
