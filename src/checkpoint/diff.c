/* Two checkpoints held against each other, tensor by tensor. */
#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"

#define PIECE (1u << 20) /* bytes compared at once */

typedef struct diff {
  ipfsa_checkpoint *from, *to;
  ipfsa_checkpoint_diff_options o;
  ipfsa_checkpoint_diff sum;
  ipfsa_progress at;
  uint8_t *room; /* two pieces */
  ipfsa_error *err;
} diff;

static ipfsa_status step(diff *d, uint64_t n) {
  d->at.done_bytes += n;
  return d->o.progress && d->o.progress(d->o.progress_ctx, &d->at) != 0 ? ipfsa_fail(d->err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

static ipfsa_status tell(diff *d, ipfsa_tensor_change change, const ipfsa_tensor *from, const ipfsa_tensor *to) {
  return d->o.cb && d->o.cb(d->o.ctx, change, from, to) != 0 ? ipfsa_fail(d->err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

static bool same_form(const ipfsa_tensor *a, const ipfsa_tensor *b) {
  return strcmp(a->dtype, b->dtype) == 0 && a->size == b->size && a->rank == b->rank && (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

/* The first piece that differs ends it. */
static ipfsa_status same_bytes(diff *d, const ipfsa_tensor *a, const ipfsa_tensor *b, bool *ret) {
  bool same = true;
  ipfsa_status status = IPFSA_OK;
  for (uint64_t off = 0; same && status == IPFSA_OK && off < a->size; off += PIECE) {
    size_t n = a->size - off < PIECE ? (size_t)(a->size - off) : PIECE;
    status = ipfsa_checkpoint_read(d->from, a, off, d->room, n, d->err);
    if (status == IPFSA_OK) status = ipfsa_checkpoint_read(d->to, b, off, d->room + PIECE, n, d->err);
    same = status == IPFSA_OK && memcmp(d->room, d->room + PIECE, n) == 0;
    if (status == IPFSA_OK) status = step(d, n);
  }
  *ret = same;
  return status;
}

static ipfsa_status compare_one(diff *d, const ipfsa_tensor *to) {
  ipfsa_tensor from;
  bool same = false;
  uint64_t before = d->at.done_bytes;
  if (!ipfsa_checkpoint_find(d->from, to->name, to->name_len, &from)) {
    d->sum.n_new++;
    ipfsa_status status = step(d, to->size);
    return status ? status : tell(d, IPFSA_TENSOR_NEW, NULL, to);
  }
  ipfsa_status status = same_form(&from, to) ? same_bytes(d, &from, to, &same) : IPFSA_OK;
  if (status == IPFSA_OK) status = step(d, to->size - (d->at.done_bytes - before));
  if (status) return status;
  d->sum.n_equal += same;
  d->sum.n_changed += !same;
  d->sum.shared_bytes += same ? to->size : 0;
  return tell(d, same ? IPFSA_TENSOR_EQUAL : IPFSA_TENSOR_CHANGED, &from, to);
}

static ipfsa_status compare_all(diff *d) {
  ipfsa_tensor t, other;
  ipfsa_status status = IPFSA_OK;
  for (uint64_t i = 0; status == IPFSA_OK && ipfsa_checkpoint_tensor(d->to, i, &t); i++) status = compare_one(d, &t);
  for (uint64_t i = 0; status == IPFSA_OK && ipfsa_checkpoint_tensor(d->from, i, &t); i++) {
    if (ipfsa_checkpoint_find(d->to, t.name, t.name_len, &other)) continue;
    d->sum.n_removed++;
    status = tell(d, IPFSA_TENSOR_REMOVED, &t, NULL);
  }
  return status;
}

ipfsa_status ipfsa_checkpoint_compare(ipfsa_checkpoint *from, ipfsa_checkpoint *to, const ipfsa_checkpoint_diff_options *options, ipfsa_checkpoint_diff *ret,
                                      ipfsa_error *err) {
  diff d = {.from = from, .to = to, .err = err, .at = {.total_bytes = to->tensor_bytes}};
  if (options) memcpy(&d.o, options, options->struct_size < sizeof d.o ? options->struct_size : sizeof d.o);
  d.sum.from_bytes = from->tensor_bytes;
  d.sum.to_bytes = to->tensor_bytes;
  d.room = ipfsa_malloc(2 * PIECE);
  if (!d.room) return ipfsa_fail_nomem(err);
  ipfsa_status status = compare_all(&d);
  ipfsa_free(d.room);
  if (status == IPFSA_OK) *ret = d.sum;
  return status;
}
