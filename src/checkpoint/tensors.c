#include "checkpoint/tensors.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

void ipfsa_tensors_release(ipfsa_tensors *t) {
  ipfsa_free(t->text);
  ipfsa_free(t->items);
  ipfsa_free(t->dims);
  ipfsa_free(t->table);
  ipfsa_free(t->members);
  *t = (ipfsa_tensors){0};
}

ipfsa_status ipfsa_tensors_add(ipfsa_tensors *t, ipfsa_tensor_record **ret, ipfsa_error *err) {
  if (t->n == IPFSA_MAX_TENSORS) return ipfsa_fail(err, IPFSA_E_LIMIT, "more than %d tensors in one file", IPFSA_MAX_TENSORS);
  if (!ipfsa_grow((void **)&t->items, &t->cap, t->n + 1, sizeof *t->items)) return ipfsa_fail_nomem(err);
  t->items[t->n] = (ipfsa_tensor_record){.shape = (uint32_t)t->n_dims};
  *ret = &t->items[t->n++];
  return IPFSA_OK;
}

ipfsa_status ipfsa_tensors_add_dim(ipfsa_tensors *t, uint64_t dim, ipfsa_error *err) {
  if (!ipfsa_grow((void **)&t->dims, &t->dims_cap, t->n_dims + 1, sizeof *t->dims)) return ipfsa_fail_nomem(err);
  t->dims[t->n_dims++] = dim;
  return IPFSA_OK;
}

static int by_bytes(const void *a, const void *b) {
  const ipfsa_tensor_record *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return x->name < y->name ? -1 : x->name > y->name;
}

void ipfsa_tensors_sort(ipfsa_tensors *t) {
  for (size_t i = 1; i < t->n; i++) {
    if (by_bytes(&t->items[i - 1], &t->items[i]) <= 0) continue;
    qsort(t->items, t->n, sizeof *t->items, by_bytes);
    return;
  }
}

/* Multiplies and folds eight bytes at a time. */
uint64_t ipfsa_tensors_hash(uint64_t seed, ipfsa_bytes name) {
  const uint64_t k = 0x9e3779b97f4a7c15u;
  uint64_t h = seed ^ name.len * k, word = 0;
  size_t i = 0;
  for (; i + 8 <= name.len; i += 8) {
    memcpy(&word, name.data + i, 8);
    unsigned __int128 m = (unsigned __int128)(h ^ word) * (k ^ seed << 1);
    h = (uint64_t)m ^ (uint64_t)(m >> 64) ^ seed;
  }
  word = 0;
  if (i < name.len) memcpy(&word, name.data + i, name.len - i);
  unsigned __int128 m = (unsigned __int128)(h ^ word) * k;
  return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* The slot of a name, or the empty one where it belongs. */
static size_t slot_of(const ipfsa_tensors *t, ipfsa_bytes name) {
  size_t at = ipfsa_tensors_hash(t->seed, name) & t->mask;
  while (t->table[at] && !ipfsa_bytes_equal(name, ipfsa_tensors_name(t, &t->items[t->table[at] - 1]))) at = (at + 1) & t->mask;
  return at;
}

ipfsa_status ipfsa_tensors_index(ipfsa_tensors *t, const ipfsa_tensor_record **ret_twice, ipfsa_error *err) {
  size_t n = 16;
  while (n < t->n + t->n / 2) n *= 2;
  t->table = ipfsa_calloc(n, sizeof *t->table);
  if (!t->table) return ipfsa_fail_nomem(err);
  t->mask = n - 1;
  t->seed = ipfsa_random_u64() | 1;
  const ipfsa_tensor_record *twice = NULL;
  for (size_t i = 0; i < t->n && !twice; i++) {
    const ipfsa_tensor_record *r = &t->items[i];
    size_t at = slot_of(t, ipfsa_tensors_name(t, r));
    const ipfsa_tensor_record *other = t->table[at] ? &t->items[t->table[at] - 1] : NULL;
    if (other) twice = other->name > r->name ? other : r;
    else t->table[at] = (uint32_t)i + 1;
  }
  *ret_twice = twice;
  return IPFSA_OK;
}

const ipfsa_tensor_record *ipfsa_tensors_find(const ipfsa_tensors *t, ipfsa_bytes name) {
  size_t at = slot_of(t, name);
  return t->table[at] ? &t->items[t->table[at] - 1] : NULL;
}

bool ipfsa_tensors_bits(const ipfsa_tensors *t, const ipfsa_tensor_record *r, const ipfsa_dtype *type, uint64_t *ret_bits) {
  uint64_t n = 1;
  for (size_t i = 0; i < r->rank; i++)
    if (__builtin_mul_overflow(n, t->dims[r->shape + i], &n)) return false;
  return !__builtin_mul_overflow(n / type->n, (uint64_t)type->bits, ret_bits);
}
