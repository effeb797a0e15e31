/* The index beside a plain list of what it should know: with recent entries and without, moved, half moved, taken back to a checkpoint. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "store/index.h"
#include "store_fixture.h"

#define N_KEYS 9000u
#define EVERY 1000u /* entries between checkpoints */

typedef struct fixture {
  store_fixture s;
  ipfsa_index *index;
  ipfsa_multihash keys[N_KEYS];
  ipfsa_location at[N_KEYS], saved[N_KEYS]; /* NONE: not in it */
  uint64_t next_off;
  unsigned seed, busy; /* busy: the key that is being changed */
} fixture;

static unsigned pick(fixture *f, unsigned below) {
  f->seed = f->seed * 1664525u + 1013904223u;
  return (unsigned)(((uint64_t)f->seed >> 8) * below >> 24);
}

static uint64_t from_before;

static int setup(void **state) {
  ipfsa_error err = {0};
  fixture *f = *state = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* a child's work is seen */
  assert_true(f != MAP_FAILED);
  from_before = ipfsa_index__recent_from;
  store_begin(&f->s);
  for (unsigned i = 0; i < N_KEYS; i++) {
    f->keys[i] = (ipfsa_multihash){.code = IPFSA_HASH_SHA2_256, .len = 32};
    char seed[32];
    snprintf(seed, sizeof seed, "key %u", i);
    test_shake128(seed, f->keys[i].digest, 32);
    f->at[i] = f->saved[i] = IPFSA_LOCATION_NONE;
  }
  ipfsa_index__recent_from = 4096;
  assert_ok(ipfsa_index_create(f->s.fd, false, 0, &f->index, &err));
  ipfsa_index_trust(f->index);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  ipfsa_index__recent_from = from_before;
  ipfsa_index_close(f->index);
  store_end(&f->s);
  munmap(f, sizeof *f);
  return 0;
}

static bool knows(const fixture *f, unsigned i, ipfsa_location at) {
  uint64_t cursor = 0;
  ipfsa_location found;
  while (ipfsa_index_next(f->index, &f->keys[i], &cursor, &found))
    if (found == at) return true;
  return false;
}

static int compare(const void *a, const void *b) {
  ipfsa_location x = *(const ipfsa_location *)a, y = *(const ipfsa_location *)b;
  return x < y ? -1 : x > y;
}

/* Every key is found where it is and nowhere else, and a walk tells each once. */
static void check(fixture *f) {
  static ipfsa_location want[N_KEYS], got[N_KEYS + 1];
  size_t n_want = 0, n_got = 0;
  uint64_t cursor = 0;
  for (unsigned i = 0; i < N_KEYS; i++) {
    uint64_t steps = 0;
    ipfsa_location found;
    while (ipfsa_index_next(f->index, &f->keys[i], &steps, &found)) assert_int_equal(found, f->at[i]); /* no two keys have one fingerprint */
    if (f->at[i] == IPFSA_LOCATION_NONE) continue;
    assert_true(knows(f, i, f->at[i]));
    want[n_want++] = f->at[i];
  }
  while (ipfsa_index_each(f->index, &cursor, &got[n_got])) assert_true(++n_got <= N_KEYS);
  assert_int_equal(n_got, n_want);
  qsort(want, n_want, sizeof *want, compare);
  qsort(got, n_got, sizeof *got, compare);
  assert_memory_equal(want, got, n_want * sizeof *want);
}

static void change_one(fixture *f) {
  ipfsa_error err = {0};
  unsigned i = pick(f, N_KEYS), what = pick(f, 8);
  __atomic_store_n(&f->busy, i, __ATOMIC_RELEASE); /* what was noted of the one before comes first */
  ipfsa_location to = ipfsa_location_of(1, f->next_off += 64);
  if (f->at[i] == IPFSA_LOCATION_NONE) {
    if (ipfsa_index_is_full(f->index, 1)) assert_ok(ipfsa_index_grow(f->s.fd, &f->index, 1, &err));
    assert_true(ipfsa_index_insert(f->index, &f->keys[i], to));
    f->at[i] = to;
  } else if (what < 4) {
    if (what == 0) to = IPFSA_LOCATION_NONE;
    assert_true(ipfsa_index_replace(f->index, &f->keys[i], f->at[i], to));
    assert_false(ipfsa_index_replace(f->index, &f->keys[i], f->at[i], to));
    f->at[i] = to;
  }
}

/* As a commit does: some entries, then the state, then a checkpoint if it is time. */
static void change(fixture *f, unsigned n) {
  for (unsigned i = 0; i < n; i++) change_one(f);
  ipfsa_index_state_set(f->index, &(ipfsa_index_state){1, f->next_off + 1, 0, 0});
  ipfsa_index_checkpoint(f->index, n, EVERY);
}

static void it_knows_what_was_put_in(void **state) {
  fixture *f = *state;
  for (int round = 0; round < 300; round++) {
    change(f, 1 + pick(f, 120));
    if (round % 30 == 0) check(f);
  }
  check(f);
}

