#include "container/tunnel_registry.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support.h"
#include "base/fault.h"

static char *runtime; /* the user's runtime folder of this test */

static int make_runtime(void **state) {
  (void)state;
  runtime = test_temp_dir();
  return setenv("XDG_RUNTIME_DIR", runtime, 1);
}

static int remove_runtime(void **state) {
  (void)state;
  test_remove_tree(runtime);
  return 0;
}

static int n_files(void) {
  char path[512];
  snprintf(path, sizeof path, "%s/ipfs-accelerate/tunnels", runtime);
  DIR *dir = opendir(path);
  int n = 0;
  while (dir && readdir(dir)) n++;
  if (dir) closedir(dir);
  return dir ? n - 2 : 0;
}

static ipfsa_tunnel_info info_of(const char *name) {
  ipfsa_tunnel_info info = {.container = "web", .engine = "unix:///run/x.sock", .local_port = 8080, .container_port = 80, .pid = getpid(), .n_open = 3, .sent_bytes = 1ull << 40};
  snprintf(info.name, sizeof info.name, "%s", name);
  return info;
}

typedef struct seen {
  ipfsa_tunnel_info infos[4];
  int n;
} seen;

static int see(void *ctx, const ipfsa_tunnel_info *info) {
  seen *s = ctx;
  if (s->n == 4) return 1;
  s->infos[s->n++] = *info;
  return 0;
}

static seen list(void) {
  seen s = {.n = 0};
  ipfsa_error err = {0};
  assert_ok(ipfsa_tunnel_list(see, &s, &err));
  return s;
}

/* A process that holds a tunnel; with `answer` it answers until it is told to stop, and ends then. */
static pid_t start_holder(const char *name, bool answer) {
  int ready[2];
  char byte;
  assert_int_equal(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    ipfsa_tunnel_info info = info_of(name);
    ipfsa_tunnel_entry entry;
    if (ipfsa_tunnel_register(&info, &entry, NULL) != IPFSA_OK || write(ready[1], "!", 1) != 1) _exit(1);
    close(ready[0]), close(ready[1]);
    while (!answer || !ipfsa_tunnel_answer(&entry, &info)) usleep(1000);
    ipfsa_tunnel_unregister(&entry);
    _exit(0);
  }
  close(ready[1]);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  return pid;
}

static void another_process_is_found_and_stopped(void **state) {
  (void)state;
  ipfsa_error err = {0};
  pid_t pid = start_holder("one", true);
  seen s = list();
  assert_int_equal(s.n, 1);
  assert_string_equal(s.infos[0].name, "one");
  assert_string_equal(s.infos[0].container, "web");
  assert_true(s.infos[0].answers && s.infos[0].pid == pid && s.infos[0].n_open == 3 && s.infos[0].sent_bytes == 1ull << 40);
  ipfsa_tunnel_info info = info_of("one");
  ipfsa_tunnel_entry entry;
  assert_status(ipfsa_tunnel_register(&info, &entry, &err), IPFSA_E_EXISTS);
  assert_ok(ipfsa_tunnel_rm("one", &err));
  int code;
  assert_int_equal(waitpid(pid, &code, 0), pid);
  assert_int_equal(code, 0);
  assert_int_equal(list().n, 0);
  assert_int_equal(n_files(), 0);
  assert_status(ipfsa_tunnel_rm("one", &err), IPFSA_E_NOT_FOUND);
}

static void a_killed_process_leaves_nothing_that_counts(void **state) {
  (void)state;
  ipfsa_error err = {0};
  pid_t pid = start_holder("two", false);
  seen s = list();
  assert_int_equal(s.n, 1);
  assert_false(s.infos[0].answers);
  assert_int_equal(s.infos[0].local_port, 8080);
  kill(pid, SIGKILL);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  assert_int_equal(n_files(), 2);
  ipfsa_tunnel_info info = info_of("two");
  ipfsa_tunnel_entry entry;
  assert_ok(ipfsa_tunnel_register(&info, &entry, &err)); /* over what is left */
  ipfsa_tunnel_unregister(&entry);
  assert_int_equal(n_files(), 0);
  pid = start_holder("two", false);
  kill(pid, SIGKILL);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  assert_int_equal(list().n, 0);
  assert_int_equal(n_files(), 0);
}

static void names_have_limits(void **state) {
  (void)state;
  char name[128];
  memset(name, 'a', sizeof name);
  name[IPFSA_MAX_TUNNEL_NAME] = '\0';
  ipfsa_error err = {0};
  ipfsa_tunnel_info info = info_of(name);
  ipfsa_tunnel_entry entry;
  assert_ok(ipfsa_tunnel_register(&info, &entry, &err));
  assert_int_equal(list().n, 1);
  ipfsa_tunnel_unregister(&entry);
  name[IPFSA_MAX_TUNNEL_NAME] = 'a', name[IPFSA_MAX_TUNNEL_NAME + 1] = '\0';
  assert_status(ipfsa_tunnel_name_check(name, &err), IPFSA_E_INVALID);
  static const char *const bad[] = {"", ".", "../x", "a/b", "-x", "a b", "a\n", "\xc3\xa4"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_status(ipfsa_tunnel_name_check(bad[i], &err), IPFSA_E_INVALID);
    assert_status(ipfsa_tunnel_rm(bad[i], &err), IPFSA_E_INVALID);
  }
}

static void a_folder_that_others_may_write_is_not_used(void **state) {
  (void)state;
  char path[512];
  ipfsa_error err = {0};
  ipfsa_tunnel_info info = info_of("three");
  ipfsa_tunnel_entry entry;
  seen s = {.n = 0};
  snprintf(path, sizeof path, "%s/ipfs-accelerate", runtime);
  assert_int_equal(list().n, 0); /* none is there, or an empty one */
  (void)mkdir(path, 0700);
  assert_int_equal(chmod(path, 0777), 0);
  assert_status(ipfsa_tunnel_register(&info, &entry, &err), IPFSA_E_DENIED);
  assert_status(ipfsa_tunnel_list(see, &s, &err), IPFSA_E_DENIED);
  assert_int_equal(chmod(path, 0700), 0);
}

static void a_failing_operation_leaves_nothing(void **state) {
  (void)state;
  for (int kind = 0; kind < IPFSA_FAULT_N_KINDS; kind++) {
    for (uint64_t nth = 1; nth < 200; nth++) {
      ipfsa_error err = {0};
      ipfsa_tunnel_info info = info_of("four");
      ipfsa_tunnel_entry entry;
      ipfsa_fault_arm(&(ipfsa_fault_plan){(ipfsa_fault_kind)kind, nth, 1, IPFSA_FAULT_FAIL, EIO});
      ipfsa_status status = ipfsa_tunnel_register(&info, &entry, &err);
      bool fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (status == IPFSA_OK) {
        seen s = list();
        assert_true(s.n == 1);
        ipfsa_tunnel_unregister(&entry);
      } else {
        assert_true(fired && err.message[0]);
      }
      assert_int_equal(list().n, 0);
      assert_int_equal(n_files(), 0);
      if (!fired) break;
      assert_true(nth < 199);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(another_process_is_found_and_stopped), cmocka_unit_test(a_killed_process_leaves_nothing_that_counts),
                                     cmocka_unit_test(names_have_limits), cmocka_unit_test(a_folder_that_others_may_write_is_not_used),
                                     cmocka_unit_test(a_failing_operation_leaves_nothing)};
  return cmocka_run_group_tests(tests, make_runtime, remove_runtime);
}
