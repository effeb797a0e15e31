/* What ranks have of tensors of an open checkpoint, whatever file and type they are of. */
#include "../support.h"

#include <ipfsa/slices.h>

#include "base/buf.h"
#include "base/fault.h"
#include "checkpoint/checkpoint.h"
#include "memory.h"

static void text(ipfsa_buf *b, const char *s) {
  ipfsa_buf_u64le(b, strlen(s));
  ipfsa_buf_str(b, s);
}

/* One tensor "w" of Q8_0: 2 rows of 64 elements, blocks of 32 elements in 34 bytes; then "v", 4 elements of F32. */
static void make_gguf(ipfsa_buf *b) {
  ipfsa_buf_str(b, "GGUF");
  ipfsa_buf_u32le(b, 3);
  ipfsa_buf_u64le(b, 2);
  ipfsa_buf_u64le(b, 1);
  text(b, "general.architecture");
  ipfsa_buf_u32le(b, 8);
  text(b, "llama");
  text(b, "w");
  ipfsa_buf_u32le(b, 2);
  ipfsa_buf_u64le(b, 64);
  ipfsa_buf_u64le(b, 2);
  ipfsa_buf_u32le(b, 8);
  ipfsa_buf_u64le(b, 0);
  text(b, "v");
  ipfsa_buf_u32le(b, 1);
  ipfsa_buf_u64le(b, 4);
  ipfsa_buf_u32le(b, 0);
  ipfsa_buf_u64le(b, 160);
  ipfsa_buf_fill(b, 0, (32 - b->len % 32) % 32);
  for (int i = 0; i < 160 + 32; i++) ipfsa_buf_u8(b, (uint8_t)i);
}

typedef struct world {
  ipfsa_buf bytes;
  memory_source source;
  ipfsa_checkpoint *cp;
  ipfsa_tensor w, v;
} world;

static int setup(void **state) {
  world *w = calloc(1, sizeof *w);
  ipfsa_error err = {0};
  make_gguf(&w->bytes);
  w->source = memory_of(w->bytes.data, w->bytes.len);
  assert_ok(ipfsa_checkpoint_load_file(&w->source.base, "m.gguf", &w->cp, &err));
  assert_true(ipfsa_checkpoint_find(w->cp, "w", 1, &w->w) && ipfsa_checkpoint_find(w->cp, "v", 1, &w->v));
  *state = w;
  return 0;
}

static int teardown(void **state) {
  world *w = *state;
  ipfsa_checkpoint_close(w->cp);
  ipfsa_buf_release(&w->bytes);
  free(w);
  return 0;
}

static void load(world *w, const ipfsa_tensor *t, uint32_t dim, bool whole, uint32_t rank, uint32_t n, const uint8_t *expected, size_t len) {
  ipfsa_error err = {0};
  uint8_t room[512];
  uint64_t size = 0;
  ipfsa_rank_slice s = {.tensor = t, .dim = dim, .whole = whole, .data = room};
  assert_ok(ipfsa_checkpoint_rank_size(w->cp, &s, rank, n, &size, &err));
  assert_int_equal(size, len);
  s.size = len;
  assert_ok(ipfsa_checkpoint_load_rank(w->cp, &s, 1, rank, n, NULL, &err));
  if (len) assert_memory_equal(room, expected, len);
}

static void blocks_are_cut_between(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  uint8_t all[160 + 32], columns[68];
  uint64_t size = 0;
  for (int i = 0; i < 160 + 32; i++) all[i] = (uint8_t)i;
  load(w, &w->w, 0, false, 0, 2, all, 68);
  load(w, &w->w, 0, false, 1, 2, all + 68, 68);
  load(w, &w->w, 0, false, 2, 3, NULL, 0);
  for (int r = 0; r < 2; r++) {
    memcpy(columns, all + 34 * r, 34);
    memcpy(columns + 34, all + 68 + 34 * r, 34);
    load(w, &w->w, 1, false, (uint32_t)r, 2, columns, 68);
  }
  load(w, &w->w, 9, true, 1, 4, all, 136);
  load(w, &w->v, 0, false, 1, 2, all + 168, 8);
  ipfsa_rank_slice s = {.tensor = &w->w, .dim = 1};
  assert_status(ipfsa_checkpoint_rank_size(w->cp, &s, 0, 4, &size, &err), IPFSA_E_INVALID); /* 16 of 32 */
  assert_non_null(strstr(err.message, "blocks"));
}

static void what_cannot_be(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  uint64_t size = 0;
  uint8_t room[16];
  ipfsa_tensor foreign = w->v;
  foreign.offset += 4;
  ipfsa_rank_slice s = {.tensor = &foreign, .data = room, .size = 8};
  assert_status(ipfsa_checkpoint_rank_size(w->cp, &s, 0, 2, &size, &err), IPFSA_E_INVALID);
  foreign = w->v;
  foreign.shard = 1;
  assert_status(ipfsa_checkpoint_load_rank(w->cp, &s, 1, 0, 2, NULL, &err), IPFSA_E_INVALID);
  s.tensor = &w->v;
  assert_status(ipfsa_checkpoint_load_rank(w->cp, &s, 1, 2, 2, NULL, &err), IPFSA_E_INVALID);
  s.dim = 1;
  assert_status(ipfsa_checkpoint_load_rank(w->cp, &s, 1, 0, 2, NULL, &err), IPFSA_E_INVALID);
  s.dim = 0;
  s.size = 7;
  assert_status(ipfsa_checkpoint_load_rank(w->cp, &s, 1, 0, 2, NULL, &err), IPFSA_E_INVALID);
  s.size = 8;
  ipfsa_rank_slice twice[2] = {s, s};
  assert_status(ipfsa_checkpoint_load_rank(w->cp, twice, 2, 0, 2, NULL, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_checkpoint_load_rank(w->cp, &s, IPFSA_MAX_SLICES + 1, 0, 2, NULL, &err), IPFSA_E_LIMIT);
}

/* The words of the source, not only that it failed. */
static void a_source_that_fails(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  uint8_t room[16];
  ipfsa_rank_slice s = {.tensor = &w->v, .data = room, .size = 8};
  w->source.base.size_hint = 10;
  assert_status(ipfsa_checkpoint_load_rank(w->cp, &s, 1, 0, 2, NULL, &err), IPFSA_E_CHANGED);
  assert_non_null(strstr(err.message, "read past the end"));
}

static void allocations_fail(void **state) {
  world *w = *state;
  uint8_t room[136], other[16];
  const ipfsa_rank_slice s[2] = {{.tensor = &w->v, .whole = true, .data = other, .size = 16}, {.tensor = &w->w, .whole = true, .data = room, .size = 136}};
  uint64_t nth = 1;
  for (bool fired = true; fired; nth++) {
    ipfsa_error err = {0};
    ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = nth, .mode = IPFSA_FAULT_FAIL});
    ipfsa_status status = ipfsa_checkpoint_load_rank(w->cp, s, 2, 0, 1, NULL, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
  }
  assert_true(nth > 4);
  assert_int_equal(room[135], 135);
  assert_int_equal(other[15], 175);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(blocks_are_cut_between, setup, teardown),
      cmocka_unit_test_setup_teardown(what_cannot_be, setup, teardown),
      cmocka_unit_test_setup_teardown(a_source_that_fails, setup, teardown),
      cmocka_unit_test_setup_teardown(allocations_fail, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
