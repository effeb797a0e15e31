/* A file of the store as memory: its bytes whatever shape it has, pages of the store where leaves lie so, nothing that was not verified. */
#include <errno.h>
#include <ipfsa/block.h>
#include <ipfsa/read.h>
#include <unistd.h>

#include "damage.h"
#include "repo_fixture.h"

#include "base/fault.h"
#include "codec/varint.h"
#include "node/file.h"
#include "node/node.h"
#include "unixfs/span.h"

#define LEN 3000000

static uint64_t random_state = 5;

static uint32_t pick(uint32_t n) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % n;
}

typedef struct world {
  repo_fixture r;
  uint8_t *data;
} world;

static int setup(void **state) {
  world *w = *state = calloc(1, sizeof *w);
  w->data = malloc(LEN);
  test_shake128("views", w->data, LEN);
  repo_begin(&w->r);
  return 0;
}

static int teardown(void **state) {
  world *w = *state;
  repo_end(&w->r);
  free(w->data);
  free(w);
  return 0;
}

static void add(world *w, const uint8_t *data, size_t len, const ipfsa_add_options *options, char ret_cid[IPFSA_MAX_CID_TEXT]) {
  repo_add(&w->r, "source", data, len, options, ret_cid);
}

static ipfsa_file *open_added(world *w, const uint8_t *data, size_t len, const ipfsa_add_options *options) {
  char cid[IPFSA_MAX_CID_TEXT];
  ipfsa_error err = {0};
  ipfsa_file *file = NULL;
  add(w, data, len, options, cid);
  assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
  return file;
}

/* The bytes of a view; how many of them are the store's own. */
static uint64_t expect(ipfsa_file *file, const uint8_t *data, uint64_t off, size_t len) {
  ipfsa_error err = {0};
  ipfsa_view view = {0};
  assert_ok(ipfsa_file_view(file, off, len, &view, &err));
  assert_non_null(view.data);
  assert_int_equal(view.size, len);
  assert_true(view.mapped <= len);
  if (len) assert_memory_equal(view.data, data + off, len);
  if (len) assert_int_equal((uintptr_t)view.data % 8, off % 8);
  return view.mapped;
}

#define ADD(...) &(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), __VA_ARGS__}

static void every_range_of_every_shape(void **state) {
  world *w = *state;
  const struct {
    const ipfsa_add_options *options;
    bool mapped; /* all of it, when it is large enough */
  } shapes[] = {
      {ADD(.cid_version_1 = IPFSA_ON), true}, {ADD(.cid_version_1 = IPFSA_OFF, .raw_leaves = IPFSA_OFF, .chunker = "size-65536"), true},
      {ADD(.chunker = "size-70016"), true}, {ADD(.chunker = "size-70001"), true}, {ADD(.trickle = IPFSA_ON, .chunker = "size-16384"), false},
      {ADD(.max_file_links = 3, .chunker = "size-50048"), true}, {ADD(.chunker = "size-4000"), false}, {ADD(.hash = "blake2b-256"), false},
      {ADD(.chunker = "rabin-16384-32768-65536"), false},
  };
  const size_t sizes[] = {LEN, 200000, 20000, 100, 0};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
      size_t size = sizes[k];
      ipfsa_file *file = open_added(w, w->data, size, shapes[s].options);
      for (int i = 0; size && i < 20; i++) {
        uint64_t off = pick((uint32_t)size);
        size_t left = size - (size_t)off;
        expect(file, w->data, off, pick((uint32_t)left + 1));
      }
      uint64_t mapped = expect(file, w->data, 0, size);
      if (shapes[s].mapped && size == LEN) assert_true(mapped >= (uint64_t)size - 16384 && mapped <= size); /* its tail may be too small */
      if (size <= 100) assert_int_equal(mapped, 0);
      expect(file, w->data, size, 0);
      ipfsa_file_close(file);
    }
}

/* Leaves that came by several adds: each lies at a page border of its own in the pack. */
static void leaves_from_several_places(void **state) {
  world *w = *state;
  const size_t n = 1 << 20;
  char cid[IPFSA_MAX_CID_TEXT];
  add(w, w->data + n, n, ADD(.cid_version_1 = IPFSA_ON), cid);
  add(w, w->data, n, ADD(.cid_version_1 = IPFSA_ON), cid);
  ipfsa_file *file = open_added(w, w->data, 2 * n, ADD(.cid_version_1 = IPFSA_ON));
  assert_int_equal(expect(file, w->data, 10, 100), 100);
  assert_int_equal(expect(file, w->data, n - 5000, 10000), 10000); /* over the border of both */
  assert_int_equal(expect(file, w->data, 0, 2 * n), 2 * n);
  ipfsa_file_close(file);
}

