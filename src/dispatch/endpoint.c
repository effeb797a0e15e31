#include "dispatch/endpoint.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

void ipfsa_endpoint_release(ipfsa_endpoint *e) {
  char *texts[] = {e->name, e->kind, e->url, e->model_dir, e->layout};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) ipfsa_free(texts[i]);
  *e = (ipfsa_endpoint){0};
}

static ipfsa_status check_known(const ipfsa_config *config, const char *name, ipfsa_error *err) {
  char **names = NULL;
  size_t n = 0;
  bool known = false;
  ipfsa_status status = ipfsa_config_endpoints(config, &names, &n, err);
  if (status) return status;
  for (size_t i = 0; i < n; i++) known |= strcmp(names[i], name) == 0;
  ipfsa_config_list_free(names, n);
  if (known) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no endpoint \"%.100s\" in the configuration; set endpoints.%.100s.kind and what the kind needs", name, name);
}

ipfsa_status ipfsa_endpoint_load(const ipfsa_config *config, const char *name, ipfsa_endpoint *ret, ipfsa_error *err) {
  static const char *const keys[] = {"kind", "url", "model_dir", "layout"};
  char **texts[] = {&ret->kind, &ret->url, &ret->model_dir, &ret->layout};
  ipfsa_status first = check_known(config, name, err);
  if (first) return first;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    ipfsa_status status = ipfsa_config_endpoint_get(config, name, keys[i], texts[i], first ? NULL : err);
    if (status && !(*texts[i] = ipfsa_strdup(""))) return ipfsa_fail_nomem(err);
    if (status && !first) first = status;
  }
  ret->name = ipfsa_strdup(name);
  return ret->name ? first : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_endpoint_check(const ipfsa_endpoint *e, ipfsa_error *err) {
  if (!*e->kind) return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s has no kind; set it to path", e->name);
  if (strcmp(e->kind, "path") != 0)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "endpoints.%.100s: dispatching to %s is not supported yet, to path it is", e->name, e->kind);
  if (e->model_dir[0] != '/')
    return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s.model_dir: \"%.200s\"; expected the absolute path of a folder that is there", e->name, e->model_dir);
  return IPFSA_OK;
}
