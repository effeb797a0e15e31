#include "../support.h"

#include <fcntl.h>
#include <ipfsa/job.h>
#include <poll.h>
#include <errno.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

#define BIG (3 << 20)

typedef struct fixture {
  char *dir, file[4200], other[4200];
  ipfsa_node *node;
} fixture;

static void write_file(const char *path, size_t len, char seed) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  for (size_t i = 0; i < len; i++) fputc((char)(seed + (char)(i * 7 / 1000)), file);
  assert_int_equal(fclose(file), 0);
}

static fixture *fixture_new(void) {
  ipfsa_error err = {0};
  fixture *f = calloc(1, sizeof *f);
  char repo[4200];
  f->dir = test_temp_dir();
  snprintf(repo, sizeof repo, "%s/repo", f->dir);
  snprintf(f->file, sizeof f->file, "%s/file", f->dir);
  snprintf(f->other, sizeof f->other, "%s/other", f->dir);
  write_file(f->file, BIG, 'a');
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = repo, .create = true}, &f->node, NULL, &err));
  return f;
}

static void fixture_free(fixture *f) {
  ipfsa_node_close(f->node);
  test_remove_tree(f->dir);
  free(f);
}

static bool is_readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

static const ipfsa_add_options plain_add = {.struct_size = sizeof(ipfsa_add_options)};

static ipfsa_cid add_by_job(fixture *f) {
  ipfsa_error err = {0};
  ipfsa_job *job = NULL;
  ipfsa_job_result result = {0};
  const char *paths[] = {f->file};
  assert_ok(ipfsa_job_start_add(f->node, paths, 1, -1, &plain_add, &job, &err));
  assert_ok(ipfsa_job_wait(job, -1, &err));
  assert_true(ipfsa_job_is_done(job) && is_readable(ipfsa_job_fd(job)));
  ipfsa_progress at = {0};
  ipfsa_job_progress(job, &at);
  assert_int_equal(at.done_bytes, BIG);
  assert_ok(ipfsa_job_finish(job, &result, &err));
  return result.root;
}

static int count_bytes(void *ctx, const void *data, size_t len) {
  (void)data;
  *(uint64_t *)ctx += len;
  return 0;
}

static int write_fd(void *ctx, const void *data, size_t len) { return write(*(int *)ctx, data, len) == (ssize_t)len ? 0 : 1; }

static void each_kind_gives_what_its_call_gives(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  const char *paths[] = {f->file};
  ipfsa_cid direct, root = add_by_job(f);
  ipfsa_job *job = NULL;
  ipfsa_job_result result = {0};
  assert_ok(ipfsa_add(f->node, paths, 1, -1, &plain_add, &direct, &err));
  assert_true(ipfsa_cid_equal(&direct, &root));

  char path[IPFSA_MAX_CID_TEXT + 8] = "/ipfs/";
  ipfsa_cid_format(&root, path + 6);
  assert_ok(ipfsa_job_start_get(f->node, path, f->other, NULL, &job, &err));
  assert_ok(ipfsa_job_finish(job, NULL, &err));
  struct stat st;
  assert_int_equal(stat(f->other, &st), 0);
  assert_int_equal(st.st_size, BIG);

  char car[4300];
  snprintf(car, sizeof car, "%s/car", f->dir);
  int fd = open(car, O_RDWR | O_CREAT | O_TRUNC, 0600);
  uint64_t n = 0;
  assert_ok(ipfsa_job_start_export(f->node, &root, count_bytes, &n, &job, &err));
  assert_ok(ipfsa_job_finish(job, NULL, &err));
  assert_true(n > BIG);
  assert_ok(ipfsa_dag_export(f->node, &root, write_fd, &fd, NULL, NULL, &err));
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  assert_ok(ipfsa_job_start_import(f->node, fd, "car", NULL, &job, &err));
  assert_ok(ipfsa_job_finish(job, &result, &err));
  assert_true(result.import_.n_blocks == 13 && result.import_.n_roots == 1); /* 12 leaves of 256 KiB below a root */
  close(fd);

  assert_ok(ipfsa_job_start_pin(f->node, &root, NULL, &job, &err));
  assert_ok(ipfsa_job_finish(job, NULL, &err));
  assert_ok(ipfsa_job_start_verify(f->node, NULL, &job, &err));
  assert_ok(ipfsa_job_finish(job, &result, &err));
  assert_true(result.verify.n_blocks >= 13 && result.verify.n_damaged == 0);
  assert_ok(ipfsa_pin_rm(f->node, &root, true, &err));
  ipfsa_gc_options gc = {.struct_size = sizeof gc, .lease_grace_s = UINT64_MAX};
  assert_ok(ipfsa_job_start_gc(f->node, &gc, &job, &err));
  assert_ok(ipfsa_job_finish(job, &result, &err));
  assert_int_equal(result.gc.n_removed, 13);
  fixture_free(f);
}

static void an_error_comes_out_at_the_end(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_job *job = NULL;
  const char *missing[] = {f->other};
  assert_ok(ipfsa_job_start_add(f->node, missing, 1, -1, &plain_add, &job, &err));
  assert_status(ipfsa_job_finish(job, NULL, &err), IPFSA_E_NOT_FOUND);
  assert_non_null(strstr(err.message, f->other));
  fixture_free(f);
}

