/* A store in a folder of its own, for tests. */
#ifndef IPFSA_TESTS_STORE_FIXTURE_H
#define IPFSA_TESTS_STORE_FIXTURE_H

#include <fcntl.h>

#include <errno.h>

#include "../support.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/write_queue.h"
#include "store/local.h"

typedef struct store_fixture {
  char *dir;
  int fd; /* of dir */
  ipfsa_store *store;
} store_fixture;

/* The folder alone. */
static inline void store_begin(store_fixture *f) {
  ipfsa_error err = {0};
  *f = (store_fixture){.dir = test_temp_dir()};
  f->fd = ipfsa_fs_open_dir(AT_FDCWD, f->dir, &err);
  if (f->fd < 0) fail_msg("%s", err.message);
}

static inline void store_close(store_fixture *f) {
  ipfsa_store_close(f->store);
  f->store = NULL;
}

static inline void store_end(store_fixture *f) {
  store_close(f);
  ipfsa_fs_close(&f->fd);
  test_remove_tree(f->dir);
}

/* It is made where it is not there, but for a reader. */
static inline ipfsa_status store_open(store_fixture *f, ipfsa_store_options options, ipfsa_error *err) {
  options.create = !options.read_only;
  return ipfsa_store_open(f->fd, &options, &f->store, err);
}

static inline void store_reopen(store_fixture *f, ipfsa_store_options options) {
  ipfsa_error err = {0};
  store_close(f);
  assert_ok(store_open(f, options, &err));
}

/* For cmocka: with options of their own, tests begin themselves. */
static inline int store_setup(void **state) {
  store_fixture *f = *state = calloc(1, sizeof *f);
  store_begin(f);
  store_reopen(f, (ipfsa_store_options){0});
  return 0;
}

static inline int store_teardown(void **state) {
  store_end(*state);
  free(*state);
  return 0;
}

/* False: it is not there. */
static inline bool store_has(ipfsa_store *store, const ipfsa_cid *cid, const uint8_t *data, size_t len) {
  ipfsa_error err = {0};
  ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(ipfsa_store_blockstore(store), cid, &block, &err);
  if (status == IPFSA_E_NOT_FOUND) return false;
  assert_ok(status);
  assert_int_equal(block.data.len, len);
  if (len) assert_memory_equal(block.data.data, data, len);
  ipfsa_block_release(&block);
  return true;
}

/* ---- both ways of writing, and their failures ---- */

static const char *const store_ways[] = {"plain", "uring"};

/* False: it cannot be had, which is said. */
static inline bool store_take_way(const char *way) {
  ipfsa_write_queue *q = NULL;
  setenv("IPFSA_IO", way, 1);
  bool can = ipfsa_write_queue_new(&q, NULL) == IPFSA_OK;
  ipfsa_write_queue_free(q);
  if (!can) print_message("skipped: io_uring cannot be had\n");
  return can;
}

/* A transaction that puts `all` blocks, and how many of them are there. */
typedef struct store_work {
  ipfsa_status (*put)(ipfsa_store *store, ipfsa_error *err);
  unsigned (*n_there)(ipfsa_store *store);
  unsigned all;
} store_work;

/* Each call in its turn fails once: all blocks are there or none, nothing is damaged, and the next transaction puts them. */
static inline void store_fail_each(const store_work *work, const char *way, ipfsa_fault_kind kind, ipfsa_fault_mode mode, int sys_errno) {
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    store_fixture f;
    ipfsa_error err = {0};
    store_begin(&f);
    store_reopen(&f, (ipfsa_store_options){0});
    ipfsa_fault_arm(&(ipfsa_fault_plan){kind, n, 1, mode, sys_errno});
    ipfsa_status put = work->put(f.store, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (!fired || mode == IPFSA_FAULT_SHORT || sys_errno == EINTR) assert_ok(put);
    store_reopen(&f, (ipfsa_store_options){0});
    unsigned there = work->n_there(f.store);
    if (put == IPFSA_OK ? there != work->all : there != 0 && there != work->all)
      fail_msg("%s, call %llu: %u of %u blocks, put: %s", way, (unsigned long long)n, there, work->all, ipfsa_status_to_string(put));
    ipfsa_store_verify_result result;
    assert_ok(ipfsa_store_verify(f.store, false, NULL, NULL, NULL, NULL, &result, &err));
    assert_int_equal(result.n_damaged, 0);
    assert_ok(work->put(f.store, &err));
    assert_int_equal(work->n_there(f.store), work->all);
    store_end(&f);
  }
}

static inline void store_fail_in_all_ways(const store_work *work) {
  for (unsigned way = 0; way < 2; way++) {
    const char *name = store_ways[way];
    if (!store_take_way(name)) continue;
    store_fail_each(work, name, IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, EIO);
    store_fail_each(work, name, IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, ENOSPC);
    store_fail_each(work, name, IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, EINTR);
    store_fail_each(work, name, IPFSA_FAULT_FILE, IPFSA_FAULT_SHORT, 0);
    store_fail_each(work, name, IPFSA_FAULT_ALLOC, IPFSA_FAULT_FAIL, 0);
  }
}

#endif
