/* Reading by path: resolve, cat, ls, refs, get. A path is "/ipfs/<cid>/a/b", "ipfs://<cid>/a" or a CID with or without segments. Every byte that
 * comes out was verified. Calls from any thread. */
#ifndef IPFSA_READ_H
#define IPFSA_READ_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Follows links to the block where the path ends. *ret_remainder (may be NULL): segments inside that block, "" for none; owned, free with
 * ipfsa_text_free. E_INVALID "invalid path …", E_NOT_FOUND "no link named …". */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_resolve(ipfsa_node *node, const char *path, ipfsa_cid *ret, char **ret_remainder, ipfsa_error *err);
/* The CID that a path begins with, also when an alias stands for it; no block is read. node NULL: there are no aliases. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_path_parse(ipfsa_node *node, const char *path, ipfsa_cid *ret_root, ipfsa_error *err);

/* Writes file bytes [offset, offset + length) in order; length UINT64_MAX = to the end. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_cat(ipfsa_node *node, const char *path, uint64_t offset, uint64_t length, ipfsa_write_cb write, void *ctx,
                                             ipfsa_progress_cb progress, void *progress_ctx, ipfsa_error *err);
/* Size of a file in bytes. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_file_size(ipfsa_node *node, const char *path, uint64_t *ret, ipfsa_error *err);

/* A file that stays open for many reads at any offset, like pread. A leaf is verified when it first comes into memory, and again when it was gone since;
 * reads of what is in memory cost no more than reading a plain file. Close it before the node. Threads: one at a time each; several side by side. */
typedef struct ipfsa_file ipfsa_file;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_file_open(ipfsa_node *node, const char *path, ipfsa_file **ret, ipfsa_error *err);
IPFSA_API void ipfsa_file_close(ipfsa_file *file); /* NULL is fine */
IPFSA_API uint64_t ipfsa_file_length(const ipfsa_file *file);
/* Bytes [off, off + len) into data, fewer at the end of the file. On failure data holds nothing of use. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_file_read_at(ipfsa_file *file, uint64_t off, void *data, size_t len, size_t *ret_len, ipfsa_error *err);

/* Bytes of an open file as memory. Pages of the store where leaves lie so (mapped: no copy, and processes that view the same content share them), private
 * copies elsewhere: small leaves, no-copy imports, leaves that begin at other distances from a page border than those beside them. Every leaf of a view is
 * verified before the pointer is given, unless the node did so before and its bytes did not leave the memory since; damaged content gives an error and no
 * pointer. In all threads where that is worth it, and ahead of one who goes through the file in order. What is mapped and leaves memory is
 * read from the disk again without another look: the folder of the repo must be the owner's alone. A disk that then fails raises SIGBUS. A hold keeps
 * content from gc from the first view to the close of the file (E_LOCKED: another process writes for longer than the node waits); a node opened read-only
 * has none, so then nobody may collect garbage meanwhile. The pointer holds until the file is closed, is at a multiple of 8 where the offset in the file
 * is, and is read from any thread; never write there. */
typedef struct ipfsa_view {
  const void *data;
  uint64_t size;   /* bytes: those asked for */
  uint64_t mapped; /* of them: the store's own pages */
} ipfsa_view;
#define IPFSA_MAX_VIEW_LEAVES 1048576 /* of one view: 1 TiB in chunks of 1 MiB, of which 120 MB of memory are kept */
/* E_INVALID past the end; E_LIMIT: over IPFSA_MAX_VIEW_LEAVES; E_NOMEM: no addresses; E_CORRUPT. Threads: as reads. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_file_view(ipfsa_file *file, uint64_t off, uint64_t len, ipfsa_view *ret, ipfsa_error *err);

/* Views that are taken from now on may be written: pages that are written become copies of this process, which later views of the same file here show, too.
 * The store never changes. Call it before the first view. Pages count as memory when they are written. */
IPFSA_API void ipfsa_file_set_views_writable(ipfsa_file *file);

/* Asked in the middle of a view, about every 16 MiB that had to be looked at: other than 0 ends it with E_CANCELLED; what was verified by then stays so. done_bytes
 * and total_bytes are those of the view. NULL: nobody is asked. Threads: as reads; the call comes from the thread that makes the view. */
IPFSA_API void ipfsa_file_set_view_progress(ipfsa_file *file, ipfsa_progress_cb progress, void *ctx);

typedef enum ipfsa_entry_type { IPFSA_ENTRY_UNKNOWN = 0, IPFSA_ENTRY_DIRECTORY = 1, IPFSA_ENTRY_FILE = 2, IPFSA_ENTRY_SYMLINK = 4 } ipfsa_entry_type;
typedef struct ipfsa_entry { /* borrowed for the call */
  const char *name;
  size_t name_len;
  ipfsa_cid cid;
  ipfsa_entry_type type;
  uint64_t size;        /* file bytes; symlink: length of its target; directory: 0 */
  const char *target;   /* of a symlink, else NULL */
  uint32_t mode;        /* 0 = none */
  bool has_mtime;
  int64_t mtime_s;
  uint32_t mtime_ns;
} ipfsa_entry;
typedef int (*ipfsa_entry_cb)(void *ctx, const ipfsa_entry *entry); /* other than 0 stops: E_CANCELLED */
/* Entries of a directory (a file has none). resolve_type: reads each child's root block; without it type is UNKNOWN for dag-pb ones. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_ls(ipfsa_node *node, const char *path, bool resolve_type, ipfsa_entry_cb cb, void *ctx, ipfsa_error *err);

typedef int (*ipfsa_ref_cb)(void *ctx, const ipfsa_cid *from, const ipfsa_cid *to, const char *name, size_t name_len);
/* Links below each of n paths. max_depth: 1 = its own links, 0 = all of the DAG. unique: each CID once. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_refs(ipfsa_node *node, const char *const *paths, size_t n, uint64_t max_depth, bool unique, ipfsa_ref_cb cb, void *ctx,
                                              ipfsa_error *err);

typedef struct ipfsa_get_options {
  size_t struct_size;
  bool any_symlink; /* also absolute ones and such that lead out of the target */
  ipfsa_progress_cb progress;
  void *progress_ctx;
  const char *room_in; /* get_tar: the folder that the archive is going to be written to; NULL = not known */
} ipfsa_get_options;
/* Writes a file, symlink or folder to target, which is made new (a file of that name is replaced when all is there, and then it is on the
 * disk). Nothing is written outside of it. E_NO_SPACE before anything is written when the content says that it is larger than the space left;
 * what fails later leaves only whole files. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_get(ipfsa_node *node, const char *path, const char *target, const ipfsa_get_options *options,
                                             ipfsa_error *err);

/* The same as a tar archive, streamed. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_get_tar(ipfsa_node *node, const char *path, ipfsa_write_cb write, void *ctx, const ipfsa_get_options *options,
                                                 ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
