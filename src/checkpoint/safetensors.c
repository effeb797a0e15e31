#include "checkpoint/safetensors.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/json_text.h"
#include "ipld/value.h"

#define LENGTH 8 /* bytes before the header */
#define SHOWN 80 /* bytes of a name in an error */

typedef unsigned long long ull; /* for messages */

typedef struct parse {
  ipfsa_json_text text;
  ipfsa_tensors *tensors;
  ipfsa_pairs *metadata;
  bool has_metadata;
  ipfsa_bytes name; /* of the entry at hand */
  ipfsa_error *err;
} parse;

static int shown(size_t len) { return len < SHOWN ? (int)len : SHOWN; }

/* ---- check 5: the form ---- */

static ipfsa_status fail_json(parse *p) {
  uint64_t at = LENGTH + ipfsa_json_text_at(&p->text);
  if (p->name.data)
    return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, at, "invalid JSON in header: tensor \"%.*s\", byte %llu: %s", shown(p->name.len),
                         (const char *)p->name.data, (ull)at, p->text.why);
  return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, at, "invalid JSON in header: byte %llu: %s", (ull)at, p->text.why);
}

static ipfsa_status fail_form(parse *p, const char *why) {
  p->text.why = why;
  return fail_json(p);
}

static ipfsa_status fail_limit(parse *p, const char *what, unsigned most) {
  uint64_t at = LENGTH + ipfsa_json_text_at(&p->text);
  return ipfsa_fail_at(p->err, IPFSA_E_LIMIT, at, "tensor \"%.*s\", byte %llu: %s, at most %u are taken", shown(p->name.len), (const char *)p->name.data,
                       (ull)at, what, most);
}

static ipfsa_status parse_dtype(parse *p, ipfsa_tensor_record *r) {
  ipfsa_bytes name;
  if (!ipfsa_json_text_string(&p->text, &name)) return fail_json(p);
  if (ipfsa_dtype_of_safetensors(name, &r->dtype)) return IPFSA_OK;
  uint64_t at = LENGTH + (uint64_t)(name.data - p->text.data);
  return ipfsa_fail_at(p->err, IPFSA_E_MALFORMED, at, "invalid JSON in header: tensor \"%.*s\", byte %llu: there is no dtype \"%.*s\"", shown(p->name.len),
                       (const char *)p->name.data, (ull)at, shown(name.len), (const char *)name.data);
}

static ipfsa_status parse_shape(parse *p, ipfsa_tensor_record *r) {
  bool failed = false;
  uint64_t dim;
  r->shape = (uint32_t)p->tensors->n_dims;
  if (!ipfsa_json_text_expect(&p->text, '[', "expected a list of dimensions")) return fail_json(p);
  if (ipfsa_json_text_take(&p->text, ']')) return IPFSA_OK;
  do {
    if (!ipfsa_json_text_unsigned(&p->text, &dim)) return fail_json(p);
    if (r->rank == IPFSA_MAX_TENSOR_RANK) return fail_limit(p, "too many dimensions", IPFSA_MAX_TENSOR_RANK);
    ipfsa_status status = ipfsa_tensors_add_dim(p->tensors, dim, p->err);
    if (status) return status;
    r->rank++;
  } while (ipfsa_json_text_more(&p->text, ']', &failed));
  return failed ? fail_json(p) : IPFSA_OK;
}

static ipfsa_status parse_offsets(parse *p, ipfsa_tensor_record *r) {
  ipfsa_json_text *t = &p->text;
  bool ok = ipfsa_json_text_expect(t, '[', "expected the list [BEGIN,END]") && ipfsa_json_text_unsigned(t, &r->begin) &&
            ipfsa_json_text_expect(t, ',', "expected , and the END") && ipfsa_json_text_unsigned(t, &r->end) &&
            ipfsa_json_text_expect(t, ']', "expected ]: a tensor has a BEGIN and an END");
  return ok ? IPFSA_OK : fail_json(p);
}

