/* Metadata of GGUF. */
#include <stdio.h>

#include "base/error.h"
#include "checkpoint/gguf.h"

#define SHOWN 80          /* bytes of a key in an error */
#define KEPT_TEXT 65536   /* bytes: longer texts are told by their length */

typedef unsigned long long ull; /* for messages */

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64, N_TYPES };
static const struct {
  const char *name;
  uint8_t size; /* bytes; 0: none of its own */
} types[N_TYPES] = {{"u8", 1}, {"i8", 1}, {"u16", 2}, {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4}, {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8}};

typedef struct pair_at {
  ipfsa_window *w;
  ipfsa_buf key;
  ipfsa_error *err;
} pair_at;

static ipfsa_status fail_pair(pair_at *p, ipfsa_status status, const char *why) {
  uint64_t at = ipfsa_window_offset(p->w);
  return ipfsa_fail_at(p->err, status, at, "key \"%.*s\", byte %llu: %s", p->key.len < SHOWN ? (int)p->key.len : SHOWN, (const char *)p->key.data, (ull)at, why);
}

ipfsa_status ipfsa_gguf_read_len(ipfsa_window *w, const char *what, uint64_t max, uint64_t *ret, ipfsa_error *err) {
  uint64_t n = 0;
  ipfsa_status status = ipfsa_window_u64(w, what, &n, err);
  if (status) return status;
  if (n > ipfsa_window_left(w))
    return ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_window_offset(w), "byte %llu: %s takes %llu bytes, the file has %llu more", (ull)ipfsa_window_offset(w), what, (ull)n,
                         (ull)ipfsa_window_left(w));
  if (n > max) return ipfsa_fail_at(err, IPFSA_E_LIMIT, ipfsa_window_offset(w), "byte %llu: %s takes %llu bytes, at most %llu are taken", (ull)ipfsa_window_offset(w), what, (ull)n, (ull)max);
  *ret = n;
  return IPFSA_OK;
}

static uint64_t little_endian(ipfsa_bytes b) {
  uint64_t v = 0;
  for (size_t i = b.len; i-- > 0;) v = v << 8 | b.data[i];
  return v;
}

static void print_scalar(uint32_t type, uint64_t v, char ret[40]) {
  float f;
  double d;
  uint32_t low = (uint32_t)v;
  memcpy(&f, &low, sizeof f);
  memcpy(&d, &v, sizeof d);
  switch (type) {
  case I8: snprintf(ret, 40, "%d", (int)(int8_t)v); return;
  case I16: snprintf(ret, 40, "%d", (int)(int16_t)v); return;
  case I32: snprintf(ret, 40, "%d", (int)(int32_t)v); return;
  case I64: snprintf(ret, 40, "%lld", (long long)v); return;
  case F32: snprintf(ret, 40, "%.9g", (double)f); return;
  case F64: snprintf(ret, 40, "%.17g", d); return;
  case BOOL: snprintf(ret, 40, "%s", v ? "true" : "false"); return;
  default: snprintf(ret, 40, "%llu", (ull)v); return;
  }
}

static bool key_is(const pair_at *p, const char *key) { return ipfsa_bytes_equal(ipfsa_buf_bytes(&p->key), ipfsa_bytes_str(key)); }

/* The keys that say how to read the rest. */
static ipfsa_status note(pair_at *p, ipfsa_gguf *g, uint32_t type, uint64_t v) {
  if (key_is(p, "general.alignment")) {
    if (type != U32 || v == 0 || (v & (v - 1))) return fail_pair(p, IPFSA_E_MALFORMED, "the alignment is no u32 that is a power of two");
    g->alignment = v;
  }
  if (key_is(p, "general.architecture")) {
    if (type != TEXT) return fail_pair(p, IPFSA_E_MALFORMED, "the architecture is no text");
    g->has_architecture = true;
  }
  if (key_is(p, "general.quantization_version")) g->has_quantization = type == U32;
  bool no = key_is(p, "split.no"), count = key_is(p, "split.count"), tensors = key_is(p, "split.tensors.count");
  if ((no || count) && type != U16) return fail_pair(p, IPFSA_E_MALFORMED, "no u16");
  if (tensors && (type != I32 || (int32_t)v < 0)) return fail_pair(p, IPFSA_E_MALFORMED, "no i32 from 0 on");
  if (no) g->split_no = v;
  if (count) g->split_count = v, g->is_split = v > 0; /* merging parts leaves a 0 */
  if (tensors) g->split_tensors = v;
  return IPFSA_OK;
}