static bool is_known(ipfsa_blockstore *bs, ipfsa_span_map *spans, uint64_t off) {
  const ipfsa_span *span = ipfsa_span_map_find(spans, off);
  bool known = false;
  assert_non_null(span);
  ipfsa_blockstore_check_places(bs, (const ipfsa_place *const[]){&span->place}, 1, false, &known);
  return known;
}

/* The leaf that ends there. Those before it may have been forgotten again: whoever brings a page of their 2 MiB in forgets them (store/window.c). */
static void becomes_known(ipfsa_blockstore *bs, ipfsa_span_map *spans, uint64_t end) {
  for (int i = 0; !is_known(bs, spans, end - 1); i++) {
    assert_true(i < 2000);
    usleep(5000);
  }
}

/* Who goes through a file in order has twice as much as he saw verified beside him, also where it lies in another place of the pack; who looks at little has not. */
static void what_follows_is_verified_ahead(void **state) {
  world *w = *state;
  enum { MIB = 1 << 20 };
  const size_t half = 8 * MIB;
  char cid[IPFSA_MAX_CID_TEXT];
  ipfsa_error err = {0};
  ipfsa_cid parsed;
  ipfsa_file *file = NULL;
  ipfsa_span_map *spans = NULL;
  ipfsa_blockstore *bs = w->r.node->bs;
  uint8_t *data = malloc(2 * half);
  test_shake128("ahead", data, 2 * half);
  add(w, data + half, half, ADD(.cid_version_1 = IPFSA_ON), cid);
  add(w, data, half, ADD(.cid_version_1 = IPFSA_ON), cid);
  add(w, data, 2 * half, ADD(.cid_version_1 = IPFSA_ON), cid);
  assert_ok(ipfsa_cid_parse(cid, strlen(cid), &parsed, &err));
  assert_ok(ipfsa_span_map_new(bs, &parsed, 2 * half, &spans, &err));
  assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
  expect(file, data, 0, MIB / 2);
  if (is_known(bs, spans, 0)) { /* else this machine remembers nothing: store/window.c */
    usleep(50000);
    assert_false(is_known(bs, spans, MIB / 2));
    expect(file, data, MIB / 2, 3 * MIB);
    becomes_known(bs, spans, half + 5 * MIB / 2); /* 3.5 MiB seen, 7 MiB ahead of them */
    usleep(50000);
    assert_false(is_known(bs, spans, half + 5 * MIB / 2));
    expect(file, data, 7 * MIB / 2, 4 * MIB);
    becomes_known(bs, spans, 2 * half);
  }
  ipfsa_file_close(file);
  ipfsa_span_map_free(spans);
  free(data);
}

/* Small ones as well, once they come to something together. */
static void what_follows_small_views_is_verified_ahead(void **state) {
  world *w = *state;
  enum { MIB = 1 << 20, LENGTH = 8 * MIB, STEP = MIB / 4 };
  char cid[IPFSA_MAX_CID_TEXT];
  ipfsa_error err = {0};
  ipfsa_cid parsed;
  ipfsa_file *file = NULL;
  ipfsa_span_map *spans = NULL;
  uint8_t *data = malloc(LENGTH);
  test_shake128("small", data, LENGTH);
  add(w, data, LENGTH, ADD(.cid_version_1 = IPFSA_ON), cid);
  assert_ok(ipfsa_cid_parse(cid, strlen(cid), &parsed, &err));
  assert_ok(ipfsa_span_map_new(w->r.node->bs, &parsed, LENGTH, &spans, &err));
  assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
  for (uint64_t off = 0; off < 2 * MIB; off += STEP) expect(file, data, off, STEP);
  if (is_known(w->r.node->bs, spans, 0)) {
    usleep(50000);
    assert_false(is_known(w->r.node->bs, spans, 2 * MIB));
    expect(file, data, 2 * MIB, STEP);
    becomes_known(w->r.node->bs, spans, 27 * MIB / 4);
  }
  ipfsa_file_close(file);
  ipfsa_span_map_free(spans);
  free(data);
}

