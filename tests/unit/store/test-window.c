/* Parts of leaves out of the page cache: right at every offset, and never what was not verified since it came into memory. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support.h"
#include "base/fault.h"
#include "base/clock.h"
#include "base/fs.h"
#include "store/local.h"

#define LEAF 20480 /* five pages: neighbours share what one fault brings in */
#define N_LEAVES 300
#define TOTAL (LEAF * N_LEAVES)

typedef struct fixture {
  char *dir;
  int fd;
  ipfsa_store *store;
  ipfsa_blockstore *bs;
  uint8_t *data;
  ipfsa_cid cids[N_LEAVES];
  ipfsa_place places[N_LEAVES];
  uint64_t random;
} fixture;

static uint32_t pick(uint64_t *random, uint32_t n) {
  *random = *random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*random >> 33) % n;
}

/* A file of leaves back to back; the odd runs are dag-pb. */
static void put_leaves(fixture *f) {
  ipfsa_error err = {0};
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(f->bs, &w, &err));
  for (size_t first = 0, run = 0; first < N_LEAVES; first += 50, run++) {
    ipfsa_leaf leaves[50];
    ipfsa_leaf_kind kind = run % 2 ? IPFSA_LEAF_PB_FILE : IPFSA_LEAF_RAW;
    for (size_t i = 0; i < 50; i++) {
      uint8_t block[LEAF + 64], suffix[32];
      size_t prefix_len, suffix_len;
      ipfsa_leaf_wrap(kind, LEAF, block, &prefix_len, suffix, &suffix_len);
      memcpy(block + prefix_len, f->data + (first + i) * LEAF, LEAF);
      memcpy(block + prefix_len + LEAF, suffix, suffix_len);
      ipfsa_cid *cid = &f->cids[first + i];
      assert_ok(ipfsa_cid_of_block(1, kind ? IPFSA_CODEC_DAG_PB : IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(block, prefix_len + LEAF + suffix_len), cid, &err));
      leaves[i] = (ipfsa_leaf){cid->mh.code, cid->mh.digest, cid->mh.len, (uint32_t)(i * LEAF), LEAF};
    }
    assert_ok(ipfsa_writer_put_run(w, &(ipfsa_leaf_run){f->data + first * LEAF, 50 * LEAF, kind, leaves, 50}, &err));
  }
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  ipfsa_error err = {0};
  f->dir = test_temp_dir();
  f->fd = ipfsa_fs_open_dir(AT_FDCWD, f->dir, &err);
  f->data = malloc(TOTAL);
  f->random = 3;
  test_shake128("windows", f->data, TOTAL);
  assert_ok(ipfsa_store_open(f->fd, &(ipfsa_store_options){.create = true}, &f->store, &err));
  f->bs = ipfsa_store_blockstore(f->store);
  put_leaves(f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  ipfsa_store_close(f->store);
  ipfsa_fs_close(&f->fd);
  test_remove_tree(f->dir);
  free(f->data);
  free(f);
  return 0;
}

static void locate_all(fixture *f) {
  if (!f->store->windows) {
    puts("skipped: this kernel does not count page faults, or has no pages of 4 KiB");
    skip();
  }
  for (size_t i = 0; i < N_LEAVES; i++) {
    assert_true(ipfsa_blockstore_locate(f->bs, &f->cids[i], &f->places[i]));
    assert_int_equal(f->places[i].len, LEAF);
  }
}

static bool read_part(fixture *f, size_t leaf, uint32_t from, uint32_t len) {
  uint8_t got[LEAF];
  memset(got, 0xee, len);
  if (!ipfsa_blockstore_read_place(f->bs, &f->places[leaf], from, len, got)) return false;
  assert_memory_equal(got, f->data + leaf * LEAF + from, len);
  return true;
}

#ifdef __SANITIZE_THREAD__
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
static void parts_are_right(void **state) {
  fixture *f = *state;
  locate_all(f);
  for (int i = 0; i < 5000; i++) {
    uint32_t from = pick(&f->random, LEAF), len = pick(&f->random, LEAF - from + 1);
    assert_true(read_part(f, pick(&f->random, N_LEAVES), from, len));
  }
  assert_false(ipfsa_blockstore_read_place(f->bs, &f->places[0], 1, LEAF, f->data)); /* a byte past its end */
}

