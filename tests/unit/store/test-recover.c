/* What rot in the last commit costs when the index is lost at the same time: the block it hit, and nothing else, for good. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "store_fixture.h"

#define N 12
#define LEN 20000

typedef struct fixture {
  store_fixture s;
  uint8_t *data;
  ipfsa_cid cids[N];
} fixture;

static ipfsa_status open_store(fixture *f, bool read_only, ipfsa_error *err) {
  return store_open(&f->s, (ipfsa_store_options){.read_only = read_only}, err);
}

static ipfsa_status put(fixture *f, unsigned first, unsigned end, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(ipfsa_store_blockstore(f->s.store), &w, err);
  for (unsigned i = first; status == IPFSA_OK && i < end; i++) {
    ipfsa_leaf leaf = {f->cids[i].mh.code, f->cids[i].mh.digest, f->cids[i].mh.len, 0, LEN};
    status = ipfsa_writer_put_run(w, &(ipfsa_leaf_run){f->data + i * LEN, LEN, IPFSA_LEAF_RAW, &leaf, 1}, err);
  }
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

static ipfsa_status get(fixture *f, unsigned i) {
  ipfsa_error err = {0};
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(ipfsa_store_blockstore(f->s.store), &f->cids[i], &block, &err);
  if (status == IPFSA_OK) assert_memory_equal(block.data.data, f->data + i * LEN, LEN);
  return status;
}

/* Two commits of four blocks. */
static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  ipfsa_error err = {0};
  store_begin(&f->s);
  f->data = malloc(N * LEN);
  test_shake128("recover", f->data, N * LEN);
  for (unsigned i = 0; i < N; i++)
    if (ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(f->data + i * LEN, LEN), &f->cids[i], NULL)) return 1;
  *state = f;
  return open_store(f, false, &err) || put(f, 0, 4, &err) || put(f, 4, 8, &err);
}

static int teardown(void **state) {
  fixture *f = *state;
  store_end(&f->s);
  free(f->data);
  free(f);
  return 0;
}

static uint64_t place_of(fixture *f, unsigned i, ipfsa_location *ret_at) {
  ipfsa_pack_entry entry;
  ipfsa_error err = {0};
  bool found = false;
  assert_ok(ipfsa_store__find(f->s.store, &f->cids[i].mh, ret_at, &entry, &found, &err));
  assert_true(found);
  return entry.off;
}

/* The store is closed, a bit turned over, and the index lost. */
static void damage(fixture *f, uint64_t off) {
  ipfsa_error err = {0};
  uint8_t byte;
  size_t n = 0;
  store_close(&f->s);
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(f->s.fd, "packs/00000001.pack", O_RDWR, 0, &err);
  assert_ok(ipfsa_fs_read_at(fd, &byte, 1, off, &n, &err));
  byte ^= 4;
  assert_ok(ipfsa_fs_write_at(fd, &byte, 1, off, &err));
  assert_int_equal(unlinkat(f->s.fd, "index", 0), 0);
}

static int count_name(void *ctx, const char *name, unsigned char type) {
  (void)type;
  if (name[0] != '.') ++*(unsigned *)ctx;
  return 0;
}

static unsigned n_in(fixture *f, const char *folder) {
  ipfsa_error err = {0};
  unsigned n = 0;
  assert_ok(ipfsa_fs_list(f->s.fd, folder, count_name, &n, &err));
  return n;
}

static void check(fixture *f, unsigned bad, unsigned n_there) {
  ipfsa_error err = {0};
  ipfsa_store_stat stat;
  ipfsa_store_verify_result result;
  for (unsigned i = 0; i < n_there; i++) assert_int_equal(get(f, i), i == bad ? IPFSA_E_NOT_FOUND : IPFSA_OK);
  assert_ok(ipfsa_store_stat_get(f->s.store, &stat, &err));
  assert_int_equal(stat.n_blocks, n_there - (bad < n_there));
  assert_int_equal(stat.block_bytes, (uint64_t)stat.n_blocks * LEN);
  assert_ok(ipfsa_store_verify(f->s.store, false, NULL, NULL, NULL, NULL, &result, &err));
  assert_int_equal(result.n_damaged, 0);
}

static void rot_takes_one_block(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_location at;
  damage(f, place_of(f, 5, &at) + 700);
  assert_ok(open_store(f, true, &err)); /* a reader hides it and writes nothing */
  check(f, 5, 8);
  assert_int_equal(n_in(f, "quarantine"), 0);
  store_close(&f->s);
  for (int round = 0; round < 3; round++) {
    assert_ok(open_store(f, false, &err));
    check(f, 5, 8);
    assert_int_equal(n_in(f, "quarantine"), 1);
    store_close(&f->s);
    if (round == 1) assert_int_equal(unlinkat(f->s.fd, "index", 0), 0);
  }
  assert_ok(open_store(f, false, &err));
  assert_ok(put(f, 4, 9, &err)); /* it can come again, and stays */
  check(f, N, 9);
  store_close(&f->s);
  assert_int_equal(unlinkat(f->s.fd, "index", 0), 0);
  assert_ok(open_store(f, false, &err));
  check(f, N, 9);
}

