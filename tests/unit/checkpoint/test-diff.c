/* Two checkpoints held against each other while memory runs out, bytes cannot be read, or the caller stops it. */
#include "../support.h"

#include "base/buf.h"
#include "base/fault.h"
#include "checkpoint/checkpoint.h"
#include "memory.h"

enum { LEAF = 16 };

/* Its bytes lie in leaves of 16, each known by what it holds; or not, when `is_plain`. */
typedef struct leafy_source {
  memory_source m;
  bool is_plain;
  uint64_t fails_at; /* a byte that cannot be read; 0: none */
} leafy_source;

static ipfsa_status read_leafy(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  leafy_source *s = (leafy_source *)self;
  if (s->fails_at && off <= s->fails_at && s->fails_at < off + len) return ipfsa_fail(err, IPFSA_E_IO, "byte %llu cannot be read", (unsigned long long)s->fails_at);
  return read_memory(self, data, len, off, err);
}

static bool leaf_at(ipfsa_source *self, uint64_t off, ipfsa_source_leaf *ret) {
  leafy_source *s = (leafy_source *)self;
  if (s->is_plain) return false;
  *ret = (ipfsa_source_leaf){.start = off / LEAF * LEAF, .end = off / LEAF * LEAF + LEAF};
  if (ret->end > self->size_hint) ret->end = self->size_hint;
  ret->id[0] = 1;
  memcpy(ret->id + 1, s->m.data + ret->start, (size_t)(ret->end - ret->start));
  return true;
}

typedef struct side {
  ipfsa_buf bytes;
  leafy_source source;
  ipfsa_checkpoint *cp;
} side;

/* names: tensors of 16 bytes, each at the border of a leaf, each full of the letter at its place in `fill`. */
static void make(side *s, const char *const *names, size_t n, const char *fill, bool is_plain) {
  IPFSA_AUTO_BUF ipfsa_buf header = {0};
  ipfsa_error err = {0};
  for (size_t i = 0; i < n; i++)
    ipfsa_buf_printf(&header, "%s\"%s\":{\"dtype\":\"U8\",\"shape\":[16],\"data_offsets\":[%zu,%zu]}", i ? "," : "{", names[i], i * LEAF, (i + 1) * LEAF);
  ipfsa_buf_u8(&header, '}');
  while ((8 + header.len) % LEAF) ipfsa_buf_u8(&header, ' ');
  ipfsa_buf_u64le(&s->bytes, header.len);
  ipfsa_buf_append(&s->bytes, header.data, header.len);
  for (size_t i = 0; i < n; i++) ipfsa_buf_fill(&s->bytes, (uint8_t)fill[i], LEAF);
  s->source = (leafy_source){memory_of(s->bytes.data, s->bytes.len), is_plain, 0};
  s->source.m.base.read_at = read_leafy;
  s->source.m.base.leaf_at = leaf_at;
  assert_ok(ipfsa_checkpoint_load_file(&s->source.m.base, "m", &s->cp, &err));
}

static void release(side *s) {
  ipfsa_checkpoint_close(s->cp);
  ipfsa_buf_release(&s->bytes);
}

typedef struct pair {
  side from, to;
} pair;

/* a: equal; b: changed; c: renamed to n; d: removed; e: new. */
static void make_pair(pair *p, bool is_plain) { /* where it stays */
  static const char *const from[] = {"a", "b", "c", "d"}, *const to[] = {"n", "b", "a", "e"};
  *p = (pair){0};
  make(&p->from, from, 4, "ABCD", is_plain);
  make(&p->to, to, 4, "CbAE", is_plain);
}

typedef struct heard {
  char text[128];
  unsigned n, stop_at; /* 0: never */
} heard;

static int hear(void *ctx, ipfsa_tensor_change change, const ipfsa_tensor *from, const ipfsa_tensor *to) {
  static const char marks[] = "?=!+->";
  heard *h = ctx;
  size_t len = strlen(h->text);
  snprintf(h->text + len, sizeof h->text - len, "%.*s%c%.*s ", from ? (int)from->name_len : 0, from ? from->name : "", marks[change], to ? (int)to->name_len : 0, to ? to->name : "");
  return ++h->n == h->stop_at;
}