static void what_does_not_belong_has_no_place(void **state) {
  fixture *f = *state;
  ipfsa_place place;
  locate_all(f);
  ipfsa_cid other = f->cids[0];
  other.codec = IPFSA_CODEC_DAG_PB; /* the bytes are a raw leaf's */
  assert_false(ipfsa_blockstore_locate(f->bs, &other, &place));
  other = f->cids[50];
  other.codec = IPFSA_CODEC_RAW; /* all of the dag-pb block, not what it wraps */
  assert_false(ipfsa_blockstore_locate(f->bs, &other, &place));
  other = f->cids[0];
  other.mh.digest[5] ^= 1;
  assert_false(ipfsa_blockstore_locate(f->bs, &other, &place));
  /* Another block that claims the same bytes. */
  assert_true(read_part(f, 7, 0, LEAF));
  place = f->places[7];
  place.digest[0] ^= 1;
  uint8_t got[LEAF];
  assert_false(ipfsa_blockstore_read_place(f->bs, &place, 0, LEAF, got));
}

static int open_pack(fixture *f) {
  ipfsa_error err = {0};
  int fd = ipfsa_fs_open(f->fd, "packs/00000001.pack", O_RDWR, 0, &err);
  assert_true(fd >= 0);
  return fd;
}

/* A write is seen from the next tick of the clock on. */
static void wait_for_tick(void) {
  for (uint64_t tick = ipfsa_clock_tick(); ipfsa_clock_tick() == tick;) usleep(1000);
}

static void a_write_to_the_pack_is_seen(void **state) {
  fixture *f = *state;
  locate_all(f);
  int fd = open_pack(f);
  for (size_t i = 0; i < N_LEAVES; i += 37) {
    uint64_t off = f->places[i].off + pick(&f->random, LEAF);
    uint8_t byte, wrong;
    assert_true(read_part(f, i, 0, LEAF));
    assert_int_equal(pread(fd, &byte, 1, (off_t)off), 1);
    wrong = byte ^ 4;
    assert_int_equal(pwrite(fd, &wrong, 1, (off_t)off), 1);
    wait_for_tick();
    assert_false(read_part(f, i, 0, LEAF));
    assert_true(read_part(f, (i + 1) % N_LEAVES, 0, LEAF));
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
    assert_true(read_part(f, i, 0, LEAF));
  }
  wait_for_tick();
  assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)f->places[3].off, LEAF), 0);
  assert_false(read_part(f, 3, 100, 100)); /* what gc took away */
  close(fd);
}

/* The windows of this process on a pack: what left the memory has no page table entry, and that is what this does to them. */
static size_t let_pages_go(void) {
  size_t n = 0;
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  assert_non_null(maps);
  while (fgets(line, sizeof line, maps)) {
    uintptr_t from, to;
    if (!strstr(line, ".pack") || !strstr(line, " r--s ") || sscanf(line, "%lx-%lx", &from, &to) != 2) continue;
    n += madvise((void *)from, to - from, MADV_DONTNEED) == 0;
  }
  fclose(maps);
  return n;
}

/* Bytes that change without a trace (a mapping that was made writable before) stand for a disk that gives other bytes the second time. */
static void what_left_the_memory_is_looked_at_again(void **state) {
  fixture *f = *state;
  locate_all(f);
  int fd = open_pack(f);
  for (size_t i = 0; i + 1 < 20; i++) {
    off_t from = (off_t)(f->places[i].off / 4096 * 4096);
    uint8_t *map = mmap(NULL, 2 * LEAF, PROT_READ | PROT_WRITE, MAP_SHARED, fd, from);
    assert_true(map != MAP_FAILED);
    size_t at = (size_t)(f->places[i].off - (uint64_t)from) + LEAF - 1;
    *(volatile uint8_t *)(map + at) ^= 0; /* writable from here on; the time of change moves now and not later */
    assert_true(read_part(f, i, 0, LEAF) && read_part(f, i + 1, 0, LEAF));
    map[at] ^= 1;
    assert_true(let_pages_go() > 0);
    assert_true(read_part(f, i + 1, 0, 4096)); /* its fault brings the neighbour's last page in as well */
    assert_false(read_part(f, i, LEAF - 1, 1));
    assert_false(read_part(f, i, 0, 1));
    map[at] ^= 1;
    assert_true(read_part(f, i, 0, LEAF));
    assert_int_equal(munmap(map, 2 * LEAF), 0);
  }
  close(fd);
}