static void others_see_the_same(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  for (int round = 0; round < 60; round++) {
    change(f, 100);
    ipfsa_index *writer = f->index, *reader = NULL;
    ipfsa_index_worth worth;
    assert_ok(ipfsa_index_open(f->s.fd, false, &reader, &worth, &err));
    assert_int_equal(worth, IPFSA_INDEX_GOOD);
    f->index = reader;
    if (round % 10 == 0) check(f);
    ipfsa_index_close(reader);
    f->index = writer;
  }
}

/* Entries that were copied, and not taken away from where they were, are told once, and go from both places. */
static void move_fails(fixture *f, uint64_t sync) {
  for (int round = 0; round < 20; round++) change(f, 50);
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, sync, UINT64_MAX, IPFSA_FAULT_FAIL, EIO});
  for (int round = 0; round < 20; round++) change(f, 50);
  assert_true(ipfsa_fault_fired());
  ipfsa_fault_disarm();
  check(f);
  for (int round = 0; round < 100; round++) change(f, 50); /* it grows meanwhile */
  check(f);
}

static void a_move_that_fails_changes_nothing(void **state) { move_fails(*state, 1); }
static void nor_does_one_that_fails_later(void **state) { move_fails(*state, 2); }

/* After a restart: what the checkpoint covers, and of the rest nothing, whatever had been moved since. */
static void a_checkpoint_is_gone_back_to(void **state) {
  fixture *f = *state;
  for (int round = 0; round < 40; round++) {
    for (int i = 0; i < 12; i++) change(f, 1 + pick(f, 60));
    ipfsa_index_checkpoint(f->index, EVERY, EVERY);
    memcpy(f->saved, f->at, sizeof f->at);
    uint64_t border = f->next_off + 1;
    if (round % 2) change_one(f);
    for (unsigned i = 0; i < 40; i++) { /* none that the checkpoint knows: a removal is done again by who replays */
      unsigned k = pick(f, N_KEYS);
      if (f->at[k] != IPFSA_LOCATION_NONE || ipfsa_index_is_full(f->index, 1)) continue;
      assert_true(ipfsa_index_insert(f->index, &f->keys[k], ipfsa_location_of(1, border + i)));
    }
    ipfsa_index_restore(f->index);
    for (unsigned i = 0; i < N_KEYS; i++)
      if (f->saved[i] == f->at[i]) assert_int_equal(knows(f, i, f->at[i]), f->at[i] != IPFSA_LOCATION_NONE);
    for (unsigned i = 0; i < N_KEYS; i++)
      if (f->saved[i] != f->at[i]) { /* the one that was changed: replaced as a replay does */
        uint64_t cursor = 0;
        ipfsa_location found = IPFSA_LOCATION_NONE;
        if (ipfsa_index_next(f->index, &f->keys[i], &cursor, &found)) ipfsa_index_replace(f->index, &f->keys[i], found, f->at[i]);
        else if (f->at[i] != IPFSA_LOCATION_NONE) ipfsa_index_insert(f->index, &f->keys[i], f->at[i]);
      }
    check(f);
  }
}

/* A writer that is killed anywhere: what it had put in is there, what it had taken away stays away, and the next one goes on. */
static void a_killed_writer_leaves_it_whole(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  for (unsigned round = 0; round < 60; round++) {
    ipfsa_index_worth worth;
    ipfsa_index *mine = f->index;
    pid_t child = fork();
    assert_true(child >= 0);
    while (child == 0) {
      ipfsa_index *index = f->index;
      for (unsigned i = 0; i < 20; i++) change_one(f);
      if (f->index != index) _exit(0); /* it grew: the other process opens the new file */
      ipfsa_index_state_set(f->index, &(ipfsa_index_state){1, f->next_off + 1, 0, 0});
      ipfsa_index_checkpoint(f->index, 20, UINT64_MAX);
    }
    usleep(500 + pick(f, 4000));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    ipfsa_index_close(mine);
    f->index = NULL;
    assert_ok(ipfsa_index_open(f->s.fd, true, &f->index, &worth, &err));
    assert_int_equal(worth, IPFSA_INDEX_GOOD);
    bool half_grown = ipfsa_index_state_get(f->index).end == 0; /* it covers nothing yet, and whoever opens it replays all */
    for (unsigned i = 0; half_grown && i < N_KEYS; i++)
      if (i != f->busy && f->at[i] != IPFSA_LOCATION_NONE && !knows(f, i, f->at[i])) assert_true(ipfsa_index_insert(f->index, &f->keys[i], f->at[i]));
    ipfsa_index_state_set(f->index, &(ipfsa_index_state){1, f->next_off + 1, 0, 0});
    uint64_t cursor = 0;
    ipfsa_location found = IPFSA_LOCATION_NONE;
    f->at[f->busy] = ipfsa_index_next(f->index, &f->keys[f->busy], &cursor, &found) ? found : IPFSA_LOCATION_NONE;
    check(f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(it_knows_what_was_put_in, setup, teardown),
      cmocka_unit_test_setup_teardown(others_see_the_same, setup, teardown),
      cmocka_unit_test_setup_teardown(a_move_that_fails_changes_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(nor_does_one_that_fails_later, setup, teardown),
      cmocka_unit_test_setup_teardown(a_killed_writer_leaves_it_whole, setup, teardown),
      cmocka_unit_test_setup_teardown(a_checkpoint_is_gone_back_to, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
