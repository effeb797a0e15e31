/* A set of keys kept whole: open addressing over offsets into one arena. Key = binary CID or multihash. */
#include "base/alloc.h"
#include "base/error.h"
#include "ipld/walk.h"

#define MAX_ENTRIES ((size_t)1 << 30)

typedef struct slot {
  uint32_t tag;
  uint32_t len;   /* 0 = free */
  uint64_t off;
} slot;

struct ipfsa_cid_set {
  slot *slots;
  size_t n_slots, count;
  ipfsa_buf keys;
};

ipfsa_status ipfsa_cid_set_new(ipfsa_cid_set **ret, ipfsa_error *err) {
  ipfsa_cid_set *set = ipfsa_calloc(1, sizeof *set);
  if (!set) return ipfsa_fail_nomem(err);
  set->keys.max = SIZE_MAX / 2;
  *ret = set;
  return IPFSA_OK;
}

void ipfsa_cid_set_free(ipfsa_cid_set *set) {
  if (!set) return;
  ipfsa_buf_release(&set->keys);
  ipfsa_free(set->slots);
  ipfsa_free(set);
}

static size_t key_of(const ipfsa_cid *cid, bool by_multihash, uint8_t *ret) {
  return by_multihash ? ipfsa_multihash_encode(&cid->mh, ret) : ipfsa_cid_encode(cid, ret);
}

/* Digests are random already; FNV spreads short and identity keys too. */
static uint64_t hash_key(const uint8_t *key, size_t len) {
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < len; i++) h = (h ^ key[i]) * 0x100000001b3;
  return h ^ h >> 29;
}

static slot *find_slot(const ipfsa_cid_set *set, const uint8_t *key, size_t len, uint64_t h) {
  size_t mask = set->n_slots - 1;
  for (size_t i = (size_t)h & mask;; i = (i + 1) & mask) {
    slot *s = &set->slots[i];
    if (s->len == 0) return s;
    if (s->tag == (uint32_t)(h >> 32) && s->len == len && memcmp(set->keys.data + s->off, key, len) == 0) return s;
  }
}

static bool grow_slots(ipfsa_cid_set *set) {
  size_t n = set->n_slots ? set->n_slots * 2 : 256;
  slot *slots = ipfsa_calloc(n, sizeof *slots);
  if (!slots) return false;
  for (size_t i = 0; i < set->n_slots; i++) {
    slot *old = &set->slots[i];
    if (!old->len) continue;
    size_t at = (size_t)hash_key(set->keys.data + old->off, old->len) & (n - 1);
    while (slots[at].len) at = (at + 1) & (n - 1);
    slots[at] = *old;
  }
  ipfsa_free(set->slots);
  set->slots = slots;
  set->n_slots = n;
  return true;
}

ipfsa_status ipfsa_cid_set_add(ipfsa_cid_set *set, const ipfsa_cid *cid, bool by_multihash, bool *ret_new, ipfsa_error *err) {
  uint8_t key[IPFSA_MAX_CID];
  size_t len = key_of(cid, by_multihash, key);
  uint64_t h = hash_key(key, len);
  if (set->count >= MAX_ENTRIES) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %zu blocks in one walk", MAX_ENTRIES);
  if (set->count * 4 >= set->n_slots * 3 && !grow_slots(set)) return ipfsa_fail_nomem(err);
  slot *s = find_slot(set, key, len, h);
  bool is_new = s->len == 0;
  if (is_new) {
    size_t off = set->keys.len;
    ipfsa_buf_append(&set->keys, key, len);
    if (set->keys.failed) {
      set->keys.failed = IPFSA_OK;
      return ipfsa_fail_nomem(err);
    }
    *s = (slot){(uint32_t)(h >> 32), (uint32_t)len, off};
    set->count++;
  }
  if (ret_new) *ret_new = is_new;
  return IPFSA_OK;
}

bool ipfsa_cid_set_has(const ipfsa_cid_set *set, const ipfsa_cid *cid, bool by_multihash) {
  uint8_t key[IPFSA_MAX_CID];
  size_t len = key_of(cid, by_multihash, key);
  return set->n_slots && find_slot(set, key, len, hash_key(key, len))->len != 0;
}

size_t ipfsa_cid_set_count(const ipfsa_cid_set *set) { return set->count; }
