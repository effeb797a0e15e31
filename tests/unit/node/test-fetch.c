/* A checkpoint behind a slow source: what is asked for, in which order, how much of it; what the source may do wrong. */
#include <errno.h>
#include <ipfsa/add.h>
#include <ipfsa/block.h>
#include <ipfsa/checkpoint.h>
#include <ipfsa/repo.h>

#include "../support.h"

#include "base/buf.h"
#include "base/fault.h"
#include "codec/varint.h"

enum { N_TENSORS = 96, TENSOR = 4 * 65536, SIZE = N_TENSORS * TENSOR }; /* 24 MiB in chunks of 64 KiB */

/* What a source was asked for, and what it is to do wrong. */
typedef struct script {
  ipfsa_node *from;
  uint64_t n_asked, n_bytes;
  ipfsa_cid last;
  uint64_t wrong_at; /* n-th call: a flipped bit; 0: never */
  bool is_empty, fails, lies;
} script;

typedef struct world {
  char *dir, text[IPFSA_MAX_CID_TEXT];
  ipfsa_node *origin, *node;
  uint8_t *data; /* of all tensors */
  ipfsa_block_source source;
  script script;
} world;

typedef struct room {
  uint8_t *at;
  size_t len;
} room;

static int take(void *ctx, const void *data, size_t len) {
  room *r = ctx;
  memcpy(r->at + r->len, data, len);
  r->len += len;
  return 0;
}

static int get(void *ctx, const ipfsa_cid *cid, void *data, size_t data_size, size_t *ret_len) {
  script *s = ctx;
  room r = {.at = data};
  assert_int_equal(data_size, 2097152);
  s->n_asked++;
  s->last = *cid;
  if (s->is_empty) return 1;
  if (s->fails) return -1;
  if (ipfsa_block_get(s->from, cid, take, &r, NULL) != IPFSA_OK) return 1;
  s->n_bytes += r.len;
  if (s->n_asked == s->wrong_at) r.at[r.len / 2] ^= 1;
  *ret_len = s->lies ? data_size + 1 : r.len;
  return 0;
}

static void open_repo(world *w, const char *name, bool make, bool read_only, const ipfsa_block_source *source, ipfsa_node **ret) {
  char path[600];
  ipfsa_error err = {0};
  ipfsa_node_close(*ret);
  *ret = NULL;
  if (snprintf(path, sizeof path, "%s/%s", w->dir, name) >= (int)sizeof path) fail_msg("a long path");
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = path, .create = make, .read_only = read_only, .source = source};
  assert_ok(ipfsa_node_open(&options, ret, NULL, &err));
}

/* A folder with model.safetensors; its CID to w->text. */
static void add_model(world *w) {
  char folder[600], path[640];
  ipfsa_error err = {0};
  ipfsa_cid cid;
  snprintf(folder, sizeof folder, "%s/model", w->dir);
  snprintf(path, sizeof path, "mkdir '%s'", folder);
  assert_int_equal(system(path), 0);
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  char *header = malloc(N_TENSORS * 100);
  size_t len = 0;
  for (int i = 0; i < N_TENSORS; i++)
    len += (size_t)sprintf(header + len, "%s\"t%03d\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]}", i ? "," : "{", i, TENSOR, i * TENSOR, (i + 1) * TENSOR);
  header[len++] = '}';
  while (len % 8) header[len++] = ' ';
  uint64_t n = len;
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(&n, 1, 8, f) + fwrite(header, 1, len, f) + fwrite(w->data, 1, SIZE, f), 8 + len + SIZE);
  fclose(f);
  free(header);
  const char *one = folder;
  const ipfsa_add_options options = {.struct_size = sizeof options, .recursive = true, .cid_version_1 = IPFSA_ON, .chunker = "tensor-65536"};
  assert_ok(ipfsa_add(w->origin, &one, 1, -1, &options, &cid, &err));
  ipfsa_cid_format(&cid, w->text);
}

static int setup(void **state) {
  world *w = calloc(1, sizeof *w);
  w->dir = test_temp_dir();
  w->data = malloc(SIZE);
  test_shake128("fetch", w->data, SIZE);
  open_repo(w, "origin", true, false, NULL, &w->origin);
  add_model(w);
  w->script = (script){.from = w->origin};
  w->source = (ipfsa_block_source){sizeof w->source, get, &w->script};
  open_repo(w, "repo", true, false, &w->source, &w->node);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  world *w = *state;
  ipfsa_node_close(w->node);
  ipfsa_node_close(w->origin);
  test_remove_tree(w->dir);
  free(w->data);
  free(w);
  return 0;
}

