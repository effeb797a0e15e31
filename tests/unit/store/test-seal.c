/* Full packs are sealed: an index is made from the seal, and from the commits where there is none or it does not hold. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_fixture.h"

#define N 60u
#define A_COMMIT 4u
#define MAX_LEN 9000u

typedef store_fixture fixture;

static uint8_t scratch[MAX_LEN];

static void reopen(fixture *f) { store_reopen(f, (ipfsa_store_options){.max_pack_size = 65536}); }

static size_t make_block(unsigned i, ipfsa_cid *ret) {
  char seed[32];
  size_t len = 100 + i * 531 % (MAX_LEN - 100);
  snprintf(seed, sizeof seed, "seal %u", i);
  test_shake128(seed, scratch, len);
  assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(scratch, len), ret, NULL), IPFSA_OK);
  return len;
}

static void put_blocks(fixture *f, unsigned first, unsigned end) {
  ipfsa_error err = {0};
  for (unsigned i = first; i < end;) {
    ipfsa_blockstore_writer *w = NULL;
    assert_ok(ipfsa_blockstore_begin(ipfsa_store_blockstore(f->store), &w, &err));
    for (unsigned k = 0; k < A_COMMIT && i < end; k++, i++) {
      ipfsa_cid cid;
      size_t len = make_block(i, &cid);
      assert_ok(ipfsa_writer_put(w, &cid, ipfsa_bytes_of(scratch, len), &err));
    }
    assert_ok(ipfsa_writer_commit(w, &err));
    ipfsa_writer_close(w);
  }
}

static bool is_there(fixture *f, unsigned i) {
  ipfsa_cid cid;
  ipfsa_error err = {0};
  ipfsa_block block = {0};
  size_t len = make_block(i, &cid);
  ipfsa_status status = ipfsa_blockstore_get(ipfsa_store_blockstore(f->store), &cid, &block, &err);
  if (status == IPFSA_E_NOT_FOUND) return false;
  assert_ok(status);
  assert_int_equal(block.data.len, len);
  assert_memory_equal(block.data.data, scratch, len);
  ipfsa_block_release(&block);
  return true;
}

static int setup(void **state) {
  fixture *f = *state = calloc(1, sizeof *f);
  store_begin(f);
  reopen(f);
  put_blocks(f, 0, N);
  return 0;
}

/* The packs alone are the truth: without the index, as many blocks as before. */
static void rebuild(fixture *f) {
  ipfsa_error err = {0};
  ipfsa_store_stat before, after;
  assert_ok(ipfsa_store_stat_get(f->store, &before, &err));
  assert_int_equal(unlinkat(f->fd, "index", 0), 0);
  reopen(f);
  assert_ok(ipfsa_store_stat_get(f->store, &after, &err));
  assert_int_equal(after.n_blocks, before.n_blocks);
  assert_int_equal(after.block_bytes, before.block_bytes);
}

static void check_all(fixture *f) {
  ipfsa_error err = {0};
  ipfsa_store_verify_result result;
  for (unsigned i = 0; i < N; i++) assert_true(is_there(f, i));
  assert_ok(ipfsa_store_verify(f->store, false, NULL, NULL, NULL, NULL, &result, &err));
  assert_int_equal(result.n_blocks, N);
  assert_int_equal(result.n_damaged, 0);
}

static ipfsa_pack_seal seal_of(fixture *f, size_t i) {
  ipfsa_error err = {0};
  ipfsa_pack_seal seal = {0};
  bool found = false;
  assert_ok(ipfsa_pack_find_seal(&f->store->packs[i], &seal, &found, &err));
  if (!found) seal.off = 0;
  return seal;
}

static int open_pack(fixture *f, size_t i) {
  char name[16], path[32];
  ipfsa_pack_name(f->store->packs[i].number, name);
  snprintf(path, sizeof path, "packs/%s", name);
  int fd = openat(f->fd, path, O_RDWR);
  assert_true(fd >= 0);
  return fd;
}

static void full_packs_are_sealed(void **state) {
  fixture *f = *state;
  assert_true(f->store->n_packs > 3);
  for (size_t i = 0; i < f->store->n_packs; i++) {
    bool full = f->store->packs[i].end >= 65536;
    assert_int_equal(seal_of(f, i).off, full ? f->store->packs[i].end : 0);
  }
  for (int round = 0; round < 2; round++) rebuild(f), check_all(f);
}

static void a_pack_without_a_seal_is_read_by_its_commits(void **state) {
  fixture *f = *state;
  for (size_t i = 0; i + 1 < f->store->n_packs; i++) {
    int fd = open_pack(f, i);
    assert_int_equal(ftruncate(fd, (off_t)seal_of(f, i).off), 0);
    close(fd);
    assert_int_equal(seal_of(f, i).off, 0);
  }
  rebuild(f);
  check_all(f);
}

/* A head that rotted away takes the commit from a search, not from the seal; and the reverse. */
static void what_the_seal_has_needs_no_head(void **state) {
  fixture *f = *state;
  static const uint8_t zeros[IPFSA_PACK_HEAD_SIZE];
  int fd = open_pack(f, 0);
  uint64_t off = seal_of(f, 0).off;
  assert_int_equal(pwrite(fd, zeros, sizeof zeros, IPFSA_PACK_FIRST_COMMIT), sizeof zeros);
  rebuild(f);
  for (unsigned i = 0; i < N; i++) assert_true(is_there(f, i));
  assert_int_equal(ftruncate(fd, (off_t)off), 0);
  assert_int_equal(unlinkat(f->fd, "index", 0), 0);
  reopen(f);
  for (unsigned i = 0; i < N; i++) assert_int_equal(is_there(f, i), i >= A_COMMIT);
  close(fd);
}

static void a_damaged_seal_costs_nothing(void **state) {
  fixture *f = *state;
  ipfsa_pack_seal seal = seal_of(f, 1);
  struct stat st;
  int fd = open_pack(f, 1);
  assert_int_equal(fstat(fd, &st), 0);
  assert_true(seal.off && (uint64_t)st.st_size > seal.off);
  for (off_t at = (off_t)seal.off; at < st.st_size; at += at + 64 >= st.st_size ? 1 : 29) {
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x41;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    rebuild(f);
    for (unsigned i = 0; i < N; i += 7) assert_true(is_there(f, i));
    byte ^= 0x41;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  }
  close(fd);
  check_all(f);
}

static bool keep_some(void *ctx, const ipfsa_multihash *mh) {
  (void)ctx;
  return mh->digest[0] % 2 == 0;
}

/* Removed in a later pack, then put again in one later still: the last word counts. */
static void a_later_word_wins_over_a_seal(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  assert_ok(ipfsa_store_sweep(f->store, keep_some, NULL, NULL, NULL, &err));
  rebuild(f);
  for (unsigned i = 0; i < N; i++) {
    ipfsa_cid cid;
    make_block(i, &cid);
    assert_int_equal(is_there(f, i), keep_some(NULL, &cid.mh));
  }
  put_blocks(f, 0, N); /* the ones that are gone, in new packs that are sealed in turn */
  rebuild(f);
  check_all(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(full_packs_are_sealed, setup, store_teardown),
      cmocka_unit_test_setup_teardown(a_pack_without_a_seal_is_read_by_its_commits, setup, store_teardown),
      cmocka_unit_test_setup_teardown(what_the_seal_has_needs_no_head, setup, store_teardown),
      cmocka_unit_test_setup_teardown(a_damaged_seal_costs_nothing, setup, store_teardown),
      cmocka_unit_test_setup_teardown(a_later_word_wins_over_a_seal, setup, store_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
