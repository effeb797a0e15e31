/* Every operation with its n-th allocation failing, and its n-th file operation (EIO, ENOSPC, EINTR, short): it succeeds or says in one
 * sentence what went wrong; what was acknowledged before is there, nothing is half there, and the repo opens clean. In `make test` every n up
 * to DENSE and from there on every STRIDE-th; with IPFSA_SOAK_SECONDS all. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/fault.h"
#include "workload.h"

#ifdef __SANITIZE_THREAD__ /* ten times as slow */
#define DENSE 10
#define STRIDE 29
#else
#define DENSE 60
#define STRIDE 7
#endif

typedef struct failing_way {
  const char *name;
  ipfsa_fault_kind kind;
  ipfsa_fault_mode mode;
  int sys_errno;
  bool harmless; /* the operation must succeed all the same */
} failing_way;

static const failing_way ways[] = {
    {"no memory", IPFSA_FAULT_ALLOC, IPFSA_FAULT_FAIL, ENOMEM, false},
    {"EIO", IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, EIO, false},
    {"ENOSPC", IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, ENOSPC, false},
    {"EINTR", IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, EINTR, true},
    {"short", IPFSA_FAULT_FILE, IPFSA_FAULT_SHORT, 0, true},
};

static char where[256];
static world *w;

static void tell_where(int sig) {
  (void)!write(2, where, strlen(where));
  (void)!write(2, ": crashed\n", 10);
  signal(sig, SIG_DFL);
  raise(sig);
}

static uint64_t step_after(uint64_t n, const failing_way *way) {
  if (getenv("IPFSA_SOAK_SECONDS")) return 1;
  if (way->harmless) return n < 12 ? 1 : 2 * STRIDE; /* one loop in base/fs.c serves them all */
  return n < DENSE ? 1 : STRIDE;
}

static void expect_sentence(const ipfsa_error *err, ipfsa_status status, const failing_way *way) {
  size_t len = strlen(err->message);
  if (len == 0 || err->message[len - 1] == '.' || err->status != status)
    fail_msg("%s: failed with %s and said \"%s\"", where, ipfsa_status_to_string(status), err->message);
  if (way->harmless) fail_msg("%s: %s", where, err->message);
  if (way->kind == IPFSA_FAULT_ALLOC && status != IPFSA_E_NOMEM && !strstr(err->message, "out of memory")) fail_msg("%s: %s: %s", where, ipfsa_status_to_string(status), err->message);
}

/* One run; false when the operation made fewer calls than n. */
static bool fail_at(const operation *op, const failing_way *way, uint64_t n) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  snprintf(where, sizeof where, "%s, %s at call %llu", op->name, way->name, (unsigned long long)n);
  world_reset(w, op->damaged);
  if (world_open(w, &node, &err)) fail_msg("%s: open: %s", where, err.message);
  ipfsa_fault_arm(&(ipfsa_fault_plan){way->kind, n, 1, way->mode, way->sys_errno});
  ipfsa_status status = op->run(w, node, &err);
  bool fired = ipfsa_fault_fired();
  ipfsa_fault_disarm();
  if (!fired && status) fail_msg("%s: nothing was made to fail: %s", where, err.message);
  if (status) expect_sentence(&err, status, way);
  if (n % 4 == 0) world_check(w, node, op, status == IPFSA_OK, where); /* reads go on in the same process */
  ipfsa_node_close(node);
  node = NULL;
  err = (ipfsa_error){0};
  if (world_open(w, &node, &err)) fail_msg("%s: open again: %s", where, err.message);
  world_check(w, node, op, status == IPFSA_OK, where);
  ipfsa_node_close(node);
  return fired;
}

static unsigned fail_everywhere(const operation *op) {
  unsigned runs = 0;
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    for (uint64_t n = 1, quiet = 0; quiet < 3; n += step_after(n, &ways[i]), runs++) /* threads: the number of calls varies a little */
      quiet = fail_at(op, &ways[i], n) ? 0 : quiet + 1;
  return runs;
}

static void every_operation_may_fail_anywhere(void **state) {
  (void)state;
  const char *only = getenv("IPFSA_ONLY");
  unsigned runs = 0;
  w = world_new();
  signal(SIGSEGV, tell_where);
  signal(SIGBUS, tell_where);
  signal(SIGABRT, tell_where);
  for (size_t i = 0; i < n_operations; i++) {
    if (only && strcmp(operations[i].name, only) != 0) continue;
    unsigned here = fail_everywhere(&operations[i]);
    if (only) print_message("%s: %u runs\n", operations[i].name, here);
    runs += here;
  }
  print_message("%u runs\n", runs);
  world_free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation_may_fail_anywhere)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
