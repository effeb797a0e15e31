#include <ipfsa/slices.h>

#include "../support.h"
#include "base/fault.h"

#define FILE_SIZE 20000
#define MAX_N 12

typedef struct world {
  uint8_t file[FILE_SIZE];
  ipfsa_slice slices[MAX_N];
  uint64_t shapes[MAX_N][4];
  uint8_t *want[MAX_N];
  size_t n;
  uint64_t state, align, last_end;
  uint64_t n_reads, n_read, n_wanted;
} world;

static uint64_t next(world *w, uint64_t below) {
  w->state = w->state * 6364136223846793005u + 1442695040888963407u;
  return (w->state >> 33) % below;
}

/* One element after the other. */
static uint8_t *naive(const world *w, const ipfsa_slice *s, size_t *ret_len) {
  uint64_t total = 1, inner = 1;
  for (uint32_t i = 0; i < s->rank; i++) total *= s->shape[i];
  for (uint32_t i = s->dim + 1; i < s->rank; i++) inner *= s->shape[i];
  size_t width = s->bits / 8, len = 0;
  uint8_t *ret = malloc(total * width + 1);
  for (uint64_t e = 0; e < total; e++) {
    uint64_t at = e / inner % s->shape[s->dim];
    if (at < s->start || at >= s->stop) continue;
    memcpy(ret + len, w->file + s->offset + e * width, width);
    len += width;
  }
  *ret_len = len;
  return ret;
}

static void add_slice(world *w, uint64_t *used) {
  ipfsa_slice *s = &w->slices[w->n];
  uint64_t total = 1;
  *s = (ipfsa_slice){.name = "t", .shape = w->shapes[w->n], .rank = 1 + (uint32_t)next(w, 4), .bits = 8u << next(w, 4)};
  for (uint32_t i = 0; i < s->rank; i++) total *= w->shapes[w->n][i] = next(w, 12) ? 1 + next(w, 9) : 0;
  s->offset = *used + (next(w, 2) ? next(w, 900) : 0);
  if (s->offset + total * s->bits / 8 > FILE_SIZE) return;
  *used = s->offset + total * s->bits / 8;
  s->dim = (uint32_t)next(w, s->rank);
  s->start = next(w, s->shape[s->dim] + 1);
  s->stop = s->start + next(w, s->shape[s->dim] - s->start + 1);
  w->want[w->n] = naive(w, s, &s->size);
  s->data = malloc(s->size + 1);
  memset(s->data, 0xa5, s->size + 1);
  w->n++;
}

static void make_world(world *w, uint64_t seed) {
  uint64_t used = 0;
  *w = (world){.state = seed};
  for (size_t i = 0; i < FILE_SIZE; i++) w->file[i] = (uint8_t)next(w, 256);
  for (int i = 0; i < MAX_N; i++) add_slice(w, &used);
  for (size_t i = w->n; i > 1; i--) { /* any order */
    size_t j = next(w, i);
    ipfsa_slice s = w->slices[i - 1];
    uint8_t *want = w->want[i - 1];
    w->slices[i - 1] = w->slices[j], w->want[i - 1] = w->want[j];
    w->slices[j] = s, w->want[j] = want;
  }
}

static void free_world(world *w) {
  for (size_t i = 0; i < w->n; i++) free(w->want[i]), free(w->slices[i].data);
}

static int read_at(void *ctx, void *data, size_t len, uint64_t off) {
  world *w = ctx;
  if (off + len > FILE_SIZE) return 1;
  memcpy(data, w->file + off, len);
  w->n_reads++;
  w->n_read += len;
  return 0;
}

static int check_read(void *ctx, const ipfsa_slices_read *read) {
  world *w = ctx;
  assert_true(read->size > 0 && read->wanted > 0 && read->wanted <= read->size);
  assert_true(read->offset >= w->last_end && read->offset + read->size <= FILE_SIZE);
  assert_true(read->offset % w->align == 0 && (read->size % w->align == 0 || read->offset + read->size == FILE_SIZE));
  w->last_end = read->offset + read->size;
  w->n_reads++;
  w->n_read += read->size;
  w->n_wanted += read->wanted;
  return 0;
}

