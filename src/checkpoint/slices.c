/* A slice is runs at equal distances. They are gone through in the order of the file by an iterator that is a small value: a read is found by going on with
 * it until the next run is too far, and filled out by going over the same runs again from a copy. */
#include <ipfsa/slices.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"

#define DEFAULT_ALIGN 4096u
#define DEFAULT_GAP (128u << 10)
#define DEFAULT_LARGEST (8u << 20)

typedef struct runs {
  const ipfsa_slice *slice;
  uint64_t begin, end;    /* of the tensor in the file */
  uint64_t first, stride; /* bytes: the first run, from one to the next */
  uint64_t n, len;        /* of runs, of each; n 0: the slice is empty */
} runs;

typedef struct loading {
  runs *all; /* in the order of the file */
  size_t n;
  uint64_t file_size, align, gap, largest;
} loading;

/* Where a run goes on. */
typedef struct place {
  size_t i;
  uint64_t run, done;
} place;

ipfsa_status ipfsa_slice_of_rank(uint64_t size, uint32_t rank, uint32_t n, uint64_t *ret_start, uint64_t *ret_stop, ipfsa_error *err) {
  if (rank >= n) return ipfsa_fail(err, IPFSA_E_INVALID, "rank %u of %u: ranks count from 0", rank, n);
  uint64_t block = size / n + (size % n != 0), start = 0;
  if (__builtin_mul_overflow(block, rank, &start) || start > size) start = size;
  *ret_start = start;
  *ret_stop = size - start < block ? size : start + block;
  return IPFSA_OK;
}

/* ---- slices to runs ---- */

static ipfsa_status bad_slice(const ipfsa_slice *s, const char *why, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "the slice of \"%.200s\" %s", s->name ? s->name : "", why);
}

/* Bits of everything inside one element of `dim`, number of elements outside of it. */
static ipfsa_status measure(const ipfsa_slice *s, uint64_t *ret_inner, uint64_t *ret_outer, ipfsa_error *err) {
  uint64_t inner = s->bits, outer = 1, all = s->bits;
  if (s->bits == 0 || s->bits > 1024) return bad_slice(s, "has elements of other than 1 to 1,024 bits", err);
  if (s->rank > IPFSA_MAX_SLICE_RANK) return ipfsa_fail(err, IPFSA_E_LIMIT, "the tensor \"%.200s\" has over %d dimensions", s->name ? s->name : "", IPFSA_MAX_SLICE_RANK);
  if (s->rank ? s->dim >= s->rank : s->dim != 0) return bad_slice(s, "is along a dimension that its tensor lacks", err);
  uint64_t size = s->rank ? s->shape[s->dim] : 1;
  if (s->start > s->stop || s->stop > size) return bad_slice(s, "reaches past its dimension", err);
  bool empty = false;
  for (uint32_t i = 0; i < s->rank; i++) empty |= s->shape[i] == 0;
  for (uint32_t i = 0; i < s->rank && !empty; i++)
    if (__builtin_mul_overflow(all, s->shape[i], &all)) return bad_slice(s, "is of a tensor that is too large", err);
  for (uint32_t i = 0; i < s->rank && !empty; i++) {
    if (i < s->dim) outer *= s->shape[i];
    if (i > s->dim) inner *= s->shape[i];
  }
  *ret_inner = inner;
  *ret_outer = empty ? 0 : outer;
  return IPFSA_OK;
}

static ipfsa_status take_slice(const ipfsa_slice *s, runs *ret, ipfsa_error *err) {
  uint64_t inner = 0, outer = 0, size = s->rank && s->dim < s->rank ? s->shape[s->dim] : 1;
  ipfsa_status status = measure(s, &inner, &outer, err);
  if (status) return status;
  *ret = (runs){.slice = s, .begin = s->offset, .end = s->offset};
  if (outer == 0) return IPFSA_OK;
  uint64_t row = inner * size, from = inner * s->start, to = inner * s->stop;
  if ((from | to) % 8 || (outer > 1 && row % 8)) return bad_slice(s, "does not begin and end on bytes", err);
  if (row * outer % 8) return bad_slice(s, "is of a tensor that does not end on a byte", err);
  if (__builtin_add_overflow(s->offset, row * outer / 8, &ret->end)) return bad_slice(s, "is of a tensor that reaches past the end of the file", err);
  ret->first = s->offset + from / 8;
  ret->stride = row / 8;
  ret->len = (to - from) / 8;
  ret->n = ret->len ? outer : 0;
  if (ret->n && ret->len == ret->stride) *ret = (runs){s, ret->begin, ret->end, ret->first, ret->len * ret->n, 1, ret->len * ret->n}; /* whole rows */
  return IPFSA_OK;
}

