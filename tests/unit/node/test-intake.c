/* Blocks from outside: verified and stored whatever their size and hash; a bad one is named, and the first of several. */
#include "dag_fixture.h"
#include "hash/hash.h"
#include "node/intake.h"

#include <sys/mman.h>
#include <unistd.h>

#define N 300u

static uint8_t scratch[IPFSA_MAX_BLOCK + 1];

/* Some 24 MiB, several turns of the ring: small ones between large ones, empty ones, whole limits, other hashes, identity. */
static size_t make_block(unsigned i, ipfsa_cid *ret) {
  char seed[32];
  size_t len = i % 50 == 49 ? IPFSA_MAX_BLOCK : i % 3 ? 90000 + i : i % 20 == 6 ? 0 : 10 + i * 7;
  uint64_t hash = i % 40 == 9 ? IPFSA_HASH_BLAKE3 : i % 40 == 11 ? IPFSA_HASH_SHA2_512 : IPFSA_HASH_SHA2_256;
  if (i % 40 == 21) hash = IPFSA_HASH_IDENTITY, len = 20;
  snprintf(seed, sizeof seed, "intake %u", i);
  test_shake128(seed, scratch, len);
  assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, hash, 0, ipfsa_bytes_of(scratch, len), ret, NULL), IPFSA_OK);
  return len;
}

/* The block as it came, or out of a file in which it stands at some odd place. */
static ipfsa_status hand_over(ipfsa_intake *in, unsigned i, const ipfsa_cid *cid, size_t len, int fd, ipfsa_error *err) {
  if (fd < 0 || len == 0 || ipfsa_cid_is_identity(cid)) return ipfsa_intake_put(in, i, cid, ipfsa_bytes_of(scratch, len), err);
  off_t at = lseek(fd, 13, SEEK_END);
  assert_int_equal(write(fd, scratch, len), (ssize_t)len);
  return ipfsa_intake_put_from(in, i, cid, fd, (uint64_t)at, (uint32_t)len, err);
}

/* Blocks [0, n); of those in bad a bit is flipped. fd: −1, or the file they come from. */
static ipfsa_status take_by(fixture *f, unsigned n, int fd, const unsigned *bad, unsigned n_bad, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_intake *in = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(f->node.bs, &w, err);
  if (status == IPFSA_OK) status = ipfsa_intake_new(&f->node, w, &in, err);
  for (unsigned i = 0; status == IPFSA_OK && i < n; i++) {
    ipfsa_cid cid;
    size_t len = make_block(i, &cid);
    for (unsigned k = 0; k < n_bad; k++)
      if (bad[k] == i) scratch[len / 2] ^= 1;
    status = hand_over(in, i, &cid, len, fd, err);
  }
  if (status == IPFSA_OK) status = ipfsa_intake_finish(in, err);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_intake_free(in);
  ipfsa_writer_close(w);
  return status;
}

static ipfsa_status take(fixture *f, unsigned n, const unsigned *bad, unsigned n_bad, ipfsa_error *err) { return take_by(f, n, -1, bad, n_bad, err); }

static ipfsa_status take_from_file(fixture *f, unsigned n, const unsigned *bad, unsigned n_bad, ipfsa_error *err) {
  int fd = memfd_create("blocks", MFD_CLOEXEC);
  assert_true(fd >= 0);
  ipfsa_status status = take_by(f, n, fd, bad, n_bad, err);
  close(fd);
  return status;
}

static void check_all(fixture *f, unsigned n) {
  ipfsa_error err = {0};
  for (unsigned i = 0; i < n; i++) {
    ipfsa_cid cid;
    ipfsa_block block = {0};
    size_t len = make_block(i, &cid);
    assert_ok(ipfsa_blockstore_get(f->node.bs, &cid, &block, &err));
    assert_int_equal(block.data.len, len);
    if (len) assert_memory_equal(block.data.data, scratch, len);
    ipfsa_block_release(&block);
  }
}

