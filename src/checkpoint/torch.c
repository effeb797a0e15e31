#include "checkpoint/torch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "checkpoint/window.h"

#define END 22          /* bytes of the end record, without its comment */
#define MAX_COMMENT 65535
#define LOCATOR 20
#define END64 56
#define CENTRAL 46
#define LOCAL 30
#define SHOWN 80 /* bytes of a name in an error */

typedef unsigned long long ull; /* for messages */

typedef struct member {
  ipfsa_bytes name;
  uint16_t flags;
  uint32_t crc;
  uint64_t size, header; /* bytes of the data; where the local header stands */
} member;

typedef struct zip {
  ipfsa_source *source;
  uint64_t size, n, directory, directory_len;
  ipfsa_tensors *tensors;
  ipfsa_buf names, top, local; /* top: the one folder, with its slash; local: the header of the member at hand, with its name */
  ipfsa_member *regions;
  size_t n_regions, cap;
  bool has_pickle;
  ipfsa_error *err;
} zip;

static uint64_t le(const uint8_t *p, size_t n) {
  uint64_t v = 0;
  while (n-- > 0) v = v << 8 | p[n];
  return v;
}

static ipfsa_status fail_zip(zip *z, uint64_t at, const char *why) {
  return ipfsa_fail_at(z->err, IPFSA_E_MALFORMED, at, "byte %llu: %s", (ull)at, why);
}

static ipfsa_status fail_member(zip *z, const member *m, ipfsa_status status, const char *why) {
  return ipfsa_fail_at(z->err, status, m->header, "member \"%.*s\", byte %llu: %s", m->name.len < SHOWN ? (int)m->name.len : SHOWN, (const char *)m->name.data, (ull)m->header, why);
}

/* ---- where the directory is ---- */

/* The locator stands before the end record and is written always by torch; others leave it out. */
static ipfsa_status read_end64(zip *z, uint64_t end_at, const uint8_t *end) {
  uint8_t locator[LOCATOR], end64[END64];
  z->n = le(end + 10, 2);
  z->directory_len = le(end + 12, 4);
  z->directory = le(end + 16, 4);
  if (end_at < LOCATOR) return IPFSA_OK;
  ipfsa_status status = z->source->read_at(z->source, locator, LOCATOR, end_at - LOCATOR, z->err);
  if (status || memcmp(locator, "PK\6\7", 4) != 0) return status;
  uint64_t at = le(locator + 8, 8), limit = end_at - LOCATOR;
  if (limit < END64 || at > limit - END64) return fail_zip(z, limit, "the ZIP64 locator points past itself");
  status = z->source->read_at(z->source, end64, END64, at, z->err);
  if (status) return status;
  if (memcmp(end64, "PK\6\6", 4) != 0) return fail_zip(z, at, "no ZIP64 end record where the locator points");
  uint64_t n = le(end64 + 32, 8), len = le(end64 + 40, 8), off = le(end64 + 48, 8);
  if ((z->n != 0xffff && z->n != n) || (z->directory_len != 0xffffffff && z->directory_len != len) || (z->directory != 0xffffffff && z->directory != off))
    return fail_zip(z, at, "the ZIP64 end record and the end record differ");
  z->n = n;
  z->directory_len = len;
  z->directory = off;
  return at < off + len && off + len >= off ? fail_zip(z, at, "the central directory reaches into the end record") : IPFSA_OK;
}

static ipfsa_status find_directory(zip *z) {
  size_t len = z->size < END + MAX_COMMENT ? (size_t)z->size : END + MAX_COMMENT;
  uint64_t from = z->size - len;
  IPFSA_AUTO_FREE uint8_t *tail = ipfsa_malloc(len + 1);
  if (!tail) return ipfsa_fail_nomem(z->err);
  ipfsa_status status = z->source->read_at(z->source, tail, len, from, z->err);
  if (status) return status;
  for (size_t i = len < END ? 0 : len - END + 1; i-- > 0;) {
    if (memcmp(tail + i, "PK\5\6", 4) != 0 || le(tail + i + 20, 2) != len - i - END) continue;
    status = read_end64(z, from + i, tail + i);
    if (status) return status;
    if (z->directory > from + i || z->directory_len > from + i - z->directory) return fail_zip(z, from + i, "the central directory reaches past the end record");
    if (z->directory_len > IPFSA_MAX_ZIP_DIRECTORY) return ipfsa_fail(z->err, IPFSA_E_LIMIT, "a central directory of %llu bytes, at most %u are taken", (ull)z->directory_len, IPFSA_MAX_ZIP_DIRECTORY);
    if (z->n > IPFSA_MAX_ZIP_MEMBERS) return ipfsa_fail(z->err, IPFSA_E_LIMIT, "%llu members, at most %d are taken", (ull)z->n, IPFSA_MAX_ZIP_MEMBERS);
    return IPFSA_OK;
  }
  return fail_zip(z, z->size, "the file ends without the end record of a zip");
}