static ipfsa_checkpoint *open_model(world *w) {
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  assert_ok(ipfsa_checkpoint_open(w->node, w->text, &cp, &err));
  assert_int_equal(ipfsa_checkpoint_n_tensors(cp), N_TENSORS);
  return cp;
}

static void expect(world *w, ipfsa_checkpoint *cp, uint64_t i, bool mapped) {
  ipfsa_error err = {0};
  ipfsa_tensor t;
  ipfsa_view view;
  assert_true(ipfsa_checkpoint_tensor(cp, i, &t));
  assert_ok(ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, &err));
  assert_memory_equal(view.data, w->data + i * TENSOR, TENSOR);
  assert_int_equal(view.mapped, mapped ? TENSOR : 0);
}

static void the_first_tensor_comes_first(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint_local local;
  ipfsa_checkpoint *cp = open_model(w);
  assert_true(w->script.n_bytes < SIZE / 100); /* folder, nodes, header */
  expect(w, cp, 0, true);
  assert_true(w->script.n_bytes >= TENSOR && w->script.n_bytes < SIZE / 50);
  assert_ok(ipfsa_checkpoint_locate(cp, &local, &err));
  assert_int_equal(local.n_tensors, 1);
  assert_int_equal(local.tensor_bytes, TENSOR);
  ipfsa_checkpoint_close(cp);
}

static void what_is_asked_for_and_nothing_twice(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = open_model(w);
  const uint64_t order[] = {70, 3, 95, 0, 4, 3, 70};
  expect(w, cp, 50, true);
  for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
    uint64_t bytes = w->script.n_bytes, n = w->script.n_asked;
    expect(w, cp, order[i], true);
    uint64_t more = w->script.n_bytes - bytes, calls = w->script.n_asked - n;
    if (i >= 5) assert_int_equal(more + calls, 0);
    else assert_true(more >= TENSOR && more < TENSOR + 20000 && calls >= 4 && calls <= 5); /* its leaves, and perhaps the node above */
  }
  uint8_t part[100];
  ipfsa_tensor t;
  uint64_t bytes = w->script.n_bytes;
  assert_true(ipfsa_checkpoint_tensor(cp, 20, &t));
  assert_ok(ipfsa_checkpoint_read(cp, &t, 70000, part, sizeof part, &err));
  assert_memory_equal(part, w->data + 20 * TENSOR + 70000, sizeof part);
  assert_true(w->script.n_bytes - bytes <= 65536 + 20000);
  for (uint64_t i = 0; i < N_TENSORS; i++) expect(w, cp, i, true);
  ipfsa_checkpoint_close(cp);
  bytes = w->script.n_asked;
  w->script.is_empty = true; /* all is here now, durably */
  open_repo(w, "repo", false, false, &w->source, &w->node);
  cp = open_model(w);
  for (uint64_t i = 0; i < N_TENSORS; i++) expect(w, cp, i, true);
  ipfsa_checkpoint_close(cp);
  assert_int_equal(w->script.n_asked, bytes);
}

static void gc_keeps_what_is_open(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_gc_result gone;
  ipfsa_checkpoint *cp = open_model(w);
  expect(w, cp, 5, true);
  uint64_t bytes = w->script.n_bytes;
  assert_ok(ipfsa_repo_gc(w->node, NULL, &gone, &err));
  expect(w, cp, 5, true);
  assert_int_equal(w->script.n_bytes, bytes);
  ipfsa_checkpoint_close(cp);
  assert_ok(ipfsa_repo_gc(w->node, NULL, &gone, &err));
  assert_true(gone.n_removed >= 5); /* it has no pin */
}

static void a_repo_that_is_only_read(void **state) {
  world *w = *state;
  open_repo(w, "repo", false, true, &w->source, &w->node);
  ipfsa_checkpoint *cp = open_model(w);
  expect(w, cp, 7, false); /* verified, and kept nowhere but in the view */
  uint64_t bytes = w->script.n_bytes;
  expect(w, cp, 8, false);
  assert_true(w->script.n_bytes > bytes);
  ipfsa_checkpoint_close(cp);
}