static ipfsa_status parse_member(parse *p, ipfsa_tensor_record *r, unsigned *seen) {
  enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };
  ipfsa_bytes key;
  if (!ipfsa_json_text_string(&p->text, &key)) return fail_json(p);
  unsigned is = ipfsa_bytes_equal(key, ipfsa_bytes_str("dtype"))          ? DTYPE
                : ipfsa_bytes_equal(key, ipfsa_bytes_str("shape"))        ? SHAPE
                : ipfsa_bytes_equal(key, ipfsa_bytes_str("data_offsets")) ? OFFSETS
                                                                          : 0;
  if (*seen & is) return fail_form(p, is == DTYPE ? "dtype comes twice" : is == SHAPE ? "shape comes twice" : "data_offsets come twice");
  *seen |= is;
  if (!ipfsa_json_text_expect(&p->text, ':', "expected :")) return fail_json(p);
  if (is == DTYPE) return parse_dtype(p, r);
  if (is == SHAPE) return parse_shape(p, r);
  if (is == OFFSETS) return parse_offsets(p, r);
  return ipfsa_json_text_skip(&p->text, IPFSA_MAX_SAFETENSORS_DEPTH - 2) ? IPFSA_OK : fail_json(p);
}

static ipfsa_status parse_tensor(parse *p) {
  ipfsa_tensor_record *r;
  unsigned seen = 0;
  bool failed = false;
  if (p->name.len > IPFSA_MAX_TENSOR_NAME) return fail_limit(p, "a name of too many bytes", IPFSA_MAX_TENSOR_NAME);
  if (!ipfsa_json_text_expect(&p->text, '{', "expected {\"dtype\":…,\"shape\":…,\"data_offsets\":…}")) return fail_json(p);
  ipfsa_status status = ipfsa_tensors_add(p->tensors, &r, p->err);
  if (status) return status;
  r->name = (uint32_t)(p->name.data - p->text.data);
  r->name_len = (uint16_t)p->name.len;
  if (ipfsa_json_text_take(&p->text, '}')) return fail_form(p, "dtype is missing");
  do {
    status = parse_member(p, r, &seen);
    if (status) return status;
  } while (ipfsa_json_text_more(&p->text, '}', &failed));
  if (failed) return fail_json(p);
  return seen == 7 ? IPFSA_OK : fail_form(p, !(seen & 1) ? "dtype is missing" : !(seen & 2) ? "shape is missing" : "data_offsets are missing");
}

static ipfsa_status parse_metadata(parse *p) {
  bool failed = false;
  if (p->has_metadata) return fail_form(p, "__metadata__ comes twice");
  p->has_metadata = true;
  p->name = (ipfsa_bytes){0};
  if (ipfsa_json_text_null(&p->text)) return IPFSA_OK; /* the reference reader takes it */
  if (!ipfsa_json_text_expect(&p->text, '{', "expected {\"key\":\"text\"} after __metadata__")) return fail_json(p);
  if (ipfsa_json_text_take(&p->text, '}')) return IPFSA_OK;
  do {
    ipfsa_bytes key, value;
    bool ok = ipfsa_json_text_string(&p->text, &key) && ipfsa_json_text_expect(&p->text, ':', "expected :") && ipfsa_json_text_string(&p->text, &value);
    if (!ok) return fail_json(p);
    ipfsa_status status = ipfsa_pairs_add(p->metadata, key, value, p->err);
    if (status) return status;
  } while (ipfsa_json_text_more(&p->text, '}', &failed));
  return failed ? fail_json(p) : IPFSA_OK;
}

static ipfsa_status parse_entry(parse *p) {
  ipfsa_bytes name;
  p->name = (ipfsa_bytes){0};
  if (!ipfsa_json_text_string(&p->text, &name)) return fail_json(p);
  p->name = name;
  if (!ipfsa_json_text_expect(&p->text, ':', "expected :")) return fail_json(p);
  return ipfsa_bytes_equal(name, ipfsa_bytes_str("__metadata__")) ? parse_metadata(p) : parse_tensor(p);
}

static ipfsa_status parse_header(parse *p) {
  bool failed = false;
  if (!ipfsa_json_text_expect(&p->text, '{', "expected {")) return fail_json(p);
  bool empty = ipfsa_json_text_take(&p->text, '}');
  ipfsa_status status = IPFSA_OK;
  if (!empty) do status = parse_entry(p);
    while (status == IPFSA_OK && ipfsa_json_text_more(&p->text, '}', &failed));
  if (status) return status;
  p->name = (ipfsa_bytes){0};
  if (failed) return fail_json(p);
  (void)ipfsa_json_text_next(&p->text);
  return ipfsa_cursor_left(&p->text.c) == 0 ? IPFSA_OK : fail_form(p, "something stands after the object");
}

/* ---- checks 6 to 10: the bytes ---- */

static ipfsa_status IPFSA_PRINTF(4, 5) fail_tensor(const ipfsa_tensors *t, const ipfsa_tensor_record *r, ipfsa_error *err, const char *format, ...) {
  char why[160];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return ipfsa_fail_at(err, IPFSA_E_MALFORMED, LENGTH + r->name, "tensor \"%.*s\", byte %llu: %s", shown(r->name_len), (const char *)t->text + r->name,
                       (ull)(LENGTH + r->name), why);
}

