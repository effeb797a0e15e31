/* gc's mark: the live set of everything that pins, named roots, aliases and leases reach. Threads: one at a time per mark. */
#ifndef IPFSA_NODE_MARK_H
#define IPFSA_NODE_MARK_H

#include <ipfsa/repo.h>

#include "ipld/walk.h"
#include "node/node.h"

/* Multihashes as 8-byte fingerprints under a random salt. It never forgets one that was added; two that look alike can only keep garbage for
 * one more gc (at a billion live blocks, one garbage block in twenty such runs). */
typedef struct ipfsa_live_set {
  uint64_t salt[2];
  uint64_t *slots; /* 0 = free */
  size_t n_slots, count;
} ipfsa_live_set;
ipfsa_status ipfsa_live_set_init(ipfsa_live_set *set, ipfsa_error *err);
void ipfsa_live_set_release(ipfsa_live_set *set);
ipfsa_status ipfsa_live_set_add(ipfsa_live_set *set, const ipfsa_multihash *mh, ipfsa_error *err);
bool ipfsa_live_set_has(const ipfsa_live_set *set, const ipfsa_multihash *mh);

typedef struct ipfsa_mark_item {
  ipfsa_cid cid;
  bool lenient; /* below an alias or a lease: what is missing there is on its way */
} ipfsa_mark_item;
typedef struct ipfsa_mark {
  ipfsa_node *node;
  ipfsa_live_set live;
  ipfsa_cid_set *seen; /* blocks with links, as version 1 CIDs in full: a block taken for another would lose what is below it. By codec, too:
                          the same bytes may be a leaf here and a node there. */
  ipfsa_mark_item *stack;
  size_t n, cap;
  ipfsa_mark_item batch[IPFSA_MAX_GET_MANY]; /* to be read next */
  size_t n_batch;
  /* What could not be read, to be looked at again in the second pass; never in `seen`. [0] below pins, [1] below aliases and leases only. */
  ipfsa_cid_set *bad[2];
  ipfsa_mark_item *damaged;
  size_t n_damaged, damaged_cap;
  uint64_t lease_grace_s;
  ipfsa_progress_cb progress; /* may be NULL */
  void *progress_ctx;
  bool lenient; /* of the block whose links are being pushed */
  ipfsa_cid failed_root;
} ipfsa_mark;
ipfsa_status ipfsa_mark_init(ipfsa_mark *mark, ipfsa_node *node, uint64_t lease_grace_s, ipfsa_error *err);
void ipfsa_mark_release(ipfsa_mark *mark);
/* Marks from all that protects now. Again: only what is new, and what was damaged before. A root of a pin that cannot be read fails with
 * E_CORRUPT, at once. */
ipfsa_status ipfsa_mark_all(ipfsa_mark *mark, ipfsa_error *err);
#endif
