/* Ranges of files that are not here, and the tensors that have a part in them. */
#include "checkpoint/checkpoint.h"

typedef struct count {
  const ipfsa_shard *shard;
  size_t next; /* tensor: those before it are here, or counted */
  uint64_t n, tensor_bytes, bytes; /* that are not here */
} count;

/* Both ranges and tensors come in the order of the file. */
static int take_range(void *ctx, uint64_t from, uint64_t to) {
  count *c = ctx;
  const ipfsa_tensors *t = &c->shard->tensors;
  c->bytes += to - from;
  for (; c->next < t->n && c->shard->data + t->items[c->next].begin < to; c->next++) {
    const ipfsa_tensor_record *r = &t->items[c->next];
    if (r->begin == r->end || c->shard->data + r->end <= from) continue;
    c->n++;
    c->tensor_bytes += r->end - r->begin;
  }
  return 0;
}

ipfsa_status ipfsa_checkpoint_locate(const ipfsa_checkpoint *cp, ipfsa_checkpoint_local *ret, ipfsa_error *err) {
  ipfsa_checkpoint_local local = {.n_tensors = cp->n_tensors, .tensor_bytes = cp->tensor_bytes};
  for (size_t i = 0; i < cp->n_shards; i++) {
    const ipfsa_shard *s = &cp->shards[i];
    count c = {.shard = s};
    ipfsa_status status = s->source->missing ? s->source->missing(s->source, take_range, &c, err) : IPFSA_OK;
    if (status) return status;
    local.n_tensors -= c.n;
    local.tensor_bytes -= c.tensor_bytes;
    local.bytes += s->size - c.bytes;
    local.missing_bytes += c.bytes;
  }
  *ret = local;
  return IPFSA_OK;
}