/* An add that stands still at its first progress until it is let go. */
typedef struct held_add {
  const ipfsa_job_control *control;
  const char *path;
  sem_t reached, go;
  bool held;
} held_add;

static int hold(void *ctx, const ipfsa_progress *p) {
  held_add *h = ctx;
  if (!h->held) {
    h->held = true;
    sem_post(&h->reached);
    sem_wait(&h->go);
  }
  return h->control->progress(h->control->progress_ctx, p);
}

static ipfsa_status add_held(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  held_add *h = arg;
  h->control = control;
  ipfsa_add_options o = {.struct_size = sizeof o, .progress = hold, .progress_ctx = h};
  return ipfsa_add(node, &h->path, 1, -1, &o, &control->result->root, err);
}

static void cancelled_in_the_middle(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  held_add h = {.path = f->file};
  sem_init(&h.reached, 0, 0);
  sem_init(&h.go, 0, 0);
  ipfsa_job *job = NULL;
  assert_ok(ipfsa_job_start(f->node, add_held, &h, &job, &err));
  sem_wait(&h.reached);
  assert_false(ipfsa_job_is_done(job) || is_readable(ipfsa_job_fd(job)));
  assert_status(ipfsa_job_wait(job, 0, &err), IPFSA_E_TIMEOUT);
  ipfsa_job_cancel(job);
  sem_post(&h.go);
  assert_status(ipfsa_job_finish(job, NULL, &err), IPFSA_E_CANCELLED);

  ipfsa_repo_stat stat = {.struct_size = sizeof stat};
  assert_ok(ipfsa_repo_stat_get(f->node, &stat, &err));
  assert_int_equal(stat.n_blocks, 0); /* nothing was promised, nothing is there */
  add_by_job(f);                      /* and the node goes on */
  sem_destroy(&h.reached);
  sem_destroy(&h.go);
  fixture_free(f);
}

typedef struct gate {
  sem_t begun, go;
  int n_begun;
} gate;

static ipfsa_status wait_at_gate(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  (void)node, (void)control, (void)err;
  gate *g = arg;
  __atomic_add_fetch(&g->n_begun, 1, __ATOMIC_RELAXED);
  sem_post(&g->begun);
  sem_wait(&g->go);
  return IPFSA_OK;
}

static void those_past_the_limit_wait_their_turn(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  gate g = {.n_begun = 0};
  sem_init(&g.begun, 0, 0);
  sem_init(&g.go, 0, 0);
  ipfsa_job *jobs[IPFSA_MAX_RUNNING_JOBS + 2];
  for (size_t i = 0; i < IPFSA_MAX_RUNNING_JOBS + 2; i++) assert_ok(ipfsa_job_start(f->node, wait_at_gate, &g, &jobs[i], &err));
  for (size_t i = 0; i < IPFSA_MAX_RUNNING_JOBS; i++) sem_wait(&g.begun);
  assert_int_equal(__atomic_load_n(&g.n_begun, __ATOMIC_RELAXED), IPFSA_MAX_RUNNING_JOBS);
  ipfsa_job_cancel(jobs[IPFSA_MAX_RUNNING_JOBS]); /* before it began */
  for (size_t i = 0; i < IPFSA_MAX_RUNNING_JOBS + 2; i++) sem_post(&g.go);
  for (size_t i = 0; i < IPFSA_MAX_RUNNING_JOBS; i++) assert_ok(ipfsa_job_finish(jobs[i], NULL, &err));
  assert_status(ipfsa_job_finish(jobs[IPFSA_MAX_RUNNING_JOBS], NULL, &err), IPFSA_E_CANCELLED);
  ipfsa_job_free(jobs[IPFSA_MAX_RUNNING_JOBS + 1]);
  assert_true(__atomic_load_n(&g.n_begun, __ATOMIC_RELAXED) <= IPFSA_MAX_RUNNING_JOBS + 1);
  sem_destroy(&g.begun);
  sem_destroy(&g.go);
  fixture_free(f);
}

static ipfsa_status do_nothing(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  (void)node, (void)control, (void)err;
  *(int *)arg += 1;
  return IPFSA_OK;
}

/* With the n-th allocation or file operation failing a start either fails, and nothing runs, or all is as ever. */
static void a_start_fails_whole(void **state) {
  (void)state;
  for (int kind = 0; kind < IPFSA_FAULT_N_KINDS; kind++) {
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
      ipfsa_error err = {0};
      fixture *f = fixture_new();
      ipfsa_job *job = NULL;
      int n_runs = 0;
      ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = (ipfsa_fault_kind)kind, .nth = nth, .mode = IPFSA_FAULT_FAIL, .sys_errno = EMFILE});
      ipfsa_status status = ipfsa_job_start(f->node, do_nothing, &n_runs, &job, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      assert_true(fired == (status != IPFSA_OK));
      if (fired) assert_true(job == NULL && n_runs == 0 && err.message[0] != '\0');
      else assert_ok(ipfsa_job_finish(job, NULL, &err));
      assert_int_equal(n_runs, !fired);
      fixture_free(f);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_kind_gives_what_its_call_gives), cmocka_unit_test(an_error_comes_out_at_the_end), cmocka_unit_test(cancelled_in_the_middle),
      cmocka_unit_test(those_past_the_limit_wait_their_turn), cmocka_unit_test(a_start_fails_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