/* So many undisturbed reads in a row that one look at the count of faults is enough; then faults of other causes, and pages that go. */
static void one_look_misses_nothing(void **state) {
  fixture *f = *state;
  uint8_t got[LEAF];
  locate_all(f);
  for (uint32_t round = 0; round < 6; round++) {
    for (uint32_t i = 0; i < 3000; i++) assert_true(read_part(f, i % 8, i, 100));
    volatile uint8_t *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(fresh != MAP_FAILED);
    *fresh = 1; /* a fault between two reads: the leaf is verified again, and read right */
    assert_int_equal(munmap((void *)(uintptr_t)fresh, 4096), 0);
    assert_true(read_part(f, round, 17, 4096));
    for (uint32_t i = 0; i < 3000; i++) assert_true(read_part(f, i % 8, i, 100));
    off_t from = (off_t)(f->places[round].off / 4096 * 4096);
    int fd = open_pack(f);
    uint8_t *map = mmap(NULL, 2 * LEAF, PROT_READ | PROT_WRITE, MAP_SHARED, fd, from);
    assert_true(map != MAP_FAILED);
    uint8_t *byte = map + (f->places[round].off - (uint64_t)from) + 5;
    *(volatile uint8_t *)byte ^= 0;
    wait_for_tick();
    for (uint32_t i = 0; i < 3000; i++) assert_true(read_part(f, round, i, 100));
    *byte ^= 1;
    assert_true(let_pages_go() > 0);
    assert_false(ipfsa_blockstore_read_place(f->bs, &f->places[round], 0, 100, got));
    *byte ^= 1;
    assert_true(read_part(f, round, 0, 100));
    assert_int_equal(munmap(map, 2 * LEAF), 0);
    close(fd);
  }
}

typedef struct reader {
  pthread_t thread;
  fixture *f;
  uint64_t random;
  int wrong, read;
} reader;

static void *read_much(void *arg) {
  reader *r = arg;
  uint8_t got[LEAF];
  for (int i = 0; i < 4000; i++) {
    uint32_t leaf = pick(&r->random, N_LEAVES), from = pick(&r->random, LEAF), len = pick(&r->random, LEAF - from + 1);
    if (!ipfsa_blockstore_read_place(r->f->bs, &r->f->places[leaf], from, len, got)) continue;
    r->read++;
    r->wrong += memcmp(got, r->f->data + leaf * LEAF + from, len) != 0;
  }
  return NULL;
}

static void in_threads(fixture *f, void *(*run)(void *)) {
  reader readers[3];
  for (size_t i = 0; i < 3; i++) {
    readers[i] = (reader){.f = f, .random = i};
    assert_int_equal(pthread_create(&readers[i].thread, NULL, run, &readers[i]), 0);
  }
  for (int i = 0; i < 50; i++) (void)let_pages_go();
  for (size_t i = 0; i < 3; i++) {
    pthread_join(readers[i].thread, NULL);
    assert_int_equal(readers[i].wrong, 0);
    assert_true(readers[i].read > 0);
  }
}

static void several_threads_read_while_pages_go(void **state) {
  fixture *f = *state;
  locate_all(f);
  in_threads(f, read_much);
}

static void every_file_operation_may_fail(void **state) {
  fixture *f = *state;
  locate_all(f);
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, EIO});
    bool done = read_part(f, n % N_LEAVES, 5, 4000);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (!fired) assert_true(done);
    assert_true(read_part(f, n % N_LEAVES, 5, 4000));
  }
}

