/* The repo as a whole: garbage collection, checking, counting, listing. Calls from any thread. */
#ifndef IPFSA_REPO_H
#define IPFSA_REPO_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int (*ipfsa_repo_cid_cb)(void *ctx, const ipfsa_cid *cid, uint64_t size); /* other than 0 stops: E_CANCELLED */
/* Told of a block that a pin needs and that is missing or damaged; gc goes on. verify: of a damaged block, or, with a CID that is none
 * (ipfsa_cid_is_none), of a damaged part of a file. */
typedef int (*ipfsa_repo_damage_cb)(void *ctx, const ipfsa_cid *cid, const char *what);

typedef struct ipfsa_gc_options {
  size_t struct_size;
  ipfsa_repo_cid_cb removed; /* per removed block, as a version 1 raw CID */
  ipfsa_repo_damage_cb damaged;
  void *ctx;                 /* of both */
  ipfsa_progress_cb progress; /* done_items: blocks marked, then blocks looked at of total_items; it can be cancelled while it marks */
  void *progress_ctx;
  uint64_t lease_grace_s;    /* how long the blocks of a killed operation stay; 0 = store.gc_grace (1 hour), UINT64_MAX = not at all */
} ipfsa_gc_options;
typedef struct ipfsa_gc_result {
  uint64_t n_removed, bytes_removed, n_kept, n_damaged;
} ipfsa_gc_result;
/* Removes every block that no pin, named root or lease reaches. What is pinned, set as root or leased while it runs is kept. A pin whose
 * root block is missing or damaged stops it before anything is removed (E_CORRUPT); E_PARTIAL when other blocks were found
 * damaged, after the rest was done. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_repo_gc(ipfsa_node *node, const ipfsa_gc_options *options, ipfsa_gc_result *ret, ipfsa_error *err);

typedef struct ipfsa_repo_stat {
  size_t struct_size;   /* set it before the call */
  uint64_t n_blocks;
  uint64_t block_bytes; /* Σ block lengths */
  uint64_t disk_bytes;  /* packs, index, tables and what is materialised, as files */
  uint64_t dead_bytes;  /* in packs, of blocks that were removed */
  uint64_t max_size;    /* 0 = no limit */
  uint64_t n_packs;
} ipfsa_repo_stat;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_repo_stat_get(ipfsa_node *node, ipfsa_repo_stat *ret, ipfsa_error *err);

typedef struct ipfsa_repo_verify_options {
  size_t struct_size;
  bool repair; /* damaged blocks are moved to quarantine/, so that they can be added or fetched again */
  ipfsa_repo_damage_cb damaged;
  void *damaged_ctx;
  ipfsa_progress_cb progress;
  void *progress_ctx;
} ipfsa_repo_verify_options;
typedef struct ipfsa_repo_verify_result {
  uint64_t n_blocks, n_bytes, n_damaged, n_quarantined;
} ipfsa_repo_verify_result;
/* Reads and hashes every block. OK also when some are damaged: look at the result. Its exit code as a program:
 * ipfsa_repo_verify_code. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_repo_verify(ipfsa_node *node, const ipfsa_repo_verify_options *options,
                                                     ipfsa_repo_verify_result *ret, ipfsa_error *err);
/* 0 clean, 1 repaired, 2 damaged, 3 could not check (status other than OK). */
IPFSA_API int ipfsa_repo_verify_code(ipfsa_status status, const ipfsa_repo_verify_result *result);

/* Every block here, as version 1 raw CIDs, in the store's own order. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_repo_list(ipfsa_node *node, ipfsa_repo_cid_cb cb, void *ctx, ipfsa_error *err);
/* "ipfs-accelerate-repo@2". */
IPFSA_API const char *ipfsa_repo_version(void);

/* Blocks that lie in files outside (add --nocopy). `status` is OK unless verify found otherwise: E_NOT_FOUND (no file), E_CHANGED, … */
typedef struct ipfsa_external_block {
  ipfsa_cid cid; /* version 1 raw */
  const char *path;
  uint64_t off, size;
  ipfsa_status status;
  const char *what; /* sentence for a status other than OK, "" else */
} ipfsa_external_block;
typedef int (*ipfsa_external_cb)(void *ctx, const ipfsa_external_block *block);
typedef struct ipfsa_external_options {
  size_t struct_size;
  const ipfsa_cid *only; /* NULL = all */
  bool verify;           /* read the files */
  bool file_order;       /* by path and position */
  bool remove_bad;       /* with verify: forget those whose file is gone or holds other bytes, pinned or not: their content is lost */
} ipfsa_external_options;
/* E_NOT_SUPPORTED when no-copy adding is not enabled in this repo. cb may be NULL. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_repo_list_external(ipfsa_node *node, const ipfsa_external_options *options, ipfsa_external_cb cb, void *ctx,
                                                            ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
