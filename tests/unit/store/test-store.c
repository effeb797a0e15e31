#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "hash/hash.h"
#include "store_fixture.h"

typedef store_fixture fixture;

static const ipfsa_store_options plain = {0};

static void reopen(fixture *f) { store_reopen(f, plain); }

/* Block i: its length and bytes follow from its number. */
static size_t make_block(unsigned i, uint8_t *data, ipfsa_cid *ret) {
  char seed[32];
  size_t len = i % 7 == 0 ? 70000 + i : 10 + i * 13 % 5000;
  snprintf(seed, sizeof seed, "block %u", i);
  test_shake128(seed, data, len);
  assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(data, len), ret, NULL), IPFSA_OK);
  return len;
}

static uint8_t scratch[200000];

static ipfsa_status put_blocks(ipfsa_store *store, unsigned first, unsigned end, ipfsa_error *err) {
  ipfsa_blockstore *bs = ipfsa_store_blockstore(store);
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(bs, &w, err);
  for (unsigned i = first; status == IPFSA_OK && i < end; i++) {
    ipfsa_cid cid;
    size_t len = make_block(i, scratch, &cid);
    if (i % 7 == 0) {
      ipfsa_leaf leaf = {cid.mh.code, cid.mh.digest, cid.mh.len, 0, (uint32_t)len};
      status = ipfsa_writer_put_run(w, &(ipfsa_leaf_run){scratch, len, IPFSA_LEAF_RAW, &leaf, 1}, err);
    } else {
      status = ipfsa_writer_put(w, &cid, ipfsa_bytes_of(scratch, len), err);
    }
  }
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

static bool block_is_there(ipfsa_store *store, unsigned i) {
  ipfsa_cid cid;
  ipfsa_block block = {0};
  ipfsa_error err = {0};
  size_t len = make_block(i, scratch, &cid);
  ipfsa_status status = ipfsa_blockstore_get(ipfsa_store_blockstore(store), &cid, &block, &err);
  if (status == IPFSA_E_NOT_FOUND) return false;
  assert_ok(status);
  assert_int_equal(block.data.len, len);
  assert_memory_equal(block.data.data, scratch, len);
  ipfsa_block_release(&block);
  return true;
}

static void what_is_committed_stays(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  assert_ok(put_blocks(f->store, 0, 50, &err));
  assert_ok(put_blocks(f->store, 40, 100, &err));
  for (int round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 100; i++) assert_true(block_is_there(f->store, i));
    assert_false(block_is_there(f->store, 1000));
    ipfsa_store_stat stat;
    assert_ok(ipfsa_store_stat_get(f->store, &stat, &err));
    assert_int_equal(stat.n_blocks, 100);
    if (round == 1) assert_int_equal(unlinkat(f->fd, "index", 0), 0); /* the packs alone are the truth */
    reopen(f);
  }
  ipfsa_store_verify_result result;
  assert_ok(ipfsa_store_verify(f->store, false, NULL, NULL, NULL, NULL, &result, &err));
  assert_int_equal(result.n_blocks, 100);
  assert_int_equal(result.n_damaged, 0);
}

static void what_is_not_committed_vanishes(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(put_blocks(f->store, 0, 5, &err));
  assert_ok(ipfsa_blockstore_begin(ipfsa_store_blockstore(f->store), &w, &err));
  ipfsa_cid cid;
  size_t len = make_block(20, scratch, &cid);
  assert_ok(ipfsa_writer_put(w, &cid, ipfsa_bytes_of(scratch, len), &err));
  assert_true(block_is_there(f->store, 20)); /* visible to its own process */
  ipfsa_writer_close(w);
  assert_false(block_is_there(f->store, 20));
  reopen(f);
  assert_false(block_is_there(f->store, 20));
  assert_true(block_is_there(f->store, 4));
}

static bool keep_even(void *ctx, const ipfsa_multihash *mh) {
  bool *even = ctx;
  (void)even;
  return mh->digest[0] % 2 == 0;
}

static int count_removed(void *ctx, const ipfsa_multihash *mh, uint64_t size) {
  (void)mh, (void)size;
  ++*(unsigned *)ctx;
  return 0;
}

static void sweep_takes_what_is_not_kept(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  assert_ok(put_blocks(f->store, 0, 100, &err));
  unsigned removed = 0, there = 0;
  assert_ok(ipfsa_store_sweep(f->store, keep_even, NULL, count_removed, &removed, &err));
  for (int round = 0; round < 3; round++) {
    there = 0;
    for (unsigned i = 0; i < 100; i++) {
      ipfsa_cid cid;
      make_block(i, scratch, &cid);
      bool is = block_is_there(f->store, i);
      assert_int_equal(is, cid.mh.digest[0] % 2 == 0);
      there += is;
    }
    assert_int_equal(there + removed, 100);
    if (round == 1) unlinkat(f->fd, "index", 0);
    reopen(f);
  }
  assert_ok(put_blocks(f->store, 0, 100, &err)); /* what was removed can come back */
  for (unsigned i = 0; i < 100; i++) assert_true(block_is_there(f->store, i));
}

