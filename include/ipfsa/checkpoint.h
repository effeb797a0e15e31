/* Model checkpoints: what tensors are in a file or a set of files, checked before anything is done with them. From the disk, from the store, or from any
 * place that can be read at an offset. Only headers are read, until bytes of a tensor are asked for. Pickles are never run.
 * Threads: what is open may be looked at from any; reads one at a time. */
#ifndef IPFSA_CHECKPOINT_H
#define IPFSA_CHECKPOINT_H

#include <ipfsa/read.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ipfsa_checkpoint_format {
  IPFSA_CHECKPOINT_SAFETENSORS = 1,
  IPFSA_CHECKPOINT_GGUF = 2,
  IPFSA_CHECKPOINT_TORCH = 3, /* the zip that torch.save writes: its storages, without their names in the model */
  IPFSA_CHECKPOINT_PICKLE = 4 /* what torch.save wrote before: opaque, one item, the file */
} ipfsa_checkpoint_format;
IPFSA_API const char *ipfsa_checkpoint_format_name(ipfsa_checkpoint_format format); /* "safetensors", "gguf", "torch", "pickle" */

typedef struct ipfsa_checkpoint ipfsa_checkpoint;

/* path: a file, the index of a set (….index.json), or a folder that has one checkpoint. node: a path of content, "CID" or "/ipfs/CID/…"; NULL: of this
 * machine. Every check of the format is made; E_MALFORMED, E_LIMIT, E_NOT_FOUND, E_WRONG_TYPE, E_NOT_SUPPORTED name file, tensor, byte and reason. Close it
 * before the node. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_open(ipfsa_node *node, const char *path, ipfsa_checkpoint **ret, ipfsa_error *err);
/* One file of any source. read_at gives exactly len bytes, or other than 0: then the call fails with E_IO. source is copied. */
typedef struct ipfsa_checkpoint_source {
  size_t struct_size;
  const char *name; /* for errors; NULL = "checkpoint" */
  uint64_t size;    /* bytes */
  int (*read_at)(void *ctx, void *data, size_t len, uint64_t off);
  void *ctx;
} ipfsa_checkpoint_source;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_open_source(const ipfsa_checkpoint_source *source, ipfsa_checkpoint **ret, ipfsa_error *err);
/* NULL is fine. What was viewed of content stays mapped for a few seconds, so that opening the same CID again in this node costs next to nothing; it is kept
 * from nobody's gc, and of copies and mappings only few stay. */
IPFSA_API void ipfsa_checkpoint_close(ipfsa_checkpoint *checkpoint);

/* What it gives is borrowed until close. */
typedef struct ipfsa_tensor {
  const char *name; /* bytes, perhaps empty or with NUL; never a path */
  size_t name_len;
  const char *dtype;     /* as the format spells it; "storage" where only the pickle knows */
  const uint64_t *shape; /* rank dimensions, slowest first, whatever the format's order */
  uint32_t rank;
  uint32_t shard;  /* number of its file */
  uint64_t offset; /* of its first byte in that file */
  uint64_t size;   /* bytes */
} ipfsa_tensor;
typedef struct ipfsa_checkpoint_shard {
  const char *name; /* of the file in its folder; "" for content without a name */
  uint64_t size;    /* bytes of the file */
  uint64_t data;    /* where bytes of tensors begin */
  uint64_t n_tensors;
} ipfsa_checkpoint_shard;
typedef struct ipfsa_checkpoint_pair {
  const char *key, *value; /* bytes */
  size_t key_len, value_len;
} ipfsa_checkpoint_pair;

IPFSA_API ipfsa_checkpoint_format ipfsa_checkpoint_format_of(const ipfsa_checkpoint *checkpoint);
IPFSA_API uint64_t ipfsa_checkpoint_n_tensors(const ipfsa_checkpoint *checkpoint);
IPFSA_API uint64_t ipfsa_checkpoint_tensor_bytes(const ipfsa_checkpoint *checkpoint); /* of all tensors */
/* Item i from 0, shard by shard in the order of their bytes; false past the last. */
IPFSA_API bool ipfsa_checkpoint_tensor(const ipfsa_checkpoint *checkpoint, uint64_t i, ipfsa_tensor *ret);
IPFSA_API bool ipfsa_checkpoint_find(const ipfsa_checkpoint *checkpoint, const char *name, size_t name_len, ipfsa_tensor *ret);
IPFSA_API bool ipfsa_checkpoint_shard_row(const ipfsa_checkpoint *checkpoint, size_t i, ipfsa_checkpoint_shard *ret);
IPFSA_API bool ipfsa_checkpoint_metadata_row(const ipfsa_checkpoint *checkpoint, size_t i, ipfsa_checkpoint_pair *ret);
IPFSA_API const char *ipfsa_checkpoint_warning(const ipfsa_checkpoint *checkpoint, size_t i); /* what is odd but allowed; NULL past the last */

