/* The walk of an add, ahead of the importing: arguments and folders are listed in order, files go into batches that workers read, and what there
 * is to do comes out step by step in the order of a depth-first walk. Threads: one caller. */
#ifndef IPFSA_NODE_ADD_WALK_H
#define IPFSA_NODE_ADD_WALK_H

#include <ipfsa/add.h>

#include "base/buf.h"
#include "node/ignore.h"
#include "node/node.h"
#include "unixfs/importer.h"

#define IPFSA_MAX_ADD_DEPTH 128 /* folders in folders; IPFSA_MAX_PATH_SEGMENTS reads them back */

typedef struct ipfsa_add_folder ipfsa_add_folder;
typedef enum ipfsa_add_kind { IPFSA_ADD_FILE, IPFSA_ADD_LINK, IPFSA_ADD_OPEN, IPFSA_ADD_CLOSE } ipfsa_add_kind;
typedef struct ipfsa_add_item {
  ipfsa_add_kind kind;
  int dirfd;           /* of the folder it lies in, or AT_FDCWD; of files and links */
  const char *path;    /* from there */
  const char *name;    /* in the folder or among the arguments; all borrowed until the step is released */
  ipfsa_add_folder *folder; /* OPEN and CLOSE */
  size_t in_batch;     /* FILE: its number in the step's batch; SIZE_MAX: in none */
} ipfsa_add_item;

typedef struct ipfsa_add_step {
  ipfsa_add_item items[IPFSA_MAX_BATCH_FILES];
  size_t n;
  ipfsa_import_batch *batch;
  ipfsa_status status; /* what stopped the walk behind the last item */
  ipfsa_error err;
} ipfsa_add_step;

typedef struct ipfsa_add_argument {
  const char *path;
  char *full; /* absolute or as given, without trailing slashes; owned */
  const char *base;
} ipfsa_add_argument;

typedef struct ipfsa_add_walk {
  const ipfsa_add_options *o;
  const ipfsa_ignore *ignore;
  const ipfsa_add_argument *args;
  size_t n_args, next_arg;
  bool follow_args, no_batches;
  ipfsa_add_folder *stack[IPFSA_MAX_ADD_DEPTH];
  size_t depth;
  ipfsa_add_folder *all; /* that are not released yet */
  uint64_t n_seen, bytes_seen; /* of files, lately: how many make a batch */
} ipfsa_add_walk;

/* Fills an empty step and starts its batch; one without items and status is the end. */
void ipfsa_add_walk_next(ipfsa_add_walk *walk, ipfsa_add_step *step);
/* Every item was dealt with: its folders that are closed go, and the walk learns how large files are. */
void ipfsa_add_walk_release(ipfsa_add_walk *walk, ipfsa_add_step *step);
void ipfsa_add_walk_end(ipfsa_add_walk *walk); /* after every batch has been waited for */

const struct stat *ipfsa_add_folder_stat(const ipfsa_add_folder *f); /* only with preserve_mode or preserve_mtime; else zeroed */
bool ipfsa_add_folder_is_empty(const ipfsa_add_folder *f);

#endif
