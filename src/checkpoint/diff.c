/* Two checkpoints held against each other, tensor by tensor. */
#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/diff.h"

typedef ipfsa_diff diff;
enum { PIECE = IPFSA_DIFF_PIECE };

ipfsa_status ipfsa_diff_step(diff *d, uint64_t n) {
  d->at.done_bytes += n;
  return d->o.progress && d->o.progress(d->o.progress_ctx, &d->at) != 0 ? ipfsa_fail(d->err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

static ipfsa_status tell(diff *d, ipfsa_tensor_change change, const ipfsa_tensor *from, const ipfsa_tensor *to) {
  return d->o.cb && d->o.cb(d->o.ctx, change, from, to) != 0 ? ipfsa_fail(d->err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

bool ipfsa_diff_same_form(const ipfsa_tensor *a, const ipfsa_tensor *b) {
  return strcmp(a->dtype, b->dtype) == 0 && a->size == b->size && a->rank == b->rank && (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

bool ipfsa_diff_leaf(const ipfsa_checkpoint *cp, const ipfsa_tensor *t, uint64_t off, ipfsa_source_leaf *ret) {
  ipfsa_source *source = cp->shards[t->shard].source;
  return source->leaf_at && source->leaf_at(source, t->offset + off, ret);
}

typedef enum verdict { UNKNOWN, SAME, OTHER } verdict;

/* From byte off on, by their leaves; *ret_len: bytes that are the same. Leaves of one form that lie inside both tensors and differ have other bytes. */
static verdict compare_leaves(diff *d, const ipfsa_tensor *a, const ipfsa_tensor *b, uint64_t off, uint64_t *ret_len) {
  ipfsa_source_leaf x, y;
  if (!ipfsa_diff_leaf(d->from, a, off, &x) || !ipfsa_diff_leaf(d->to, b, off, &y)) return UNKNOWN;
  uint64_t at_x = a->offset + off, at_y = b->offset + off, len = x.end - x.start;
  if (at_x - x.start != at_y - y.start || len != y.end - y.start) return UNKNOWN;
  if (memcmp(x.id, y.id, sizeof x.id) != 0) return x.start >= a->offset && len <= a->size - (x.start - a->offset) && x.id[0] == y.id[0] ? OTHER : UNKNOWN;
  *ret_len = x.end - at_x < a->size - off ? x.end - at_x : a->size - off;
  return SAME;
}

static ipfsa_status compare_piece(diff *d, const ipfsa_tensor *a, const ipfsa_tensor *b, uint64_t off, size_t n, bool *ret) {
  ipfsa_status status = ipfsa_checkpoint_read(d->from, a, off, d->room, n, d->err);
  if (status == IPFSA_OK) status = ipfsa_checkpoint_read(d->to, b, off, d->room + PIECE, n, d->err);
  *ret = status == IPFSA_OK && memcmp(d->room, d->room + PIECE, n) == 0;
  return status;
}

/* The first piece that differs ends it. */
static ipfsa_status same_bytes(diff *d, const ipfsa_tensor *a, const ipfsa_tensor *b, bool *ret) {
  bool same = true;
  ipfsa_status status = IPFSA_OK;
  for (uint64_t off = 0; same && status == IPFSA_OK && off < a->size;) {
    uint64_t n = a->size - off < PIECE ? a->size - off : PIECE;
    verdict v = compare_leaves(d, a, b, off, &n);
    if (v == UNKNOWN) status = compare_piece(d, a, b, off, (size_t)n, &same);
    else same = v == SAME;
    off += n;
    if (status == IPFSA_OK) status = ipfsa_diff_step(d, n);
  }
  *ret = same;
  return status;
}

/* Under its own name `from` has it not. */
static ipfsa_status tell_new(diff *d, uint64_t i, const ipfsa_tensor *to) {
  ipfsa_tensor from;
  ipfsa_status status = ipfsa_diff_step(d, to->size);
  if (status) return status;
  if (!d->old || !d->old[i] || !ipfsa_checkpoint_tensor(d->from, d->old[i] - 1, &from)) {
    d->sum.n_new++;
    return tell(d, IPFSA_TENSOR_NEW, NULL, to);
  }
  d->sum.n_renamed++;
  d->sum.shared_bytes += to->size;
  return tell(d, IPFSA_TENSOR_RENAMED, &from, to);
}

static ipfsa_status compare_one(diff *d, uint64_t i, const ipfsa_tensor *to) {
  ipfsa_tensor from;
  bool same = false;
  uint64_t before = d->at.done_bytes;
  if (!ipfsa_checkpoint_find(d->from, to->name, to->name_len, &from)) return tell_new(d, i, to);
  ipfsa_status status = ipfsa_diff_same_form(&from, to) ? same_bytes(d, &from, to, &same) : IPFSA_OK;
  if (status == IPFSA_OK) status = ipfsa_diff_step(d, to->size - (d->at.done_bytes - before));
  if (status) return status;
  d->sum.n_equal += same;
  d->sum.n_changed += !same;
  d->sum.shared_bytes += same ? to->size : 0;
  return tell(d, same ? IPFSA_TENSOR_EQUAL : IPFSA_TENSOR_CHANGED, &from, to);
}

static ipfsa_status compare_all(diff *d) {
  ipfsa_tensor t, other;
  ipfsa_status status = ipfsa_diff_find_renamed(d);
  for (uint64_t i = 0; status == IPFSA_OK && ipfsa_checkpoint_tensor(d->to, i, &t); i++) status = compare_one(d, i, &t);
  for (uint64_t i = 0; status == IPFSA_OK && ipfsa_checkpoint_tensor(d->from, i, &t); i++) {
    if ((d->moved && d->moved[i]) || ipfsa_checkpoint_find(d->to, t.name, t.name_len, &other)) continue;
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
  ipfsa_free(d.old);
  ipfsa_free(d.moved);
  if (status == IPFSA_OK) *ret = d.sum;
  return status;
}