static ipfsa_status check_bytes(const ipfsa_tensors *t, uint64_t data_len, ipfsa_error *err) {
  uint64_t at = 0;
  for (size_t i = 0; i < t->n; i++) {
    const ipfsa_tensor_record *r = &t->items[i];
    uint64_t bits;
    if (r->begin != at) return fail_tensor(t, r, err, "invalid offset: it begins at %llu of the data where the one before ends at %llu", (ull)r->begin, (ull)at);
    if (r->end < r->begin) return fail_tensor(t, r, err, "invalid offset: it begins at %llu of the data and ends at %llu", (ull)r->begin, (ull)r->end);
    if (!ipfsa_tensors_bits(t, r, ipfsa_dtype_safetensors(r->dtype), &bits))
      return fail_tensor(t, r, err, "overflow computing its size from shape and dtype: 2^64 bits or more");
    if (bits % 8) return fail_tensor(t, r, err, "misaligned: its %llu bits fill no whole bytes", (ull)bits);
    if (r->end - r->begin != bits / 8) return fail_tensor(t, r, err, "its data_offsets span %llu bytes where shape and dtype ask for %llu",
                         (ull)(r->end - r->begin), (ull)(bits / 8));
    at = r->end;
  }
  if (at == data_len) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_MALFORMED, "incomplete metadata, file not fully covered: the tensors need %llu bytes of data, the file has %llu",
                    (ull)at, (ull)data_len);
}

static ipfsa_status parse_all(ipfsa_tensors *t, ipfsa_pairs *metadata, uint64_t data_len, ipfsa_error *err) {
  parse p = {.text = ipfsa_json_text_over(t->text, t->text_len), .tensors = t, .metadata = metadata, .err = err};
  const ipfsa_tensor_record *twice = NULL;
  size_t good = ipfsa_utf8_len(ipfsa_bytes_of(t->text, t->text_len));
  if (good < t->text_len) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, LENGTH + good, "invalid UTF-8 in header: byte %zu", LENGTH + good);
  ipfsa_status status = parse_header(&p);
  if (status) return status;
  ipfsa_tensors_sort(t);
  status = ipfsa_tensors_index(t, &twice, err);
  if (status == IPFSA_OK && twice) return fail_tensor(t, twice, err, "a name that comes twice");
  return status ? status : check_bytes(t, data_len, err);
}

static ipfsa_status read_header(ipfsa_source *source, uint64_t size, ipfsa_tensors *t, ipfsa_error *err) {
  uint8_t head[LENGTH];
  uint64_t n = 0;
  if (size < LENGTH) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, 0, "header too small: %llu bytes where its length alone takes 8", (ull)size);
  ipfsa_status status = source->read_at(source, head, sizeof head, 0, err);
  if (status) return status;
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(head, sizeof head));
  (void)ipfsa_cursor_u64le(&c, &n);
  if (n > IPFSA_MAX_SAFETENSORS_HEADER)
    return ipfsa_fail_at(err, IPFSA_E_LIMIT, 0, "header too large: %llu bytes by bytes 0 to 7, at most %d are taken", (ull)n, IPFSA_MAX_SAFETENSORS_HEADER);
  if (n > size - LENGTH)
    return ipfsa_fail_at(err, IPFSA_E_MALFORMED, 0, "invalid header length: %llu bytes by bytes 0 to 7, only %llu follow", (ull)n, (ull)(size - LENGTH));
  t->text = ipfsa_malloc(n ? (size_t)n : 1);
  if (!t->text) return ipfsa_fail_nomem(err);
  t->text_len = (size_t)n;
  return source->read_at(source, t->text, t->text_len, LENGTH, err);
}

ipfsa_status ipfsa_safetensors_parse(ipfsa_source *source, uint64_t size, ipfsa_tensors *ret, uint64_t *ret_data, ipfsa_pairs *metadata,
                                     ipfsa_error *err) {
  ipfsa_status status = read_header(source, size, ret, err);
  if (status == IPFSA_OK) status = parse_all(ret, metadata, size - LENGTH - ret->text_len, err);
  if (status == IPFSA_OK) {
    *ret_data = LENGTH + ret->text_len;
    return IPFSA_OK;
  }
  ipfsa_tensors_release(ret);
  ipfsa_pairs_release(metadata);
  return status;
}