/* ---- members ---- */

/* The ZIP64 field holds, in this order, only what did not fit into 32 bits. */
static bool widen(ipfsa_bytes extra, uint64_t *size, uint64_t *packed, uint64_t *header) {
  uint64_t *const wide[] = {size, packed, header};
  while (extra.len >= 4) {
    size_t id = le(extra.data, 2), len = le(extra.data + 2, 2), at = 0;
    if (len > extra.len - 4) return false;
    for (size_t i = 0; id == 1 && i < 3; i++) {
      if (*wide[i] != 0xffffffff) continue;
      if (len - at < 8) return false;
      *wide[i] = le(extra.data + 4 + at, 8);
      at += 8;
    }
    extra = ipfsa_bytes_of(extra.data + 4 + len, extra.len - 4 - len);
  }
  return *size != 0xffffffff && *packed != 0xffffffff && *header != 0xffffffff;
}

static ipfsa_status check_name(zip *z, const member *m) {
  const uint8_t *slash = m->name.len ? memchr(m->name.data, '/', m->name.len) : NULL;
  if (!slash || slash == m->name.data || memchr(m->name.data, 0, m->name.len) || memchr(m->name.data, '\\', m->name.len) || memmem(m->name.data, m->name.len, "..", 2))
    return fail_member(z, m, IPFSA_E_MALFORMED, "a name that is not inside one folder");
  size_t top = (size_t)(slash - m->name.data) + 1;
  if (z->top.len == 0) ipfsa_buf_append(&z->top, m->name.data, top);
  if (z->top.failed) return ipfsa_buf_status(&z->top, z->err);
  if (z->top.len != top || memcmp(z->top.data, m->name.data, top) != 0) return fail_member(z, m, IPFSA_E_MALFORMED, "a name in another folder than the first member's");
  ipfsa_bytes rest = ipfsa_bytes_of(m->name.data + top, m->name.len - top);
  if ((rest.len >= 5 && memcmp(rest.data, "code/", 5) == 0) || ipfsa_bytes_equal(rest, ipfsa_bytes_str("constants.pkl")))
    return fail_member(z, m, IPFSA_E_NOT_SUPPORTED, "a TorchScript archive, which holds a program and is no checkpoint");
  bool is_pickle = ipfsa_bytes_equal(rest, ipfsa_bytes_str("data.pkl"));
  if (is_pickle && z->has_pickle) return fail_member(z, m, IPFSA_E_MALFORMED, "a name that comes twice: readers do not agree which of them is meant");
  z->has_pickle |= is_pickle;
  return IPFSA_OK;
}

/* A local header that has sizes (bit 3 off), of which those past 32 bits stand in its extra field. */
static ipfsa_status check_local_size(zip *z, const member *m, const uint8_t *head) {
  uint64_t packed = le(head + 18, 4), size = le(head + 22, 4), none = 0;
  size_t len = size == 0xffffffff || packed == 0xffffffff ? le(head + 28, 2) : 0;
  IPFSA_AUTO_FREE uint8_t *extra = ipfsa_malloc(len + 1);
  if (!extra) return ipfsa_fail_nomem(z->err);
  ipfsa_status status = len ? z->source->read_at(z->source, extra, len, m->header + LOCAL + m->name.len, z->err) : IPFSA_OK;
  if (status) return status;
  if (!widen(ipfsa_bytes_of(extra, len), &size, &packed, &none) || size != m->size || packed != m->size)
    return fail_member(z, m, IPFSA_E_MALFORMED, "its local header has another size");
  return le(head + 14, 4) == m->crc ? IPFSA_OK : fail_member(z, m, IPFSA_E_MALFORMED, "its local header has another CRC-32");
}