static void slices_are_what_naive_slicing_gives(void **state) {
  (void)state;
  uint64_t n_wanted = 0;
  for (uint64_t seed = 1; seed <= 4000; seed++) {
    static world w;
    ipfsa_error err = {0};
    uint64_t wanted = 0;
    make_world(&w, seed);
    w.align = 1u << next(&w, 8);
    ipfsa_slices_options o = {.struct_size = sizeof o, .align = (uint32_t)w.align, .gap = 1 + next(&w, 300), .largest = 1 + next(&w, 2000)};
    assert_ok(ipfsa_slices_plan(FILE_SIZE, w.slices, w.n, &o, check_read, &w, &err));
    for (size_t i = 0; i < w.n; i++) wanted += w.slices[i].size;
    assert_true(w.n_wanted == wanted);
    uint64_t n_reads = w.n_reads, n_read = w.n_read;
    w.n_reads = w.n_read = 0;
    ipfsa_checkpoint_source source = {.struct_size = sizeof source, .size = FILE_SIZE, .read_at = read_at, .ctx = &w};
    assert_ok(ipfsa_slices_load(&source, w.slices, w.n, &o, &err));
    assert_true(w.n_reads == n_reads && w.n_read == n_read); /* as planned */
    for (size_t i = 0; i < w.n; i++) {
      assert_memory_equal(w.slices[i].data, w.want[i], w.slices[i].size);
      assert_int_equal(((uint8_t *)w.slices[i].data)[w.slices[i].size], 0xa5);
    }
    n_wanted += wanted;
    free_world(&w);
  }
  assert_true(n_wanted > 1000000);
}

/* A column slice: rows far apart are read alone, rows near each other together. */
static void what_is_near_is_read_together(void **state) {
  (void)state;
  static world w;
  ipfsa_error err = {0};
  uint64_t shape[] = {10, 1000};
  w.align = 1;
  ipfsa_slice s = {.name = "t", .shape = shape, .rank = 2, .bits = 8, .dim = 1, .start = 0, .stop = 500};
  ipfsa_slices_options o = {.struct_size = sizeof o, .align = 1, .gap = 499, .largest = 100000};
  assert_ok(ipfsa_slices_plan(FILE_SIZE, &s, 1, &o, check_read, &w, &err));
  assert_true(w.n_reads == 10 && w.n_read == 5000);
  w = (world){.align = 1};
  o.gap = 500;
  assert_ok(ipfsa_slices_plan(FILE_SIZE, &s, 1, &o, check_read, &w, &err));
  assert_true(w.n_reads == 1 && w.n_read == 9500 && w.n_wanted == 5000);
}