/* A table that does not hold is left where it is: what follows goes to a pack of its own. */
static void a_damaged_table_is_not_cut(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_location at;
  struct stat before, after;
  (void)place_of(f, 6, &at);
  damage(f, ipfsa_location_off(at) + 8);
  assert_ok(ipfsa_fs_stat(f->s.fd, "packs/00000001.pack", &before, &err));
  assert_ok(open_store(f, false, &err));
  check(f, N, 4);
  assert_int_equal(get(f, 4), IPFSA_E_NOT_FOUND);
  assert_ok(put(f, 8, 12, &err));
  assert_ok(put(f, 4, 8, &err));
  check(f, N, 12);
  store_close(&f->s);
  assert_ok(ipfsa_fs_stat(f->s.fd, "packs/00000001.pack", &after, &err));
  assert_int_equal(before.st_size, after.st_size);
  assert_int_equal(n_in(f, "packs"), 2);
  assert_int_equal(unlinkat(f->s.fd, "index", 0), 0);
  assert_ok(open_store(f, false, &err));
  check(f, N, 12);
}

/* The recovery itself fails at every point: the good blocks are read all the same, and the next open ends the work. */
static void recovery_may_fail(ipfsa_fault_kind kind, uint64_t n_calls, int sys_errno) {
  for (uint64_t n = 1;; n++) {
    ipfsa_error err = {0};
    void *state = NULL;
    ipfsa_location at;
    assert_int_equal(setup(&state), 0);
    fixture *f = state;
    damage(f, place_of(f, 7, &at));
    ipfsa_fault_arm(&(ipfsa_fault_plan){kind, n, n_calls, IPFSA_FAULT_FAIL, sys_errno});
    ipfsa_status opened = open_store(f, false, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (opened == IPFSA_OK) {
      assert_int_equal(get(f, 4), IPFSA_OK);
      assert_int_equal(get(f, 7), IPFSA_E_NOT_FOUND);
      ipfsa_status again = put(f, 7, 8, &err); /* a sync that failed stops all writing until the repo is opened anew */
      assert_true(again == IPFSA_OK || again == IPFSA_E_POISONED);
      assert_int_equal(get(f, 7), again ? IPFSA_E_NOT_FOUND : IPFSA_OK);
      store_close(&f->s);
      if (n % 2) assert_int_equal(unlinkat(f->s.fd, "index", 0), 0);
      assert_ok(open_store(f, false, &err));
      check(f, again ? 7 : N, 8);
    } else {
      assert_ok(open_store(f, false, &err));
      check(f, 7, 8);
    }
    teardown(&state);
    if (!fired) break;
  }
}

static void recovery_may_fail_anywhere(void **state) {
  (void)state;
  for (int all = 0; all < 2; all++) {
    recovery_may_fail(IPFSA_FAULT_ALLOC, all ? UINT64_MAX : 1, 0);
    recovery_may_fail(IPFSA_FAULT_FILE, all ? UINT64_MAX : 1, ENOSPC);
    recovery_may_fail(IPFSA_FAULT_FILE, all ? UINT64_MAX : 1, EIO);
  }
}

/* The read of the whole fails, and that of its first piece: what stands around it is saved. */
static void a_bad_sector_costs_a_piece(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_pack pack;
  ipfsa_pack_entry entry;
  ipfsa_location at;
  bool found = false;
  char text[IPFSA_MAX_CID_TEXT], name[IPFSA_MAX_CID_TEXT + 32], *saved = NULL;
  uint8_t expected[LEN];
  size_t len = 0;
  assert_ok(ipfsa_store__lookup(f->s.store, &f->cids[1].mh, &entry, &pack, &at, &found, &err));
  assert_true(found);
  memcpy(expected, f->data + LEN, LEN);
  memset(expected, 0, 4096);
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, 1, 2, IPFSA_FAULT_FAIL, EIO});
  ipfsa_status status = ipfsa_store__quarantine(f->s.store, &pack, &entry, &err);
  ipfsa_fault_disarm();
  assert_ok(status);
  ipfsa_store__key_text(&entry.mh, text);
  snprintf(name, sizeof name, "quarantine/%s.block", text);
  assert_ok(ipfsa_fs_read_file(f->s.fd, name, LEN + 1, &saved, &len, &err));
  assert_int_equal(len, LEN);
  assert_memory_equal(saved, expected, LEN);
  ipfsa_free(saved);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(rot_takes_one_block, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_table_is_not_cut, setup, teardown),
      cmocka_unit_test_setup_teardown(a_bad_sector_costs_a_piece, setup, teardown),
      cmocka_unit_test(recovery_may_fail_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
