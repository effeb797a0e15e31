/* Large blocks that nobody will want in memory: read past the page cache where that can be done, and the same bytes and verdicts either way. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "store_fixture.h"

#define N_LEAVES 5u
#define LEAF 131072u
#define LAST (65536u + 4000u) /* no multiple of a page */
#define ROOM (N_LEAVES * LEAF)

static uint8_t *room;

/* Leaves of one file, in the room of the test. */
typedef struct leaves {
  ipfsa_leaf_kind kind;
  ipfsa_cid cids[N_LEAVES];
  uint8_t blocks[N_LEAVES][LEAF + 64];
  size_t lens[N_LEAVES];
} leaves;

static leaves files[2];

static size_t leaf_len(unsigned i) { return i + 1 < N_LEAVES ? LEAF : LAST; }

static void make_leaves(leaves *l, ipfsa_leaf_kind kind) {
  ipfsa_error err = {0};
  l->kind = kind;
  for (unsigned i = 0; i < N_LEAVES; i++) {
    uint8_t prefix[32], suffix[32];
    size_t prefix_len, suffix_len, len = leaf_len(i);
    ipfsa_leaf_wrap(kind, len, prefix, &prefix_len, suffix, &suffix_len);
    memcpy(l->blocks[i], prefix, prefix_len);
    memcpy(l->blocks[i] + prefix_len, room + i * LEAF, len);
    memcpy(l->blocks[i] + prefix_len + len, suffix, suffix_len);
    l->lens[i] = prefix_len + len + suffix_len;
    ipfsa_codec codec = kind == IPFSA_LEAF_RAW ? IPFSA_CODEC_RAW : IPFSA_CODEC_DAG_PB;
    assert_ok(ipfsa_cid_of_block(1, codec, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(l->blocks[i], l->lens[i]), &l->cids[i], &err));
  }
}

static ipfsa_status put_leaves(ipfsa_store *store, leaves *l, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_leaf run[N_LEAVES];
  for (unsigned i = 0; i < N_LEAVES; i++) run[i] = (ipfsa_leaf){l->cids[i].mh.code, l->cids[i].mh.digest, l->cids[i].mh.len, i * LEAF, (uint32_t)leaf_len(i)};
  ipfsa_status status = ipfsa_blockstore_begin(ipfsa_store_blockstore(store), &w, err);
  if (status == IPFSA_OK) status = ipfsa_writer_put_run(w, &(ipfsa_leaf_run){room, ROOM - LEAF + LAST, l->kind, run, N_LEAVES}, err);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

static int open_pack(const store_fixture *f) { return openat(f->fd, "packs/00000001.pack", O_RDWR); }

static void drop_cache(const store_fixture *f) {
  int fd = open_pack(f);
  assert_true(fd >= 0);
  assert_int_equal(fsync(fd), 0);
  assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  close(fd);
}

/* From `first` on as many as come; each must be what it should be. */
static size_t read_some(store_fixture *f, const leaves *l, unsigned first, bool once, ipfsa_status *ret_status) {
  ipfsa_block got[IPFSA_MAX_GET_MANY];
  ipfsa_error err = {0};
  size_t n = 0;
  *ret_status = ipfsa_blockstore_get_many(ipfsa_store_blockstore(f->store), l->cids + first, N_LEAVES - first, once, got, &n, &err);
  if (*ret_status) return 0;
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(got[i].data.len, l->lens[first + i]);
    assert_memory_equal(got[i].data.data, l->blocks[first + i], got[i].data.len);
    ipfsa_block_release(&got[i]);
  }
  return n;
}

static int setup(void **state) {
  ipfsa_error err = {0};
  if (store_setup(state)) return -1;
  room = ipfsa_alloc_aligned(4096, ROOM);
  test_shake128("read once", room, ROOM);
  for (unsigned k = 0; k < 2; k++) {
    make_leaves(&files[k], k ? IPFSA_LEAF_PB_FILE : IPFSA_LEAF_RAW);
    assert_ok(put_leaves(((store_fixture *)*state)->store, &files[k], &err));
  }
  return 0;
}

static int teardown(void **state) {
  ipfsa_free_aligned(room);
  return store_teardown(state);
}

/* Can this file system be asked past its cache, and does it drop what it is told to? */
static bool can_bypass(const store_fixture *f, ipfsa_place *ret, const leaves *l) {
  int fd = open_pack(f), direct = ipfsa_fs_open_direct(fd);
  bool located = ipfsa_blockstore_locate(ipfsa_store_blockstore(f->store), &l->cids[0], ret), can = direct >= 0 && located && !ipfsa_fs_is_cached(fd, ret->off);
  if (direct >= 0) close(direct);
  close(fd);
  return can;
}

static void what_is_read_once_does_not_stay(void **state) {
  store_fixture *f = *state;
  for (unsigned k = 0; k < 2; k++)
    for (int once = 1; once >= 0; once--) {
      ipfsa_place place;
      ipfsa_status status;
      drop_cache(f);
      bool can = can_bypass(f, &place, &files[k]);
      assert_int_equal(read_some(f, &files[k], 0, once, &status), N_LEAVES);
      int fd = open_pack(f);
      if (!can) print_message("skipped: this file system has no way past its cache\n");
      else assert_int_equal(ipfsa_fs_is_cached(fd, place.off + LEAF), !once);
      close(fd);
      assert_int_equal(read_some(f, &files[k], 0, true, &status), N_LEAVES); /* with some or all of it in memory */
      assert_int_equal(read_some(f, &files[k], 2, true, &status), N_LEAVES - 2);
    }
}

static void every_fault_leaves_the_bytes_or_a_reason(void **state) {
  store_fixture *f = *state;
  for (unsigned k = 0; k < 2; k++)
    for (ipfsa_fault_kind kind = IPFSA_FAULT_ALLOC; kind <= IPFSA_FAULT_FILE; kind++)
      for (ipfsa_fault_mode mode = IPFSA_FAULT_FAIL; mode <= IPFSA_FAULT_SHORT; mode++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
          ipfsa_status status;
          drop_cache(f);
          ipfsa_fault_arm(&(ipfsa_fault_plan){kind, n, 1, mode, EIO});
          size_t got = read_some(f, &files[k], 0, true, &status);
          fired = ipfsa_fault_fired();
          ipfsa_fault_disarm();
          if (!fired || mode == IPFSA_FAULT_SHORT) assert_int_equal(got, N_LEAVES);
          assert_true(status == IPFSA_OK || status == IPFSA_E_IO || status == IPFSA_E_NOMEM);
        }
      }
}

static void damage_is_seen(void **state) {
  store_fixture *f = *state;
  for (unsigned k = 0; k < 2; k++) {
    ipfsa_place place;
    ipfsa_status status;
    ipfsa_error err = {0};
    assert_true(ipfsa_blockstore_locate(ipfsa_store_blockstore(f->store), &files[k].cids[2], &place));
    int fd = open_pack(f);
    uint8_t byte = (uint8_t)~room[2 * LEAF + 77];
    assert_ok(ipfsa_fs_write_at(fd, &byte, 1, place.off + 77, &err));
    close(fd);
    drop_cache(f);
    assert_int_equal(read_some(f, &files[k], 0, true, &status), 2);
    assert_int_equal(read_some(f, &files[k], 2, true, &status), 0);
    assert_int_equal(status, IPFSA_E_CORRUPT);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_is_read_once_does_not_stay, setup, teardown),
      cmocka_unit_test_setup_teardown(every_fault_leaves_the_bytes_or_a_reason, setup, teardown),
      cmocka_unit_test_setup_teardown(damage_is_seen, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