/* Looking ahead meets what is not here; what is here is shown as before. */
static void what_is_missing_ahead_harms_nothing(void **state) {
  world *w = *state;
  const size_t quarter = 4 << 20;
  const ipfsa_add_options *options = ADD(.cid_version_1 = IPFSA_ON, .max_file_links = 16, .pin = IPFSA_OFF);
  char cid[IPFSA_MAX_CID_TEXT], inner[IPFSA_MAX_CID_TEXT];
  ipfsa_error err = {0};
  ipfsa_cid parsed;
  ipfsa_file *file = NULL;
  uint8_t *data = malloc(4 * quarter);
  test_shake128("missing", data, 4 * quarter);
  add(w, data + quarter, quarter, options, inner); /* elsewhere in the pack: shown by an image of its own */
  add(w, data + 2 * quarter, quarter, options, inner);
  add(w, data, 4 * quarter, options, cid);
  assert_ok(ipfsa_cid_parse(inner, strlen(inner), &parsed, &err));
  assert_ok(ipfsa_block_rm(w->r.node, &parsed, false, &err));
  assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
  assert_int_equal(expect(file, data, 0, quarter), quarter);
  assert_int_equal(expect(file, data, quarter, quarter), quarter);
  ipfsa_view view;
  assert_int_equal(ipfsa_file_view(file, 2 * quarter, quarter, &view, &err), IPFSA_E_NOT_FOUND);
  ipfsa_file_close(file);
  free(data);
}

/* The second of ten leaves is another: what is before and behind lies together in the pack with a page of it between, the new one elsewhere. */
static void pages_that_two_pieces_share(void **state) {
  world *w = *state;
  enum { CHUNK = 50048, N = 10 * CHUNK };
  const ipfsa_add_options *options = ADD(.cid_version_1 = IPFSA_ON, .chunker = "size-50048");
  uint8_t *other = malloc(N);
  memcpy(other, w->data, N);
  memset(other + CHUNK, 7, CHUNK);
  ipfsa_file *before = open_added(w, w->data, N, options), *file = open_added(w, other, N, options);
  assert_int_equal(expect(before, w->data, 0, N), N);
  for (int i = 0; i < 50; i++) {
    uint64_t off = pick(N);
    expect(file, other, off, pick(N - (uint32_t)off) + 1);
  }
  uint64_t mapped = expect(file, other, 0, N);
  assert_in_range(mapped, 9 * CHUNK - 3 * 4096, 9 * CHUNK);
  for (uint64_t off = 0; off + 3000 < N; off += 2500) expect(file, other, off, 3000); /* what was given stays */
  ipfsa_file_close(before);
  ipfsa_file_close(file);
  free(other);
}

static void what_is_written_is_private(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  const ipfsa_add_options options[] = {{.struct_size = sizeof *options, .chunker = "size-65536", .cid_version_1 = IPFSA_ON},
                                       {.struct_size = sizeof *options, .chunker = "size-5000"}}; /* mapped pages, and copies */
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    char cid[IPFSA_MAX_CID_TEXT];
    ipfsa_file *mine = NULL, *other = NULL;
    ipfsa_view a, b, theirs;
    add(w, w->data, LEN, &options[i], cid);
    assert_ok(ipfsa_file_open(w->r.node, cid, &mine, &err));
    assert_ok(ipfsa_file_open(w->r.node, cid, &other, &err));
    ipfsa_file_set_views_writable(mine);
    assert_ok(ipfsa_file_view(mine, 1000, 500000, &a, &err));
    assert_int_equal(a.mapped > 0, i == 0);
    uint8_t *bytes = (uint8_t *)(uintptr_t)a.data;
    for (size_t at = 0; at < 500000; at += 1000) bytes[at] ^= 0xff;
    assert_ok(ipfsa_file_view(other, 0, LEN, &theirs, &err));
    assert_memory_equal(theirs.data, w->data, LEN);
    assert_ok(ipfsa_file_view(mine, 501000, LEN - 501000, &b, &err)); /* what lies beside it is still whole */
    assert_memory_equal(b.data, w->data + 501000, LEN - 501000);
    memset((uint8_t *)(uintptr_t)b.data, 0, b.size);
    for (size_t at = 0; at < 500000; at++) assert_int_equal(bytes[at], w->data[1000 + at] ^ (at % 1000 ? 0 : 0xff));
    ipfsa_file_close(mine);
    ipfsa_file_close(other);
    assert_ok(ipfsa_file_open(w->r.node, cid, &mine, &err));
    assert_ok(ipfsa_file_view(mine, 0, LEN, &a, &err));
    assert_memory_equal(a.data, w->data, LEN);
    ipfsa_file_close(mine);
  }
}

