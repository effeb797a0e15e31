/* Checkpoints of several files: those that an index names, and the numbered parts of GGUF. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/json_text.h"
#include "ipld/value.h"

#define MAX_INDEX 100000000 /* bytes: as large as a header may be, which names the same tensors */
#define MAX_DEPTH 4         /* of what is passed over */
#define SHOWN 80            /* bytes of a name in an error */

typedef unsigned long long ull; /* for messages */

/* ---- the index ---- */

/* Names of tensors; begin and end are where the name of the file stands in the text, later begin is its number; rank 1: stood beside, not in, a map. */
typedef struct index_file {
  ipfsa_json_text text;
  ipfsa_tensors map;
  bool has_map, has_total;
  uint64_t total;
  ipfsa_bytes files[IPFSA_MAX_SHARDS]; /* sorted, each once */
  size_t n_files;
  ipfsa_pairs *metadata;
  ipfsa_error *err;
} index_file;

static ipfsa_status fail_json(index_file *x) {
  uint64_t at = ipfsa_json_text_at(&x->text);
  return ipfsa_fail_at(x->err, IPFSA_E_MALFORMED, at, "invalid JSON, byte %llu: %s", (ull)at, x->text.why);
}

static ipfsa_status add_entry(index_file *x, ipfsa_bytes key, bool beside) {
  ipfsa_bytes value;
  ipfsa_tensor_record *r;
  if (!ipfsa_json_text_string(&x->text, &value)) return fail_json(x);
  if (key.len > IPFSA_MAX_TENSOR_NAME) return ipfsa_fail_at(x->err, IPFSA_E_LIMIT, ipfsa_json_text_at(&x->text), "byte %zu: before it a name of %zu bytes, at most %d are taken", ipfsa_json_text_at(&x->text), key.len, IPFSA_MAX_TENSOR_NAME);
  ipfsa_status status = ipfsa_tensors_add(&x->map, &r, x->err);
  if (status) return status;
  r->name = (uint32_t)(key.data - x->text.data);
  r->name_len = (uint16_t)key.len;
  r->begin = (uint64_t)(value.data - x->text.data);
  r->end = r->begin + value.len;
  r->rank = beside;
  return IPFSA_OK;
}

static ipfsa_status read_map(index_file *x) {
  bool failed = false;
  ipfsa_bytes key;
  if (x->has_map) return x->text.why = "weight_map comes twice", fail_json(x);
  x->has_map = true;
  if (!ipfsa_json_text_expect(&x->text, '{', "expected {\"tensor\":\"file\"}")) return fail_json(x);
  if (ipfsa_json_text_take(&x->text, '}')) return IPFSA_OK;
  do {
    if (!ipfsa_json_text_string(&x->text, &key) || !ipfsa_json_text_expect(&x->text, ':', "expected :")) return fail_json(x);
    ipfsa_status status = add_entry(x, key, false);
    if (status) return status;
  } while (ipfsa_json_text_more(&x->text, '}', &failed));
  return failed ? fail_json(x) : IPFSA_OK;
}

/* total_size, and texts; what else is there is passed over. */
static ipfsa_status read_metadata(index_file *x) {
  bool failed = false;
  ipfsa_bytes key, value;
  if (!ipfsa_json_text_expect(&x->text, '{', "expected {")) return fail_json(x);
  if (ipfsa_json_text_take(&x->text, '}')) return IPFSA_OK;
  do {
    if (!ipfsa_json_text_string(&x->text, &key) || !ipfsa_json_text_expect(&x->text, ':', "expected :")) return fail_json(x);
    ipfsa_json_text before = x->text;
    if (ipfsa_bytes_equal(key, ipfsa_bytes_str("total_size")) && ipfsa_json_text_unsigned(&x->text, &x->total)) x->has_total = true;
    else if (x->text = before, ipfsa_json_text_next(&x->text) == '"') {
      if (!ipfsa_json_text_string(&x->text, &value)) return fail_json(x);
      ipfsa_status status = ipfsa_pairs_add(x->metadata, key, value, x->err);
      if (status) return status;
    } else if (!ipfsa_json_text_skip(&x->text, MAX_DEPTH)) return fail_json(x);
  } while (ipfsa_json_text_more(&x->text, '}', &failed));
  return failed ? fail_json(x) : IPFSA_OK;
}

