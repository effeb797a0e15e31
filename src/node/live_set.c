/* The set behind gc: open addressing over fingerprints, at most 7/8 full. */
#include "base/clock.h"
#include "node/mark.h"

ipfsa_status ipfsa_live_set_init(ipfsa_live_set *set, ipfsa_error *err) {
  *set = (ipfsa_live_set){.n_slots = 1024};
  set->salt[0] = ipfsa_random_u64();
  set->salt[1] = ipfsa_random_u64();
  set->slots = ipfsa_calloc(set->n_slots, sizeof *set->slots);
  return set->slots ? IPFSA_OK : ipfsa_fail_nomem(err);
}

void ipfsa_live_set_release(ipfsa_live_set *set) {
  ipfsa_free(set->slots);
  *set = (ipfsa_live_set){0};
}

static uint64_t mix(uint64_t h) {
  h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
  return (h ^ h >> 29) * 0xff51afd7ed558ccdu;
}

/* Salted, so that nobody can prepare blocks that look alike. Never 0. */
static uint64_t fingerprint(const ipfsa_live_set *set, const ipfsa_multihash *mh) {
  uint64_t h = mix(set->salt[0] ^ mh->code ^ (uint64_t)mh->len << 56);
  for (size_t i = 0; i < mh->len; i += 8) {
    uint64_t word = 0;
    memcpy(&word, mh->digest + i, mh->len - i < 8 ? mh->len - i : 8u);
    h = mix(h ^ word) + set->salt[1];
  }
  h ^= h >> 31;
  return h ? h : 1;
}

static uint64_t *slot_of(uint64_t *slots, size_t n_slots, uint64_t h) {
  for (size_t i = (size_t)h & (n_slots - 1);; i = (i + 1) & (n_slots - 1))
    if (slots[i] == 0 || slots[i] == h) return &slots[i];
}

static bool grow(ipfsa_live_set *set) {
  size_t n = set->n_slots * 2;
  uint64_t *slots = ipfsa_calloc(n, sizeof *slots);
  if (!slots) return false;
  for (size_t i = 0; i < set->n_slots; i++)
    if (set->slots[i]) *slot_of(slots, n, set->slots[i]) = set->slots[i];
  ipfsa_free(set->slots);
  set->slots = slots;
  set->n_slots = n;
  return true;
}

ipfsa_status ipfsa_live_set_add(ipfsa_live_set *set, const ipfsa_multihash *mh, ipfsa_error *err) {
  if (set->count >= set->n_slots / 8 * 7 && !grow(set)) return ipfsa_fail_nomem(err);
  uint64_t h = fingerprint(set, mh), *slot = slot_of(set->slots, set->n_slots, h);
  set->count += *slot == 0;
  *slot = h;
  return IPFSA_OK;
}

bool ipfsa_live_set_has(const ipfsa_live_set *set, const ipfsa_multihash *mh) {
  return *slot_of(set->slots, set->n_slots, fingerprint(set, mh)) != 0;
}
