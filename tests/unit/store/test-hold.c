/* Holds: they last as long as their process, rest and wake, wait for no writer, and give way to gc as a whole. */
#include "store/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "store_fixture.h"

typedef store_fixture world;

static ipfsa_store *open_store(const world *w, unsigned lock_timeout_ms) {
  ipfsa_error err = {0};
  ipfsa_store *store = NULL;
  assert_ok(ipfsa_store_open(w->fd, &(ipfsa_store_options){.create = true, .no_sync = true, .lock_timeout_ms = lock_timeout_ms}, &store, &err));
  return store;
}

static int setup(void **state) {
  world *w = *state = calloc(1, sizeof *w);
  store_begin(w);
  w->store = open_store(w, 10000);
  return 0;
}

static ipfsa_cid cid_of(const char *text) {
  ipfsa_error err = {0};
  ipfsa_cid cid;
  assert_ok(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_str(text), &cid, &err));
  return cid;
}

typedef struct found {
  int n;
  ipfsa_cid last;
} found;

static int note(void *ctx, const ipfsa_cid *cid) {
  found *f = ctx;
  f->n++;
  f->last = *cid;
  return 0;
}

static int n_held(ipfsa_store *store) {
  ipfsa_error err = {0};
  found f = {0};
  assert_ok(ipfsa_holds_iterate(store, note, &f, &err));
  return f.n;
}

static int count_name(void *ctx, const char *name, unsigned char type) {
  (void)name;
  (void)type;
  ++*(int *)ctx;
  return 0;
}

static int n_files(const world *w) {
  ipfsa_error err = {0};
  int n = 0;
  assert_ok(ipfsa_fs_list(w->fd, "holds", count_name, &n, &err));
  return n;
}

static ipfsa_hold *hold_of(world *w, const char *text) {
  ipfsa_error err = {0};
  ipfsa_cid cid = cid_of(text);
  ipfsa_hold *hold = NULL;
  assert_ok(ipfsa_hold_new(w->store, &cid, &hold, &err));
  return hold;
}

/* What gc does between its marks. */
static void collect(world *w) {
  ipfsa_error err = {0};
  int fd = -1;
  assert_ok(ipfsa_holds_shut(w->store, &fd, &err));
  ipfsa_fs_close(&fd);
}

static void it_holds_until_it_is_freed(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  found f = {0};
  assert_int_equal(n_held(w->store), 0); /* no folder yet */
  ipfsa_hold *a = hold_of(w, "a"), *b = hold_of(w, "b");
  assert_int_equal(n_held(w->store), 2);
  collect(w);
  assert_int_equal(n_held(w->store), 2);
  ipfsa_hold_free(a);
  assert_ok(ipfsa_holds_iterate(w->store, note, &f, &err));
  ipfsa_cid cid = cid_of("b");
  assert_int_equal(f.n, 1);
  assert_true(ipfsa_cid_equal(&f.last, &cid));
  ipfsa_hold_free(b);
  assert_int_equal(n_held(w->store), 0);
  assert_int_equal(n_files(w), 0);
}

static void at_rest_it_holds_nothing_and_wakes_unless_gc_came(void **state) {
  world *w = *state;
  ipfsa_hold *hold = hold_of(w, "a");
  ipfsa_hold_rest(hold);
  assert_int_equal(n_held(w->store), 0);
  assert_true(ipfsa_hold_wake(hold));
  assert_int_equal(n_held(w->store), 1);
  collect(w); /* awake: it stays */
  assert_int_equal(n_held(w->store), 1);
  ipfsa_hold_rest(hold);
  collect(w);
  assert_int_equal(n_files(w), 0);
  assert_false(ipfsa_hold_wake(hold));
  assert_int_equal(n_held(w->store), 0);
  ipfsa_hold_free(hold);
}