/* Sizes come from the directory alone; a local header that has some must agree, as its name must: there are readers that go by either. */
static ipfsa_status check_local(zip *z, const member *m, uint64_t *ret_begin) {
  size_t len = LOCAL + m->name.len;
  if (m->header > z->directory || z->directory - m->header < len) return fail_member(z, m, IPFSA_E_MALFORMED, "its local header reaches past the members");
  ipfsa_buf_clear(&z->local);
  if (!ipfsa_buf_reserve(&z->local, len)) return ipfsa_fail_nomem(z->err);
  const uint8_t *head = z->local.data;
  ipfsa_status status = z->source->read_at(z->source, z->local.data, len, m->header, z->err);
  if (status) return status;
  if (memcmp(head, "PK\3\4", 4) != 0) return fail_member(z, m, IPFSA_E_MALFORMED, "no local header where the directory points");
  if (le(head + 8, 2) != 0) return fail_member(z, m, IPFSA_E_MALFORMED, "its local header says compressed");
  if (le(head + 26, 2) != m->name.len || memcmp(head + LOCAL, m->name.data, m->name.len) != 0) return fail_member(z, m, IPFSA_E_MALFORMED, "its local header has another name");
  uint64_t begin = m->header + len + le(head + 28, 2);
  if (begin > z->directory || m->size > z->directory - begin) return fail_member(z, m, IPFSA_E_MALFORMED, "its data reach past the members");
  *ret_begin = begin;
  return le(head + 6, 2) & 8 ? IPFSA_OK : check_local_size(z, m, head);
}

static ipfsa_status add_storage(zip *z, const member *m, uint64_t begin) {
  ipfsa_bytes rest = ipfsa_bytes_of(m->name.data + z->top.len, m->name.len - z->top.len);
  ipfsa_tensor_record *r;
  if (rest.len <= 5 || memcmp(rest.data, "data/", 5) != 0) return IPFSA_OK;
  if (rest.len > IPFSA_MAX_TENSOR_NAME) return fail_member(z, m, IPFSA_E_LIMIT, "a name of more than 4096 bytes");
  ipfsa_status status = ipfsa_tensors_add(z->tensors, &r, z->err);
  if (status == IPFSA_OK) status = ipfsa_tensors_add_dim(z->tensors, m->size, z->err);
  if (status) return status;
  r->name = (uint32_t)z->names.len;
  r->name_len = (uint16_t)rest.len;
  r->rank = 1;
  r->begin = begin;
  r->end = begin + m->size;
  ipfsa_buf_append_bytes(&z->names, rest);
  return ipfsa_buf_status(&z->names, z->err);
}

static ipfsa_status take_member(zip *z, const member *m) {
  uint64_t begin = 0;
  ipfsa_status status = check_local(z, m, &begin);
  if (status == IPFSA_OK) status = add_storage(z, m, begin);
  if (status) return status;
  if (!ipfsa_grow((void **)&z->regions, &z->cap, z->n_regions + 1, sizeof *z->regions)) return ipfsa_fail_nomem(z->err);
  z->regions[z->n_regions++] = (ipfsa_member){m->header, begin, begin + m->size, m->crc};
  return IPFSA_OK;
}

