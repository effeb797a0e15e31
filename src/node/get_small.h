/* The small files of a folder to disk, several at a time. Threads: one caller; the node's pool reads and writes beside it. */
#ifndef IPFSA_NODE_GET_SMALL_H
#define IPFSA_NODE_GET_SMALL_H

#include "node/get.h"

typedef struct ipfsa_get_entry {
  char *name; /* checked */
  ipfsa_cid cid;
  uint64_t tsize;
  bool done; /* it is on the disk */
} ipfsa_get_entry;

typedef struct ipfsa_small_files {
  ipfsa_node *node;
  int dirfd; /* the folder they are made in */
  ipfsa_get_entry *entries;
  size_t n;
  const ipfsa_get_options *options;
  ipfsa_progress *at; /* counts on */
} ipfsa_small_files;

/* Makes the files that are one block and marks them done; all else is left for the caller. When one fails, no more are begun, *ret_failed is the first that
 * failed in the order of the entries, and every file before it is done; *ret_failed = n with E_CANCELLED. */
ipfsa_status ipfsa_get_small(const ipfsa_small_files *files, size_t *ret_failed, ipfsa_error *err);

#endif
