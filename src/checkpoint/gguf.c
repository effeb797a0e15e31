#include "checkpoint/gguf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"

#define DEFAULT_ALIGNMENT 32
#define HEAD 24            /* bytes before the first key */
#define SMALLEST_PAIR 14   /* bytes: a key of one, its length, a type, a value of one */
#define SMALLEST_TENSOR 25 /* bytes: a name of one, its length, no dimensions, type, offset */

typedef unsigned long long ull; /* for messages */

typedef struct parse {
  ipfsa_window w;
  ipfsa_gguf *g;
  ipfsa_pairs *metadata;
  ipfsa_buf names;
  uint64_t n_tensors, n_pairs;
  uint64_t infos; /* where the first tensor is told of */
  uint64_t end; /* of the tensors so far, padded; from the start of the data */
  ipfsa_error *err;
} parse;

/* ---- head ---- */

static ipfsa_status read_count(parse *p, const char *what, uint64_t most, uint64_t smallest, uint64_t *ret) {
  uint64_t n = 0, at = ipfsa_window_offset(&p->w);
  ipfsa_status status = ipfsa_window_u64(&p->w, what, &n, p->err);
  if (status) return status;
  if (n > INT64_MAX) return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, at, "byte %llu: %s is negative", (ull)at, what);
  if (n > ipfsa_window_left(&p->w) / smallest)
    return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, at, "byte %llu: %s is %llu, more than the rest of the file can hold", (ull)at, what, (ull)n);
  if (n > most) return ipfsa_fail_at(p->err, IPFSA_E_LIMIT, at, "byte %llu: %s is %llu, at most %llu are taken", (ull)at, what, (ull)n, (ull)most);
  *ret = n;
  return IPFSA_OK;
}

static ipfsa_status read_head(parse *p) {
  ipfsa_bytes magic;
  uint32_t version = 0;
  ipfsa_status status = ipfsa_window_take(&p->w, 4, "the head", &magic, p->err);
  if (status) return status;
  if (memcmp(magic.data, "GGUF", 4) != 0) return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, 0, "byte 0: no GGUF file: it does not begin with GGUF");
  status = ipfsa_window_u32(&p->w, "the version", &version, p->err);
  if (status) return status;
  if (version && (version & 0xffff) == 0) return ipfsa_fail_at(p->err, IPFSA_E_NOT_SUPPORTED, 4, "byte 4: a file of the other byte order; little-endian ones are read");
  if (version == 0 || version == 1) return ipfsa_fail_at(p->err, IPFSA_E_NOT_SUPPORTED, 4, "byte 4: version %u, which is no longer read; 2 and 3 are", version);
  if (version > 3) return ipfsa_fail_at(p->err, IPFSA_E_VERSION, 4, "byte 4: version %u is newer than this program; 2 and 3 are read", version);
  status = read_count(p, "the number of tensors", IPFSA_MAX_TENSORS, SMALLEST_TENSOR, &p->n_tensors);
  return status ? status : read_count(p, "the number of keys", IPFSA_MAX_GGUF_PAIRS, SMALLEST_PAIR, &p->n_pairs);
}

/* Of one that is to be told of; where it stands was not kept. */
static uint64_t offset_of_pair(const parse *p, size_t n) {
  IPFSA_AUTO(ipfsa_window_release) ipfsa_window w = {0};
  IPFSA_AUTO(ipfsa_pairs_release) ipfsa_pairs passed = {0};
  ipfsa_gguf g = {0};
  ipfsa_error none = {0};
  ipfsa_status status = ipfsa_window_open(p->w.source, p->w.size, &w, &none);
  if (status == IPFSA_OK) status = ipfsa_window_skip(&w, HEAD, "the head", &none);
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) status = ipfsa_gguf_read_pair(&w, &g, &passed, &none);
  return status == IPFSA_OK ? ipfsa_window_offset(&w) : 0;
}

static ipfsa_status read_pairs(parse *p) {
  ipfsa_status status = IPFSA_OK;
  size_t twice = SIZE_MAX;
  p->g->alignment = DEFAULT_ALIGNMENT;
  for (uint64_t i = 0; status == IPFSA_OK && i < p->n_pairs; i++) status = ipfsa_gguf_read_pair(&p->w, p->g, p->metadata, p->err);
  if (status == IPFSA_OK) status = ipfsa_pairs_find_twice(p->metadata, &twice, p->err);
  if (status || twice == SIZE_MAX) return status;
  ipfsa_bytes key = ipfsa_pairs_key(p->metadata, twice);
  uint64_t at = offset_of_pair(p, twice);
  return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, at, "key \"%.*s\", byte %llu: a key that comes twice", key.len < 80 ? (int)key.len : 80, (const char *)key.data, (ull)at);
}

