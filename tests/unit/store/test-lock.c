/* The lock of the processes, taken by several threads: each that waits has a limit of its own, and all that may hold it. */
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include "store_fixture.h"

static _Thread_local bool is_patient;
static int n_asked; /* of the patient one */

static int ask(void *ctx, uint64_t waited_ms) {
  (void)ctx, (void)waited_ms;
  if (is_patient) __atomic_add_fetch(&n_asked, 1, __ATOMIC_SEQ_CST);
  return !is_patient;
}

static int setup(void **state) {
  store_fixture *f = *state = calloc(1, sizeof *f);
  store_begin(f);
  store_reopen(f, (ipfsa_store_options){.no_sync = true, .lock_waiting = ask});
  return 0;
}

/* As another process has it. */
static int hold(const store_fixture *f) {
  ipfsa_error err = {0};
  int fd = ipfsa_fs_open(f->fd, "lock", O_RDWR | O_CREAT, 0600, &err);
  assert_true(fd >= 0);
  assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
  return fd;
}

static bool is_free(const store_fixture *f) {
  ipfsa_error err = {0};
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(f->fd, "lock", O_RDWR | O_CREAT, 0600, &err);
  return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void *lock_patiently(void *arg) {
  is_patient = true;
  return (void *)(uintptr_t)(ipfsa_store_lock(arg, NULL) == IPFSA_OK);
}

static void who_waits_has_a_limit_of_his_own(void **state) {
  store_fixture *f = *state;
  ipfsa_error err = {0};
  pthread_t patient;
  void *got = NULL;
  int fd = hold(f);
  assert_int_equal(pthread_create(&patient, NULL, lock_patiently, f->store), 0);
  while (__atomic_load_n(&n_asked, __ATOMIC_SEQ_CST) == 0) usleep(1000); /* it is at it */
  assert_status(ipfsa_store_lock(f->store, &err), IPFSA_E_LOCKED);
  assert_non_null(strstr(err.message, "for which another thread waits"));
  ipfsa_fs_close(&fd);
  assert_int_equal(pthread_join(patient, &got), 0);
  assert_non_null(got);
  assert_ok(ipfsa_store_lock(f->store, &err)); /* it has it, and so may this one */
  ipfsa_store_unlock(f->store);
  assert_false(is_free(f));
  ipfsa_store_unlock(f->store);
  assert_true(is_free(f));
}

static void who_fails_lets_the_next_one_try(void **state) {
  store_fixture *f = *state;
  ipfsa_error err = {0};
  int fd = hold(f);
  assert_status(ipfsa_store_lock(f->store, &err), IPFSA_E_LOCKED);
  ipfsa_fs_close(&fd);
  assert_ok(ipfsa_store_lock(f->store, &err));
  ipfsa_store_unlock(f->store);
}

#define N_TURNS 200

static void *take_turns(void *arg) {
  is_patient = true;
  for (int i = 0; i < N_TURNS; i++) {
    if (ipfsa_store_lock(arg, NULL) != IPFSA_OK) return arg;
    ipfsa_store_unlock(arg);
  }
  return NULL;
}

static void threads_share_it(void **state) {
  store_fixture *f = *state;
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, take_turns, f->store), 0);
  for (int i = 0; i < 4; i++) {
    void *failed = NULL;
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
  assert_true(is_free(f));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(who_waits_has_a_limit_of_his_own, setup, store_teardown),
      cmocka_unit_test_setup_teardown(who_fails_lets_the_next_one_try, setup, store_teardown),
      cmocka_unit_test_setup_teardown(threads_share_it, setup, store_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
