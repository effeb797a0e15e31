#include "store/pending.h"

#include <string.h>

#include "base/alloc.h"

void ipfsa_pending_release(ipfsa_pending *p) {
  ipfsa_free(p->entries);
  ipfsa_free(p->slots);
  *p = (ipfsa_pending){0};
}

static uint64_t slot_hash(const ipfsa_multihash *mh) {
  uint64_t h = mh->code * 0x9e3779b97f4a7c15u + mh->len, word = 0;
  memcpy(&word, mh->digest, mh->len < 8 ? mh->len : 8);
  h ^= word * 0xff51afd7ed558ccd;
  return h ^ h >> 31;
}

ipfsa_pending_entry *ipfsa_pending_find(const ipfsa_pending *p, const ipfsa_multihash *mh) {
  if (!p->n_slots) return NULL;
  for (size_t i = (size_t)slot_hash(mh) & (p->n_slots - 1); p->slots[i]; i = (i + 1) & (p->n_slots - 1))
    if (ipfsa_multihash_equal(&p->entries[p->slots[i] - 1].entry.mh, mh)) return &p->entries[p->slots[i] - 1];
  return NULL;
}

static void take_slot(ipfsa_pending *p, uint32_t index) {
  size_t i = (size_t)slot_hash(&p->entries[index].entry.mh) & (p->n_slots - 1);
  while (p->slots[i]) i = (i + 1) & (p->n_slots - 1);
  p->slots[i] = index + 1;
}

static bool grow_slots(ipfsa_pending *p) {
  size_t n = p->n_slots ? p->n_slots * 2 : 256;
  uint32_t *slots = ipfsa_calloc(n, sizeof *slots);
  if (!slots) return false;
  ipfsa_free(p->slots);
  p->slots = slots;
  p->n_slots = n;
  for (uint32_t i = 0; i < p->n; i++) take_slot(p, i);
  return true;
}

bool ipfsa_pending_add(ipfsa_pending *p, const ipfsa_pending_entry *entry) {
  bool ok = (p->n + 1) * 2 <= p->n_slots || grow_slots(p);
  ok = ok && ipfsa_grow((void **)&p->entries, &p->cap, p->n + 1, sizeof *p->entries);
  if (!ok) return false;
  p->entries[p->n] = *entry;
  take_slot(p, (uint32_t)p->n++);
  return true;
}

void ipfsa_pending_place(ipfsa_pending *p, uint64_t off) {
  for (size_t i = p->n_placed; i < p->n; i++) {
    ipfsa_pending_entry *e = &p->entries[i];
    if (e->in_records) e->entry.off += off;
    e->in_records = false;
  }
  p->n_placed = p->n;
}

void ipfsa_pending_clear(ipfsa_pending *p) {
  p->n = p->n_placed = 0;
  if (p->slots) memset(p->slots, 0, p->n_slots * sizeof *p->slots);
}