typedef struct asked {
  unsigned n, stop_at; /* 0: never */
  uint64_t last;
} asked;

static int ask(void *ctx, const ipfsa_progress *at) {
  asked *a = ctx;
  assert_true(at->done_bytes > a->last && at->done_bytes <= at->total_bytes);
  a->last = at->done_bytes;
  return ++a->n == a->stop_at;
}

static void a_view_that_is_stopped(void **state) {
  world *w = *state;
  enum { MANY = 72 << 20 };
  ipfsa_error err = {0};
  uint32_t *data = malloc(MANY);
  for (uint32_t i = 0; i < MANY / 4; i++) data[i] = i;
  const ipfsa_add_options options[] = {{.struct_size = sizeof *options, .chunker = "size-262144", .cid_version_1 = IPFSA_ON},
                                       {.struct_size = sizeof *options, .chunker = "size-250001"}}; /* mapped pages, and copies */
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    char cid[IPFSA_MAX_CID_TEXT];
    ipfsa_file *file = NULL;
    ipfsa_view view = {.size = 77};
    add(w, (uint8_t *)data, MANY, &options[i], cid);
    repo_reopen(&w->r, false); /* what was read before is not known */
    assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
    asked first = {.stop_at = 1}, all = {0};
    ipfsa_file_set_view_progress(file, ask, &first);
    ipfsa_status status = ipfsa_file_view(file, 8, MANY - 8, &view, &err);
    assert_true(first.n == 1 || i == 0); /* workers may have been so fast that nothing was left to ask for */
    assert_int_equal(status, first.n ? IPFSA_E_CANCELLED : IPFSA_OK);
    assert_true(first.n == 0 || (first.last >= 16 << 20 && view.size == 77));
    ipfsa_file_set_view_progress(file, ask, &all);
    assert_ok(ipfsa_file_view(file, 8, MANY - 8, &view, &err));
    assert_memory_equal(view.data, (uint8_t *)data + 8, MANY - 8);
    ipfsa_file_set_view_progress(file, NULL, NULL);
    assert_ok(ipfsa_file_view(file, 0, 100, &view, &err));
    ipfsa_file_close(file);
    repo_reopen(&w->r, false);
    asked whole = {0};
    assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
    ipfsa_file_set_view_progress(file, ask, &whole);
    assert_ok(ipfsa_file_view(file, 0, MANY, &view, &err));
    assert_true((whole.n >= 1 || i == 0) && whole.n <= MANY / (16 << 20));
    ipfsa_file_close(file);
  }
  free(data);
}