static void sources_that_are_wrong(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_tensor t;
  ipfsa_view view;
  w->script.is_empty = true;
  assert_status(ipfsa_checkpoint_open(w->node, w->text, &cp, &err), IPFSA_E_NOT_FOUND);
  w->script.is_empty = false;
  w->script.fails = true;
  assert_status(ipfsa_checkpoint_open(w->node, w->text, &cp, &err), IPFSA_E_IO);
  assert_non_null(strstr(err.message, "block source failed"));
  w->script.fails = false;
  w->script.lies = true;
  assert_status(ipfsa_checkpoint_open(w->node, w->text, &cp, &err), IPFSA_E_INVALID);
  w->script.lies = false;
  cp = open_model(w);
  assert_true(ipfsa_checkpoint_tensor(cp, 9, &t));
  w->script.wrong_at = w->script.n_asked + 3;
  assert_status(ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, &err), IPFSA_E_CORRUPT);
  assert_non_null(strstr(err.message, "gave other bytes"));
  ipfsa_repo_verify_result checked;
  assert_ok(ipfsa_repo_verify(w->node, NULL, &checked, &err));
  assert_int_equal(checked.n_damaged, 0);
  expect(w, cp, 9, true); /* asked again */
  ipfsa_checkpoint_close(cp);
  const ipfsa_block_source none = {.struct_size = sizeof none};
  char path[600];
  snprintf(path, sizeof path, "%s/repo", w->dir);
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = path, .source = &none};
  ipfsa_node *node = NULL;
  assert_status(ipfsa_node_open(&options, &node, NULL, &err), IPFSA_E_INVALID);
}

/* ---- as large as they are ---- */

static void pb_number(ipfsa_buf *b, unsigned field, uint64_t value) {
  ipfsa_buf_varint(b, field << 3);
  ipfsa_buf_varint(b, value);
}

static void pb_bytes(ipfsa_buf *b, unsigned field, const void *data, size_t len) {
  ipfsa_buf_varint(b, field << 3 | 2);
  ipfsa_buf_varint(b, len);
  ipfsa_buf_append(b, data, len);
}

typedef struct child {
  ipfsa_cid cid;
  uint64_t size;
} child;

static child put_leaf(world *w, const void *data, size_t len) {
  ipfsa_error err = {0};
  child c = {.size = len};
  assert_ok(ipfsa_block_put(w->origin, ipfsa_bytes_of(data, len), 1, 0x55, 0x12, 0, false, &c.cid, &err));
  return c;
}

static child put_node(world *w, const child *children, size_t n) {
  ipfsa_error err = {0};
  IPFSA_AUTO_BUF ipfsa_buf node = {0}, u = {0};
  child c = {0};
  for (size_t i = 0; i < n; i++) {
    uint8_t bytes[IPFSA_MAX_CID];
    IPFSA_AUTO_BUF ipfsa_buf link = {0};
    pb_bytes(&link, 1, bytes, ipfsa_cid_encode(&children[i].cid, bytes));
    pb_bytes(&link, 2, "", 0);
    pb_number(&link, 3, children[i].size);
    pb_bytes(&node, 2, link.data, link.len);
    c.size += children[i].size;
  }
  pb_number(&u, 1, 2);
  pb_number(&u, 3, c.size);
  for (size_t i = 0; i < n; i++) pb_number(&u, 4, children[i].size);
  pb_bytes(&node, 1, u.data, u.len);
  assert_ok(ipfsa_block_put(w->origin, ipfsa_buf_bytes(&node), 1, 0x70, 0x12, 0, false, &c.cid, &err));
  return c;
}

/* 4 GiB and a header: a tensor of 16 MiB of its own bytes, then larger ones whose leaves are one and the same, so that the origin is small. What is asked for
 * twice is counted twice. */
