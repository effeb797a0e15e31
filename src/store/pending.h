/* What a transaction has put and removed so far, found by multihash. Threads: one at a time. */
#ifndef IPFSA_STORE_PENDING_H
#define IPFSA_STORE_PENDING_H

#include "store/index.h"
#include "store/pack.h"

typedef struct ipfsa_pending_entry {
  ipfsa_pack_entry entry;
  ipfsa_location old; /* what a removal or a replacement takes the place of */
  bool in_records;    /* entry.off counts from the start of the records that are gathered */
} ipfsa_pending_entry;

typedef struct ipfsa_pending {
  ipfsa_pending_entry *entries; /* in the order of the table */
  size_t n, cap;
  size_t n_placed; /* of them, those before the first that may be in the records */
  uint32_t *slots; /* open addressing over entries: index + 1 */
  size_t n_slots;
} ipfsa_pending;

void ipfsa_pending_release(ipfsa_pending *p);
ipfsa_pending_entry *ipfsa_pending_find(const ipfsa_pending *p, const ipfsa_multihash *mh); /* until the next add; NULL: none */
bool ipfsa_pending_add(ipfsa_pending *p, const ipfsa_pending_entry *entry);                 /* false: no memory, nothing changed */
/* The records are written at off of the pack, or there were none: 0. */
void ipfsa_pending_place(ipfsa_pending *p, uint64_t off);
void ipfsa_pending_clear(ipfsa_pending *p);

#endif
