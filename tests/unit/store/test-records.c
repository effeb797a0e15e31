/* Small blocks in such numbers that they are written while more are put: readable at any time, on page borders past the page cache, whole or absent after a failure. */
#include <unistd.h>

#include "base/alloc.h"
#include "base/write_queue.h"
#include "store/records.h"
#include "store_fixture.h"

#define N_BLOCKS 90u
#define FULL 8192u

static uint8_t *blocks[N_BLOCKS];
static size_t lens[N_BLOCKS];
static ipfsa_cid cids[N_BLOCKS];

typedef store_fixture fixture;

static void make_blocks(void) {
  for (unsigned i = 0; i < N_BLOCKS; i++) {
    char seed[32];
    lens[i] = i == 33 ? 0 : i % 30 == 29 ? 3 * FULL + i : 500 + i * 13; /* an empty one, and some that fill a buffer alone */
    blocks[i] = ipfsa_malloc(lens[i] + 1);
    snprintf(seed, sizeof seed, "record %u", i);
    test_shake128(seed, blocks[i], lens[i]);
    assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(blocks[i], lens[i]), &cids[i], NULL), 0);
  }
}

static bool is_there(ipfsa_store *store, unsigned i) { return store_has(store, &cids[i], blocks[i], lens[i]); }

static unsigned n_there(ipfsa_store *store) {
  unsigned n = 0;
  for (unsigned i = 0; i < N_BLOCKS; i++) n += is_there(store, i);
  return n;
}

static ipfsa_status put_all(ipfsa_store *store, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(ipfsa_store_blockstore(store), &w, err);
  for (unsigned i = 0; status == IPFSA_OK && i < N_BLOCKS; i++) status = ipfsa_writer_put(w, &cids[i], ipfsa_bytes_of(blocks[i], lens[i]), err);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

static void blocks_are_readable_at_any_time(void **state) {
  (void)state;
  for (unsigned way = 0; way < 2; way++) {
    void *own = NULL;
    ipfsa_error err = {0};
    ipfsa_blockstore_writer *w = NULL;
    if (!store_take_way(store_ways[way])) continue;
    assert_int_equal(store_setup(&own), 0);
    fixture *f = own;
    assert_ok(ipfsa_blockstore_begin(ipfsa_store_blockstore(f->store), &w, &err));
    for (unsigned i = 0; i < N_BLOCKS; i++) {
      for (unsigned twice = 0; twice < 2; twice++) assert_ok(ipfsa_writer_put(w, &cids[i], ipfsa_bytes_of(blocks[i], lens[i]), &err));
      assert_true(is_there(f->store, i));
      assert_true(is_there(f->store, i / 2));
    }
    assert_int_equal(n_there(f->store), N_BLOCKS);
    ipfsa_writer_close(w);
    assert_int_equal(n_there(f->store), 0); /* nothing was committed */
    assert_ok(put_all(f->store, &err));
    for (int round = 0; round < 2; round++) {
      assert_int_equal(n_there(f->store), N_BLOCKS);
      if (round == 0) assert_int_equal(unlinkat(f->fd, "index", 0), 0);
      store_reopen(f, (ipfsa_store_options){0});
    }
    store_teardown(&own);
  }
}

static unsigned n_writes;
static void on_write(int fd, const void *data, size_t len, uint64_t off) {
  (void)fd;
  assert_int_equal((uintptr_t)data % 4096, 0);
  assert_int_equal(len % 4096, 0);
  assert_int_equal(off % 4096, 0);
  n_writes++;
}

static void full_buffers_go_past_the_page_cache(void **state) {
  (void)state;
  void *own = NULL;
  ipfsa_error err = {0};
  if (!store_take_way("uring")) return;
  assert_int_equal(store_setup(&own), 0);
  fixture *f = own;
  n_writes = 0;
  ipfsa_write_queue_listener = on_write;
  assert_ok(put_all(f->store, &err));
  ipfsa_write_queue_listener = NULL;
  char path[4200];
  snprintf(path, sizeof path, "%s/packs/00000001.pack", f->dir);
  int fd = open(path, O_RDONLY | O_DIRECT);
  if (fd < 0) print_message("skipped: no O_DIRECT in %s\n", f->dir);
  else assert_in_range(n_writes, 10, 30); /* 12 kB on the average */
  if (fd >= 0) close(fd);
  store_teardown(&own);
}

static void any_write_may_fail(void **state) {
  (void)state;
  store_fail_in_all_ways(&(store_work){put_all, n_there, N_BLOCKS});
}

/* Whoever goes on after a refusal hears the same again, and nothing is gathered meanwhile. */
static void a_full_repo_refuses_again_and_again(void **state) {
  (void)state;
  enum { LEN = 1 << 20 };
  fixture f;
  ipfsa_error err = {0};
  ipfsa_blockstore_writer *w = NULL;
  store_begin(&f);
  store_reopen(&f, (ipfsa_store_options){.max_size = (4u << 20) + 3 * LEN / 2}); /* beside what is kept for tables */
  uint8_t *data = ipfsa_calloc(1, LEN);
  ipfsa_status status = ipfsa_blockstore_begin(ipfsa_store_blockstore(f.store), &w, &err);
  assert_ok(status);
  for (uint8_t i = 0; i < 8; i++) {
    ipfsa_cid cid;
    data[0] = i;
    assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(data, LEN), &cid, NULL), 0);
    err = (ipfsa_error){0};
    status = ipfsa_writer_put(w, &cid, ipfsa_bytes_of(data, LEN), &err);
    if (i > 2 && status != IPFSA_E_QUOTA) fail_msg("block %u: %s: %s", i, ipfsa_status_to_string(status), err.message);
  }
  ipfsa_writer_close(w);
  ipfsa_free(data);
  store_end(&f);
}

int main(void) {
  ipfsa_records__full = FULL;
  make_blocks();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_are_readable_at_any_time),
      cmocka_unit_test(full_buffers_go_past_the_page_cache),
      cmocka_unit_test(any_write_may_fail),
      cmocka_unit_test(a_full_repo_refuses_again_and_again),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  for (unsigned i = 0; i < N_BLOCKS; i++) ipfsa_free(blocks[i]);
  return failed;
}
