/* Writes under way, with io_uring and without: the same bytes, the same errors. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/write_queue.h"

#define LEN 65536u
#define N 11u /* more than are under way at a time */

static const char *const ways[] = {"plain", "uring"};

typedef struct fixture {
  char *dir;
  int fd;
  uint8_t *data; /* N * LEN */
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  f->dir = test_temp_dir();
  f->data = ipfsa_alloc_aligned(4096, N * LEN);
  test_shake128("write queue", f->data, N * LEN);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  unsetenv("IPFSA_IO");
  ipfsa_free_aligned(f->data);
  test_remove_tree(f->dir);
  free(f);
  return 0;
}

static void open_file(fixture *f) {
  char path[4200];
  snprintf(path, sizeof path, "%s/file", f->dir);
  f->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
  if (f->fd < 0) f->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  assert_true(f->fd >= 0);
}

static bool has_all(fixture *f) {
  uint8_t *got = ipfsa_alloc_aligned(4096, N * LEN);
  bool same = pread(f->fd, got, N * LEN, 0) == (ssize_t)(N * LEN) && memcmp(got, f->data, N * LEN) == 0;
  ipfsa_free_aligned(got);
  return same;
}

/* False: this machine has no io_uring. */
static bool take_way(const char *way, ipfsa_write_queue **ret) {
  ipfsa_error err = {0};
  setenv("IPFSA_IO", way, 1);
  ipfsa_status status = ipfsa_write_queue_new(ret, &err);
  if (status && strcmp(way, "uring") == 0) return print_message("skipped: %s\n", err.message), false;
  assert_ok(status);
  assert_int_equal(ipfsa_write_queue_is_ring(*ret), strcmp(way, "uring") == 0);
  return true;
}

static ipfsa_status write_all(fixture *f, ipfsa_write_queue *q, ipfsa_error *err) {
  uint64_t ticket = 0, last = 0;
  ipfsa_status status = IPFSA_OK;
  for (unsigned i = N; status == IPFSA_OK && i-- > 0;) { /* from the end on: nothing rests on the order */
    status = ipfsa_write_queue_put(q, f->fd, f->data + i * LEN, LEN, i * LEN, &ticket, err);
    if (status == IPFSA_OK) assert_true(ticket > last);
    last = ticket;
  }
  ipfsa_status ended = ipfsa_write_queue_settle(q, IPFSA_ALL_WRITES, status ? NULL : err);
  if (status) assert_int_equal(ended, status); /* told again */
  return ended;
}

static void what_is_settled_is_in_the_file(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_write_queue *q = NULL;
  for (unsigned way = 0; way < 2; way++) {
    if (!take_way(ways[way], &q)) continue;
    open_file(f);
    assert_ok(ipfsa_write_queue_settle(q, IPFSA_ALL_WRITES, &err)); /* of nothing */
    assert_ok(write_all(f, q, &err));
    assert_true(has_all(f));
    uint64_t first = 0, second = 0;
    memset(f->data, 7, 2 * LEN);
    assert_ok(ipfsa_write_queue_put(q, f->fd, f->data, LEN, 0, &first, &err));
    assert_ok(ipfsa_write_queue_put(q, f->fd, f->data + LEN, LEN, LEN, &second, &err));
    assert_ok(ipfsa_write_queue_settle(q, first, &err));
    assert_ok(ipfsa_write_queue_settle(q, second, &err));
    assert_true(has_all(f));
    ipfsa_write_queue_free(q);
    close(f->fd);
  }
}

/* What is under way when the queue goes ends first. */
static void the_end_waits(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_write_queue *q = NULL;
  uint64_t ticket;
  for (unsigned way = 0; way < 2; way++) {
    if (!take_way(ways[way], &q)) continue;
    open_file(f);
    for (unsigned i = 0; i < N; i++) assert_ok(ipfsa_write_queue_put(q, f->fd, f->data + i * LEN, LEN, i * LEN, &ticket, &err));
    ipfsa_write_queue_free(q);
    assert_true(has_all(f));
    close(f->fd);
  }
  ipfsa_write_queue_free(NULL);
}

/* The n-th write fails, falls short or is interrupted, for every n; or all of them do. */
static void faults(fixture *f, const char *way, ipfsa_fault_mode mode, int sys_errno, uint64_t n_calls) {
  bool survives = mode == IPFSA_FAULT_SHORT || sys_errno == EINTR;
  for (uint64_t n = 1;; n++) {
    ipfsa_error err = {0};
    ipfsa_write_queue *q = NULL;
    if (!take_way(way, &q)) return;
    open_file(f);
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, n, n_calls, mode, sys_errno});
    ipfsa_status status = write_all(f, q, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (fired && !survives) {
      assert_int_equal(status, sys_errno == ENOSPC ? IPFSA_E_NO_SPACE : IPFSA_E_IO);
      assert_int_equal(err.sys_errno, sys_errno);
      uint64_t ticket;
      assert_int_equal(ipfsa_write_queue_put(q, f->fd, f->data, LEN, 0, &ticket, &err), status); /* takes nothing more */
    } else {
      assert_ok(status);
      assert_true(has_all(f));
    }
    ipfsa_write_queue_free(q);
    close(f->fd);
    if (!fired) break;
  }
}