ipfsa_status ipfsa_slice_size(const ipfsa_slice *slice, uint64_t *ret, ipfsa_error *err) {
  runs r;
  ipfsa_status status = take_slice(slice, &r, err);
  if (status == IPFSA_OK) *ret = r.n * r.len;
  return status;
}

static int by_begin(const void *a, const void *b) {
  const runs *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

static ipfsa_status take_slices(loading *l, const ipfsa_slice *slices, size_t n, bool with_memory, ipfsa_error *err) {
  for (size_t i = 0; i < n; i++) {
    ipfsa_status status = take_slice(&slices[i], &l->all[i], err);
    if (status) return status;
    if (l->all[i].end > l->file_size) return bad_slice(&slices[i], "is of a tensor that reaches past the end of the file", err);
    if (with_memory && slices[i].size != l->all[i].n * l->all[i].len) return bad_slice(&slices[i], "has another size than the memory for it", err);
  }
  if (n) qsort(l->all, n, sizeof *l->all, by_begin);
  for (size_t i = 1; i < n; i++)
    if (l->all[i].begin < l->all[i - 1].end) return bad_slice(l->all[i].slice, "is of a tensor that lies over another, or comes twice", err);
  l->n = n;
  return IPFSA_OK;
}

static ipfsa_status take_options(loading *l, const ipfsa_slices_options *given, ipfsa_error *err) {
  ipfsa_slices_options o = IPFSA_OPTIONS(ipfsa_slices_options, given);
  l->align = o.align ? o.align : DEFAULT_ALIGN;
  l->gap = o.gap ? o.gap : DEFAULT_GAP;
  l->largest = o.largest ? o.largest : DEFAULT_LARGEST;
  if (l->align & (l->align - 1)) return ipfsa_fail(err, IPFSA_E_INVALID, "reads aligned to %u bytes; expected a power of two", o.align);
  if (l->largest > IPFSA_MAX_SLICE_READ || l->align > IPFSA_MAX_SLICE_READ) return ipfsa_fail(err, IPFSA_E_LIMIT, "reads of over %d bytes", IPFSA_MAX_SLICE_READ);
  l->largest = (l->largest + l->align - 1) & ~(l->align - 1);
  return IPFSA_OK;
}

static ipfsa_status init(loading *l, uint64_t file_size, const ipfsa_slice *slices, size_t n, bool with_memory, const ipfsa_slices_options *options, ipfsa_error *err) {
  *l = (loading){.file_size = file_size};
  ipfsa_status status = take_options(l, options, err);
  if (status) return status;
  if (file_size > INT64_MAX) return ipfsa_fail(err, IPFSA_E_LIMIT, "a file of over 2^63 bytes");
  if (n > IPFSA_MAX_SLICES) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d slices", IPFSA_MAX_SLICES);
  l->all = ipfsa_calloc(n + 1, sizeof *l->all);
  return l->all ? take_slices(l, slices, n, with_memory, err) : ipfsa_fail_nomem(err);
}

/* ---- going through them ---- */

/* Passes over empty slices; false at the end. */
static bool settle(const loading *l, place *at) {
  while (at->i < l->n && at->run == l->all[at->i].n) *at = (place){at->i + 1, 0, 0};
  return at->i < l->n;
}

typedef struct piece {
  uint64_t offset, len;
  uint64_t into; /* of the slice's memory */
  const ipfsa_slice *slice;
} piece;

/* What is left of the run, up to `end` of the file's bytes; moves on behind it. */
static piece take_piece(const loading *l, place *at, uint64_t end) {
  const runs *r = &l->all[at->i];
  piece p = {.offset = r->first + at->run * r->stride + at->done, .len = r->len - at->done, .into = at->run * r->len + at->done, .slice = r->slice};
  if (p.len > end - p.offset) p.len = end - p.offset;
  at->done += p.len;
  if (at->done == r->len) *at = (place){at->i, at->run + 1, 0};
  return p;
}

static uint64_t offset_of(const loading *l, const place *at) { return l->all[at->i].first + at->run * l->all[at->i].stride + at->done; }

/* The next read from a settled place, which moves behind it. *ret_single: all of it is one piece. */
static ipfsa_slices_read next_read(const loading *l, place *at, bool *ret_single) {
  uint64_t offset = offset_of(l, at) & ~(l->align - 1), most = l->file_size - offset < l->largest ? l->file_size : offset + l->largest, end = offset;
  ipfsa_slices_read read = {.offset = offset};
  size_t n = 0;
  while (settle(l, at)) {
    uint64_t next = offset_of(l, at);
    bool near = n == 0 || next - end <= l->gap || next < ((end + l->align - 1) & ~(l->align - 1));
    if (next >= most || !near) break;
    piece p = take_piece(l, at, most);
    end = p.offset + p.len;
    read.wanted += p.len;
    n++;
  }
  uint64_t rounded = (end + l->align - 1) & ~(l->align - 1);
  read.size = (rounded < l->file_size ? rounded : l->file_size) - offset;
  *ret_single = n == 1 && read.wanted == read.size;
  return read;
}

ipfsa_status ipfsa_slices_plan(uint64_t file_size, const ipfsa_slice *slices, size_t n, const ipfsa_slices_options *options, ipfsa_slices_cb cb, void *ctx, ipfsa_error *err) {
  loading l;
  place at = {0};
  bool single;
  ipfsa_status status = init(&l, file_size, slices, n, false, options, err);
  while (status == IPFSA_OK && settle(&l, &at)) {
    ipfsa_slices_read read = next_read(&l, &at, &single);
    if (cb(ctx, &read) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
  }
  ipfsa_free(l.all);
  return status;
}

static void scatter(const loading *l, place at, const ipfsa_slices_read *read, const uint8_t *data) {
  for (uint64_t left = read->wanted; left && settle(l, &at);) {
    piece p = take_piece(l, &at, read->offset + read->size);
    memcpy((uint8_t *)p.slice->data + p.into, data + (p.offset - read->offset), p.len);
    left -= p.len;
  }
}

static ipfsa_status load_read(const loading *l, const ipfsa_checkpoint_source *source, place from, const ipfsa_slices_read *read, bool single, uint8_t *scratch,
                              ipfsa_error *err) {
  uint8_t *into = scratch;
  if (single) {
    piece p = take_piece(l, &from, read->offset + read->size);
    into = (uint8_t *)p.slice->data + p.into;
  }
  if (source->read_at(source->ctx, into, (size_t)read->size, read->offset) != 0)
    return ipfsa_fail_at(err, IPFSA_E_IO, read->offset, "%.200s: %llu bytes at %llu could not be read", source->name ? source->name : "checkpoint", (unsigned long long)read->size,
                         (unsigned long long)read->offset);
  if (!single) scatter(l, from, read, scratch);
  return IPFSA_OK;
}

ipfsa_status ipfsa_slices_load(const ipfsa_checkpoint_source *given, const ipfsa_slice *slices, size_t n, const ipfsa_slices_options *options, ipfsa_error *err) {
  ipfsa_checkpoint_source source = IPFSA_OPTIONS(ipfsa_checkpoint_source, given);
  loading l;
  place at = {0};
  ipfsa_status status = init(&l, source.size, slices, n, true, options, err);
  IPFSA_AUTO_FREE uint8_t *scratch = status == IPFSA_OK ? ipfsa_malloc(l.largest) : NULL;
  if (status == IPFSA_OK && !scratch) status = ipfsa_fail_nomem(err);
  while (status == IPFSA_OK && settle(&l, &at)) {
    place from = at;
    bool single;
    ipfsa_slices_read read = next_read(&l, &at, &single);
    status = load_read(&l, &source, from, &read, single, scratch, err);
  }
  ipfsa_free(l.all);
  return status;
}