static void they_can_be_switched_off(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_place place;
  ipfsa_store_close(f->store);
  setenv("IPFSA_WINDOWS", "off", 1);
  assert_ok(ipfsa_store_open(f->fd, &(ipfsa_store_options){0}, &f->store, &err));
  unsetenv("IPFSA_WINDOWS");
  f->bs = ipfsa_store_blockstore(f->store);
  assert_true(ipfsa_blockstore_locate(f->bs, &f->cids[0], &place));
  uint8_t got[LEAF];
  assert_false(ipfsa_blockstore_read_place(f->bs, &place, 0, LEAF, got));
}

/* ---- many leaves at once ---- */

/* How many of leaves [from, from + n) are good; *ret_first_bad: n: all. */
static size_t check(fixture *f, size_t from, size_t n, bool hash, size_t *ret_first_bad) {
  const ipfsa_place *places[N_LEAVES];
  bool good[N_LEAVES];
  size_t n_good = 0;
  for (size_t i = 0; i < n; i++) places[i] = &f->places[from + i];
  ipfsa_blockstore_check_places(f->bs, places, n, hash, good);
  *ret_first_bad = n;
  for (size_t i = n; i-- > 0;) {
    n_good += good[i];
    if (!good[i]) *ret_first_bad = i;
  }
  return n_good;
}

static void leaves_are_hashed_once(void **state) {
  fixture *f = *state;
#ifdef __SANITIZE_ADDRESS__
  print_message("skipped: the sanitizer's own page faults make leaves be hashed again\n");
  skip();
#endif
  size_t bad = 0;
  locate_all(f);
  assert_int_equal(check(f, 0, N_LEAVES, false, &bad), 0);
  assert_int_equal(check(f, 0, N_LEAVES, true, &bad), N_LEAVES);
  assert_int_equal(check(f, 0, N_LEAVES, false, &bad), N_LEAVES);
  for (int i = 0; i < 200; i++) { /* every stretch, also over the borders of regions */
    size_t from = pick(&f->random, N_LEAVES), n = 1 + pick(&f->random, (uint32_t)(N_LEAVES - from));
    assert_int_equal(check(f, from, n, i % 2, &bad), n);
  }
  assert_true(read_part(f, 17, 3, 1000)); /* the same marks */
  assert_true(let_pages_go() > 0);
  assert_int_equal(check(f, 0, N_LEAVES, false, &bad), 0);
  assert_true(read_part(f, 17, 3, 1000));
  assert_int_equal(check(f, 17, 1, false, &bad), 1);
}

static void a_leaf_that_does_not_match_is_not_good(void **state) {
  fixture *f = *state;
  size_t bad = 0;
  locate_all(f);
  assert_int_equal(check(f, 0, N_LEAVES, true, &bad), N_LEAVES);
  int fd = open_pack(f);
  for (size_t i = 0; i < N_LEAVES; i += 53) {
    uint8_t byte, wrong;
    assert_int_equal(pread(fd, &byte, 1, (off_t)f->places[i].off + 9), 1);
    wrong = byte ^ 1;
    assert_int_equal(pwrite(fd, &wrong, 1, (off_t)f->places[i].off + 9), 1);
    assert_int_equal(check(f, 0, N_LEAVES, false, &bad), 0); /* the time of change tells */
    assert_int_equal(check(f, 0, N_LEAVES, true, &bad), N_LEAVES - 1);
    assert_int_equal(bad, i);
    assert_int_equal(check(f, 0, N_LEAVES, false, &bad), N_LEAVES - 1);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)f->places[i].off + 9), 1);
  }
  assert_int_equal(check(f, 0, N_LEAVES, true, &bad), N_LEAVES);
  assert_int_equal(ftruncate(fd, (off_t)f->places[N_LEAVES - 1].off + 5), 0);
  assert_int_equal(check(f, 0, N_LEAVES, true, &bad), N_LEAVES - 1); /* nothing behind the end is touched */
  assert_int_equal(bad, N_LEAVES - 1);
  close(fd);
}

