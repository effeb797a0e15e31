/* Runs whose bytes are on their way while their owner goes on: with io_uring and without, what is acknowledged is there, the rest is not. */
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/write_queue.h"
#include "store_fixture.h"

#define N_RUNS 6u
#define N_LEAVES 3u
#define LEAF 65000u /* no multiple of a page: the last bytes of a run go another way */
#define ROOM (49u * 4096)

static uint8_t *rooms[N_RUNS];
static ipfsa_cid cids[N_RUNS][N_LEAVES];

typedef store_fixture fixture;

static const ipfsa_store_options plain = {0};

static void fill_rooms(void) {
  for (unsigned r = 0; r < N_RUNS; r++) {
    char seed[32];
    if (!rooms[r]) rooms[r] = ipfsa_alloc_aligned(4096, ROOM);
    snprintf(seed, sizeof seed, "room %u", r);
    test_shake128(seed, rooms[r], ROOM);
    for (unsigned i = 0; i < N_LEAVES; i++)
      assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(rooms[r] + i * LEAF, LEAF), &cids[r][i], NULL), 0);
  }
}

static ipfsa_status put_room(ipfsa_blockstore_writer *w, unsigned r, uint64_t *ret_ticket, ipfsa_error *err) {
  ipfsa_leaf leaves[N_LEAVES];
  for (unsigned i = 0; i < N_LEAVES; i++) leaves[i] = (ipfsa_leaf){cids[r][i].mh.code, cids[r][i].mh.digest, cids[r][i].mh.len, i * LEAF, LEAF};
  return ipfsa_writer_put_run_later(w, &(ipfsa_leaf_run){rooms[r], ROOM, IPFSA_LEAF_RAW, leaves, N_LEAVES}, NULL, ret_ticket, err);
}

/* All rooms through two buffers, so that each is filled anew while the other is on its way. */
static ipfsa_status put_all(ipfsa_store *store, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  uint64_t tickets[2] = {0};
  uint8_t *own[N_RUNS], *two[2] = {ipfsa_alloc_aligned(4096, ROOM), ipfsa_alloc_aligned(4096, ROOM)};
  memcpy(own, rooms, sizeof own);
  ipfsa_status status = two[0] && two[1] ? ipfsa_blockstore_begin(ipfsa_store_blockstore(store), &w, err) : IPFSA_E_NOMEM;
  for (unsigned r = 0; status == IPFSA_OK && r < N_RUNS; r++) {
    status = ipfsa_writer_settle(w, tickets[r % 2], err);
    if (status) break;
    memcpy(two[r % 2], own[r], ROOM);
    rooms[r] = two[r % 2];
    status = put_room(w, r, &tickets[r % 2], err);
  }
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  memcpy(rooms, own, sizeof own);
  for (unsigned i = 0; i < 2; i++) ipfsa_free_aligned(two[i]);
  return status;
}

static unsigned n_there(ipfsa_store *store) {
  unsigned n = 0;
  for (unsigned r = 0; r < N_RUNS; r++)
    for (unsigned i = 0; i < N_LEAVES; i++) n += store_has(store, &cids[r][i], rooms[r] + i * LEAF, LEAF);
  return n;
}

static void buffers_are_used_again_and_blocks_stay(void **state) {
  (void)state;
  for (unsigned way = 0; way < 2; way++) {
    void *own = NULL;
    ipfsa_error err = {0};
    if (!store_take_way(store_ways[way])) continue;
    assert_int_equal(store_setup(&own), 0);
    fixture *f = own;
    assert_ok(put_all(f->store, &err));
    for (int round = 0; round < 2; round++) {
      assert_int_equal(n_there(f->store), N_RUNS * N_LEAVES);
      if (round == 0) assert_int_equal(unlinkat(f->fd, "index", 0), 0);
      ipfsa_store_close(f->store);
      f->store = NULL;
      assert_ok(store_open(f, plain, &err));
    }
    store_teardown(&own);
  }
}

/* A get of a block that is on its way waits for it; a writer that closes without a commit leaves nothing. */
static void a_block_on_its_way_is_readable(void **state) {
  (void)state;
  for (unsigned way = 0; way < 2; way++) {
    void *own = NULL;
    ipfsa_error err = {0};
    ipfsa_blockstore_writer *w = NULL;
    uint64_t ticket;
    if (!store_take_way(store_ways[way])) continue;
    assert_int_equal(store_setup(&own), 0);
    fixture *f = own;
    assert_ok(ipfsa_blockstore_begin(ipfsa_store_blockstore(f->store), &w, &err));
    for (unsigned r = 0; r < N_RUNS; r++) {
      assert_ok(put_room(w, r, &ticket, &err));
      assert_int_equal(n_there(f->store), (r + 1) * N_LEAVES);
    }
    ipfsa_writer_close(w);
    assert_int_equal(n_there(f->store), 0);
    store_teardown(&own);
  }
}

static void any_write_may_fail(void **state) {
  (void)state;
  store_fail_in_all_ways(&(store_work){put_all, n_there, N_RUNS * N_LEAVES});
}

int main(void) {
  fill_rooms();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(buffers_are_used_again_and_blocks_stay),
      cmocka_unit_test(a_block_on_its_way_is_readable),
      cmocka_unit_test(any_write_may_fail),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  for (unsigned r = 0; r < N_RUNS; r++) ipfsa_free_aligned(rooms[r]);
  return failed;
}