/* Bytes [off, off + len) of a tensor, all of them or an error. Content is verified. E_INVALID past its end. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_read(ipfsa_checkpoint *checkpoint, const ipfsa_tensor *tensor, uint64_t off, void *data, size_t len,
                                                         ipfsa_error *err);

/* Bytes [off, off + len) of a tensor of content as memory: verified, without a copy where they lie in the store so; ipfsa_file_view (read.h) has what is
 * guaranteed. The pointer holds until the checkpoint is closed. Of files of the disk and of a caller's source there are none: E_NOT_SUPPORTED. Threads: as
 * reads; what was given is read from any. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_view(ipfsa_checkpoint *checkpoint, const ipfsa_tensor *tensor, uint64_t off, uint64_t len,
                                                         ipfsa_view *ret, ipfsa_error *err);

/* Before the first view: views may be written, as those of ipfsa_file_set_views_writable (read.h). */
IPFSA_API void ipfsa_checkpoint_set_views_writable(ipfsa_checkpoint *checkpoint);
/* Who is asked in the middle of a view: as ipfsa_file_set_view_progress (read.h). */
IPFSA_API void ipfsa_checkpoint_set_view_progress(ipfsa_checkpoint *checkpoint, ipfsa_progress_cb progress, void *ctx);

/* What of its files is in the store; of files of the disk everything is here. Leaves are looked up, not read. */
typedef struct ipfsa_checkpoint_local {
  uint64_t n_tensors, tensor_bytes; /* those all of whose bytes are here */
  uint64_t bytes, missing_bytes;    /* of the files */
} ipfsa_checkpoint_local;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_locate(const ipfsa_checkpoint *checkpoint, ipfsa_checkpoint_local *ret, ipfsa_error *err);

/* Tensors of one name are equal when dtype, shape and every byte are; bytes are read and compared only where dtype and shape are the same. A tensor that one
 * has and the other has under another name only is renamed. Of content no byte is read where both have the same blocks. */
typedef enum ipfsa_tensor_change {
  IPFSA_TENSOR_EQUAL = 1,
  IPFSA_TENSOR_CHANGED = 2,
  IPFSA_TENSOR_NEW = 3,
  IPFSA_TENSOR_REMOVED = 4,
  IPFSA_TENSOR_RENAMED = 5
} ipfsa_tensor_change;
/* from is NULL for new ones, to for removed ones; other than 0 stops: E_CANCELLED. */
typedef int (*ipfsa_checkpoint_diff_cb)(void *ctx, ipfsa_tensor_change change, const ipfsa_tensor *from, const ipfsa_tensor *to);
typedef struct ipfsa_checkpoint_diff_options {
  size_t struct_size;
  ipfsa_checkpoint_diff_cb cb; /* NULL: only the sums */
  void *ctx;
  ipfsa_progress_cb progress; /* bytes of `to` that were dealt with */
  void *progress_ctx;
} ipfsa_checkpoint_diff_options;
typedef struct ipfsa_checkpoint_diff {
  uint64_t n_equal, n_changed, n_new, n_removed;
  uint64_t shared_bytes; /* of equal and renamed tensors */
  uint64_t from_bytes, to_bytes;
  uint64_t n_renamed;
} ipfsa_checkpoint_diff;
/* Tensors of `to` in its order, then those that only `from` has. Memory: 4 bytes a tensor, and 48 for each whose name the other has not. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_compare(ipfsa_checkpoint *from, ipfsa_checkpoint *to, const ipfsa_checkpoint_diff_options *options,
                                                            ipfsa_checkpoint_diff *ret, ipfsa_error *err);

/* Opens it as ipfsa_checkpoint_open does, then reads every byte of every file; each block of content is hashed. */
typedef struct ipfsa_checkpoint_verified {
  ipfsa_checkpoint_format format;
  uint64_t n_files, n_tensors, bytes; /* bytes: of the files */
} ipfsa_checkpoint_verified;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_verify(ipfsa_node *node, const char *path, ipfsa_progress_cb progress, void *progress_ctx,
                                                           ipfsa_checkpoint_verified *ret, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