static void what_a_neighbour_brought_back_is_not_known(void **state) {
  fixture *f = *state;
  size_t bad = 0;
  locate_all(f);
  int fd = open_pack(f);
  for (size_t i = 0; i + 1 < 20; i++) {
    off_t from = (off_t)(f->places[i].off / 4096 * 4096);
    uint8_t *map = mmap(NULL, 2 * LEAF, PROT_READ | PROT_WRITE, MAP_SHARED, fd, from);
    assert_true(map != MAP_FAILED);
    size_t at = (size_t)(f->places[i].off - (uint64_t)from) + LEAF - 1;
    *(volatile uint8_t *)(map + at) ^= 0; /* as above */
    assert_int_equal(check(f, i, 2, true, &bad), 2);
    map[at] ^= 1;
    assert_true(let_pages_go() > 0);
    assert_int_equal(check(f, i + 1, 1, true, &bad), 1);
    assert_int_equal(check(f, i, 1, false, &bad), 0);
    assert_int_equal(check(f, i, 1, true, &bad), 0);
    map[at] ^= 1;
    assert_int_equal(check(f, i, 1, true, &bad), 1);
    assert_int_equal(munmap(map, 2 * LEAF), 0);
  }
  close(fd);
}

static void *check_much(void *arg) {
  reader *r = arg;
  for (int i = 0; i < 300; i++) {
    size_t bad, from = pick(&r->random, N_LEAVES), n = 1 + pick(&r->random, (uint32_t)(N_LEAVES - from)), good = check(r->f, from, n, true, &bad);
    r->wrong += good > (size_t)n;
    r->read += good > 0;
    if (from <= 100 && from + n > 100) r->wrong += bad > 100 - from; /* that one is damaged */
  }
  return NULL;
}

static void several_threads_check_neighbours_while_pages_go(void **state) {
  fixture *f = *state;
  uint8_t byte;
  locate_all(f);
  int fd = open_pack(f);
  assert_int_equal(pread(fd, &byte, 1, (off_t)f->places[100].off), 1);
  byte ^= 8;
  assert_int_equal(pwrite(fd, &byte, 1, (off_t)f->places[100].off), 1);
  close(fd);
  in_threads(f, check_much);
}

static void a_check_may_fail_at_every_file_operation(void **state) {
  fixture *f = *state;
  size_t bad;
  locate_all(f);
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, EIO});
    size_t good = check(f, n % 100, 40, true, &bad);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (!fired) assert_int_equal(good, 40);
    assert_int_equal(check(f, n % 100, 40, true, &bad), 40);
  }
}

int main(void) {
#ifdef __SANITIZE_THREAD__ /* its own memory has page faults in the middle of reads, which then are refused: right, and not what the others ask for */
  print_message("skipped: all but the tests with threads, since the sanitizer has page faults of its own\n");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(several_threads_read_while_pages_go, setup, teardown),
      cmocka_unit_test_setup_teardown(several_threads_check_neighbours_while_pages_go, setup, teardown),
  };
#else
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(parts_are_right, setup, teardown),
      cmocka_unit_test_setup_teardown(what_does_not_belong_has_no_place, setup, teardown),
      cmocka_unit_test_setup_teardown(a_write_to_the_pack_is_seen, setup, teardown),
      cmocka_unit_test_setup_teardown(what_left_the_memory_is_looked_at_again, setup, teardown),
      cmocka_unit_test_setup_teardown(one_look_misses_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(several_threads_read_while_pages_go, setup, teardown),
      cmocka_unit_test_setup_teardown(every_file_operation_may_fail, setup, teardown),
      cmocka_unit_test_setup_teardown(leaves_are_hashed_once, setup, teardown),
      cmocka_unit_test_setup_teardown(a_leaf_that_does_not_match_is_not_good, setup, teardown),
      cmocka_unit_test_setup_teardown(what_a_neighbour_brought_back_is_not_known, setup, teardown),
      cmocka_unit_test_setup_teardown(several_threads_check_neighbours_while_pages_go, setup, teardown),
      cmocka_unit_test_setup_teardown(a_check_may_fail_at_every_file_operation, setup, teardown),
      cmocka_unit_test_setup_teardown(they_can_be_switched_off, setup, teardown),
  };
#endif
  return cmocka_run_group_tests(tests, NULL, NULL);
}
