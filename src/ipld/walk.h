/* Links of any block, and the iterative walk over a DAG: depth-first, parent before children, children in link order. */
#ifndef IPFSA_IPLD_WALK_H
#define IPFSA_IPLD_WALK_H

#include "ipld/block.h"

typedef int (*ipfsa_link_cb)(void *ctx, ipfsa_bytes name /* empty if none */, const ipfsa_cid *cid, uint64_t tsize);
/* Calls cb for each link in the order of the encoded block (dag-pb, dag-cbor, dag-json, dag-jose as cbor; raw and unknown codecs have
 * none). A return other than 0 stops with E_CANCELLED. Malformed blocks: E_MALFORMED. */
ipfsa_status ipfsa_block_links(const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_link_cb cb, void *ctx, ipfsa_error *err);

/* Set of CIDs or multihashes already seen, bounded by max_entries (E_LIMIT). 16 bytes of fingerprint each is not enough
 * to be exact: full keys are kept. */
typedef struct ipfsa_cid_set ipfsa_cid_set;
ipfsa_status ipfsa_cid_set_new(ipfsa_cid_set **ret, ipfsa_error *err);
void ipfsa_cid_set_free(ipfsa_cid_set *set);
/* *ret_new tells whether it was added now. by_multihash: v0, v1 and raw forms of one digest count as one. */
ipfsa_status ipfsa_cid_set_add(ipfsa_cid_set *set, const ipfsa_cid *cid, bool by_multihash, bool *ret_new, ipfsa_error *err);
bool ipfsa_cid_set_has(const ipfsa_cid_set *set, const ipfsa_cid *cid, bool by_multihash);
size_t ipfsa_cid_set_count(const ipfsa_cid_set *set);

/* The walk asks `get` for blocks, so that it does not know where they come from. */
typedef ipfsa_status (*ipfsa_block_get)(void *ctx, const ipfsa_cid *cid, ipfsa_block *ret, ipfsa_error *err);
typedef enum ipfsa_walk_step { IPFSA_WALK_STOP = -1, IPFSA_WALK_GO = 0, IPFSA_WALK_SKIP_CHILDREN = 1 } ipfsa_walk_step;
typedef ipfsa_walk_step (*ipfsa_walk_visit)(void *ctx, const ipfsa_cid *cid, ipfsa_bytes data, unsigned depth);
typedef struct ipfsa_walk_options {
  ipfsa_block_get get; void *get_ctx;
  ipfsa_walk_visit visit; void *visit_ctx; /* may fill its own error and return STOP → E_CANCELLED */
  ipfsa_cid_set *seen;   /* shared over several roots; NULL: one of its own */
  bool by_multihash;     /* see ipfsa_cid_set_add */
  bool skip_raw_reads;   /* raw-codec blocks are visited with empty data, without reading them (gc, pin) */
  unsigned max_depth;    /* 0 = no limit; children deeper than this are not visited */
} ipfsa_walk_options;
ipfsa_status ipfsa_walk(const ipfsa_cid *root, const ipfsa_walk_options *options, ipfsa_error *err);

#endif