static void the_first_tensor_of_4_gib(void **state) {
  world *w = *state;
  enum { LEAF = 1 << 20, FIRST = 16, WIDE = 170, N = 24 };
  const uint64_t all = (uint64_t)LEAF * (FIRST + WIDE * N);
  ipfsa_error err = {0};
  char header[4096], text[IPFSA_MAX_CID_TEXT];
  size_t len = 8;
  len += (size_t)sprintf(header + len, "{\"first\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}", FIRST * LEAF, FIRST * LEAF);
  for (uint64_t i = 0, at = (uint64_t)FIRST * LEAF; i < N; i++, at += (uint64_t)WIDE * LEAF)
    len += (size_t)sprintf(header + len, ",\"t%d\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%llu,%llu]}", (int)i, WIDE * LEAF, (unsigned long long)at, (unsigned long long)at + WIDE * LEAF);
  header[len++] = '}';
  uint64_t n = len - 8;
  memcpy(header, &n, 8);
  child leaves[WIDE], nodes[N + 1];
  leaves[0] = put_leaf(w, header, len);
  for (int i = 0; i < FIRST; i++) leaves[1 + i] = put_leaf(w, w->data + (size_t)i * LEAF, LEAF);
  nodes[0] = put_node(w, leaves, FIRST + 1);
  leaves[0] = put_leaf(w, w->data + SIZE - LEAF, LEAF);
  for (int i = 1; i < WIDE; i++) leaves[i] = leaves[0];
  nodes[1] = put_node(w, leaves, WIDE);
  for (int i = 2; i <= N; i++) nodes[i] = nodes[1];
  child root = put_node(w, nodes, N + 1);
  assert_int_equal(root.size, all + len);
  assert_true(all >= (uint64_t)4 << 30);
  ipfsa_cid_format(&root.cid, text);
  ipfsa_checkpoint *cp = NULL;
  ipfsa_tensor t;
  ipfsa_view view;
  assert_ok(ipfsa_checkpoint_open(w->node, text, &cp, &err));
  assert_true(w->script.n_bytes < LEAF); /* the header, and nodes above it */
  assert_true(ipfsa_checkpoint_find(cp, "first", 5, &t));
  assert_ok(ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, &err));
  assert_memory_equal(view.data, w->data, FIRST * LEAF);
  assert_true(w->script.n_bytes >= FIRST * LEAF && w->script.n_bytes < root.size / 50);
  assert_true(ipfsa_checkpoint_find(cp, "t23", 3, &t)); /* a slice of the last one: its leaf alone */
  uint64_t before = w->script.n_bytes;
  assert_ok(ipfsa_checkpoint_view(cp, &t, t.size - 1000, 1000, &view, &err));
  assert_memory_equal(view.data, w->data + SIZE - 1000, 1000);
  assert_true(w->script.n_bytes - before < 2 * LEAF);
  ipfsa_checkpoint_close(cp);
}

/* Whatever fails once: an error, or the right bytes. */
static void every_call_fails_once(void **state) {
  world *w = *state;
  const ipfsa_fault_kind kinds[] = {IPFSA_FAULT_ALLOC, IPFSA_FAULT_FILE};
  for (size_t k = 0; k < 2; k++) {
    uint64_t nth = 1, n_failed = 0;
    for (bool fired = true; fired; nth += 1 + nth / 16) {
      ipfsa_error err = {0};
      ipfsa_checkpoint *cp = NULL;
      ipfsa_tensor t;
      ipfsa_view view;
      ipfsa_gc_result gone;
      open_repo(w, "repo", false, false, &w->source, &w->node);
      assert_ok(ipfsa_repo_gc(w->node, NULL, &gone, &err)); /* nothing is here */
      open_repo(w, "repo", false, false, &w->source, &w->node);
      ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = kinds[k], .nth = nth, .mode = IPFSA_FAULT_FAIL, .sys_errno = EIO});
      ipfsa_status status = ipfsa_checkpoint_open(w->node, w->text, &cp, &err);
      if (status == IPFSA_OK) assert_true(ipfsa_checkpoint_tensor(cp, 11, &t));
      if (status == IPFSA_OK) status = ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (status == IPFSA_OK) assert_memory_equal(view.data, w->data + 11 * TENSOR, TENSOR);
      else if (!fired || !err.message[0]) fail_msg("call %d of kind %d: %s", (int)nth, (int)k, err.message);
      n_failed += status != IPFSA_OK;
      ipfsa_checkpoint_close(cp);
    }
    assert_true(nth > 20 && n_failed > 5);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_first_tensor_comes_first, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_asked_for_and_nothing_twice, setup, teardown),
      cmocka_unit_test_setup_teardown(gc_keeps_what_is_open, setup, teardown),
      cmocka_unit_test_setup_teardown(a_repo_that_is_only_read, setup, teardown),
      cmocka_unit_test_setup_teardown(sources_that_are_wrong, setup, teardown),
      cmocka_unit_test_setup_teardown(the_first_tensor_of_4_gib, setup, teardown),
      cmocka_unit_test_setup_teardown(every_call_fails_once, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