static void a_pack_ends_and_another_begins(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_store_close(f->store);
  assert_ok(store_open(f, (ipfsa_store_options){.max_pack_size = 65536}, &err));
  for (unsigned i = 0; i < 40; i += 4) assert_ok(put_blocks(f->store, i, i + 4, &err));
  ipfsa_store_stat stat;
  assert_ok(ipfsa_store_stat_get(f->store, &stat, &err));
  assert_true(stat.n_packs > 2);
  unsigned removed = 0;
  assert_ok(ipfsa_store_sweep(f->store, keep_even, NULL, count_removed, &removed, &err));
  reopen(f);
  for (unsigned i = 0; i < 40; i++) {
    ipfsa_cid cid;
    make_block(i, scratch, &cid);
    assert_int_equal(block_is_there(f->store, i), cid.mh.digest[0] % 2 == 0);
  }
}

static void quota_and_read_only(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_store_close(f->store);
  assert_ok(store_open(f, (ipfsa_store_options){.max_size = 5 << 20}, &err));
  ipfsa_status status = IPFSA_OK;
  unsigned i = 0;
  for (; status == IPFSA_OK && i < 400; i += 7) status = put_blocks(f->store, i, i + 7, &err);
  assert_int_equal(status, IPFSA_E_QUOTA);
  assert_true(block_is_there(f->store, 0));
  ipfsa_store_close(f->store);
  assert_ok(store_open(f, (ipfsa_store_options){.read_only = true}, &err));
  assert_true(block_is_there(f->store, 0));
  assert_status(put_blocks(f->store, 900, 901, &err), IPFSA_E_READ_ONLY);
}

/* Each flipped bit is found by verify or was harmless; a damaged block is never given out (the reads check every byte). */
static void bit_flips_are_never_served(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  assert_ok(put_blocks(f->store, 1, 7, &err));
  ipfsa_store_close(f->store);
  f->store = NULL;
  int fd = ipfsa_fs_open(f->fd, "packs/00000001.pack", O_RDWR, 0, &err);
  struct stat st;
  assert_ok(ipfsa_fs_fstat(fd, &st, &err));
  size_t n = 0, served = 0, refused = 0;
  for (uint64_t off = 4096; off < (uint64_t)st.st_size; off += 41) {
    uint8_t byte, flipped;
    assert_ok(ipfsa_fs_read_at(fd, &byte, 1, off, &n, &err));
    flipped = byte ^ (uint8_t)(1u << off % 8);
    assert_ok(ipfsa_fs_write_at(fd, &flipped, 1, off, &err));
    assert_ok(store_open(f, plain, &err));
    for (unsigned i = 1; i < 7; i++) {
      ipfsa_cid cid;
      ipfsa_block block = {0};
      size_t len = make_block(i, scratch, &cid);
      ipfsa_status status = ipfsa_blockstore_get(ipfsa_store_blockstore(f->store), &cid, &block, &err);
      if (status == IPFSA_OK) {
        assert_int_equal(block.data.len, len);
        assert_memory_equal(block.data.data, scratch, len);
        served++;
      } else {
        assert_true(status == IPFSA_E_CORRUPT || status == IPFSA_E_NOT_FOUND);
        refused++;
        ipfsa_store_verify_result result;
        assert_ok(ipfsa_store_verify(f->store, false, NULL, NULL, NULL, NULL, &result, &err));
        assert_true(result.n_damaged > 0);
      }
      ipfsa_block_release(&block);
    }
    ipfsa_store_close(f->store);
    f->store = NULL;
    assert_ok(ipfsa_fs_write_at(fd, &byte, 1, off, &err));
  }
  assert_true(served > 0 && refused > 0);
  ipfsa_fs_close(&fd);
  assert_ok(store_open(f, plain, &err));
}

#define N_MANY 30

/* From `first` on as many as come; each must be what it should be. */
static size_t get_many(fixture *f, const ipfsa_cid *cids, unsigned first, size_t n, ipfsa_status *ret_status, ipfsa_error *err) {
  ipfsa_block got[IPFSA_MAX_GET_MANY];
  size_t n_got = 0;
  *ret_status = ipfsa_blockstore_get_many(ipfsa_store_blockstore(f->store), cids + first, n, first % 2, got, &n_got, err);
  if (*ret_status) return 0;
  assert_in_range(n_got, 1, n);
  for (size_t i = n_got; i-- > 0;) { /* released in another order than they came */
    ipfsa_cid cid;
    size_t len = make_block(first + (unsigned)i, scratch, &cid);
    assert_int_equal(got[i].data.len, len);
    assert_memory_equal(got[i].data.data, scratch, len);
    ipfsa_block_release(&got[i]);
  }
  return n_got;
}

