/* Numbers and names of all tensors of a checkpoint. Several files have one table of names beside their own, so that a name costs one look however many there are. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"

static void count(ipfsa_checkpoint *cp) {
  for (size_t i = 0; i < cp->n_shards; i++) {
    ipfsa_shard *s = &cp->shards[i];
    s->first = cp->n_tensors;
    cp->n_tensors += s->tensors.n;
    for (size_t k = 0; k < s->tensors.n; k++) cp->tensor_bytes += s->tensors.items[k].end - s->tensors.items[k].begin;
  }
}

/* The slot of a name, or the empty one where it belongs; *ret: the tensor that is there. */
static size_t slot_of(const ipfsa_checkpoint *cp, ipfsa_bytes name, ipfsa_tensor *ret) {
  size_t at = ipfsa_tensors_hash(cp->names_seed, name) & cp->names_mask;
  for (; cp->names[at]; at = (at + 1) & cp->names_mask)
    if (ipfsa_checkpoint_tensor(cp, cp->names[at] - 1, ret) && ipfsa_bytes_equal(name, ipfsa_bytes_of(ret->name, ret->name_len))) break;
  return at;
}

bool ipfsa_checkpoint_find(const ipfsa_checkpoint *cp, const char *name, size_t name_len, ipfsa_tensor *ret) {
  ipfsa_bytes text = ipfsa_bytes_of(name, name_len);
  ipfsa_tensor found;
  if (cp->names) {
    if (!cp->names[slot_of(cp, text, &found)]) return false;
    *ret = found;
    return true;
  }
  const ipfsa_tensor_record *r = cp->n_shards ? ipfsa_tensors_find(&cp->shards[0].tensors, text) : NULL;
  if (r) ipfsa_checkpoint_describe(cp, 0, r, ret);
  return r != NULL;
}

static ipfsa_status put_name(ipfsa_checkpoint *cp, uint64_t i, const ipfsa_tensor *t, ipfsa_error *err) {
  ipfsa_tensor other;
  size_t at = slot_of(cp, ipfsa_bytes_of(t->name, t->name_len), &other);
  if (!cp->names[at]) {
    cp->names[at] = (uint32_t)i + 1;
    return IPFSA_OK;
  }
  if (cp->format == IPFSA_CHECKPOINT_TORCH || cp->format == IPFSA_CHECKPOINT_PICKLE) return IPFSA_OK; /* storages have numbers in place of names, in each file from 0 on */
  return ipfsa_fail(err, IPFSA_E_MALFORMED, "tensor \"%.*s\" is in %s and in %s", (int)(t->name_len < 80 ? t->name_len : 80), t->name, cp->shards[other.shard].name, cp->shards[t->shard].name);
}

ipfsa_status ipfsa_checkpoint_index(ipfsa_checkpoint *cp, ipfsa_error *err) {
  _Static_assert((uint64_t)IPFSA_MAX_SHARDS * IPFSA_MAX_TENSORS < UINT32_MAX, "a number and 1 fit into a slot");
  size_t n = 16;
  ipfsa_tensor t;
  ipfsa_status status = IPFSA_OK;
  count(cp);
  if (cp->n_shards < 2) return IPFSA_OK;
  while (n < cp->n_tensors + cp->n_tensors / 2) n *= 2;
  cp->names = ipfsa_calloc(n, sizeof *cp->names);
  if (!cp->names) return ipfsa_fail_nomem(err);
  cp->names_mask = n - 1;
  cp->names_seed = ipfsa_random_u64() | 1;
  for (uint64_t i = 0; status == IPFSA_OK && ipfsa_checkpoint_tensor(cp, i, &t); i++) status = put_name(cp, i, &t, err);
  return status;
}
