/* The local store: packs, index, meta tables, gc, verify. docs/formats/ has every byte. Threads: see exchange/blockstore.h. */
#ifndef IPFSA_STORE_STORE_H
#define IPFSA_STORE_STORE_H

#include "exchange/blockstore.h"
#include "store/meta.h"

typedef struct ipfsa_store ipfsa_store;
typedef struct ipfsa_store_options {
  bool create;               /* make the folders when missing */
  bool read_only;            /* never writes; works on a read-only file system */
  uint64_t max_size;         /* hard limit in bytes of packs, index and others, 0 = none → E_QUOTA before writing */
  uint64_t (*others)(void *ctx); /* bytes that other things in the repo occupy; may be NULL. Asked when a writer begins, and by stat */
  void *others_ctx;
  uint64_t max_pack_size;    /* 0 = 4 GiB */
  unsigned lock_timeout_ms;  /* how long begin waits for another writing process; 0 = fail at once → E_LOCKED
                                "the repo is in use by process N" */
  int (*lock_waiting)(void *ctx, uint64_t waited_ms); /* NULL, or asked instead: other than 0 ends the wait */
  void *lock_waiting_ctx;
  bool no_sync;              /* tests and only tests: skips fdatasync */
  bool allow_external;       /* filestore enabled */
  uint64_t checkpoint_every; /* entries between syncs of the index; 0 = about a million */
} ipfsa_store_options;

/* dirfd is the repo folder (borrowed until close). Opening takes no lock; the writer lock is taken by the first begin and by every call
 * below that writes, and given back when the writer closes. */
ipfsa_status ipfsa_store_open(int dirfd, const ipfsa_store_options *options, ipfsa_store **ret, ipfsa_error *err);
void ipfsa_store_close(ipfsa_store *store);
ipfsa_blockstore *ipfsa_store_blockstore(ipfsa_store *store); /* lives as long as the store */
ipfsa_meta *ipfsa_store_meta(ipfsa_store *store);             /* likewise */

typedef struct ipfsa_store_stat {
  uint64_t n_blocks, n_packs;
  uint64_t block_bytes;   /* Σ block lengths, live */
  uint64_t disk_bytes;    /* what the packs, index and meta occupy */
  uint64_t dead_bytes;    /* reclaimable in packs */
  uint64_t max_size;
} ipfsa_store_stat;
ipfsa_status ipfsa_store_stat_get(ipfsa_store *store, ipfsa_store_stat *ret, ipfsa_error *err);

/* May the repo grow by `more` bytes beside the packs? E_QUOTA. */
ipfsa_status ipfsa_store_check_quota(ipfsa_store *store, uint64_t more, ipfsa_error *err);

/* The cross-process writer lock, for those who write meta tables without a blockstore writer (pins). Re-entrant within the process
 * (counted). */
ipfsa_status ipfsa_store_lock(ipfsa_store *store, ipfsa_error *err);
void ipfsa_store_unlock(ipfsa_store *store);

/* The index anew from the packs' tables, which are the truth: for a block that is missed and may only be hidden by a damaged index. Takes the
 * writer's turn. */
ipfsa_status ipfsa_store_reindex(ipfsa_store *store, ipfsa_error *err);

/* Reclaims: every block for which keep() says false goes. `on_removed` per block (may be NULL). Crash-safe: rewritten packs are durable before
 * the list of packs changes in one transaction. It takes the writer's turn (waiting for an open writer of this process to close) and the
 * store's lock first; keep() is called only then, with no other lock or transaction held: it may read blocks and write meta tables, and its
 * first call may take long (gc's second mark). */
typedef bool (*ipfsa_store_keep_cb)(void *ctx, const ipfsa_multihash *mh);
ipfsa_status ipfsa_store_sweep(ipfsa_store *store, ipfsa_store_keep_cb keep, void *keep_ctx, ipfsa_multihash_cb on_removed, void *ctx,
                               ipfsa_error *err);

/* Reads and hashes every block; damaged ones are reported, and with repair moved to quarantine/ (never deleted; the index forgets them). */
typedef int (*ipfsa_store_damage_cb)(void *ctx, const ipfsa_multihash *mh, const char *what);
typedef struct ipfsa_store_verify_result { uint64_t n_blocks, n_bytes, n_damaged, n_quarantined; } ipfsa_store_verify_result;
ipfsa_status ipfsa_store_verify(ipfsa_store *store, bool repair, ipfsa_store_damage_cb cb, void *ctx, ipfsa_progress_cb progress,
                                void *progress_ctx, ipfsa_store_verify_result *ret, ipfsa_error *err);

/* No-copy blocks: calls cb for each; status tells whether the file still has it (verify only, else OK). */
typedef int (*ipfsa_store_external_cb)(void *ctx, const ipfsa_multihash *mh, const char *path, uint64_t off, uint64_t size,
                                       ipfsa_status status, const char *what);
ipfsa_status ipfsa_store_list_external(ipfsa_store *store, const ipfsa_multihash *only_or_null, bool verify, bool file_order,
                                       ipfsa_store_external_cb cb, void *ctx, ipfsa_error *err);

#endif
