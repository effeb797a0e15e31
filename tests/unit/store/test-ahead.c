/* Entries that are read ahead: fewer reads where lookups come in the table's order, and the same answers in any. */
#include <errno.h>

#include "base/fault.h"
#include "hash/hash.h"
#include "store_fixture.h"

enum { BLOCKS = 400 };

typedef struct block {
  char text[32];
  ipfsa_bytes data;
  ipfsa_cid cid;
} block;

static void make_block(unsigned i, block *ret) {
  ipfsa_error err = {0};
  int len = snprintf(ret->text, sizeof ret->text, "block %u", i);
  ret->data = ipfsa_bytes_of((const uint8_t *)ret->text, (size_t)len);
  assert_ok(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ret->data, &ret->cid, &err));
}

typedef struct stretch {
  unsigned first, end;
  bool remove;
} stretch;

static void change(store_fixture *f, stretch what) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_error err = {0};
  assert_ok(ipfsa_blockstore_begin(ipfsa_store_blockstore(f->store), &w, &err));
  for (unsigned i = what.first; i < what.end; i++) {
    block one;
    make_block(i, &one);
    if (what.remove) assert_ok(ipfsa_writer_del(w, &one.cid, &err));
    else assert_ok(ipfsa_writer_put(w, &one.cid, one.data, &err));
  }
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
}

static bool has(store_fixture *f, unsigned i) {
  block one;
  ipfsa_error err = {0};
  bool there = false;
  make_block(i, &one);
  assert_ok(ipfsa_blockstore_has(ipfsa_store_blockstore(f->store), &one.cid, &there, &err));
  return there;
}

static uint64_t reads_of_all(store_fixture *f, unsigned step) {
  ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_FILE, .nth = UINT64_MAX, .mode = IPFSA_FAULT_NONE});
  for (unsigned i = 0, at = 0; i < BLOCKS; i++, at = (at + step) % BLOCKS) assert_true(has(f, at));
  uint64_t n = ipfsa_fault_calls(IPFSA_FAULT_FILE);
  ipfsa_fault_disarm();
  return n;
}

static void lookups_in_order_read_many_at_once(void **state) {
  store_fixture *f = *state;
  change(f, (stretch){0, BLOCKS, false});
  assert_true(reads_of_all(f, 1) <= BLOCKS / 40);
  assert_in_range(reads_of_all(f, 183), BLOCKS - 73, BLOCKS); /* each over 4 KiB from the one before; some are in what is left of that order */
  store_reopen(f, (ipfsa_store_options){0});
  assert_true(reads_of_all(f, 1) <= BLOCKS / 40);
  store_reopen(f, (ipfsa_store_options){.read_only = true});
  assert_true(reads_of_all(f, 1) <= BLOCKS / 40);
}

/* What comes behind what was read ahead, and what goes from it, in one process and in another. */
static void answers_follow_changes(void **state) {
  store_fixture *f = *state;
  store_fixture other = {.dir = f->dir, .fd = f->fd};
  change(f, (stretch){0, 10, false});
  ipfsa_error err = {0};
  assert_ok(store_open(&other, (ipfsa_store_options){.read_only = true}, &err));
  for (unsigned n = 10; n < BLOCKS; n += 30) {
    for (unsigned i = 0; i < n; i++) assert_int_equal(has(f, i), i < 3 || i >= n - 10);
    for (unsigned i = 0; i < n; i++) assert_int_equal(has(&other, i), i < 3 || i >= n - 10);
    change(f, (stretch){n, n + 30, false});
    change(f, (stretch){n - 10 < 3 ? 3 : n - 10, n + 20, true});
  }
  store_close(&other);
}

static void a_failing_read_is_told(void **state) {
  store_fixture *f = *state;
  change(f, (stretch){0, BLOCKS, false});
  assert_true(has(f, 0));
  for (uint64_t n = 1; n <= 2; n++) {
    block one;
    ipfsa_error err = {0};
    bool there = false;
    make_block((unsigned)n, &one);
    ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_FILE, .nth = 1, .n_calls = n, .mode = IPFSA_FAULT_FAIL, .sys_errno = EIO});
    ipfsa_status status = ipfsa_blockstore_has(ipfsa_store_blockstore(f->store), &one.cid, &there, &err);
    ipfsa_fault_disarm();
    if (n == 1) assert_true(status == IPFSA_OK && there); /* then the entry alone is read */
    else assert_int_equal(status, IPFSA_E_IO);
  }
  assert_true(has(f, 2));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(lookups_in_order_read_many_at_once, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(answers_follow_changes, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(a_failing_read_is_told, store_setup, store_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
