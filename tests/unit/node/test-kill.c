/* A process that adds, pins, unpins and collects is killed at random moments; what it acknowledged is there, and whole. */
#include <ipfsa/pin.h>
#include <ipfsa/repo.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "dag_fixture.h"

#define N_TREES 6
#define RUN_MS 2500
#define MAX_LIFE_US 40000

/* What the child tells: 'p' tree pinned, 'u' about to be unpinned (from here on both are right), 'U' unpinned. */
typedef struct word {
  char what;
  uint8_t tree;
} word;

static uint64_t seed_now;

static uint64_t next_random(void) {
  seed_now = seed_now * 6364136223846793005u + 1442695040888963407u;
  return seed_now >> 33;
}

static void say(int fd, char what, int tree) {
  word w = {what, (uint8_t)tree};
  (void)!write(fd, &w, sizeof w);
}

static bool pin_tree(fixture *f, int i) {
  char name[16];
  ipfsa_cid t[TREE];
  snprintf(name, sizeof name, "tree %d", i);
  ipfsa_blockstore_writer *w = NULL;
  if (ipfsa_blockstore_begin(f->node.bs, &w, NULL) != IPFSA_OK) return false;
  bool good = put_tree(w, name, t, NULL) == IPFSA_OK && ipfsa_writer_commit(w, NULL) == IPFSA_OK;
  ipfsa_pin pin = {.cid = t[0], .mode = IPFSA_PIN_RECURSIVE};
  good = good && ipfsa_pins_set(f->node.store, &pin, 1, NULL) == IPFSA_OK;
  ipfsa_writer_close(w);
  return good;
}

static ipfsa_cid root_of(int i) {
  static ipfsa_cid roots[N_TREES];
  static bool made;
  if (!made) { /* the names decide the CIDs: a store in memory tells them */
    for (int k = 0; k < N_TREES; k++) {
      char name[16];
      ipfsa_cid t[TREE];
      ipfsa_blockstore *bs = NULL;
      ipfsa_blockstore_writer *w = NULL;
      snprintf(name, sizeof name, "tree %d", k);
      if (ipfsa_memory_blockstore_new(&bs, NULL) || ipfsa_blockstore_begin(bs, &w, NULL) || put_tree(w, name, t, NULL)) fail_msg("memory");
      roots[k] = t[0];
      ipfsa_writer_close(w);
      ipfsa_blockstore_close(bs);
    }
    made = true;
  }
  return roots[i];
}

static _Noreturn void work_until_killed(fixture *f, int fd) {
  ipfsa_error err = {0};
  ipfsa_store_options options = {.create = true, .lock_timeout_ms = 5000};
  if (ipfsa_store_open(f->node.repo_fd, &options, &f->node.store, &err) != IPFSA_OK) {
    say(fd, '!', 0);
    _exit(1);
  }
  f->node.bs = ipfsa_store_blockstore(f->node.store);
  for (;;) {
    uint64_t r = next_random();
    int i = (int)(r / 4 % N_TREES);
    ipfsa_cid root = root_of(i);
    if (r % 4 < 2) {
      if (pin_tree(f, i)) say(fd, 'p', i);
    } else if (r % 4 == 2) {
      say(fd, 'u', i);
      if (ipfsa_pin_rm(&f->node, &root, true, NULL) == IPFSA_OK) say(fd, 'U', i);
    } else if (ipfsa_repo_gc(&f->node, NULL, NULL, &err) != IPFSA_OK) {
      say(fd, '!', 1);
      _exit(1);
    }
  }
}

static void check_tree(fixture *f, int i, char last) {
  ipfsa_error err = {0};
  ipfsa_pin pin;
  ipfsa_cid root = root_of(i);
  ipfsa_status status = ipfsa_pins_get(f->node.store, &root, &pin, &err);
  if (last == 'p') assert_int_equal(status, IPFSA_OK);
  if (status != IPFSA_E_NOT_PINNED) assert_int_equal(status, IPFSA_OK);
}

static int refuse_broken(void *ctx, const ipfsa_pin_verdict *v) {
  (void)ctx;
  assert_true(v->ok);
  return 0;
}

static int refuse_damage(void *ctx, const ipfsa_multihash *mh, const char *what) {
  (void)ctx, (void)mh;
  fail_msg("damaged: %s", what);
  return 0;
}

static void one_life(fixture *f, char *last) {
  ipfsa_error err = {0};
  int pipe_fd[2];
  assert_int_equal(pipe(pipe_fd), 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(pipe_fd[0]);
    work_until_killed(f, pipe_fd[1]);
  }
  close(pipe_fd[1]);
  usleep((useconds_t)(next_random() % MAX_LIFE_US));
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  word w;
  while (read(pipe_fd[0], &w, sizeof w) == (ssize_t)sizeof w) {
    assert_int_not_equal(w.what, '!');
    last[w.tree] = w.what;
  }
  close(pipe_fd[0]);
  fixture_open(f); /* at once: no lock is left behind (kubo#8725) */
  for (int i = 0; i < N_TREES; i++) check_tree(f, i, last[i]);
  ipfsa_store_verify_result result;
  assert_ok(ipfsa_pin_verify(&f->node, refuse_broken, NULL, NULL, NULL, NULL, &err));
  assert_ok(ipfsa_store_verify(f->node.store, false, refuse_damage, NULL, NULL, NULL, &result, &err));
  ipfsa_store_close(f->node.store);
  f->node.store = NULL;
}

static void what_was_acknowledged_survives_kill_9(void **state) {
  (void)state;
  const char *given = getenv("IPFSA_SEED");
  seed_now = given ? strtoull(given, NULL, 10) : 7;
  const char *soak = getenv("IPFSA_SOAK_SECONDS");
  uint64_t run_ms = soak ? strtoull(soak, NULL, 10) * 1000 : RUN_MS;
  fixture *f = fixture_new();
  ipfsa_store_close(f->node.store);
  f->node.store = NULL;
  (void)root_of(0);
  char last[N_TREES] = {0};
  int lives = 0, pinned = 0;
  for (uint64_t end = ipfsa_clock_monotonic_ns() + run_ms * 1000000; ipfsa_clock_monotonic_ns() < end; lives++) one_life(f, last);
  for (int i = 0; i < N_TREES; i++) pinned += last[i] == 'p';
  print_message("%d lives, %d trees pinned at the end\n", lives, pinned);
  assert_true(lives > 3);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_acknowledged_survives_kill_9)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