static ipfsa_status read_member(zip *z, ipfsa_window *w) {
  ipfsa_bytes head, rest;
  member m = {0};
  ipfsa_status status = ipfsa_window_take(w, CENTRAL, "an entry of the central directory", &head, z->err);
  if (status) return status;
  if (memcmp(head.data, "PK\1\2", 4) != 0) return fail_zip(z, ipfsa_window_offset(w) - CENTRAL, "no entry of the central directory");
  uint64_t method = le(head.data + 10, 2), packed = le(head.data + 20, 4);
  size_t name_len = le(head.data + 28, 2), extra_len = le(head.data + 30, 2), comment_len = le(head.data + 32, 2);
  m.flags = (uint16_t)le(head.data + 8, 2);
  m.crc = (uint32_t)le(head.data + 16, 4);
  m.size = le(head.data + 24, 4);
  m.header = le(head.data + 42, 4);
  IPFSA_AUTO_BUF ipfsa_buf both = {0};
  status = ipfsa_window_take(w, name_len, "the name of a member", &rest, z->err);
  if (status == IPFSA_OK) ipfsa_buf_append_bytes(&both, rest);
  if (status == IPFSA_OK) status = ipfsa_window_take(w, extra_len, "an extra field", &rest, z->err);
  if (status) return status;
  ipfsa_buf_append_bytes(&both, rest);
  status = ipfsa_buf_status(&both, z->err);
  if (status == IPFSA_OK) status = ipfsa_window_skip(w, comment_len, "a comment", z->err);
  if (status) return status;
  m.name = ipfsa_bytes_of(both.data, name_len);
  if (!widen(ipfsa_bytes_of(both.data ? both.data + name_len : NULL, extra_len), &m.size, &packed, &m.header)) return fail_member(z, &m, IPFSA_E_MALFORMED, "its ZIP64 field is wrong");
  status = check_name(z, &m); /* first of all: what is no checkpoint by its names is called so, however it is packed */
  if (status) return status;
  if (method || packed != m.size) return fail_member(z, &m, IPFSA_E_MALFORMED, "it is compressed; checkpoints store their members as they are");
  if (m.flags & 1) return fail_member(z, &m, IPFSA_E_MALFORMED, "it is encrypted");
  return take_member(z, &m);
}

static int by_begin(const void *a, const void *b) {
  const ipfsa_member *x = a, *y = b;
  return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Its name is in its local header. */
static ipfsa_status fail_overlap(zip *z, uint64_t begin) {
  uint8_t head[LOCAL], name[SHOWN];
  ipfsa_status status = z->source->read_at(z->source, head, LOCAL, begin, z->err);
  if (status) return status;
  member m = {.header = begin, .name = ipfsa_bytes_of(name, le(head + 26, 2) < SHOWN ? le(head + 26, 2) : SHOWN)};
  status = z->source->read_at(z->source, name, m.name.len, begin + LOCAL, z->err);
  return status ? status : fail_member(z, &m, IPFSA_E_MALFORMED, "it overlaps the member before it");
}

static ipfsa_status check_apart(zip *z) {
  if (z->n_regions) qsort(z->regions, z->n_regions, sizeof *z->regions, by_begin);
  for (size_t i = 1; i < z->n_regions; i++)
    if (z->regions[i].begin < z->regions[i - 1].end) return fail_overlap(z, z->regions[i].begin);
  return z->has_pickle ? IPFSA_OK : ipfsa_fail(z->err, IPFSA_E_WRONG_TYPE, "a zip without data.pkl, which torch.save always writes");
}

static ipfsa_status read_all(zip *z) {
  ipfsa_window w = {0};
  const ipfsa_tensor_record *twice = NULL;
  ipfsa_status status = find_directory(z);
  if (status == IPFSA_OK) status = ipfsa_window_open(z->source, z->directory + z->directory_len, &w, z->err);
  if (status == IPFSA_OK) status = ipfsa_window_skip(&w, z->directory, "the members", z->err);
  for (uint64_t i = 0; status == IPFSA_OK && i < z->n; i++) status = read_member(z, &w);
  if (status == IPFSA_OK && ipfsa_window_left(&w)) status = fail_zip(z, ipfsa_window_offset(&w), "the central directory has more than its entries");
  ipfsa_window_release(&w);
  if (status == IPFSA_OK) status = check_apart(z);
  if (status) return status;
  size_t len;
  z->tensors->text_len = z->names.len;
  z->tensors->text = ipfsa_buf_take(&z->names, &len);
  ipfsa_tensors_sort(z->tensors);
  status = ipfsa_tensors_index(z->tensors, &twice, z->err);
  if (status || !twice) return status;
  return fail_member(z, &(member){.name = ipfsa_tensors_name(z->tensors, twice), .header = twice->begin}, IPFSA_E_MALFORMED, "a name that comes twice; these are the bytes of the later one");
}

ipfsa_status ipfsa_torch_parse(ipfsa_source *source, uint64_t size, ipfsa_tensors *ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  zip z = {.source = source, .size = size, .tensors = ret, .err = err ? err : &local};
  ipfsa_status status = read_all(&z);
  ipfsa_buf_release(&z.names);
  ipfsa_buf_release(&z.top);
  ipfsa_buf_release(&z.local);
  ret->members = z.regions;
  ret->n_members = z.n_regions;
  if (status) ipfsa_tensors_release(ret);
  return status;
}