static int hear_progress(void *ctx, const ipfsa_progress *progress) {
  heard *h = ctx;
  assert_true(progress->done_bytes <= progress->total_bytes);
  return ++h->n == h->stop_at;
}

static const char everything[] = "c>n b!b a=a +e d- ";

static ipfsa_status compare(pair *p, heard *h, ipfsa_checkpoint_diff *ret, ipfsa_error *err) {
  ipfsa_checkpoint_diff_options o = {.struct_size = sizeof o, .cb = hear, .ctx = h};
  return ipfsa_checkpoint_compare(p->from.cp, p->to.cp, &o, ret, err);
}

static void allocations_fail(void **state) {
  (void)state;
  for (int is_plain = 0; is_plain < 2; is_plain++) {
    pair p;
    make_pair(&p, is_plain);
    uint64_t nth = 1;
    for (bool fired = true; fired; nth++) {
      ipfsa_error err = {0};
      heard h = {0};
      ipfsa_checkpoint_diff sum = {.n_equal = 77};
      ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = nth, .mode = IPFSA_FAULT_FAIL});
      ipfsa_status status = compare(&p, &h, &sum, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
      assert_int_equal(sum.n_equal, fired ? 77 : 1);
      if (fired) continue;
      assert_string_equal(h.text, everything);
      assert_true(sum.n_changed == 1 && sum.n_new == 1 && sum.n_removed == 1 && sum.n_renamed == 1 && sum.shared_bytes == 32);
    }
    assert_true(nth > 5);
    release(&p.from);
    release(&p.to);
  }
}

/* Of leaves that tell it nothing is read: a byte of an equal tensor that cannot be read is not met. */
static void what_cannot_be_read(void **state) {
  (void)state;
  for (int is_plain = 0; is_plain < 2; is_plain++) {
    pair p;
    make_pair(&p, is_plain);
    for (size_t i = 0; i < 4; i++) {
      ipfsa_error err = {0};
      heard h = {0};
      ipfsa_checkpoint_diff sum = {.n_equal = 77};
      p.from.source.fails_at = p.from.bytes.len - (4 - i) * LEAF + 3;
      ipfsa_status status = compare(&p, &h, &sum, &err);
      bool is_read = is_plain || i == 3; /* of d and e only the bytes tell that they are two */
      assert_int_equal(status, is_read ? IPFSA_E_IO : IPFSA_OK);
      if (is_read) assert_non_null(strstr(err.message, "cannot be read"));
      assert_int_equal(sum.n_equal, is_read ? 77 : 1);
    }
    release(&p.from);
    release(&p.to);
  }
}

static void it_stops_when_told(void **state) {
  (void)state;
  pair p;
  make_pair(&p, true);
  for (int with_progress = 0; with_progress < 2; with_progress++) {
    ipfsa_status status = IPFSA_E_CANCELLED;
    unsigned n = 0;
    while (status == IPFSA_E_CANCELLED) {
      ipfsa_error err = {0};
      heard h = {.stop_at = ++n};
      ipfsa_checkpoint_diff sum = {.n_equal = 77};
      ipfsa_checkpoint_diff_options o = {.struct_size = sizeof o, .cb = with_progress ? NULL : hear, .ctx = &h, .progress = with_progress ? hear_progress : NULL, .progress_ctx = &h};
      status = ipfsa_checkpoint_compare(p.from.cp, p.to.cp, &o, &sum, &err);
      assert_int_equal(sum.n_equal, status ? 77 : 1);
    }
    assert_int_equal(status, IPFSA_OK);
    assert_true(n > 5);
  }
  release(&p.from);
  release(&p.to);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(allocations_fail), cmocka_unit_test(what_cannot_be_read), cmocka_unit_test(it_stops_when_told)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