/* ---- tensors ---- */

/* Where it is told of: names and dimensions of those before it have different lengths, and records stand in the order of the file. */
static uint64_t offset_of_tensor(const parse *p, const ipfsa_tensor_record *r) {
  uint64_t at = p->infos;
  for (const ipfsa_tensor_record *o = p->g->tensors.items; o < r; o++) at += SMALLEST_TENSOR - 1 + o->name_len + 8u * o->rank;
  return at;
}

static ipfsa_status IPFSA_PRINTF(4, 5) fail_tensor(parse *p, const ipfsa_tensor_record *r, ipfsa_status status, const char *format, ...) {
  char why[160];
  uint64_t at = offset_of_tensor(p, r);
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return ipfsa_fail_at(p->err, status, at, "tensor \"%.*s\", byte %llu: %s", (int)r->name_len, (const char *)p->names.data + r->name, (ull)at, why);
}

static ipfsa_status read_name(parse *p, ipfsa_tensor_record *r) {
  uint64_t n = 0;
  ipfsa_bytes name;
  ipfsa_status status = ipfsa_gguf_read_len(&p->w, "the name of a tensor", IPFSA_MAX_GGUF_NAME, &n, p->err);
  if (status == IPFSA_OK) status = ipfsa_window_take(&p->w, n, "the name of a tensor", &name, p->err);
  if (status) return status;
  if (n == 0) return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, ipfsa_window_offset(&p->w), "byte %llu: a tensor without a name", (ull)ipfsa_window_offset(&p->w));
  r->name = (uint32_t)p->names.len;
  r->name_len = (uint16_t)n;
  ipfsa_buf_append_bytes(&p->names, name);
  return ipfsa_buf_status(&p->names, p->err);
}

/* Written fastest first, kept slowest first. */
static ipfsa_status read_dims(parse *p, ipfsa_tensor_record *r, uint64_t *ret_fastest) {
  uint32_t n = 0;
  uint64_t dims[IPFSA_MAX_GGUF_DIMS] = {1}, product = 1;
  ipfsa_status status = ipfsa_window_u32(&p->w, "the number of dimensions", &n, p->err);
  if (status) return status;
  if (n > IPFSA_MAX_GGUF_DIMS) return fail_tensor(p, r, IPFSA_E_LIMIT, "%u dimensions, at most %d are taken", n, IPFSA_MAX_GGUF_DIMS);
  for (uint32_t i = 0; i < n; i++) {
    status = ipfsa_window_u64(&p->w, "a dimension", &dims[i], p->err);
    if (status) return status;
    if (dims[i] > INT64_MAX) return fail_tensor(p, r, IPFSA_E_MALFORMED, "a negative dimension");
    if (__builtin_mul_overflow(product, dims[i], &product) || product > INT64_MAX) return fail_tensor(p, r, IPFSA_E_MALFORMED, "2^63 elements or more");
  }
  r->rank = (uint8_t)n;
  for (uint32_t i = n; status == IPFSA_OK && i-- > 0;) status = ipfsa_tensors_add_dim(&p->g->tensors, dims[i], p->err);
  *ret_fastest = dims[0];
  return status;
}

