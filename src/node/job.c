#include <ipfsa/job.h>

#include <errno.h>
#include <time.h>

#include "node/node.h"

struct ipfsa_job {
  ipfsa_task task; /* first: what the pool holds */
  ipfsa_node *node;
  ipfsa_job_fn fn;
  void *arg;
  void *input; /* owned: the typed starters' copy of what they were given */
  int fd;
  int cancelled;
  pthread_mutex_t lock; /* over all below */
  pthread_cond_t ended;
  bool done;
  ipfsa_progress at;
  ipfsa_status status;
  ipfsa_error err;
  ipfsa_job_result result;
};

static int note_progress(void *ctx, const ipfsa_progress *progress) {
  ipfsa_job *job = ctx;
  pthread_mutex_lock(&job->lock);
  job->at = *progress;
  pthread_mutex_unlock(&job->lock);
  return __atomic_load_n(&job->cancelled, __ATOMIC_RELAXED);
}

static void run_job(ipfsa_task *task) {
  ipfsa_job *job = (ipfsa_job *)task;
  ipfsa_job_result result = {0};
  ipfsa_error err = {0};
  ipfsa_job_control control = {note_progress, job, &result};
  ipfsa_status status = __atomic_load_n(&job->cancelled, __ATOMIC_RELAXED) ? ipfsa_fail(&err, IPFSA_E_CANCELLED, "cancelled before it began")
                                                                           : job->fn(job->node, &control, job->arg, &err);
  pthread_mutex_lock(&job->lock);
  job->status = status;
  job->err = err;
  job->result = result;
  job->done = true;
  ipfsa_fs_event_set(job->fd);
  pthread_cond_broadcast(&job->ended);
  pthread_mutex_unlock(&job->lock); /* from here on the job is its owner's */
}

static void release(ipfsa_job *job) {
  pthread_cond_destroy(&job->ended);
  pthread_mutex_destroy(&job->lock);
  ipfsa_fs_close(&job->fd);
  ipfsa_free(job->input);
  ipfsa_free(job);
}

/* Takes input, also on failure. */
static ipfsa_status start_job(ipfsa_node *node, ipfsa_job_fn fn, void *arg, void *input, ipfsa_job **ret, ipfsa_error *err) {
  ipfsa_pool *pool = NULL;
  ipfsa_status status = ipfsa_node_job_pool(node, &pool, err);
  ipfsa_job *job = status ? NULL : ipfsa_calloc(1, sizeof *job);
  if (!job) {
    ipfsa_free(input);
    return status ? status : ipfsa_fail_nomem(err);
  }
  *job = (ipfsa_job){.task = {.run = run_job}, .node = node, .fn = fn, .arg = arg, .input = input};
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_mutex_init(&job->lock, NULL);
  pthread_cond_init(&job->ended, &clock);
  pthread_condattr_destroy(&clock);
  job->fd = ipfsa_fs_event(err);
  if (job->fd < 0) {
    release(job);
    return err ? err->status : IPFSA_E_IO;
  }
  *ret = job;
  ipfsa_pool_submit(pool, &job->task);
  return IPFSA_OK;
}

ipfsa_status ipfsa_job_start(ipfsa_node *node, ipfsa_job_fn fn, void *arg, ipfsa_job **ret, ipfsa_error *err) {
  return start_job(node, fn, arg, NULL, ret, err);
}

/* A starter's copy of its input; the job's argument and to be freed with it. */
static ipfsa_status start_with(ipfsa_node *node, ipfsa_job_fn fn, const void *input, size_t size, ipfsa_job **ret, ipfsa_error *err) {
  void *copy = ipfsa_memdup(input, size);
  return copy ? start_job(node, fn, copy, copy, ret, err) : ipfsa_fail_nomem(err);
}

/* ---- what is started ---- */

typedef struct add_input {
  const char *const *paths;
  size_t n_paths;
  int stdin_fd;
  ipfsa_add_options o;
} add_input;

static ipfsa_status run_add(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  add_input *in = arg;
  in->o.progress = control->progress;
  in->o.progress_ctx = control->progress_ctx;
  return ipfsa_add(node, in->paths, in->n_paths, in->stdin_fd, &in->o, &control->result->root, err);
}

ipfsa_status ipfsa_job_start_add(ipfsa_node *node, const char *const *paths, size_t n_paths, int stdin_fd, const ipfsa_add_options *options,
                                 ipfsa_job **ret, ipfsa_error *err) {
  add_input in = {paths, n_paths, stdin_fd, IPFSA_OPTIONS(ipfsa_add_options, options)};
  in.o.struct_size = sizeof in.o;
  return start_with(node, run_add, &in, sizeof in, ret, err);
}

typedef struct get_input {
  const char *path, *target;
  ipfsa_get_options o;
} get_input;

static ipfsa_status run_get(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  get_input *in = arg;
  in->o.progress = control->progress;
  in->o.progress_ctx = control->progress_ctx;
  return ipfsa_get(node, in->path, in->target, &in->o, err);
}

ipfsa_status ipfsa_job_start_get(ipfsa_node *node, const char *path, const char *target, const ipfsa_get_options *options, ipfsa_job **ret,
                                 ipfsa_error *err) {
  get_input in = {path, target, IPFSA_OPTIONS(ipfsa_get_options, options)};
  in.o.struct_size = sizeof in.o;
  return start_with(node, run_get, &in, sizeof in, ret, err);
}

typedef struct export_input {
  ipfsa_cid root;
  ipfsa_write_cb write;
  void *ctx;
} export_input;

static ipfsa_status run_export(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  const export_input *in = arg;
  return ipfsa_dag_export(node, &in->root, in->write, in->ctx, control->progress, control->progress_ctx, err);
}

