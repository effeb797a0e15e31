/* An engine as the configuration of the repo wants it; without a repo, as the defaults do. */
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/options.h"
#include "container/engine.h"
#include "node/repo_dir.h"

static ipfsa_status repo_path_of(const ipfsa_engine_options *o, char **ret, ipfsa_error *err) {
  if (!o->repo_path || !*o->repo_path) return ipfsa_repo_default_path(ret, err);
  *ret = ipfsa_strdup(o->repo_path);
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_engine_open(const ipfsa_engine_options *options, ipfsa_engine **ret, ipfsa_error *err) {
  ipfsa_engine_options o = IPFSA_OPTIONS(ipfsa_engine_options, options);
  IPFSA_AUTO_FREE char *repo = NULL;
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  ipfsa_config *config = NULL;
  ipfsa_status status = repo_path_of(&o, &repo, err);
  if (status) return status;
  ipfsa_buf_printf(&path, "%s/" IPFSA_REPO_CONFIG, repo);
  const char *file = ipfsa_buf_cstr(&path);
  status = ipfsa_buf_status(&path, err);
  if (status == IPFSA_OK) status = ipfsa_config_load(AT_FDCWD, file, &config, err);
  if (status) return status;
  char **dangerous = NULL, **registries = NULL;
  size_t n_dangerous = 0, n_registries = 0;
  status = ipfsa_config_list(config, "docker.allow_dangerous", &dangerous, &n_dangerous, err);
  if (status == IPFSA_OK) status = ipfsa_config_list(config, "docker.allowed_registries", &registries, &n_registries, err);
  ipfsa_engine_params params = {
      .host = o.host, .context = o.context, .configured_host = ipfsa_config_string(config, "docker.host"),
      .timeout_ms = o.timeout_ms > 0 ? o.timeout_ms : ipfsa_config_int(config, "docker.timeout") * 1000,
      .allow_dangerous = {(const char *const *)dangerous, n_dangerous}, .registries = {(const char *const *)registries, n_registries}, .repo_path = repo,
      .cancel_fd = o.cancel_fd};
  if (status == IPFSA_OK) status = ipfsa_engine_connect(&params, ret, err);
  ipfsa_config_list_free(dangerous, n_dangerous);
  ipfsa_config_list_free(registries, n_registries);
  ipfsa_config_free(config);
  return status;
}
