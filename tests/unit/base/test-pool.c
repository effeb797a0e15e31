/* Every task runs exactly once, by a worker or by him who took it back, in whatever order they come. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>

#include "../support.h"

#define N_TASKS 2000

typedef struct counted {
  ipfsa_task task;
  int runs;
} counted;

static void run_counted(ipfsa_task *task) { __atomic_add_fetch(&((counted *)task)->runs, 1, __ATOMIC_RELAXED); }

static void each_task_runs_once(void **state) {
  (void)state;
  static counted tasks[N_TASKS];
  ipfsa_error err = {0};
  for (unsigned n_threads = 1; n_threads <= 3; n_threads++) {
    ipfsa_pool *pool = NULL;
    assert_int_equal(ipfsa_pool_new(n_threads, &pool, &err), IPFSA_OK);
    for (size_t i = 0; i < N_TASKS; i++) {
      tasks[i] = (counted){.task = {.run = run_counted}};
      ipfsa_pool_submit(pool, &tasks[i].task);
      size_t other = i * 7 % (i + 1); /* the newest, an older one, one that is done */
      if (i % 3 == 0 && ipfsa_pool_take_back(pool, &tasks[other].task)) run_counted(&tasks[other].task);
      if (i % 5 == 0 && ipfsa_pool_take_back(pool, &tasks[i].task)) run_counted(&tasks[i].task);
    }
    ipfsa_pool_free(pool);
    for (size_t i = 0; i < N_TASKS; i++) assert_int_equal(tasks[i].runs, 1);
  }
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_at_gate(ipfsa_task *task) {
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  run_counted(task);
}

static void what_has_begun_is_not_given_back(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_pool *pool = NULL;
  counted first = {.task = {.run = wait_at_gate}}, second = {.task = {.run = run_counted}}, third = second, fourth = second;
  assert_int_equal(ipfsa_pool_new(1, &pool, &err), IPFSA_OK);
  pthread_mutex_lock(&gate);
  ipfsa_pool_submit(pool, &first.task);
  ipfsa_pool_submit(pool, &second.task);
  while (ipfsa_pool_take_back(pool, &first.task)) ipfsa_pool_submit(pool, &first.task), sched_yield(); /* the worker has it soon */
  ipfsa_pool_submit(pool, &third.task);
  (void)ipfsa_pool_take_back(pool, &second.task);
  assert_true(ipfsa_pool_take_back(pool, &third.task));
  assert_false(ipfsa_pool_take_back(pool, &third.task));
  ipfsa_pool_submit(pool, &fourth.task); /* behind the gap that the last one left */
  pthread_mutex_unlock(&gate);
  ipfsa_pool_free(pool);
  assert_int_equal(first.runs, 1);
  assert_int_equal(third.runs, 0);
  assert_int_equal(fourth.runs, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_task_runs_once), cmocka_unit_test(what_has_begun_is_not_given_back)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