static ipfsa_status read_top(index_file *x) {
  bool failed = false;
  ipfsa_bytes key;
  if (!ipfsa_json_text_expect(&x->text, '{', "expected {")) return fail_json(x);
  if (ipfsa_json_text_take(&x->text, '}')) return IPFSA_OK;
  do {
    if (!ipfsa_json_text_string(&x->text, &key) || !ipfsa_json_text_expect(&x->text, ':', "expected :")) return fail_json(x);
    uint8_t first = ipfsa_json_text_next(&x->text);
    ipfsa_status status = IPFSA_OK;
    if (ipfsa_bytes_equal(key, ipfsa_bytes_str("weight_map"))) status = read_map(x);
    else if (ipfsa_bytes_equal(key, ipfsa_bytes_str("metadata")) && first == '{') status = read_metadata(x);
    else if (first == '"') status = add_entry(x, key, true);
    else if (!ipfsa_json_text_skip(&x->text, MAX_DEPTH)) status = fail_json(x);
    if (status) return status;
  } while (ipfsa_json_text_more(&x->text, '}', &failed));
  if (failed) return fail_json(x);
  (void)ipfsa_json_text_next(&x->text);
  if (ipfsa_cursor_left(&x->text.c)) return x->text.why = "something stands after the object", fail_json(x);
  return IPFSA_OK;
}

/* ---- its files ---- */

static ipfsa_bytes file_of(const index_file *x, const ipfsa_tensor_record *r) { return ipfsa_bytes_of(x->text.data + r->begin, (size_t)(r->end - r->begin)); }

/* Where a name is among the files, or belongs. */
static size_t place_of(const index_file *x, ipfsa_bytes name) {
  size_t low = 0, high = x->n_files;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (ipfsa_bytes_compare(x->files[mid], name) < 0) low = mid + 1;
    else high = mid;
  }
  return low;
}

static bool is_file_name(ipfsa_bytes n) {
  if (n.len == 0 || n.len > IPFSA_MAX_SHARD_NAME) return false;
  if (memchr(n.data, '/', n.len) || memchr(n.data, '\\', n.len) || memchr(n.data, 0, n.len)) return false;
  return !ipfsa_bytes_equal(n, ipfsa_bytes_str(".")) && !ipfsa_bytes_equal(n, ipfsa_bytes_str(".."));
}

/* What is wrong with one tensor of it, and where it stands there. */
static ipfsa_status IPFSA_PRINTF(3, 4) fail_entry(const index_file *x, const ipfsa_tensor_record *r, const char *format, ...) {
  char why[2 * IPFSA_MAX_SHARD_NAME + 100];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return ipfsa_fail_at(x->err, IPFSA_E_MALFORMED, r->name, "tensor \"%.*s\", byte %u: %s", r->name_len < SHOWN ? (int)r->name_len : SHOWN, (const char *)x->map.text + r->name, (unsigned)r->name, why);
}

static ipfsa_status collect_files(index_file *x) {
  ipfsa_tensors *map = &x->map;
  size_t n = 0;
  for (size_t i = 0; i < map->n; i++)
    if (!x->has_map || !map->items[i].rank) map->items[n++] = map->items[i];
  map->n = n;
  for (size_t i = 0; i < n; i++) {
    ipfsa_bytes name = file_of(x, &map->items[i]);
    if (!is_file_name(name)) return fail_entry(x, &map->items[i], "\"%.*s\" is no name of a file in the same folder", name.len < SHOWN ? (int)name.len : SHOWN, (const char *)name.data);
    size_t at = place_of(x, name);
    if (at < x->n_files && ipfsa_bytes_equal(x->files[at], name)) continue;
    if (x->n_files == IPFSA_MAX_SHARDS) return ipfsa_fail(x->err, IPFSA_E_LIMIT, "more than %d files", IPFSA_MAX_SHARDS);
    memmove(x->files + at + 1, x->files + at, (x->n_files++ - at) * sizeof *x->files);
    x->files[at] = name;
  }
  for (size_t i = 0; i < n; i++) map->items[i].begin = place_of(x, file_of(x, &map->items[i]));
  if (n == 0) return ipfsa_fail(x->err, IPFSA_E_MALFORMED, "it names no tensors: expected {\"weight_map\":{\"tensor\":\"file\"}}");
  const ipfsa_tensor_record *twice = NULL;
  ipfsa_status status = ipfsa_tensors_index(map, &twice, x->err);
  if (status || !twice) return status;
  return fail_entry(x, twice, "a name that comes twice");
}

/* is: the file that has it, "" = none. */
static ipfsa_status fail_place(const index_file *x, const ipfsa_tensor_record *r, const char *is) {
  ipfsa_bytes said = x->files[r->begin];
  return fail_entry(x, r, "it is %s%s, and the index says %.*s", *is ? "in " : "not there", is, (int)said.len, (const char *)said.data);
}