static void several_are_read_together(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_status status;
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_cid cids[N_MANY];
  for (unsigned i = 0; i < N_MANY; i++) make_block(i, scratch, &cids[i]);
  assert_ok(put_blocks(f->store, 0, 12, &err));
  assert_ok(put_blocks(f->store, 13, N_MANY - 2, &err));
  for (unsigned i = 0; i < 12; i++)
    for (size_t n = 1; n <= IPFSA_MAX_GET_MANY; n++) {
      size_t want = i + n <= 12 ? n : 12 - i;
      assert_int_equal(get_many(f, cids, i, n, &status, &err), want); /* up to the one that is missing */
    }
  assert_int_equal(get_many(f, cids, 12, 4, &status, &err), 0);
  assert_int_equal(status, IPFSA_E_NOT_FOUND);
  assert_ok(ipfsa_blockstore_begin(ipfsa_store_blockstore(f->store), &w, &err));
  size_t len = make_block(12, scratch, &cids[12]);
  assert_ok(ipfsa_writer_put(w, &cids[12], ipfsa_bytes_of(scratch, len), &err));
  assert_true(get_many(f, cids, 11, 4, &status, &err) > 0);
  assert_true(get_many(f, cids, 12, 4, &status, &err) > 0); /* not committed, and there for its own process */
  ipfsa_writer_close(w);
  for (ipfsa_fault_kind kind = IPFSA_FAULT_ALLOC; kind <= IPFSA_FAULT_FILE; kind++)
    for (ipfsa_fault_mode mode = IPFSA_FAULT_FAIL; mode <= IPFSA_FAULT_SHORT; mode++) {
      bool fired = true;
      for (uint64_t n = 1; fired; n++) {
        ipfsa_fault_arm(&(ipfsa_fault_plan){kind, n, 1, mode, EIO});
        size_t got = get_many(f, cids, 0, 12, &status, &err);
        fired = ipfsa_fault_fired();
        ipfsa_fault_disarm();
        if (!fired || mode == IPFSA_FAULT_SHORT) assert_int_equal(got, 12);
        assert_true(status == IPFSA_OK || status == IPFSA_E_IO || status == IPFSA_E_NOMEM);
      }
    }
}

/* The n-th allocation or file operation fails, for every n: acknowledged blocks are there afterwards, the rest is whole or absent. */
static void faults(ipfsa_fault_kind kind, ipfsa_fault_mode mode, int sys_errno) {
  for (uint64_t n = 1;; n++) {
    void *state = NULL;
    assert_int_equal(store_setup(&state), 0);
    fixture *f = state;
    ipfsa_error err = {0};
    assert_ok(put_blocks(f->store, 0, 8, &err));
    ipfsa_store_close(f->store);
    f->store = NULL;
    ipfsa_fault_arm(&(ipfsa_fault_plan){kind, n, 1, mode, sys_errno});
    ipfsa_status opened = store_open(f, plain, &err);
    ipfsa_status put = opened ? opened : put_blocks(f->store, 8, 16, &err);
    unsigned removed = 0;
    ipfsa_status swept = opened ? opened : ipfsa_store_sweep(f->store, keep_even, NULL, count_removed, &removed, NULL);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    ipfsa_store_close(f->store);
    f->store = NULL;
    assert_ok(store_open(f, plain, &err));
    for (unsigned i = 0; i < 16; i++) {
      ipfsa_cid cid;
      make_block(i, scratch, &cid);
      bool even = cid.mh.digest[0] % 2 == 0, there = block_is_there(f->store, i);
      if (even && (i < 8 || put == IPFSA_OK) && !there) fail_msg("call %llu: block %u was acknowledged and is gone", (unsigned long long)n, i);
      if (!even && swept == IPFSA_OK && there && put == IPFSA_OK) fail_msg("call %llu: block %u was swept and is there", (unsigned long long)n, i);
    }
    ipfsa_store_verify_result result;
    assert_ok(ipfsa_store_verify(f->store, false, NULL, NULL, NULL, NULL, &result, &err));
    assert_int_equal(result.n_damaged, 0);
    assert_ok(put_blocks(f->store, 100, 103, &err));
    store_teardown(&state);
    if (!fired) break;
  }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  faults(IPFSA_FAULT_ALLOC, IPFSA_FAULT_FAIL, 0);
}

static void every_file_operation_may_fail(void **state) {
  (void)state;
  faults(IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, EIO);
  faults(IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, ENOSPC);
  faults(IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, EINTR);
  faults(IPFSA_FAULT_FILE, IPFSA_FAULT_SHORT, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_is_committed_stays, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(what_is_not_committed_vanishes, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(sweep_takes_what_is_not_kept, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(a_pack_ends_and_another_begins, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(quota_and_read_only, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(bit_flips_are_never_served, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(several_are_read_together, store_setup, store_teardown),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(every_file_operation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