static void it_ends_with_its_process(void **state) {
  world *w = *state;
  int ready[2], result = 0;
  char byte;
  assert_int_equal(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    ipfsa_store *store = NULL;
    ipfsa_hold *hold = NULL;
    ipfsa_cid a = cid_of("a");
    bool good = ipfsa_store_open(w->fd, &(ipfsa_store_options){.create = true}, &store, NULL) == IPFSA_OK && ipfsa_hold_new(store, &a, &hold, NULL) == IPFSA_OK;
    if (!good || write(ready[1], "r", 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  assert_int_equal(n_held(w->store), 1);
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_int_equal(waitpid(pid, &result, 0), pid);
  assert_int_equal(n_held(w->store), 0);
  assert_int_equal(n_files(w), 1);
  collect(w);
  assert_int_equal(n_files(w), 0);
}

static void it_waits_for_no_writer(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_store *other = open_store(w, 0);
  assert_ok(ipfsa_store_lock(other, &err));
  ipfsa_hold_free(hold_of(w, "a"));
  ipfsa_store_unlock(other);
  ipfsa_store_close(other);
}

static void while_gc_sweeps_none_is_made(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_cid cid = cid_of("a");
  ipfsa_hold *hold = NULL;
  int fd = -1;
  ipfsa_store *other = open_store(w, 5);
  assert_ok(ipfsa_holds_shut(w->store, &fd, &err));
  assert_int_equal(ipfsa_hold_new(other, &cid, &hold, &err), IPFSA_E_LOCKED);
  assert_non_null(strstr(err.message, "garbage collection"));
  ipfsa_fs_close(&fd);
  assert_ok(ipfsa_hold_new(other, &cid, &hold, &err));
  ipfsa_hold_free(hold);
  ipfsa_store_close(other);
}

static int stop(void *ctx, const ipfsa_cid *cid) {
  (void)ctx;
  (void)cid;
  return 1;
}

static void strange_files_are_left_alone(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_hold *hold = hold_of(w, "a");
  assert_ok(ipfsa_fs_replace_file(w->fd, "holds/README", "no hold", 7, 0600, &err));
  assert_ok(ipfsa_fs_replace_file(w->fd, "holds/00112233445566778899aabbccddeeff", "", 0, 0600, &err)); /* its maker was killed */
  assert_int_equal(n_held(w->store), 1);
  assert_int_equal(ipfsa_holds_iterate(w->store, stop, NULL, &err), IPFSA_E_CANCELLED);
  collect(w);
  assert_int_equal(n_files(w), 2);
  ipfsa_hold_free(hold);
  assert_int_equal(n_files(w), 1);
}

/* Whatever fails: a hold that was not made leaves nothing, and gc that cannot look says so. */
static void every_step_fails_once(void **state) {
  world *w = *state;
  for (int kind = 0; kind < 2; kind++) {
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
      ipfsa_error err = {0};
      ipfsa_cid cid = cid_of("a");
      ipfsa_hold *hold = NULL;
      found f = {0};
      int fd = -1;
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind ? IPFSA_FAULT_ALLOC : IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, EIO});
      ipfsa_status made = ipfsa_hold_new(w->store, &cid, &hold, &err);
      ipfsa_status listed = made ? IPFSA_OK : ipfsa_holds_iterate(w->store, note, &f, &err);
      ipfsa_status shut = made || listed ? IPFSA_OK : ipfsa_holds_shut(w->store, &fd, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      ipfsa_fs_close(&fd);
      if (made || listed || shut) assert_true(fired && err.message[0]);
      if (!made && !listed) assert_int_equal(f.n, 1);
      assert_int_equal(n_held(w->store), made ? 0 : 1);
      ipfsa_hold_free(hold);
      collect(w);
      assert_int_equal(n_files(w), 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(it_holds_until_it_is_freed, setup, store_teardown),
      cmocka_unit_test_setup_teardown(at_rest_it_holds_nothing_and_wakes_unless_gc_came, setup, store_teardown),
      cmocka_unit_test_setup_teardown(it_ends_with_its_process, setup, store_teardown),
      cmocka_unit_test_setup_teardown(it_waits_for_no_writer, setup, store_teardown),
      cmocka_unit_test_setup_teardown(while_gc_sweeps_none_is_made, setup, store_teardown),
      cmocka_unit_test_setup_teardown(strange_files_are_left_alone, setup, store_teardown),
      cmocka_unit_test_setup_teardown(every_step_fails_once, setup, store_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