static ipfsa_status read_place(parse *p, ipfsa_tensor_record *r, uint64_t fastest) {
  uint32_t id = 0;
  uint64_t offset = 0, bits, mask = p->g->alignment - 1;
  ipfsa_status status = ipfsa_window_u32(&p->w, "the type of a tensor", &id, p->err);
  if (status) return status;
  const ipfsa_dtype *type = ipfsa_dtype_gguf(id);
  if (!type) return fail_tensor(p, r, IPFSA_E_MALFORMED, "type %u is unknown or was removed", id);
  r->dtype = (uint8_t)id;
  if (fastest % type->n) return fail_tensor(p, r, IPFSA_E_MALFORMED, "rows of %llu elements are no whole blocks of %s, which have %u", (ull)fastest, type->name, type->n);
  if (!ipfsa_tensors_bits(&p->g->tensors, r, type, &bits)) return fail_tensor(p, r, IPFSA_E_MALFORMED, "2^64 bits or more");
  status = ipfsa_window_u64(&p->w, "the offset of a tensor", &offset, p->err);
  if (status) return status;
  if (offset != p->end) return fail_tensor(p, r, IPFSA_E_MALFORMED, "offset %llu where the tensors before end at %llu", (ull)offset, (ull)p->end);
  r->begin = offset;
  if (__builtin_add_overflow(offset, bits / 8, &r->end) || __builtin_add_overflow(r->end, mask, &p->end)) return fail_tensor(p, r, IPFSA_E_MALFORMED, "it ends past 2^64");
  p->end &= ~mask;
  p->g->is_quantized |= type->n > 1;
  return IPFSA_OK;
}

static ipfsa_status read_tensors(parse *p) {
  ipfsa_status status = IPFSA_OK;
  p->infos = ipfsa_window_offset(&p->w);
  for (uint64_t i = 0; status == IPFSA_OK && i < p->n_tensors; i++) {
    ipfsa_tensor_record *r;
    uint64_t fastest = 1;
    status = ipfsa_tensors_add(&p->g->tensors, &r, p->err);
    if (status == IPFSA_OK) status = read_name(p, r);
    if (status == IPFSA_OK) status = read_dims(p, r, &fastest);
    if (status == IPFSA_OK) status = read_place(p, r, fastest);
  }
  return status;
}

/* ---- the whole ---- */

static ipfsa_status check_data(parse *p) {
  ipfsa_tensors *t = &p->g->tensors;
  uint64_t mask = p->g->alignment - 1, size = p->w.size, end;
  const ipfsa_tensor_record *twice = NULL;
  if (__builtin_add_overflow(ipfsa_window_offset(&p->w), mask, &p->g->data)) return ipfsa_fail(p->err, IPFSA_E_MALFORMED, "the data begin past 2^64");
  p->g->data &= ~mask;
  for (size_t i = 0; i < t->n; i++) {
    const ipfsa_tensor_record *r = &t->items[i];
    if (__builtin_add_overflow(p->g->data, r->end, &end) || end > size)
      return fail_tensor(p, r, IPFSA_E_MALFORMED, "its bytes reach %llu past the end of the file", (ull)(p->g->data + r->end - size));
  }
  ipfsa_status status = ipfsa_tensors_index(t, &twice, p->err);
  if (status == IPFSA_OK && twice) status = fail_tensor(p, twice, IPFSA_E_MALFORMED, "a name that comes twice");
  if (status == IPFSA_OK && p->g->is_split && p->g->split_no >= p->g->split_count)
    status = ipfsa_fail(p->err, IPFSA_E_MALFORMED, "key \"split.no\" is %llu of %llu parts", (ull)p->g->split_no, (ull)p->g->split_count);
  if (status == IPFSA_OK && !p->g->has_architecture && !(p->g->is_split && p->g->split_no))
    status = ipfsa_fail(p->err, IPFSA_E_MALFORMED, "the required key \"general.architecture\" is missing");
  return status;
}

ipfsa_status ipfsa_gguf_parse(ipfsa_source *source, uint64_t size, ipfsa_gguf *ret, ipfsa_pairs *metadata, ipfsa_error *err) {
  ipfsa_error local = {0};
  parse p = {.g = ret, .metadata = metadata, .err = err ? err : &local};
  ipfsa_status status = ipfsa_window_open(source, size, &p.w, p.err);
  if (status == IPFSA_OK) status = read_head(&p);
  if (status == IPFSA_OK) status = read_pairs(&p);
  if (status == IPFSA_OK) status = read_tensors(&p);
  if (status == IPFSA_OK) { /* the names stay where they are; errors still read them from there */
    ret->tensors.text = p.names.data;
    ret->tensors.text_len = p.names.len;
    status = check_data(&p);
    p.names = (ipfsa_buf){0};
  }
  ipfsa_buf_release(&p.names);
  ipfsa_window_release(&p.w);
  if (status == IPFSA_OK) return IPFSA_OK;
  ipfsa_tensors_release(&ret->tensors);
  ipfsa_pairs_release(metadata);
  *ret = (ipfsa_gguf){0};
  return status;
}
