/* What a transaction has put and removed so far: its table as the pack will have it, found by multihash. Threads: one at a time. */
#ifndef IPFSA_STORE_PENDING_H
#define IPFSA_STORE_PENDING_H

#include "base/buf.h"
#include "store/index.h"
#include "store/pack.h"

typedef struct ipfsa_pending_entry {
  ipfsa_pack_entry entry;
  ipfsa_location old; /* what a removal or a replacement takes the place of */
  bool in_records;    /* entry.off counts from the start of the records that are gathered */
} ipfsa_pending_entry;

typedef struct ipfsa_pending_row {
  uint32_t at; /* in the table */
  bool in_records;
} ipfsa_pending_row;

typedef struct ipfsa_pending_slot {
  uint32_t hash, row; /* row: + 1, 0 = free */
} ipfsa_pending_slot;

/* 56 bytes of table, 16 of rows and some of slots for a sha2-256: tens of thousands of entries are first of all memory that is touched for the first time. */
typedef struct ipfsa_pending {
  ipfsa_buf table;
  ipfsa_pending_row *rows;
  ipfsa_location *olds; /* in the order of the table */
  size_t n, cap_rows, cap_olds;
  size_t n_placed; /* of them, those before the first that may be in the records */
  ipfsa_pending_slot *slots; /* open addressing */
  size_t n_slots;
} ipfsa_pending;

void ipfsa_pending_release(ipfsa_pending *p);
bool ipfsa_pending_find(const ipfsa_pending *p, const ipfsa_multihash *mh, ipfsa_pending_entry *ret /* may be NULL */);
void ipfsa_pending_prefetch(const ipfsa_pending *p, const ipfsa_multihash *mh);
bool ipfsa_pending_add(ipfsa_pending *p, const ipfsa_pending_entry *entry); /* false: no memory, nothing changed */
void ipfsa_pending_place(ipfsa_pending *p, uint64_t off);                   /* the records are written at off of the pack; 0: there were none */
void ipfsa_pending_clear(ipfsa_pending *p);

#endif