/* Every tensor is where the index says; one that is in no map is told. */
static ipfsa_status check_map(index_file *x, ipfsa_checkpoint *cp) {
  uint64_t n_unnamed = 0, n_found = 0, bytes = 0;
  for (size_t i = 0; i < cp->n_shards; i++) {
    const ipfsa_tensors *t = &cp->shards[i].tensors;
    for (size_t k = 0; k < t->n; k++) {
      ipfsa_bytes name = ipfsa_tensors_name(t, &t->items[k]);
      const ipfsa_tensor_record *r = ipfsa_tensors_find(&x->map, name);
      bytes += t->items[k].end - t->items[k].begin;
      n_found += r != NULL;
      n_unnamed += r == NULL;
      if (r && r->begin != i) return fail_place(x, r, cp->shards[i].name);
    }
  }
  for (size_t i = 0; n_found < x->map.n && i < x->map.n; i++) {
    const ipfsa_tensor_record *r = &x->map.items[i];
    if (!ipfsa_tensors_find(&cp->shards[r->begin].tensors, ipfsa_tensors_name(&x->map, r))) return fail_place(x, r, "");
  }
  ipfsa_status status = IPFSA_OK;
  if (n_unnamed) status = ipfsa_checkpoint_warn(cp, x->err, "%llu tensors of the files are not in the index", (ull)n_unnamed);
  if (status == IPFSA_OK && x->has_total && x->total != bytes)
    status = ipfsa_checkpoint_warn(cp, x->err, "the index says %llu bytes of tensors, the files have %llu", (ull)x->total, (ull)bytes);
  return status;
}

static ipfsa_status open_files(ipfsa_checkpoint_place *place, index_file *x, ipfsa_checkpoint *cp) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; status == IPFSA_OK && i < x->n_files; i++) {
    char name[IPFSA_MAX_SHARD_NAME + 1];
    snprintf(name, sizeof name, "%.*s", (int)x->files[i].len, (const char *)x->files[i].data);
    status = ipfsa_checkpoint_open_shard(place, cp, name, x->err);
  }
  if (status) return ipfsa_error_prefix(x->err, status, "a file that the index names");
  if (cp->format == IPFSA_CHECKPOINT_SAFETENSORS) return check_map(x, cp);
  return ipfsa_checkpoint_warn(cp, x->err, "which tensors are in which file only their pickles know, and those are not run");
}

static ipfsa_status read_index(ipfsa_source *source, ipfsa_tensors *map, ipfsa_error *err) {
  uint64_t n = source->size_hint;
  if (n > MAX_INDEX) return ipfsa_fail(err, IPFSA_E_LIMIT, "an index of %llu bytes, at most %d are taken", (ull)n, MAX_INDEX);
  map->text = ipfsa_malloc(n ? (size_t)n : 1);
  if (!map->text) return ipfsa_fail_nomem(err);
  map->text_len = (size_t)n;
  ipfsa_status status = n ? source->read_at(source, map->text, map->text_len, 0, err) : IPFSA_OK;
  if (status) return status;
  size_t good = ipfsa_utf8_len(ipfsa_bytes_of(map->text, map->text_len));
  return good < map->text_len ? ipfsa_fail_at(err, IPFSA_E_MALFORMED, good, "invalid UTF-8, byte %zu", good) : IPFSA_OK;
}

ipfsa_status ipfsa_checkpoint_load_index(ipfsa_checkpoint_place *place, const char *name, ipfsa_checkpoint *cp, ipfsa_error *err) {
  ipfsa_source *source = NULL;
  index_file *x = ipfsa_calloc(1, sizeof *x);
  if (!x) return ipfsa_fail_nomem(err);
  ipfsa_pairs metadata = {0};
  x->err = err;
  x->metadata = &metadata;
  ipfsa_status status = place->open(place, name, &source, err);
  if (status == IPFSA_OK) {
    status = read_index(source, &x->map, err);
    x->text = ipfsa_json_text_over(x->map.text, x->map.text_len);
    if (status == IPFSA_OK) status = read_top(x);
    if (status == IPFSA_OK) status = collect_files(x);
    if (status == IPFSA_OK) status = open_files(place, x, cp);
    if (status) status = ipfsa_error_prefix(err, status, "%s", name);
  }
  for (size_t i = 0; status == IPFSA_OK && i < metadata.n; i++)
    status = ipfsa_pairs_add(&cp->metadata, ipfsa_pairs_key(&metadata, i), ipfsa_bytes_of(metadata.text.data + metadata.items[i].value, metadata.items[i].value_len), err);
  ipfsa_source_close(source);
  ipfsa_pairs_release(&metadata);
  ipfsa_tensors_release(&x->map);
  ipfsa_free(x);
  return status;
}

