/* The index: a hint that leads from a multihash to the table entry in a pack. One memory-mapped open-addressing table, 16 bytes a slot,
 * changed in place with single-word stores, so that other processes read it without locks. Disposable: the packs' tables rebuild it.
 * Threads: look-ups from any; changes by the one writer, who excludes growth against look-ups by the store's rwlock. */
#ifndef IPFSA_STORE_INDEX_H
#define IPFSA_STORE_INDEX_H

#include "cid/cid.h"

/* A location: pack number above, byte offset of the entry in that pack below. */
typedef uint64_t ipfsa_location;
#define IPFSA_LOCATION_NONE UINT64_MAX
static inline ipfsa_location ipfsa_location_of(uint32_t pack, uint64_t off) { return (uint64_t)pack << 40 | off; }
static inline uint32_t ipfsa_location_pack(ipfsa_location at) { return (uint32_t)(at >> 40); }
static inline uint64_t ipfsa_location_off(ipfsa_location at) { return at & (((uint64_t)1 << 40) - 1); }

typedef struct ipfsa_index ipfsa_index;
typedef struct ipfsa_index_state { /* what the table covers and counts */
  uint32_t pack;       /* covered: every commit of earlier packs, and of this one … */
  uint64_t end;        /* … up to here */
  uint64_t n_blocks, block_bytes;
} ipfsa_index_state;

/* Opens `index` in dirfd. *ret_usable false: missing, damaged, of another boot without a sync, or of another format: rebuild it. */
ipfsa_status ipfsa_index_open(int dirfd, bool write, ipfsa_index **ret, bool *ret_usable, ipfsa_error *err);
/* An empty one, for n_blocks at first; private: in memory only (readers without a usable file). */
ipfsa_status ipfsa_index_create(int dirfd, bool private_, uint64_t n_blocks, ipfsa_index **ret, ipfsa_error *err);
void ipfsa_index_close(ipfsa_index *index);
bool ipfsa_index_same_boot(const ipfsa_index *index); /* no power loss since it was written */
/* The writer has put another file in its place: open it anew. */
bool ipfsa_index_superseded(const ipfsa_index *index);

ipfsa_index_state ipfsa_index_state_get(const ipfsa_index *index);
void ipfsa_index_state_set(ipfsa_index *index, const ipfsa_index_state *state);

/* Candidates for a multihash, in no order; each must be checked against the pack's table entry. Start with *cursor = 0; false at the end. */
bool ipfsa_index_next(const ipfsa_index *index, const ipfsa_multihash *mh, uint64_t *cursor, ipfsa_location *ret);
/* E_LIMIT: full, grow first. */
bool ipfsa_index_insert(ipfsa_index *index, const ipfsa_multihash *mh, ipfsa_location at);
bool ipfsa_index_replace(ipfsa_index *index, const ipfsa_multihash *mh, ipfsa_location from, ipfsa_location to); /* to NONE: removes */
bool ipfsa_index_is_full(const ipfsa_index *index, uint64_t more); /* would `more` inserts pass the load limit? */
/* A table of twice the size with the same content; the file takes the old one's place. *index is replaced. */
ipfsa_status ipfsa_index_grow(int dirfd, ipfsa_index **index, uint64_t more, ipfsa_error *err);
/* Makes all of it durable, so that a later boot can trust it. */
ipfsa_status ipfsa_index_sync(ipfsa_index *index, ipfsa_error *err);
/* Every location, in slot order. Start with *cursor = 0. */
bool ipfsa_index_each(const ipfsa_index *index, uint64_t *cursor, ipfsa_location *ret);
uint64_t ipfsa_index_bytes(const ipfsa_index *index);

#endif
