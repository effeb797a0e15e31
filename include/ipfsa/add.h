/* Adding files and folders. Every option that decides a CID gives Kubo's CID. Blocks until all is durable. One call at a time per node. */
#ifndef IPFSA_ADD_H
#define IPFSA_ADD_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ipfsa_add_event {
  const char *name; /* path below the argument's own name; "" for a wrapping folder; borrowed for the call */
  size_t name_len;
  ipfsa_cid cid;
  uint64_t size;    /* cumulative: the DAG's blocks */
  uint32_t mode;    /* 0 = none */
  bool has_mtime;
  int64_t mtime_s;
  uint32_t mtime_ns;
} ipfsa_add_event;
typedef int (*ipfsa_add_cb)(void *ctx, const ipfsa_add_event *event); /* other than 0 stops with E_CANCELLED */

/* Zero = what the configuration (Import.*) says. */
typedef struct ipfsa_add_options {
  size_t struct_size;
  bool recursive, hidden, only_hash, wrap, nocopy, inline_, dereference_args, dereference_symlinks, preserve_mode, preserve_mtime, skip_empty_dirs;
  ipfsa_option cid_version_1; /* OFF: version 0, ON: version 1 */
  ipfsa_option raw_leaves, trickle, pin /* unset = on */;
  const char *chunker, *hash;
  int64_t inline_limit;        /* 0 = 32 */
  int64_t max_file_links, max_directory_links, max_hamt_fanout; /* 0 = configured */
  const char *pin_name;        /* NULL = none */
  uint32_t mode;               /* 0 = none */
  int64_t mtime;               /* seconds, 0 = none */
  uint32_t mtime_nsecs;
  const char *const *ignore;   /* patterns in gitignore's form, held against names */
  size_t n_ignore;
  const char *ignore_rules_path;
  const char *to_files;        /* a path of the mutable file system that gets the result too; NULL = none */
  const char *stdin_name;      /* name of what comes from standard input; NULL = its CID */
  ipfsa_add_cb event; void *event_ctx;
  ipfsa_progress_cb progress; void *progress_ctx;
  const char *profile;         /* import options by name, "unixfs-v1-2025", before those of the configuration; NULL = none. E_NOT_FOUND */
} ipfsa_add_options;

/* Adds paths (in the order of their base names), or with n_paths 0 the descriptor stdin_fd (borrowed). Events come after the data they speak of
 * is durable. *ret_root (may be NULL): the last event's CID. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_add(ipfsa_node *node, const char *const *paths, size_t n_paths, int stdin_fd,
                                             const ipfsa_add_options *options, ipfsa_cid *ret_root, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
