/* The index: a hint that leads from a multihash to the table entry in a pack. A memory-mapped open-addressing table, 16 bytes a slot, and in a large index a small one for
 * what came last, changed in place with single-word stores, so that other processes read it without locks. Disposable: the packs' tables rebuild it.
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

/* GONE: missing, damaged, of another format, or of another boot without a checkpoint; *ret is untouched, rebuild it.
 * OLD: of another boot, with a checkpoint that the holder of the writer lock can go back to (restore). GOOD: as it should be. */
typedef enum ipfsa_index_worth { IPFSA_INDEX_GONE, IPFSA_INDEX_OLD, IPFSA_INDEX_GOOD } ipfsa_index_worth;
ipfsa_status ipfsa_index_open(int dirfd, bool write, ipfsa_index **ret, ipfsa_index_worth *ret_worth, ipfsa_error *err);
/* An empty one, for n_blocks at first; private: in memory only (readers without a usable file). */
ipfsa_status ipfsa_index_create(int dirfd, bool private_, uint64_t n_blocks, ipfsa_index **ret, ipfsa_error *err);
void ipfsa_index_close(ipfsa_index *index);
/* What it covers has been checked: from now on it is good until the machine restarts. A new one is not trusted before this, so that a
 * recovery which was cut short begins again. */
void ipfsa_index_trust(ipfsa_index *index);
/* Back to the state of the checkpoint: what came later is to be replayed. */
void ipfsa_index_restore(ipfsa_index *index);
/* After a commit's entries are in: moves recent entries to the large table when there are many, and then, or when enough has changed since the last time, makes all of it
 * durable: so much at most has to be replayed after a power loss. A sync that
 * fails costs the checkpoints of this file, nothing else. */
#define IPFSA_INDEX_CHECKPOINT_EVERY (1u << 20) /* entries: 70 MB of tables, 0.2 s to replay */
void ipfsa_index_checkpoint(ipfsa_index *index, uint64_t n_new, uint64_t every);
/* The writer has put another file in its place: open it anew. */
bool ipfsa_index_superseded(const ipfsa_index *index);
void ipfsa_index_supersede(ipfsa_index *index); /* tells the other processes so; NULL and read-only ones: nothing */

ipfsa_index_state ipfsa_index_state_get(const ipfsa_index *index);
void ipfsa_index_state_set(ipfsa_index *index, const ipfsa_index_state *state);

/* From so many slots on an index has a place for recent entries. A variable for tests alone. */
extern uint64_t ipfsa_index__recent_from;

/* Candidates for a multihash, in no order; each must be checked against the pack's table entry. Start with *cursor = 0; false at the end. */
bool ipfsa_index_next(const ipfsa_index *index, const ipfsa_multihash *mh, uint64_t *cursor, ipfsa_location *ret);
/* A look-up or a removal of this multihash, or nothing but its insertion, will follow: its slots are asked for ahead, since in a large index each is a miss. */
void ipfsa_index_prefetch(const ipfsa_index *index, const ipfsa_multihash *mh, bool insert);
#define IPFSA_INDEX_AHEAD 16 /* asked for at a time: about what a core can have under way */
/* E_LIMIT: full, grow first. */
bool ipfsa_index_insert(ipfsa_index *index, const ipfsa_multihash *mh, ipfsa_location at);
bool ipfsa_index_replace(ipfsa_index *index, const ipfsa_multihash *mh, ipfsa_location from, ipfsa_location to); /* to NONE: removes */
void ipfsa_index_expect(ipfsa_index *index, uint64_t n); /* so many insertions will follow: a hint */
bool ipfsa_index_is_full(const ipfsa_index *index, uint64_t more); /* would `more` inserts pass the load limit? */
/* A table of twice the size with the same content; the file takes the old one's place. *index is replaced. */
ipfsa_status ipfsa_index_grow(int dirfd, ipfsa_index **index, uint64_t more, ipfsa_error *err);
/* Every location, in slot order. Start with *cursor = 0. While another process moves recent entries, some may be told twice. */
bool ipfsa_index_each(const ipfsa_index *index, uint64_t *cursor, ipfsa_location *ret);
uint64_t ipfsa_index_bytes(const ipfsa_index *index);

#endif
