/* The store after a power loss at any moment: it must open, hold what was acknowledged, show the rest whole or not at all, have no damage, and
 * take a new commit. */
#include <fcntl.h>
#include <unistd.h>

#include "../power_loss.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "store/pins.h"
#include "store/records.h"
#include "store_fixture.h"

/* ---- the work ---- */

#define N_BLOCKS 40
static uint8_t *blocks[N_BLOCKS];
static size_t lens[N_BLOCKS];
static ipfsa_cid cids[N_BLOCKS];

static void make_blocks(void) {
  for (unsigned i = 0; i < N_BLOCKS; i++) {
    char seed[32];
    lens[i] = i % 5 ? 100 + i * 7 : i % 10 ? 20000 + i : 66000 + i; /* the largest go with O_DIRECT, on their way while others are put */
    blocks[i] = ipfsa_alloc_aligned(4096, lens[i]);
    snprintf(seed, sizeof seed, "power %u", i);
    test_shake128(seed, blocks[i], lens[i]);
    assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(blocks[i], lens[i]), &cids[i], NULL), 0);
  }
}

static ipfsa_status put(ipfsa_store *store, unsigned first, unsigned end, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(ipfsa_store_blockstore(store), &w, err);
  uint64_t ticket;
  for (unsigned i = first; status == IPFSA_OK && i < end; i++) {
    ipfsa_leaf leaf = {cids[i].mh.code, cids[i].mh.digest, cids[i].mh.len, 0, (uint32_t)lens[i]};
    if (i % 5 == 0) status = ipfsa_writer_put_run_later(w, &(ipfsa_leaf_run){blocks[i], lens[i], IPFSA_LEAF_RAW, &leaf, 1}, NULL, &ticket, err);
    else status = ipfsa_writer_put(w, &cids[i], ipfsa_bytes_of(blocks[i], lens[i]), err);
  }
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

static bool there(ipfsa_store *store, unsigned i) { return store_has(store, &cids[i], blocks[i], lens[i]); }

static bool is_kept(unsigned i) { return cids[i].mh.digest[0] % 2 == 0; }
static bool keep(void *ctx, const ipfsa_multihash *mh) {
  (void)ctx;
  return mh->digest[0] % 2 == 0;
}

/* The second sweep takes all of the first two commits, and with them their pack. */
static bool keep_third(void *ctx, const ipfsa_multihash *mh) {
  (void)ctx;
  for (unsigned i = 0; i < 20; i++)
    if (ipfsa_multihash_equal(&cids[i].mh, mh)) return false;
  return true;
}

enum { ACK_OPEN = 1, ACK_FIRST, ACK_SECOND, ACK_PIN, ACK_SWEEP, ACK_THIRD, ACK_ALL_SWEPT };
static const ipfsa_store_options options = {.create = true, .max_pack_size = 150000, .checkpoint_every = 15};

static size_t record_work(void) {
  ipfsa_error err = {0};
  ipfsa_store *store = NULL;
  ipfsa_pin pin = {.cid = cids[1], .mode = IPFSA_PIN_RECURSIVE, .name = "kept"};
  char *dir = test_temp_dir();
  int fd = open(dir, O_RDONLY | O_DIRECTORY);
  power_record(dir);
  assert_ok(ipfsa_store_open(fd, &options, &store, &err));
  power_acknowledge(ACK_OPEN);
  assert_ok(put(store, 0, 10, &err));
  power_acknowledge(ACK_FIRST);
  assert_ok(put(store, 10, 20, &err));
  power_acknowledge(ACK_SECOND);
  assert_ok(ipfsa_pins_set(store, &pin, 1, &err));
  power_acknowledge(ACK_PIN);
  assert_ok(ipfsa_store_sweep(store, keep, NULL, NULL, NULL, &err));
  power_acknowledge(ACK_SWEEP);
  assert_ok(put(store, 20, 30, &err));
  power_acknowledge(ACK_THIRD);
  assert_ok(ipfsa_store_sweep(store, keep_third, NULL, NULL, NULL, &err));
  power_acknowledge(ACK_ALL_SWEPT);
  ipfsa_store_stat stat;
  assert_ok(ipfsa_store_stat_get(store, &stat, &err));
  assert_int_equal(stat.n_packs, 1); /* the first is gone */
  ipfsa_store_close(store);
  size_t n = power_stop();
  close(fd);
  test_remove_tree(dir);
  return n;
}

/* The blocks of one commit: all when acknowledged, else each whole or absent (there() looks); once a sweep began, only those it keeps are promised. */
static void check_commit(ipfsa_store *store, unsigned first, bool acked, bool sweeping, bool swept, int ack, const char *where) {
  unsigned n_kept = 0, n_other = 0, kept = 0, other = 0;
  for (unsigned i = first; i < first + 10; i++) {
    bool is = there(store, i);
    if (is_kept(i)) n_kept++, kept += is;
    else n_other++, other += is;
  }
  if (first < 20 && ack >= ACK_THIRD) {
    if (ack == ACK_ALL_SWEPT && kept + other) fail_msg("%s: %u swept blocks from %u on are back", where, kept + other, first);
    return;
  }
  if (acked && kept != n_kept) fail_msg("%s: %u of %u acknowledged blocks from %u on", where, kept, n_kept, first);
  if (acked && !sweeping && other != n_other) fail_msg("%s: %u of %u acknowledged blocks from %u on", where, other, n_other, first);
  if (swept && other) fail_msg("%s: %u swept blocks from %u on are back", where, other, first);
}

static void check_disk(size_t n, power_fate fate) {
  char where[64];
  ipfsa_error err = {0};
  ipfsa_pin pin;
  ipfsa_store *store = NULL;
  ipfsa_store_verify_result result;
  char *dir = test_temp_dir();
  int fd = open(dir, O_RDONLY | O_DIRECTORY);
  int ack = power_build(n, fate, fd);
  snprintf(where, sizeof where, "after operation %zu, fate %d, acknowledged %d", n, (int)fate, ack);
  if (ipfsa_store_open(fd, &options, &store, &err) != IPFSA_OK) fail_msg("%s: open: %s", where, err.message);
  check_commit(store, 0, ack >= ACK_FIRST, ack >= ACK_PIN, ack >= ACK_SWEEP, ack, where);
  check_commit(store, 10, ack >= ACK_SECOND, ack >= ACK_PIN, ack >= ACK_SWEEP, ack, where);
  check_commit(store, 20, ack >= ACK_THIRD, false, false, ack, where);
  ipfsa_status pinned = ipfsa_pins_get(store, &cids[1], &pin, &err);
  if (pinned != IPFSA_OK && (ack >= ACK_PIN || pinned != IPFSA_E_NOT_PINNED)) fail_msg("%s: the pin: %s", where, err.message);
  if (ipfsa_store_verify(store, false, NULL, NULL, NULL, NULL, &result, &err) != IPFSA_OK) fail_msg("%s: verify: %s", where, err.message);
  if (result.n_damaged) fail_msg("%s: %llu damaged", where, (unsigned long long)result.n_damaged);
  if (put(store, 30, 40, &err) != IPFSA_OK) fail_msg("%s: put: %s", where, err.message);
  ipfsa_store_close(store);
  store = NULL;
  if (ipfsa_store_open(fd, &options, &store, &err) != IPFSA_OK) fail_msg("%s: open again: %s", where, err.message);
  check_commit(store, 30, true, false, false, ack, where);
  ipfsa_store_close(store);
  close(fd);
  test_remove_tree(dir);
}

/* full: bytes of small blocks that are written together. */
static void power_goes(const char *way, size_t full) {
  ipfsa_records__full = full;
  if (!store_take_way(way)) return;
  make_blocks();
  size_t n_ops = record_work();
  for (size_t n = 0; n <= n_ops; n++)
    for (power_fate fate = 0; fate < N_FATES; fate++) check_disk(n, fate);
  print_message("%s, %zu bytes of records: %zu operations, %zu disks\n", way, full, n_ops, (n_ops + 1) * N_FATES);
  power_forget();
  for (unsigned i = 0; i < N_BLOCKS; i++) ipfsa_free_aligned(blocks[i]);
}

static void power_may_go_at_any_time(void **state) {
  (void)state;
  power_goes("plain", IPFSA_RECORDS_FULL);
  power_goes("uring", IPFSA_RECORDS_FULL);
  power_goes("uring", 700);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(power_may_go_at_any_time)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
