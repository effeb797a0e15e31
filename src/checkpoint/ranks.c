/* What one of several ranks has of tensors of an open checkpoint: for each file the slices, as slices.c reads them. */
#include <ipfsa/slices.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "checkpoint/checkpoint.h"

typedef struct part {
  uint64_t shape[IPFSA_MAX_TENSOR_RANK]; /* in blocks of the type along the last dimension */
  char name[64]; /* for errors, cut there: in the header names are not terminated */
} part;

/* A source whose read_at says no more than "no": what was wrong is kept here. */
typedef struct reading {
  ipfsa_source *source;
  ipfsa_error why;
} reading;

static int read_shard(void *ctx, void *data, size_t len, uint64_t off) {
  reading *r = ctx;
  return r->source->read_at(r->source, data, len, off, &r->why) == IPFSA_OK ? 0 : -1;
}

static ipfsa_status bad_part(const ipfsa_tensor *t, const char *why, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "the slice of \"%.*s\" %s", (int)(t->name_len < 200 ? t->name_len : 200), t->name, why);
}

static const ipfsa_dtype *dtype_of(const ipfsa_checkpoint *cp, const ipfsa_tensor *t) {
  if (t->shard >= cp->n_shards) return NULL;
  const ipfsa_shard *s = &cp->shards[t->shard];
  const ipfsa_tensor_record *r = ipfsa_tensors_find(&s->tensors, ipfsa_bytes_of(t->name, t->name_len));
  bool same = r && s->data + r->begin == t->offset && r->end - r->begin == t->size && r->rank == t->rank;
  return same ? ipfsa_checkpoint_dtype(cp, r->dtype) : NULL;
}

/* A type of blocks of n elements is cut between blocks only. */
static ipfsa_status to_blocks(const ipfsa_tensor *t, const ipfsa_dtype *dtype, ipfsa_slice *s, part *room, ipfsa_error *err) {
  uint32_t last = t->rank ? t->rank - 1 : 0;
  if (t->rank) memcpy(room->shape, t->shape, t->rank * sizeof *room->shape);
  s->shape = room->shape;
  s->bits = dtype->bits;
  if (dtype->n == 1) return IPFSA_OK;
  if (t->rank == 0 || room->shape[last] % dtype->n) return bad_part(t, "is of a tensor that has no whole number of blocks", err);
  room->shape[last] /= dtype->n;
  if (s->dim != last) return IPFSA_OK;
  if (s->start % dtype->n || s->stop % dtype->n) return bad_part(t, "does not begin and end between the blocks of its type", err);
  s->start /= dtype->n;
  s->stop /= dtype->n;
  return IPFSA_OK;
}

static ipfsa_status slice_of(const ipfsa_checkpoint *cp, const ipfsa_rank_slice *from, uint32_t rank, uint32_t n_ranks, ipfsa_slice *ret, part *room, ipfsa_error *err) {
  const ipfsa_tensor *t = from->tensor;
  const ipfsa_dtype *dtype = dtype_of(cp, t);
  if (rank >= n_ranks) return ipfsa_fail(err, IPFSA_E_INVALID, "rank %u of %u: ranks count from 0", rank, n_ranks);
  if (!dtype) return bad_part(t, "is of a tensor that the checkpoint does not have", err);
  size_t name_len = t->name_len < sizeof room->name - 1 ? t->name_len : sizeof room->name - 1;
  memcpy(room->name, t->name, name_len);
  room->name[name_len] = '\0';
  ipfsa_slice s = {.name = room->name, .offset = t->offset, .rank = t->rank, .dim = from->whole ? 0 : from->dim, .data = from->data, .size = from->size};
  if (!from->whole && from->dim >= t->rank) return bad_part(t, "is along a dimension that its tensor lacks", err);
  s.stop = t->rank ? t->shape[s.dim] : 1;
  ipfsa_status status = from->whole ? IPFSA_OK : ipfsa_slice_of_rank(s.stop, rank, n_ranks, &s.start, &s.stop, err);
  if (status == IPFSA_OK) status = to_blocks(t, dtype, &s, room, err);
  if (status == IPFSA_OK) *ret = s;
  return status;
}

ipfsa_status ipfsa_checkpoint_rank_size(const ipfsa_checkpoint *cp, const ipfsa_rank_slice *slice, uint32_t rank, uint32_t n_ranks, uint64_t *ret, ipfsa_error *err) {
  ipfsa_slice s;
  part room;
  ipfsa_status status = slice_of(cp, slice, rank, n_ranks, &s, &room, err);
  return status ? status : ipfsa_slice_size(&s, ret, err);
}

static ipfsa_status load_shard(ipfsa_checkpoint *cp, size_t shard, const ipfsa_slice *slices, size_t n, const ipfsa_slices_options *options, ipfsa_error *err) {
  const ipfsa_shard *s = &cp->shards[shard];
  reading r = {.source = s->source};
  ipfsa_checkpoint_source source = {.struct_size = sizeof source, .name = s->name, .size = s->size, .read_at = read_shard, .ctx = &r};
  ipfsa_status status = ipfsa_slices_load(&source, slices, n, options, err);
  if (status == IPFSA_OK || r.why.status == IPFSA_OK) return status;
  if (err) *err = r.why;
  return r.why.status;
}

ipfsa_status ipfsa_checkpoint_load_rank(ipfsa_checkpoint *cp, const ipfsa_rank_slice *from, size_t n, uint32_t rank, uint32_t n_ranks,
                                        const ipfsa_slices_options *options, ipfsa_error *err) {
  if (n > IPFSA_MAX_SLICES) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d slices", IPFSA_MAX_SLICES);
  IPFSA_AUTO_FREE ipfsa_slice *slices = ipfsa_calloc(n + 1, sizeof *slices);
  IPFSA_AUTO_FREE part *rooms = ipfsa_calloc(n + 1, sizeof *rooms);
  IPFSA_AUTO_FREE size_t *starts = ipfsa_calloc(cp->n_shards + 2, sizeof *starts); /* of each file's slices; two behind while counting */
  if (!slices || !rooms || !starts) return ipfsa_fail_nomem(err);
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < n; i++) {
    if (from[i].tensor->shard >= cp->n_shards) return bad_part(from[i].tensor, "is of a tensor that the checkpoint does not have", err);
    starts[from[i].tensor->shard + 2]++;
  }
  for (size_t i = 2; i < cp->n_shards + 2; i++) starts[i] += starts[i - 1];
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    size_t at = starts[from[i].tensor->shard + 1]++;
    status = slice_of(cp, &from[i], rank, n_ranks, &slices[at], &rooms[at], err);
  }
  for (size_t i = 0; status == IPFSA_OK && i < cp->n_shards; i++)
    if (starts[i + 1] > starts[i]) status = load_shard(cp, i, slices + starts[i], starts[i + 1] - starts[i], options, err);
  return status;
}