static void ranks_share_a_dimension(void **state) {
  (void)state;
  ipfsa_error err = {0};
  for (uint64_t size = 0; size < 40; size++)
    for (uint32_t n = 1; n < 12; n++) {
      uint64_t at = 0, start = 0, stop = 0;
      for (uint32_t rank = 0; rank < n; rank++) {
        assert_ok(ipfsa_slice_of_rank(size, rank, n, &start, &stop, &err));
        assert_true(start == at && stop >= start && stop - start <= (size + n - 1) / n);
        at = stop;
      }
      assert_true(at == size);
    }
  uint64_t start = 0, stop = 0;
  assert_status(ipfsa_slice_of_rank(4, 2, 2, &start, &stop, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_slice_of_rank(4, 0, 0, &start, &stop, &err), IPFSA_E_INVALID);
  assert_ok(ipfsa_slice_of_rank(UINT64_MAX, UINT32_MAX - 1, UINT32_MAX, &start, &stop, &err));
  assert_true(stop == UINT64_MAX);
}

static int ignore_read(void *ctx, const ipfsa_slices_read *read) {
  (void)read;
  ++*(int *)ctx;
  return 0;
}

static ipfsa_status plan(const ipfsa_slice *slices, size_t n, const ipfsa_slices_options *o, ipfsa_error *err) {
  int n_reads = 0;
  return ipfsa_slices_plan(FILE_SIZE, slices, n, o, ignore_read, &n_reads, err);
}

static int fail_read(void *ctx, void *data, size_t len, uint64_t off) {
  (void)ctx, (void)data, (void)len, (void)off;
  return 1;
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  ipfsa_error err = {0};
  uint64_t shape[] = {10, 100}, odd[] = {3, 3}, huge[] = {UINT64_MAX, UINT64_MAX}, many[IPFSA_MAX_SLICE_RANK + 1], size = 9;
  for (size_t i = 0; i <= IPFSA_MAX_SLICE_RANK; i++) many[i] = 1;
  const ipfsa_slice good = {.name = "t", .shape = shape, .rank = 2, .bits = 8, .dim = 1, .start = 1, .stop = 2};
  ipfsa_slice s = good;
  assert_ok(plan(&s, 1, NULL, &err));
  s.dim = 2;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID);
  s = good, s.stop = 101;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID);
  s = good, s.start = 3;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID);
  s = good, s.bits = 0;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID);
  s = good, s.offset = FILE_SIZE - 1000;
  assert_ok(plan(&s, 1, NULL, &err));
  s.offset++;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID);
  s.offset = UINT64_MAX;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID);
  s = good, s.shape = huge, s.stop = 1, s.start = 0;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID);
  s = good, s.bits = 4;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID); /* begins within a byte */
  s.start = 2, s.stop = 4;
  assert_ok(plan(&s, 1, NULL, &err));
  s.shape = odd, s.start = 0, s.stop = 2;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_INVALID); /* rows begin within bytes */
  s = good, s.shape = many, s.rank = IPFSA_MAX_SLICE_RANK, s.dim = 0, s.start = 0, s.stop = 1;
  assert_ok(plan(&s, 1, NULL, &err));
  s.rank++;
  assert_status(plan(&s, 1, NULL, &err), IPFSA_E_LIMIT);
  s = (ipfsa_slice){.name = "scalar", .bits = 32, .stop = 1, .offset = 8};
  assert_ok(ipfsa_slice_size(&s, &size, &err));
  assert_int_equal(size, 4);
  ipfsa_slice two[] = {good, good};
  assert_status(plan(two, 2, NULL, &err), IPFSA_E_INVALID);
  two[1].offset = 1000;
  assert_ok(plan(two, 2, NULL, &err));
  assert_status(plan(two, IPFSA_MAX_SLICES + 1, NULL, &err), IPFSA_E_LIMIT); /* refused before they are looked at */
  ipfsa_slice *most = calloc(IPFSA_MAX_SLICES, sizeof *most);
  for (size_t i = 0; i < IPFSA_MAX_SLICES; i++) most[i] = (ipfsa_slice){.name = "t", .bits = 8, .stop = 1, .offset = i};
  assert_ok(ipfsa_slices_plan(IPFSA_MAX_SLICES, most, IPFSA_MAX_SLICES, NULL, ignore_read, &(int){0}, &err));
  free(most);
  ipfsa_slices_options o = {.struct_size = sizeof o, .align = 3};
  assert_status(plan(two, 2, &o, &err), IPFSA_E_INVALID);
  o.align = 0, o.largest = IPFSA_MAX_SLICE_READ;
  assert_ok(plan(two, 2, &o, &err));
  o.largest++;
  assert_status(plan(two, 2, &o, &err), IPFSA_E_LIMIT);
  int n_reads = 0;
  assert_ok(ipfsa_slices_plan(INT64_MAX, &good, 1, NULL, ignore_read, &n_reads, &err));
  assert_status(ipfsa_slices_plan((uint64_t)INT64_MAX + 1, &good, 1, NULL, ignore_read, &n_reads, &err), IPFSA_E_LIMIT);
  uint8_t memory[10];
  ipfsa_checkpoint_source source = {.struct_size = sizeof source, .name = "model", .size = FILE_SIZE, .read_at = fail_read};
  s = good, s.data = memory, s.size = 9;
  assert_status(ipfsa_slices_load(&source, &s, 1, NULL, &err), IPFSA_E_INVALID);
  s.size = 10;
  assert_status(ipfsa_slices_load(&source, &s, 1, NULL, &err), IPFSA_E_IO);
  assert_non_null(strstr(err.message, "model: "));
  for (uint64_t n = 1; n <= 2; n++) {
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = ipfsa_slices_load(&source, &s, 1, NULL, &err);
    ipfsa_fault_disarm();
    assert_int_equal(status, IPFSA_E_NOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(slices_are_what_naive_slicing_gives), cmocka_unit_test(what_is_near_is_read_together),
                                     cmocka_unit_test(ranks_share_a_dimension), cmocka_unit_test(what_cannot_be_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