static void what_lies_outside(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_view view = {.size = 77};
  ipfsa_file *file = open_added(w, w->data, 100000, ADD(.cid_version_1 = IPFSA_ON));
  assert_status(ipfsa_file_view(file, 100001, 0, &view, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_file_view(file, 0, 100001, &view, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_file_view(file, 99999, UINT64_MAX, &view, &err), IPFSA_E_INVALID);
  assert_int_equal(view.size, 77);
  ipfsa_file_close(file);
}

static void damage_is_never_given(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_view view = {0};
  ipfsa_file *file = open_added(w, w->data, LEN, ADD(.cid_version_1 = IPFSA_ON, .chunker = "size-262144"));
  damage_packs(w->r.path, w->data + 5 * 262144 + 1000, 64);
  expect(file, w->data, 0, 5 * 262144);
  assert_status(ipfsa_file_view(file, 5 * 262144 + 100000, 10, &view, &err), IPFSA_E_CORRUPT);
  assert_non_null(strstr(err.message, "damaged"));
  assert_status(ipfsa_file_view(file, 0, LEN, &view, &err), IPFSA_E_CORRUPT);
  assert_null(view.data);
  expect(file, w->data, 6 * 262144, LEN - 6 * 262144);
  ipfsa_file_close(file);
}

static void gc_keeps_what_is_viewed(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  ipfsa_file *file = NULL;
  ipfsa_gc_result gone;
  add(w, w->data, LEN, ADD(.cid_version_1 = IPFSA_ON, .pin = IPFSA_OFF), cid);
  assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
  ipfsa_view view;
  assert_ok(ipfsa_file_view(file, 0, LEN, &view, &err));
  assert_ok(ipfsa_repo_gc(w->r.node, NULL, &gone, &err));
  assert_int_equal(gone.n_removed, 0);
  assert_memory_equal(view.data, w->data, LEN);
  ipfsa_file_close(file);
  assert_ok(ipfsa_repo_gc(w->r.node, NULL, &gone, &err));
  assert_true(gone.n_removed > 2);
  assert_status(ipfsa_file_open(w->r.node, cid, &file, &err), IPFSA_E_NOT_FOUND);
}

static void of_a_repo_that_is_only_read(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  ipfsa_file *file = NULL;
  add(w, w->data, LEN, ADD(.cid_version_1 = IPFSA_ON), cid);
  repo_reopen(&w->r, true);
  assert_ok(ipfsa_file_open(w->r.node, cid, &file, &err));
  assert_true(expect(file, w->data, 0, LEN) >= LEN - 262144);
  ipfsa_file_close(file);
}

/* ---- a file of many leaves ---- */

static void pb_bytes(ipfsa_buf *b, unsigned field, const void *data, size_t len) {
  ipfsa_buf_varint(b, field << 3 | 2);
  ipfsa_buf_varint(b, len);
  ipfsa_buf_append(b, data, len);
}

static void pb_number(ipfsa_buf *b, unsigned field, uint64_t v) {
  ipfsa_buf_varint(b, field << 3);
  ipfsa_buf_varint(b, v);
}

/* n times the same child. */
static ipfsa_cid put_node(world *w, const ipfsa_cid *child, uint64_t child_size, size_t n) {
  ipfsa_error err = {0};
  uint8_t bytes[IPFSA_MAX_CID];
  size_t len = ipfsa_cid_encode(child, bytes);
  IPFSA_AUTO_BUF ipfsa_buf node = {0}, link = {0}, u = {0};
  pb_bytes(&link, 1, bytes, len);
  pb_bytes(&link, 2, "", 0);
  pb_number(&link, 3, child_size);
  for (size_t i = 0; i < n; i++) pb_bytes(&node, 2, link.data, link.len);
  pb_number(&u, 1, 2);
  pb_number(&u, 3, child_size * n);
  for (size_t i = 0; i < n; i++) pb_number(&u, 4, child_size);
  pb_bytes(&node, 1, u.data, u.len);
  ipfsa_cid cid;
  assert_ok(ipfsa_block_put(w->r.node, ipfsa_buf_bytes(&node), 1, 0x70, 0x12, 0, false, &cid, &err));
  return cid;
}

static void more_leaves_than_a_view_may_have(void **state) {
  world *w = *state;
  enum { LEAF = 16384, WIDE = 1024 };
  ipfsa_error err = {0};
  ipfsa_cid leaf, cid;
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_file *file = NULL;
  ipfsa_view view;
  assert_ok(ipfsa_block_put(w->r.node, ipfsa_bytes_of(w->data, LEAF), 1, 0x55, 0x12, 0, false, &leaf, &err));
  cid = put_node(w, &leaf, LEAF, WIDE);
  cid = put_node(w, &cid, (uint64_t)LEAF * WIDE, WIDE + 1);
  ipfsa_cid_format(&cid, text);
  assert_ok(ipfsa_file_open(w->r.node, text, &file, &err));
  assert_status(ipfsa_file_view(file, 0, ipfsa_file_length(file), &view, &err), IPFSA_E_LIMIT);
  assert_ok(ipfsa_file_view(file, (uint64_t)LEAF * 5000 - 100, LEAF, &view, &err));
  assert_memory_equal(view.data, w->data + LEAF - 100, 100);
  assert_memory_equal((const uint8_t *)view.data + 100, w->data, LEAF - 100);
  ipfsa_file_close(file);
}

static int add_up(void *ctx, uint64_t from, uint64_t to) {
  *(uint64_t *)ctx += to - from;
  return 0;
}

static void more_blocks_than_are_looked_for(void **state) {
  world *w = *state;
  enum { LEAF = 16384, WIDE = 1024 };
  ipfsa_error err = {0};
  ipfsa_cid leaf, all, part;
  ipfsa_file *file = NULL;
  char text[IPFSA_MAX_CID_TEXT];
  uint64_t missing = 0, size = (uint64_t)LEAF * WIDE * 16;
  assert_ok(ipfsa_block_put(w->r.node, ipfsa_bytes_of(w->data, LEAF), 1, 0x55, 0x12, 0, false, &leaf, &err));
  part = put_node(w, &leaf, LEAF, WIDE);
  all = put_node(w, &part, (uint64_t)LEAF * WIDE, WIDE); /* 1,049,601 blocks */
  part = put_node(w, &part, (uint64_t)LEAF * WIDE, 16);
  ipfsa_cid_format(&all, text);
  assert_ok(ipfsa_file_open(w->r.node, text, &file, &err));
  assert_status(ipfsa_file_missing_ranges(file, add_up, &missing, &err), IPFSA_E_LIMIT);
  assert_int_equal(missing, 0);
  ipfsa_file_close(file);
  ipfsa_cid_format(&part, text);
  assert_ok(ipfsa_file_open(w->r.node, text, &file, &err));
  assert_ok(ipfsa_file_missing_ranges(file, add_up, &missing, &err));
  assert_int_equal(missing, 0);
  assert_ok(ipfsa_block_rm(w->r.node, &leaf, true, &err));
  assert_ok(ipfsa_file_missing_ranges(file, add_up, &missing, &err));
  assert_int_equal(missing, size);
  ipfsa_file_close(file);
}

/* ---- faults ---- */

static ipfsa_status view_all(world *w, const char *cid, const uint8_t *data, size_t len, bool writable, ipfsa_error *err) {
  ipfsa_file *file = NULL;
  ipfsa_view view;
  ipfsa_status status = ipfsa_file_open(w->r.node, cid, &file, err);
  if (status == IPFSA_OK && writable) ipfsa_file_set_views_writable(file);
  if (status == IPFSA_OK) status = ipfsa_file_view(file, 1000, len - 1000, &view, err);
  uint64_t missing = 0;
  if (status == IPFSA_OK) status = ipfsa_file_missing_ranges(file, add_up, &missing, err);
  assert_int_equal(missing, 0);
  if (status == IPFSA_OK) assert_memory_equal(view.data, data + 1000, len - 1000);
  if (status == IPFSA_OK && writable) memset((uint8_t *)(uintptr_t)view.data, 0, len - 1000);
  ipfsa_file_close(file);
  return status;
}

static void every_call_fails_once(void **state) {
  world *w = *state;
  enum { CHUNK = 50048, N = 10 * CHUNK };
  char cid[IPFSA_MAX_CID_TEXT];
  const ipfsa_add_options *options = ADD(.cid_version_1 = IPFSA_ON, .chunker = "size-50048");
  add(w, w->data, N, options, cid);
  memset(w->data + CHUNK, 7, CHUNK);
  add(w, w->data, N, options, cid);
  const ipfsa_fault_kind kinds[] = {IPFSA_FAULT_ALLOC, IPFSA_FAULT_FILE};
  for (size_t k = 0; k < 4; k++) {
    bool writable = k / 2 == 1;
    uint64_t nth = 1, n_failed = 0;
    for (bool fired = true; fired; nth++) {
      ipfsa_error err = {0};
      repo_reopen(&w->r, false); /* what was read before is not known */
      ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = kinds[k % 2], .nth = nth, .mode = IPFSA_FAULT_FAIL, .sys_errno = EIO});
      ipfsa_status status = view_all(w, cid, w->data, N, writable, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (status && !err.message[0]) fail_msg("call %d of kind %d: no words", (int)nth, (int)k);
      if (status && !fired) fail_msg("%s", err.message);
      n_failed += status != IPFSA_OK;
      if (fired) repo_reopen(&w->r, false); /* after a failed sync nothing is written any more */
      if (fired) assert_ok(view_all(w, cid, w->data, N, writable, &err));
    }
    assert_true(nth > 10 && n_failed > 5);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_range_of_every_shape, setup, teardown),
      cmocka_unit_test_setup_teardown(leaves_from_several_places, setup, teardown),
      cmocka_unit_test_setup_teardown(what_follows_is_verified_ahead, setup, teardown),
      cmocka_unit_test_setup_teardown(what_follows_small_views_is_verified_ahead, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_missing_ahead_harms_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(pages_that_two_pieces_share, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_written_is_private, setup, teardown),
      cmocka_unit_test_setup_teardown(a_view_that_is_stopped, setup, teardown),
      cmocka_unit_test_setup_teardown(what_lies_outside, setup, teardown),
      cmocka_unit_test_setup_teardown(damage_is_never_given, setup, teardown),
      cmocka_unit_test_setup_teardown(gc_keeps_what_is_viewed, setup, teardown),
      cmocka_unit_test_setup_teardown(of_a_repo_that_is_only_read, setup, teardown),
      cmocka_unit_test_setup_teardown(more_leaves_than_a_view_may_have, setup, teardown),
      cmocka_unit_test_setup_teardown(more_blocks_than_are_looked_for, setup, teardown),
      cmocka_unit_test_setup_teardown(every_call_fails_once, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
