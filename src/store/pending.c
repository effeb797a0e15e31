#include "store/pending.h"

#include <string.h>

#include "base/alloc.h"

void ipfsa_pending_release(ipfsa_pending *p) {
  ipfsa_buf_release(&p->table);
  ipfsa_free(p->rows);
  ipfsa_free(p->olds);
  ipfsa_free(p->slots);
  *p = (ipfsa_pending){0};
}

static uint32_t hash_of(const ipfsa_multihash *mh) {
  uint64_t h = mh->code * 0x9e3779b97f4a7c15u + mh->len, word = 0;
  memcpy(&word, mh->digest, mh->len < 8 ? mh->len : 8);
  h ^= word * 0xff51afd7ed558ccd;
  return (uint32_t)(h ^ h >> 32);
}

static ipfsa_pack_entry entry_of(const ipfsa_pending *p, size_t row) {
  ipfsa_pack_entry entry = {0};
  ipfsa_bytes table = ipfsa_buf_bytes(&p->table);
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(table.data + p->rows[row].at, table.len - p->rows[row].at));
  (void)ipfsa_cursor_pack_entry(&c, &entry); /* our own */
  return entry;
}

bool ipfsa_pending_find(const ipfsa_pending *p, const ipfsa_multihash *mh, ipfsa_pending_entry *ret) {
  if (!p->n_slots) return false;
  uint32_t hash = hash_of(mh);
  for (size_t i = hash & (p->n_slots - 1); p->slots[i].row; i = (i + 1) & (p->n_slots - 1)) {
    if (p->slots[i].hash != hash) continue;
    size_t row = p->slots[i].row - 1;
    ipfsa_pack_entry entry = entry_of(p, row);
    if (!ipfsa_multihash_equal(&entry.mh, mh)) continue;
    if (ret) *ret = (ipfsa_pending_entry){entry, p->olds[row], p->rows[row].in_records};
    return true;
  }
  return false;
}

void ipfsa_pending_prefetch(const ipfsa_pending *p, const ipfsa_multihash *mh) {
  if (p->n_slots) __builtin_prefetch(&p->slots[hash_of(mh) & (p->n_slots - 1)], 1);
}

static void take_slot(ipfsa_pending_slot *slots, size_t n_slots, ipfsa_pending_slot slot) {
  size_t i = slot.hash & (n_slots - 1);
  while (slots[i].row) i = (i + 1) & (n_slots - 1);
  slots[i] = slot;
}

/* Written, not zeroed by the kernel: a page that is read first is mapped twice, and the second time all threads are told. */
static bool grow_slots(ipfsa_pending *p) {
  size_t n = p->n_slots ? p->n_slots * 2 : 256;
  ipfsa_pending_slot *slots = ipfsa_reallocarray(NULL, n, sizeof *slots);
  if (!slots) return false;
  memset(slots, 0, n * sizeof *slots);
  for (size_t i = 0; i < p->n_slots; i++)
    if (p->slots[i].row) take_slot(slots, n, p->slots[i]);
  ipfsa_free(p->slots);
  p->slots = slots;
  p->n_slots = n;
  return true;
}

static bool make_room(ipfsa_pending *p, size_t entry_size) {
  bool ok = (p->n + 1) * 2 <= p->n_slots || grow_slots(p);
  ok = ok && ipfsa_grow((void **)&p->rows, &p->cap_rows, p->n + 1, sizeof *p->rows) && ipfsa_grow((void **)&p->olds, &p->cap_olds, p->n + 1, sizeof *p->olds);
  if (ok && ipfsa_buf_reserve(&p->table, entry_size)) return true;
  p->table.failed = IPFSA_OK; /* as it was */
  return false;
}

bool ipfsa_pending_add(ipfsa_pending *p, const ipfsa_pending_entry *e) {
  if (!make_room(p, ipfsa_pack_entry_size(e->entry.mh.len))) return false;
  p->rows[p->n] = (ipfsa_pending_row){(uint32_t)p->table.len, e->in_records};
  p->olds[p->n] = e->old;
  ipfsa_buf_pack_entry(&p->table, &e->entry);
  take_slot(p->slots, p->n_slots, (ipfsa_pending_slot){hash_of(&e->entry.mh), (uint32_t)++p->n});
  return true;
}

void ipfsa_pending_place(ipfsa_pending *p, uint64_t off) {
  for (size_t i = p->n_placed; i < p->n; i++) {
    if (p->rows[i].in_records) ipfsa_pack_entry_move(p->table.data + p->rows[i].at, off);
    p->rows[i].in_records = false;
  }
  p->n_placed = p->n;
}

void ipfsa_pending_clear(ipfsa_pending *p) {
  p->n = p->n_placed = 0;
  ipfsa_buf_clear(&p->table);
  if (p->slots) memset(p->slots, 0, p->n_slots * sizeof *p->slots);
}
