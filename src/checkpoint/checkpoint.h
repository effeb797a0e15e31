/* What an open checkpoint is made of, and how one is opened over a place that has its files. Threads: as the public header says. */
#ifndef IPFSA_CHECKPOINT_CHECKPOINT_H
#define IPFSA_CHECKPOINT_CHECKPOINT_H

#include <ipfsa/checkpoint.h>

#include "base/source.h"
#include "checkpoint/pairs.h"
#include "checkpoint/tensors.h"

#define IPFSA_MAX_SHARDS 4096        /* files of one checkpoint; the largest have a few hundred */
#define IPFSA_MAX_SHARD_NAME 255     /* bytes; POSIX */

/* Where files of a checkpoint lie side by side: a folder of the disk or of the store. */
typedef struct ipfsa_checkpoint_place ipfsa_checkpoint_place;
typedef bool (*ipfsa_checkpoint_name_cb)(void *ctx, const char *name); /* false stops */
struct ipfsa_checkpoint_place {
  /* A source with read_at and a known size; name "" = the place is that one file. E_NOT_FOUND. */
  ipfsa_status (*open)(ipfsa_checkpoint_place *self, const char *name, ipfsa_source **ret, ipfsa_error *err);
  ipfsa_status (*list)(ipfsa_checkpoint_place *self, ipfsa_checkpoint_name_cb cb, void *ctx, ipfsa_error *err);
};

typedef struct ipfsa_shard {
  char *name; /* owned */
  ipfsa_source *source;
  uint64_t size, data;
  ipfsa_tensors tensors;
  bool is_split; /* GGUF: one of split_count parts */
  uint64_t split_no, split_count, split_tensors;
  uint64_t first; /* number of its first tensor in the checkpoint */
} ipfsa_shard;

struct ipfsa_checkpoint {
  ipfsa_checkpoint_format format;
  ipfsa_shard *shards;
  size_t n_shards, shards_cap;
  uint64_t n_tensors, tensor_bytes;
  uint32_t *names; /* of several files: slots by the names of all tensors, 0 = empty, else number + 1; NULL: one file has its own */
  size_t names_mask; /* slots less 1 */
  uint64_t names_seed;
  ipfsa_pairs metadata;
  char **warnings;
  size_t n_warnings, warnings_cap;
  /* NULL, or: who may take a checkpoint that is closed, instead of its end (false: he does not). */
  bool (*keep)(void *ctx, ipfsa_checkpoint *cp);
  void *keep_ctx;
  char *opened_as; /* NULL, or the path; owned */
};

/* name: a file of the place, an index of a set, or NULL: the checkpoint that the folder has. */
ipfsa_status ipfsa_checkpoint_load(ipfsa_checkpoint_place *place, const char *name, ipfsa_checkpoint **ret, ipfsa_error *err);

/* One file by itself, also when it is a part of a set. Takes the source in every case. */
ipfsa_status ipfsa_checkpoint_load_file(ipfsa_source *source, const char *name, ipfsa_checkpoint **ret, ipfsa_error *err);

/* All of its sources rest or wake (base/source.h). After false: ipfsa_checkpoint_end. */
bool ipfsa_checkpoint_rest(ipfsa_checkpoint *cp);
bool ipfsa_checkpoint_wake(ipfsa_checkpoint *cp);
void ipfsa_checkpoint_end(ipfsa_checkpoint *cp); /* closes it in any case; NULL is fine */

/* ---- for the loaders of the room ---- */
/* Takes the source in every case; the shard is filled in by the caller. */
ipfsa_status ipfsa_checkpoint_add_shard(ipfsa_checkpoint *cp, const char *name, ipfsa_source *source, ipfsa_shard **ret, ipfsa_error *err);
void ipfsa_checkpoint_clear(ipfsa_checkpoint *cp); /* as new */
/* Opens a file of the place as the next shard; all have one format. Metadata of the first are the checkpoint's. */
ipfsa_status ipfsa_checkpoint_open_shard(ipfsa_checkpoint_place *place, ipfsa_checkpoint *cp, const char *name, ipfsa_error *err);
void ipfsa_checkpoint_describe(const ipfsa_checkpoint *cp, size_t shard, const ipfsa_tensor_record *r, ipfsa_tensor *ret);
/* names.c: numbers the tensors, and makes the table of names. E_MALFORMED: one name in two files; of torch the first is found. */
ipfsa_status ipfsa_checkpoint_index(ipfsa_checkpoint *cp, ipfsa_error *err);
/* sets.c: the files that an index names; the parts beside the first one. */
ipfsa_status ipfsa_checkpoint_load_index(ipfsa_checkpoint_place *place, const char *name, ipfsa_checkpoint *cp, ipfsa_error *err);
ipfsa_status ipfsa_checkpoint_load_parts(ipfsa_checkpoint_place *place, ipfsa_checkpoint *cp, ipfsa_error *err);
/* "PREFIX-00002-of-00005.gguf" → length of PREFIX, 2, 5. */
bool ipfsa_gguf_part_name(const char *name, size_t *ret_prefix, unsigned *ret_no, unsigned *ret_count);
ipfsa_status ipfsa_checkpoint_warn(ipfsa_checkpoint *cp, ipfsa_error *err, const char *format, ...) IPFSA_PRINTF(3, 4);
const ipfsa_dtype *ipfsa_checkpoint_dtype(const ipfsa_checkpoint *cp, uint8_t id);

#endif
