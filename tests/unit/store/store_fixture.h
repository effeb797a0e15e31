/* A store in a folder of its own, for tests. */
#ifndef IPFSA_TESTS_STORE_FIXTURE_H
#define IPFSA_TESTS_STORE_FIXTURE_H

#include <fcntl.h>

#include "../support.h"
#include "base/fs.h"
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

#endif
