/* The composition: what one open repo is made of. Public calls live in one file per noun (add.c, read.c, pin.c, …). */
#ifndef IPFSA_NODE_NODE_H
#define IPFSA_NODE_NODE_H

#include <ipfsa/node.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/options.h"
#include "base/pool.h"
#include "config/config.h"
#include "node/kept.h"
#include "store/pins.h"

struct ipfsa_node {
  char *repo_path;
  int repo_fd;
  ipfsa_config *config;
  ipfsa_store *store;   /* opened with the node */
  ipfsa_blockstore *bs; /* the store's */
  ipfsa_blockstore *fetching; /* over it, asks the block source; NULL: there is none */
  pthread_mutex_t lock; /* over both pools, at the door of their calls */
  ipfsa_pool *pool;     /* made by the first import; ipfsa_node_pool */
  ipfsa_pool *job_pool; /* made by the first job: jobs wait for tasks of the other */
  ipfsa_kept kept;
  bool read_only;
  int cancelled;
};

#define IPFSA_PARALLEL_MIN (2u << 20) /* bytes of a file; below, starting threads takes longer than reading */
ipfsa_status ipfsa_node_pool(ipfsa_node *node, ipfsa_pool **ret, ipfsa_error *err);
ipfsa_status ipfsa_node_job_pool(ipfsa_node *node, ipfsa_pool **ret, ipfsa_error *err);
/* For calls that only read: no writer may be open in their thread. */
static inline ipfsa_blockstore *ipfsa_node_reading(const ipfsa_node *node) { return node->fetching ? node->fetching : node->bs; }
static inline bool ipfsa_node_is_cancelled(const ipfsa_node *node) { return __atomic_load_n(&node->cancelled, __ATOMIC_RELAXED) != 0; }

#endif
