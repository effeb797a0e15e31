/* Jobs: long calls that run by themselves. A job is started, looked at, waited for, cancelled, and finished by whoever started it; its descriptor
 * becomes readable when it is done, so that an event loop can wait for it. At most IPFSA_MAX_RUNNING_JOBS of a node run at a time, the others
 * wait their turn in the order of their start. Calls on one job from any thread; finish and free by one, once. */
#ifndef IPFSA_JOB_H
#define IPFSA_JOB_H

#include <ipfsa/add.h>
#include <ipfsa/dag.h>
#include <ipfsa/pin.h>
#include <ipfsa/read.h>
#include <ipfsa/repo.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_RUNNING_JOBS 8 /* a thread each; own limit: writers take turns anyway, readers share the node's workers */

typedef struct ipfsa_job ipfsa_job;
/* What a job brought; each kind fills its own. */
typedef struct ipfsa_job_result {
  ipfsa_cid root;                  /* add */
  ipfsa_dag_import_result import_; /* import */
  ipfsa_gc_result gc;
  ipfsa_repo_verify_result verify;
} ipfsa_job_result;

/* How work inside a job tells its progress and learns that it is to stop: pass both on to the call that it makes. */
typedef struct ipfsa_job_control {
  ipfsa_progress_cb progress;
  void *progress_ctx;
  ipfsa_job_result *result;
} ipfsa_job_control;
typedef ipfsa_status (*ipfsa_job_fn)(ipfsa_node *node, const ipfsa_job_control *control, void *arg, ipfsa_error *err);

/* Starters. All inputs, what options point to included, are borrowed until the job is done; the options themselves are copied. Callbacks are
 * called in the job's thread; `progress` of the options is not called: ask ipfsa_job_progress. A failure starts nothing. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start_add(ipfsa_node *node, const char *const *paths, size_t n_paths, int stdin_fd,
                                                       const ipfsa_add_options *options, ipfsa_job **ret, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start_get(ipfsa_node *node, const char *path, const char *target, const ipfsa_get_options *options,
                                                       ipfsa_job **ret, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start_export(ipfsa_node *node, const ipfsa_cid *root, ipfsa_write_cb write, void *ctx, ipfsa_job **ret,
                                                          ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start_import(ipfsa_node *node, int fd, const char *name, const ipfsa_dag_import_options *options,
                                                          ipfsa_job **ret, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start_pin(ipfsa_node *node, const ipfsa_cid *cid, const ipfsa_pin_add_options *options, ipfsa_job **ret,
                                                       ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start_gc(ipfsa_node *node, const ipfsa_gc_options *options, ipfsa_job **ret, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start_verify(ipfsa_node *node, const ipfsa_repo_verify_options *options, ipfsa_job **ret,
                                                          ipfsa_error *err);
/* Any other work over the public calls; arg is the caller's. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_start(ipfsa_node *node, ipfsa_job_fn fn, void *arg, ipfsa_job **ret, ipfsa_error *err);

/* Readable from the moment the job is done; the job's own, for poll and the like: do not read or close it. */
IPFSA_API int ipfsa_job_fd(const ipfsa_job *job);
IPFSA_API bool ipfsa_job_is_done(ipfsa_job *job);
/* As last told; zeros before that. */
IPFSA_API void ipfsa_job_progress(ipfsa_job *job, ipfsa_progress *ret);
/* The job ends with E_CANCELLED at its next safe point, or before it began; one that is past its last ends as it would have. Not waited for. */
IPFSA_API void ipfsa_job_cancel(ipfsa_job *job);
/* timeout_ms negative: however long it takes. E_TIMEOUT when it is not done by then: of the wait, not of the job. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_wait(ipfsa_job *job, int64_t timeout_ms, ipfsa_error *err);
/* Waits for its end, gives what the call gave (ret may be NULL) and frees the job. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_job_finish(ipfsa_job *job, ipfsa_job_result *ret, ipfsa_error *err);
/* Cancels, waits, frees; NULL is fine. Every job is finished or freed before its node is closed. */
IPFSA_API void ipfsa_job_free(ipfsa_job *job);

#ifdef __cplusplus
}
#endif
#endif