/* ---- parts of GGUF ---- */

bool ipfsa_gguf_part_name(const char *name, size_t *ret_prefix, unsigned *ret_no, unsigned *ret_count) {
  static const char form[] = "-00000-of-00000.gguf"; /* 0: a digit */
  size_t n = strlen(name), m = sizeof form - 1;
  if (n <= m) return false;
  const char *tail = name + n - m;
  for (size_t i = 0; i < m; i++)
    if (form[i] == '0' ? tail[i] < '0' || tail[i] > '9' : tail[i] != form[i]) return false;
  *ret_prefix = n - m;
  *ret_no = (unsigned)strtoul(tail + 1, NULL, 10);
  *ret_count = (unsigned)strtoul(tail + 10, NULL, 10);
  return true;
}

static ipfsa_status check_part(const ipfsa_checkpoint *cp, size_t i, uint64_t count, uint64_t tensors, ipfsa_error *err) {
  const ipfsa_shard *s = &cp->shards[i];
  if (!s->is_split || s->split_count != count)
    return ipfsa_fail(err, IPFSA_E_MALFORMED, "%s is a part of another set: split.count is %llu, not %llu", s->name, (ull)s->split_count, (ull)count);
  if (s->split_no != i) return ipfsa_fail(err, IPFSA_E_MALFORMED, "%s is part %llu by its split.no, not %zu (from 0)", s->name, (ull)s->split_no, i);
  if (s->split_tensors != tensors)
    return ipfsa_fail(err, IPFSA_E_MALFORMED, "%s is a part of another set: split.tensors.count is %llu, not %llu", s->name, (ull)s->split_tensors, (ull)tensors);
  return IPFSA_OK;
}

static ipfsa_status check_parts(const ipfsa_checkpoint *cp, uint64_t count, uint64_t tensors, ipfsa_error *err) {
  uint64_t n = 0;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; status == IPFSA_OK && i < cp->n_shards; i++) {
    status = check_part(cp, i, count, tensors, err);
    n += cp->shards[i].tensors.n;
  }
  if (status || n == tensors) return status;
  return ipfsa_fail(err, IPFSA_E_MALFORMED, "the parts have %llu tensors, split.tensors.count says %llu", (ull)n, (ull)tensors);
}

/* The part that was given is opened; the set is opened anew from its first, which has the metadata. */
ipfsa_status ipfsa_checkpoint_load_parts(ipfsa_checkpoint_place *place, ipfsa_checkpoint *cp, ipfsa_error *err) {
  const ipfsa_shard *given = &cp->shards[0];
  char prefix[IPFSA_MAX_SHARD_NAME + 1], name[IPFSA_MAX_SHARD_NAME + 32];
  size_t prefix_len;
  unsigned no, count;
  uint64_t tensors = given->split_tensors;
  if (!ipfsa_gguf_part_name(given->name, &prefix_len, &no, &count))
    return ipfsa_fail(err, IPFSA_E_INVALID, "%s is a part of a set of %llu: its name must end as in -00001-of-%05llu.gguf, in a folder with the others",
                      *given->name ? given->name : "the file", (ull)given->split_count, (ull)given->split_count);
  if (count != given->split_count || no != given->split_no + 1)
    return ipfsa_fail(err, IPFSA_E_MALFORMED, "%s is part %llu of %llu by its keys", given->name, (ull)(given->split_no + 1), (ull)given->split_count);
  if (count > IPFSA_MAX_SHARDS) return ipfsa_fail(err, IPFSA_E_LIMIT, "%u parts, at most %d are taken", count, IPFSA_MAX_SHARDS);
  if (prefix_len > IPFSA_MAX_SHARD_NAME) return ipfsa_fail(err, IPFSA_E_LIMIT, "a name of more than %d bytes", IPFSA_MAX_SHARD_NAME);
  snprintf(prefix, sizeof prefix, "%.*s", (int)prefix_len, given->name);
  ipfsa_checkpoint_clear(cp);
  ipfsa_status status = IPFSA_OK;
  for (unsigned i = 1; status == IPFSA_OK && i <= count; i++) {
    snprintf(name, sizeof name, "%s-%05u-of-%05u.gguf", prefix, i, count);
    status = ipfsa_checkpoint_open_shard(place, cp, name, err);
  }
  return status ? status : check_parts(cp, count, tensors, err);
}