ipfsa_status ipfsa_job_start_export(ipfsa_node *node, const ipfsa_cid *root, ipfsa_write_cb write, void *ctx, ipfsa_job **ret, ipfsa_error *err) {
  return start_with(node, run_export, &(export_input){*root, write, ctx}, sizeof(export_input), ret, err);
}

typedef struct import_input {
  int fd;
  const char *name;
  ipfsa_dag_import_options o;
} import_input;

static ipfsa_status run_import(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  import_input *in = arg;
  in->o.progress = control->progress;
  in->o.progress_ctx = control->progress_ctx;
  return ipfsa_dag_import(node, in->fd, in->name, &in->o, &control->result->import_, err);
}

ipfsa_status ipfsa_job_start_import(ipfsa_node *node, int fd, const char *name, const ipfsa_dag_import_options *options, ipfsa_job **ret,
                                    ipfsa_error *err) {
  import_input in = {fd, name, IPFSA_OPTIONS(ipfsa_dag_import_options, options)};
  in.o.struct_size = sizeof in.o;
  return start_with(node, run_import, &in, sizeof in, ret, err);
}

typedef struct pin_input {
  ipfsa_cid cid;
  ipfsa_pin_add_options o;
} pin_input;

static ipfsa_status run_pin(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  pin_input *in = arg;
  in->o.progress = control->progress;
  in->o.progress_ctx = control->progress_ctx;
  return ipfsa_pin_add(node, &in->cid, &in->o, err);
}

ipfsa_status ipfsa_job_start_pin(ipfsa_node *node, const ipfsa_cid *cid, const ipfsa_pin_add_options *options, ipfsa_job **ret, ipfsa_error *err) {
  pin_input in = {*cid, IPFSA_OPTIONS(ipfsa_pin_add_options, options)};
  in.o.struct_size = sizeof in.o;
  return start_with(node, run_pin, &in, sizeof in, ret, err);
}

static ipfsa_status run_gc(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  ipfsa_gc_options *o = arg;
  o->progress = control->progress;
  o->progress_ctx = control->progress_ctx;
  return ipfsa_repo_gc(node, o, &control->result->gc, err);
}

ipfsa_status ipfsa_job_start_gc(ipfsa_node *node, const ipfsa_gc_options *options, ipfsa_job **ret, ipfsa_error *err) {
  ipfsa_gc_options o = IPFSA_OPTIONS(ipfsa_gc_options, options);
  o.struct_size = sizeof o;
  return start_with(node, run_gc, &o, sizeof o, ret, err);
}

static ipfsa_status run_verify(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err) {
  ipfsa_repo_verify_options *o = arg;
  o->progress = control->progress;
  o->progress_ctx = control->progress_ctx;
  return ipfsa_repo_verify(node, o, &control->result->verify, err);
}

ipfsa_status ipfsa_job_start_verify(ipfsa_node *node, const ipfsa_repo_verify_options *options, ipfsa_job **ret, ipfsa_error *err) {
  ipfsa_repo_verify_options o = IPFSA_OPTIONS(ipfsa_repo_verify_options, options);
  o.struct_size = sizeof o;
  return start_with(node, run_verify, &o, sizeof o, ret, err);
}

/* ---- what is done with one ---- */

int ipfsa_job_fd(const ipfsa_job *job) { return job->fd; }

bool ipfsa_job_is_done(ipfsa_job *job) {
  pthread_mutex_lock(&job->lock);
  bool done = job->done;
  pthread_mutex_unlock(&job->lock);
  return done;
}

void ipfsa_job_progress(ipfsa_job *job, ipfsa_progress *ret) {
  pthread_mutex_lock(&job->lock);
  *ret = job->at;
  pthread_mutex_unlock(&job->lock);
}

void ipfsa_job_cancel(ipfsa_job *job) { __atomic_store_n(&job->cancelled, 1, __ATOMIC_RELAXED); }

static struct timespec deadline_in(int64_t ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  int64_t nanos = t.tv_nsec + ms % 1000 * 1000000;
  t.tv_sec += (time_t)(ms / 1000 + nanos / 1000000000);
  t.tv_nsec = (long)(nanos % 1000000000);
  return t;
}

ipfsa_status ipfsa_job_wait(ipfsa_job *job, int64_t timeout_ms, ipfsa_error *err) {
  struct timespec until = deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
  pthread_mutex_lock(&job->lock);
  while (!job->done) {
    int failed = timeout_ms < 0 ? pthread_cond_wait(&job->ended, &job->lock) : pthread_cond_timedwait(&job->ended, &job->lock, &until);
    if (failed == ETIMEDOUT) break;
  }
  bool done = job->done;
  pthread_mutex_unlock(&job->lock);
  return done ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_TIMEOUT, "the job is not done after %lld ms", (long long)timeout_ms);
}

static void wait_for_end(ipfsa_job *job) {
  pthread_mutex_lock(&job->lock);
  while (!job->done) pthread_cond_wait(&job->ended, &job->lock);
  pthread_mutex_unlock(&job->lock);
}

ipfsa_status ipfsa_job_finish(ipfsa_job *job, ipfsa_job_result *ret, ipfsa_error *err) {
  wait_for_end(job);
  ipfsa_status status = job->status;
  if (status && err) *err = job->err;
  if (ret && (status == IPFSA_OK || status == IPFSA_E_PARTIAL)) *ret = job->result;
  release(job);
  return status;
}

void ipfsa_job_free(ipfsa_job *job) {
  if (!job) return;
  ipfsa_job_cancel(job);
  wait_for_end(job);
  release(job);
}
