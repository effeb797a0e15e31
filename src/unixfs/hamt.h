/* What builder, listing and look-up of HAMT directories share. Source: ipfs/specs src/unixfs.md; boxo ipld/unixfs/hamt. */
#ifndef IPFSA_UNIXFS_HAMT_H
#define IPFSA_UNIXFS_HAMT_H

#include "unixfs/directory.h"

#define IPFSA_MIN_HAMT_FANOUT 8
#define IPFSA_MAX_HAMT_FANOUT 1024
#define IPFSA_MAX_HAMT_DEPTH 21 /* levels at fan-out 8: ⌊64 / 3⌋ */

/* Power of two, multiple of 8, 8..1024: checked before anything is sized by it. */
bool ipfsa_hamt_fanout_ok(uint64_t fanout);
unsigned ipfsa_hamt_bits(uint64_t fanout);   /* a level */
unsigned ipfsa_hamt_levels(uint64_t fanout);
unsigned ipfsa_hamt_prefix(uint64_t fanout); /* hex digits before each name */
uint64_t ipfsa_hamt_hash(ipfsa_bytes name);
static inline uint32_t ipfsa_hamt_index(uint64_t hash, unsigned bits, unsigned level) {
  return (uint32_t)(hash >> (64 - bits * (level + 1))) & ((1u << bits) - 1);
}

/* One shard, checked: fan-out, hash type, as many links as bits set. */
ipfsa_status ipfsa_hamt_decode(ipfsa_bytes block, uint64_t parent_fanout /* 0 = root */, ipfsa_pbnode *ret_node, ipfsa_unixfs *ret,
                               ipfsa_error *err);

typedef struct ipfsa_hamt_entry {
  uint64_t hash;
  ipfsa_bytes name;
  const ipfsa_cid *cid;
  uint64_t tsize;
} ipfsa_hamt_entry;
/* Writes the whole HAMT over entries (any order; they are sorted in place), each shard once. */
ipfsa_status ipfsa_hamt_build(const ipfsa_import_params *params, const ipfsa_unixfs_meta *meta, ipfsa_hamt_entry *entries, size_t n,
                              ipfsa_blockstore_writer *w, ipfsa_dag_ref *ret, ipfsa_error *err);

#endif