static ipfsa_status read_text(pair_at *p, ipfsa_pairs *metadata) {
  uint64_t n = 0;
  char told[64];
  ipfsa_bytes text;
  ipfsa_status status = ipfsa_gguf_read_len(p->w, "a text", IPFSA_MAX_GGUF_TEXT, &n, p->err);
  if (status) return status;
  if (n <= KEPT_TEXT) status = ipfsa_window_take(p->w, n, "a text", &text, p->err);
  else {
    snprintf(told, sizeof told, "[text of %llu bytes]", (ull)n);
    text = ipfsa_bytes_str(told);
    status = ipfsa_window_skip(p->w, n, "a text", p->err);
  }
  return status ? status : ipfsa_pairs_add(metadata, ipfsa_buf_bytes(&p->key), text, p->err);
}

static ipfsa_status skip_items(pair_at *p, uint32_t type, uint64_t n) {
  if (types[type].size) {
    if (n > ipfsa_window_left(p->w) / types[type].size) return fail_pair(p, IPFSA_E_MALFORMED, "the array is longer than the rest of the file");
    return ipfsa_window_skip(p->w, n * types[type].size, "an array", p->err);
  }
  if (n > ipfsa_window_left(p->w) / 8) return fail_pair(p, IPFSA_E_MALFORMED, "the array has more texts than the rest of the file");
  ipfsa_status status = IPFSA_OK;
  for (uint64_t i = 0, len = 0; status == IPFSA_OK && i < n; i++) {
    status = ipfsa_gguf_read_len(p->w, "a text of an array", IPFSA_MAX_GGUF_TEXT, &len, p->err);
    if (status == IPFSA_OK) status = ipfsa_window_skip(p->w, len, "a text of an array", p->err);
  }
  return status;
}

static ipfsa_status read_array(pair_at *p, ipfsa_pairs *metadata) {
  uint32_t type = 0;
  uint64_t n = 0;
  char told[64];
  ipfsa_status status = ipfsa_window_u32(p->w, "the type of an array", &type, p->err);
  if (status == IPFSA_OK) status = ipfsa_window_u64(p->w, "the length of an array", &n, p->err);
  if (status) return status;
  if (type == ARRAY) return fail_pair(p, IPFSA_E_MALFORMED, "arrays in arrays, which the C reader refuses");
  if (type >= N_TYPES) return fail_pair(p, IPFSA_E_MALFORMED, "an array of an unknown type");
  if (n > IPFSA_MAX_GGUF_ITEMS) return fail_pair(p, IPFSA_E_LIMIT, "more than 2^30 items in an array");
  status = skip_items(p, type, n);
  snprintf(told, sizeof told, "[%llu × %s]", (ull)n, types[type].name);
  return status ? status : ipfsa_pairs_add(metadata, ipfsa_buf_bytes(&p->key), ipfsa_bytes_str(told), p->err);
}

static ipfsa_status read_value(pair_at *p, ipfsa_gguf *g, ipfsa_pairs *metadata) {
  uint32_t type = 0;
  char text[40];
  ipfsa_bytes raw;
  ipfsa_status status = ipfsa_window_u32(p->w, "the type of a value", &type, p->err);
  if (status) return status;
  if (type >= N_TYPES) return fail_pair(p, IPFSA_E_MALFORMED, "a value of an unknown type");
  if (type == TEXT || type == ARRAY) {
    status = note(p, g, type, 0);
    if (status) return status;
    return type == TEXT ? read_text(p, metadata) : read_array(p, metadata);
  }
  status = ipfsa_window_take(p->w, types[type].size, "a value", &raw, p->err);
  if (status) return status;
  uint64_t v = little_endian(raw);
  if (type == BOOL && v > 1) return fail_pair(p, IPFSA_E_MALFORMED, "a bool that is neither 0 nor 1");
  print_scalar(type, v, text);
  status = note(p, g, type, v);
  return status ? status : ipfsa_pairs_add(metadata, ipfsa_buf_bytes(&p->key), ipfsa_bytes_str(text), p->err);
}

ipfsa_status ipfsa_gguf_read_pair(ipfsa_window *w, ipfsa_gguf *g, ipfsa_pairs *metadata, ipfsa_error *err) {
  pair_at p = {.w = w, .err = err};
  uint64_t n = 0;
  ipfsa_bytes key;
  ipfsa_status status = ipfsa_gguf_read_len(w, "a key", IPFSA_MAX_GGUF_KEY, &n, err);
  if (status == IPFSA_OK) status = ipfsa_window_take(w, n, "a key", &key, err);
  if (status) return status;
  ipfsa_buf_append_bytes(&p.key, key);
  status = ipfsa_buf_status(&p.key, err);
  if (status == IPFSA_OK && n == 0) status = ipfsa_fail_at(err, IPFSA_E_MALFORMED, ipfsa_window_offset(w), "byte %llu: an empty key", (ull)ipfsa_window_offset(w));
  for (size_t i = 0; status == IPFSA_OK && i < p.key.len; i++)
    if (p.key.data[i] >= 0x80) status = fail_pair(&p, IPFSA_E_MALFORMED, "a key that is not ASCII");
  if (status == IPFSA_OK) status = read_value(&p, g, metadata);
  ipfsa_buf_release(&p.key);
  return status;
}
