/* A node owns all state: one repo on disk and what is opened over it. Calls on one node may come from several threads unless they say
 * otherwise. Every options struct begins with struct_size (set it to sizeof); zero means the default. */
#ifndef IPFSA_NODE_H
#define IPFSA_NODE_H

#include <ipfsa/cid.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ipfsa_node ipfsa_node;

/* An option that may be left to the configuration. */
typedef enum ipfsa_option { IPFSA_UNSET = 0, IPFSA_OFF = 1, IPFSA_ON = 2 } ipfsa_option;

/* Where blocks come from that the store has not: a network, another repo. */
typedef struct ipfsa_block_source {
  size_t struct_size;
  /* The block of a CID (version 1, raw, whatever the codec of what it is) into room. 0: *ret_len bytes; 1: it has none; else: it failed. One call at a
   * time, from any thread; it must not use the node. What it gives is hashed before it is used. */
  int (*get)(void *ctx, const ipfsa_cid *cid, void *room, size_t room_size, size_t *ret_len);
  void *ctx; /* lives as long as the node */
} ipfsa_block_source;

typedef struct ipfsa_node_options {
  size_t struct_size;
  const char *repo_path;    /* NULL: $IPFSA_PATH, else $IPFS_PATH, else ~/.ipfs-accelerate */
  bool read_only;           /* never writes, works on a read-only file system */
  bool create;              /* make the repo when there is none */
  const char *profile;      /* with create: import profile and the like, NULL = default; several separated by commas */
  int64_t lock_timeout_ms;  /* wait for another writing process; 0 = 10 s, negative = fail at once */
  /* NULL, or asked by cat, ls, open files and checkpoints for what is missing, block by block as they get to it; copied. What came is kept in the store where
   * that can be written, without a pin; an open file leases what it consists of. All other calls tell of what is here. */
  const ipfsa_block_source *source;
  /* NULL, or asked again and again while a call waits for another writing process, in the thread that waits, with no lock held that reading needs: other than 0
   * ends the wait (E_LOCKED). Then lock_timeout_ms does not count. */
  int (*lock_waiting)(void *ctx, uint64_t waited_ms);
  void *lock_waiting_ctx;
} ipfsa_node_options;

/* E_NO_REPO when there is none (and create is off), E_FOREIGN when another program made it, E_VERSION when it is newer than this program.
 * *ret_created (may be NULL) tells whether the repo was made now. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_node_open(const ipfsa_node_options *options, ipfsa_node **ret, bool *ret_created,
                                                   ipfsa_error *err);
IPFSA_API void ipfsa_node_close(ipfsa_node *node);
/* Borrowed until close. */
IPFSA_API const char *ipfsa_node_repo_path(const ipfsa_node *node);
/* Makes a repo and nothing else. E_EXISTS when there is one already. options->create is implied. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_repo_init(const ipfsa_node_options *options, ipfsa_error *err);
/* Where the repo is when nothing is said; owned, free with ipfsa_text_free. E_NOT_FOUND when there is no home. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_repo_default_path(char **ret, ipfsa_error *err);
/* Stops calls in progress on this node at their next safe point; they fail with E_CANCELLED. Async-signal-safe. */
IPFSA_API void ipfsa_node_cancel(ipfsa_node *node);

#define IPFSA_REPO_VERSION 2

#ifdef __cplusplus
}
#endif
#endif