static void blocks_of_all_sizes_arrive(void **state) {
  (void)state;
  for (unsigned n = 0; n <= N; n = n * 7 + 1) {
    ipfsa_error err = {0};
    fixture *f = fixture_new();
    assert_ok(take(f, n, NULL, 0, &err));
    check_all(f, n);
    assert_ok(take(f, n, NULL, 0, &err)); /* again: all are there */
    ipfsa_store_stat stat;
    assert_ok(ipfsa_store_stat_get(f->node.store, &stat, &err));
    uint64_t n_blocks = stat.n_blocks;
    fixture_reopen(f);
    check_all(f, n);
    assert_ok(ipfsa_store_stat_get(f->node.store, &stat, &err));
    assert_int_equal(stat.n_blocks, n_blocks);
    fixture_free(f);
  }
}

static void blocks_in_a_file_arrive(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  assert_ok(take_from_file(f, N, NULL, 0, &err));
  fixture_reopen(f);
  check_all(f, N);
  fixture_free(f);
}

/* Of a file that ends early, the first block that is not whole is named; one before it that is wrong comes first. */
static void a_file_that_ends_early_is_told(void **state) {
  (void)state;
  for (unsigned with_bad = 0; with_bad < 2; with_bad++) {
    ipfsa_error err = {0};
    fixture *f = fixture_new();
    ipfsa_blockstore_writer *w = NULL;
    ipfsa_intake *in = NULL;
    int fd = memfd_create("blocks", MFD_CLOEXEC);
    assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
    assert_ok(ipfsa_intake_new(&f->node, w, &in, &err));
    for (unsigned i = 1; i < 6; i++) {
      ipfsa_cid cid;
      size_t len = make_block(i, &cid);
      if (with_bad && i == 2) scratch[0] ^= 1;
      assert_ok(hand_over(in, i, &cid, len, fd, &err));
    }
    assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0);
    assert_int_equal(ipfsa_intake_finish(in, &err), with_bad ? IPFSA_E_CORRUPT : IPFSA_E_CHANGED);
    assert_int_equal(strncmp(err.message, with_bad ? "block 2: " : "block 5: ", 9), 0);
    ipfsa_intake_free(in);
    ipfsa_writer_close(w);
    close(fd);
    fixture_free(f);
  }
}

static void check_bad_block(ipfsa_status (*by)(fixture *, unsigned, const unsigned *, unsigned, ipfsa_error *)) {
  static const unsigned which[] = {0, 1, 9, 11, 12, 49, 77, 160, N - 1};
  for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
    char name[32];
    ipfsa_error err = {0};
    fixture *f = fixture_new();
    unsigned bad[] = {which[i], which[i] + 50 < N ? which[i] + 50 : which[i] + N};
    assert_int_equal(by(f, N, bad, 2, &err), IPFSA_E_CORRUPT);
    snprintf(name, sizeof name, "block %u: ", which[i]);
    if (strncmp(err.message, name, strlen(name)) != 0) fail_msg("%s instead of %s", err.message, name);
    ipfsa_cid cid;
    bool there = true;
    make_block(which[i], &cid);
    assert_ok(ipfsa_blockstore_has(f->node.bs, &cid, &there, &err));
    assert_false(there);
    fixture_free(f);
  }
}

static void a_bad_block_is_named(void **state) {
  (void)state;
  check_bad_block(take);
  check_bad_block(take_from_file);
}

static void a_block_over_the_limit_is_refused(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_cid cid;
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_intake *in = NULL;
  fixture *f = fixture_new();
  assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(scratch, sizeof scratch), &cid, NULL), IPFSA_OK);
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  assert_ok(ipfsa_intake_new(&f->node, w, &in, &err));
  assert_int_equal(ipfsa_intake_put(in, 3, &cid, ipfsa_bytes_of(scratch, sizeof scratch), &err), IPFSA_E_LIMIT);
  ipfsa_intake_free(in);
  ipfsa_writer_close(w);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_of_all_sizes_arrive),
      cmocka_unit_test(blocks_in_a_file_arrive),
      cmocka_unit_test(a_file_that_ends_early_is_told),
      cmocka_unit_test(a_bad_block_is_named),
      cmocka_unit_test(a_block_over_the_limit_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
