/* DAG nodes and CARs. Calls from any thread; those that write take the repo's writer lock. */
#ifndef IPFSA_DAG_H
#define IPFSA_DAG_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The value at the end of a path, encoded in output_codec (0 = dag-json); the whole block when the path ends at one. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_dag_get(ipfsa_node *node, const char *path, uint64_t output_codec, ipfsa_write_cb write, void *ctx,
                                                 ipfsa_error *err);

typedef struct ipfsa_dag_put_options {
  size_t struct_size;
  uint64_t input_codec, store_codec; /* 0 = dag-json, dag-cbor */
  uint64_t hash;                     /* 0 = sha2-256 */
  bool pin, allow_big_block;
} ipfsa_dag_put_options;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_dag_put(ipfsa_node *node, ipfsa_bytes data, const ipfsa_dag_put_options *options, ipfsa_cid *ret,
                                                 ipfsa_error *err);

typedef struct ipfsa_dag_stat {
  uint64_t n_blocks, size;            /* of one root: distinct CIDs and Σ their lengths */
} ipfsa_dag_stat;
typedef struct ipfsa_dag_summary {
  uint64_t unique_blocks, total_size, shared_size;
  double ratio;
} ipfsa_dag_summary;
/* roots and stats have n elements. progress, which may be NULL: blocks and bytes counted; not 0 stops with E_CANCELLED. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_dag_stat_get(ipfsa_node *node, const ipfsa_cid *roots, size_t n, ipfsa_progress_cb progress, void *progress_ctx,
                                                      ipfsa_dag_stat *ret_stats, ipfsa_dag_summary *ret, ipfsa_error *err);

/* CARv1 of the DAG below root: depth-first, links in order, each CID once; the bytes Kubo writes. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_dag_export(ipfsa_node *node, const ipfsa_cid *root, ipfsa_write_cb write, void *ctx,
                                                    ipfsa_progress_cb progress, void *progress_ctx, ipfsa_error *err);

typedef struct ipfsa_dag_import_options {
  size_t struct_size;
  bool no_pin_roots, allow_big_block;
  int (*root)(void *ctx, const ipfsa_cid *root, const char *pin_error); /* per root, after all is durable; pin_error NULL = pinned */
  void *root_ctx;
  ipfsa_progress_cb progress;
  void *progress_ctx;
} ipfsa_dag_import_options;
typedef struct ipfsa_dag_import_result {
  uint64_t n_blocks, n_bytes, n_roots;
} ipfsa_dag_import_result;
/* Reads a CARv1 or CARv2 from fd to its end; every block is verified against its CID. `name` is for messages. Roots are pinned when all of
 * their DAG is here; E_PARTIAL when one could not be. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_dag_import(ipfsa_node *node, int fd, const char *name, const ipfsa_dag_import_options *options,
                                                    ipfsa_dag_import_result *ret, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