static void every_write_may_fail(void **state) {
  for (unsigned way = 0; way < 2; way++) {
    faults(*state, ways[way], IPFSA_FAULT_FAIL, EIO, 1);
    faults(*state, ways[way], IPFSA_FAULT_FAIL, ENOSPC, UINT64_MAX);
    faults(*state, ways[way], IPFSA_FAULT_FAIL, EINTR, 3);
    faults(*state, ways[way], IPFSA_FAULT_SHORT, 0, 1);
    faults(*state, ways[way], IPFSA_FAULT_SHORT, 0, UINT64_MAX);
  }
}

/* A real error of the kernel, without a fault plan. */
static void a_descriptor_that_cannot_be_written_is_told(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_write_queue *q = NULL;
  for (unsigned way = 0; way < 2; way++) {
    if (!take_way(ways[way], &q)) continue;
    open_file(f);
    int read_only = open("/dev/null", O_RDONLY);
    uint64_t ticket;
    ipfsa_status status = ipfsa_write_queue_put(q, read_only, f->data, LEN, 0, &ticket, &err);
    if (status == IPFSA_OK) status = ipfsa_write_queue_settle(q, ticket, &err);
    assert_int_equal(status, IPFSA_E_IO);
    assert_int_equal(err.sys_errno, EBADF);
    close(read_only);
    close(f->fd);
    ipfsa_write_queue_free(q);
  }
}

static bool forbid_ring(int sys_errno) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)sys_errno),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { CHILD_GOOD, CHILD_BAD, CHILD_NO_FILTER };

static int without_ring(fixture *f, int sys_errno) {
  ipfsa_write_queue *q = NULL;
  if (!forbid_ring(sys_errno)) return CHILD_NO_FILTER;
  setenv("IPFSA_IO", "uring", 1);
  if (ipfsa_write_queue_new(&q, NULL) == IPFSA_OK) return CHILD_BAD;
  unsetenv("IPFSA_IO");
  if (ipfsa_write_queue_new(&q, NULL) != IPFSA_OK || ipfsa_write_queue_is_ring(q)) return CHILD_BAD;
  bool good = write_all(f, q, NULL) == IPFSA_OK && has_all(f);
  ipfsa_write_queue_free(q);
  return good ? CHILD_GOOD : CHILD_BAD;
}

static void a_kernel_that_refuses_is_no_obstacle(void **state) {
  fixture *f = *state;
  static const int refusals[] = {EPERM, ENOSYS};
  for (unsigned i = 0; i < 2; i++) {
    open_file(f);
    pid_t child = fork();
    if (child == 0) _exit(without_ring(f, refusals[i]));
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    if (WEXITSTATUS(how) == CHILD_NO_FILTER) print_message("skipped: seccomp filters cannot be had\n");
    else assert_int_equal(WEXITSTATUS(how), CHILD_GOOD);
    close(f->fd);
  }
}

/* A full pipe: a write that the kernel never begins. Taken back it is written plainly, and a pipe has no offsets. */
static void a_write_that_never_begins_is_taken_back(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_write_queue *q = NULL;
  uint64_t ticket = 0;
  int ends[2];
  setenv("IPFSA_IO", "uring", 1);
  if (ipfsa_write_queue_new(&q, &err)) skip();
  assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
  while (write(ends[1], f->data, 4096) > 0) {}
  assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
  long patience = ipfsa_write_queue_patience_ms;
  ipfsa_write_queue_patience_ms = 20;
  assert_ok(ipfsa_write_queue_put(q, ends[1], f->data, LEN, 0, &ticket, &err));
  assert_status(ipfsa_write_queue_settle(q, ticket, &err), IPFSA_E_IO);
  assert_int_equal(err.sys_errno, ESPIPE);
  ipfsa_write_queue_patience_ms = patience;
  ipfsa_write_queue_free(q);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_is_settled_is_in_the_file, setup, teardown),
      cmocka_unit_test_setup_teardown(the_end_waits, setup, teardown),
      cmocka_unit_test_setup_teardown(every_write_may_fail, setup, teardown),
      cmocka_unit_test_setup_teardown(a_descriptor_that_cannot_be_written_is_told, setup, teardown),
      cmocka_unit_test_setup_teardown(a_write_that_never_begins_is_taken_back, setup, teardown),
      cmocka_unit_test_setup_teardown(a_kernel_that_refuses_is_no_obstacle, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
