#include "node/node.h"

#include <ipfsa/job.h>

#include "exchange/fetching.h"
#include "node/materialised.h"
#include "node/repo_dir.h"

#define DEFAULT_LOCK_TIMEOUT_MS 10000

ipfsa_status ipfsa_repo_default_path(char **ret, ipfsa_error *err) {
  const char *from = getenv("IPFSA_PATH");
  if (!from || !*from) from = getenv("IPFS_PATH");
  const char *home = from && *from ? NULL : getenv("HOME");
  if (!home && (!from || !*from))
    return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no place for the repo: set IPFSA_PATH or HOME, or say --repo-dir");
  size_t len = strlen(home ? home : from) + sizeof "/.ipfs-accelerate";
  char *path = ipfsa_malloc(len);
  if (!path) return ipfsa_fail_nomem(err);
  snprintf(path, len, "%s%s", home ? home : from, home ? "/.ipfs-accelerate" : "");
  *ret = path;
  return IPFSA_OK;
}

static ipfsa_status repo_path_of(const ipfsa_node_options *options, char **ret, ipfsa_error *err) {
  if (!options->repo_path || !*options->repo_path) return ipfsa_repo_default_path(ret, err);
  char *path = ipfsa_strdup(options->repo_path);
  if (!path) return ipfsa_fail_nomem(err);
  *ret = path;
  return IPFSA_OK;
}

ipfsa_status ipfsa_repo_init(const ipfsa_node_options *given, ipfsa_error *err) {
  ipfsa_node_options options = IPFSA_OPTIONS(ipfsa_node_options, given);
  IPFSA_AUTO_FREE char *path = NULL;
  ipfsa_status status = repo_path_of(&options, &path, err);
  return status ? status : ipfsa_repo_dir_init(path, options.profile, err);
}

static ipfsa_status open_dir(ipfsa_node *node, const ipfsa_node_options *options, bool *ret_created, ipfsa_error *err) {
  ipfsa_status status = ipfsa_repo_dir_open(node->repo_path, &node->repo_fd, err);
  if (status != IPFSA_E_NO_REPO || !options->create) return status;
  status = ipfsa_repo_dir_init(node->repo_path, options->profile, err);
  if (status && status != IPFSA_E_EXISTS) return status;
  *ret_created = status == IPFSA_OK;
  return ipfsa_repo_dir_open(node->repo_path, &node->repo_fd, err);
}

static ipfsa_status open_rooms(ipfsa_node *node, const ipfsa_node_options *options, ipfsa_error *err) {
  ipfsa_status status = ipfsa_config_load(node->repo_fd, IPFSA_REPO_CONFIG, &node->config, err);
  if (status) return ipfsa_error_prefix(err, status, "%s", node->repo_path);
  ipfsa_store_options store = ipfsa_repo_store_options(node->config);
  store.read_only = options->read_only;
  store.others = ipfsa_materialised_bytes;
  store.others_ctx = node;
  store.lock_timeout_ms = options->lock_timeout_ms < 0    ? 0
                          : options->lock_timeout_ms == 0 ? DEFAULT_LOCK_TIMEOUT_MS
                                                          : (unsigned)options->lock_timeout_ms;
  store.lock_waiting = options->lock_waiting;
  store.lock_waiting_ctx = options->lock_waiting_ctx;
  status = ipfsa_store_open(node->repo_fd, &store, &node->store, err);
  if (status) return ipfsa_error_prefix(err, status, "%s", node->repo_path);
  node->bs = ipfsa_store_blockstore(node->store);
  return options->source ? ipfsa_fetching_new(node->bs, options->source, !options->read_only, &node->fetching, err) : IPFSA_OK;
}

ipfsa_status ipfsa_node_open(const ipfsa_node_options *given, ipfsa_node **ret, bool *ret_created, ipfsa_error *err) {
  ipfsa_node_options options = IPFSA_OPTIONS(ipfsa_node_options, given);
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_node *node = ipfsa_calloc(1, sizeof *node);
  if (!node) return ipfsa_fail_nomem(err);
  node->repo_fd = -1;
  pthread_mutex_init(&node->lock, NULL);
  ipfsa_kept_init(&node->kept);
  node->read_only = options.read_only;
  bool created = false;
  ipfsa_status status = repo_path_of(&options, &node->repo_path, err);
  if (status == IPFSA_OK) status = open_dir(node, &options, &created, err);
  if (status == IPFSA_OK) status = open_rooms(node, &options, err);
  if (status) {
    ipfsa_node_close(node);
    return status;
  }
  if (ret_created) *ret_created = created;
  *ret = node;
  return IPFSA_OK;
}

void ipfsa_node_close(ipfsa_node *node) {
  if (!node) return;
  ipfsa_pool_free(node->job_pool);
  ipfsa_pool_free(node->pool);
  ipfsa_kept_release(&node->kept);
  ipfsa_blockstore_close(node->fetching);
  ipfsa_store_close(node->store);
  ipfsa_config_free(node->config);
  ipfsa_fs_close(&node->repo_fd);
  ipfsa_free(node->repo_path);
  pthread_mutex_destroy(&node->lock);
  ipfsa_free(node);
}

const char *ipfsa_node_repo_path(const ipfsa_node *node) { return node->repo_path; }

void ipfsa_node_cancel(ipfsa_node *node) { __atomic_store_n(&node->cancelled, 1, __ATOMIC_RELAXED); }

static ipfsa_status pool_at(ipfsa_node *node, ipfsa_pool **at, unsigned n_threads, ipfsa_pool **ret, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  pthread_mutex_lock(&node->lock);
  if (!*at) status = ipfsa_pool_new(n_threads, at, err);
  ipfsa_pool *pool = *at;
  pthread_mutex_unlock(&node->lock);
  if (status) return status;
  *ret = pool;
  return IPFSA_OK;
}

ipfsa_status ipfsa_node_pool(ipfsa_node *node, ipfsa_pool **ret, ipfsa_error *err) { return pool_at(node, &node->pool, 0, ret, err); }

ipfsa_status ipfsa_node_job_pool(ipfsa_node *node, ipfsa_pool **ret, ipfsa_error *err) {
  return pool_at(node, &node->job_pool, IPFSA_MAX_RUNNING_JOBS, ret, err);
}
