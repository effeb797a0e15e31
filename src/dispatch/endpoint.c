#include "dispatch/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "dispatch/driver.h"
#include "http/origin.h"

void ipfsa_endpoint_release(ipfsa_endpoint *e) {
  char *texts[] = {e->name, e->kind, e->url, e->host, e->port, e->model_dir, e->server_dir, e->layout, e->socket, e->sealed, e->timeout};
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
  static const char *const keys[] = {"kind", "url", "host", "port", "model_dir", "server_dir", "layout", "socket", "sealed", "timeout"};
  char **texts[] = {&ret->kind, &ret->url, &ret->host, &ret->port, &ret->model_dir, &ret->server_dir, &ret->layout, &ret->socket, &ret->sealed, &ret->timeout};
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

ipfsa_status ipfsa_endpoint_url(const ipfsa_endpoint *e, char **ret, ipfsa_error *err) {
  const ipfsa_driver *driver = ipfsa_driver_find(e->kind);
  IPFSA_AUTO_BUF ipfsa_buf text = {.max = IPFSA_MAX_URL};
  ipfsa_origin origin;
  const char *target = "";
  unsigned port = (unsigned)strtoul(e->port, NULL, 10);
  if (*e->url) ipfsa_buf_str(&text, e->url);
  else ipfsa_buf_printf(&text, strchr(e->host, ':') ? "http://[%s]:%u" : "http://%s:%u", e->host, port ? port : driver ? driver->port : 0u);
  while (text.len && text.data[text.len - 1] == '/') text.len--;
  ipfsa_status status = ipfsa_buf_status(&text, err);
  if (status == IPFSA_OK) status = ipfsa_url_parse(ipfsa_buf_cstr(&text), &origin, &target, err);
  if (status == IPFSA_OK && strpbrk(target, "?#")) status = ipfsa_fail(err, IPFSA_E_INVALID, "a query or a fragment in it; expected http[s]://HOST[:PORT][/PREFIX]");
  if (status) return ipfsa_error_prefix(err, status, "endpoints.%.100s.%s", e->name, *e->url ? "url" : "host");
  *ret = ipfsa_strdup(ipfsa_buf_cstr(&text));
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_endpoint_check(const ipfsa_endpoint *e, ipfsa_error *err) {
  const ipfsa_driver *driver = ipfsa_driver_find(e->kind);
  IPFSA_AUTO_FREE char *url = NULL;
  if (!*e->kind) return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s has no kind; set it to path, or to the server that is there", e->name);
  if (!driver) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "endpoints.%.100s: dispatching to %s is not supported", e->name, e->kind);
  if (driver->needs_dir && e->model_dir[0] != '/')
    return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s.model_dir: \"%.200s\"; expected the absolute path of a folder that is there", e->name, e->model_dir);
  if (driver->needs_socket && e->socket[0] != '/')
    return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s.socket: \"%.200s\"; expected the absolute path of the socket that the receiver listens at", e->name, e->socket);
  if (*e->server_dir && e->server_dir[0] != '/')
    return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s.server_dir: \"%.200s\"; expected the absolute path that the server has for model_dir", e->name, e->server_dir);
  if (strcmp(e->layout, "huggingface") == 0 && !driver->takes_hub)
    return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s.layout: %s does not look for models in a hub's cache; set it to plain", e->name, e->kind);
  return driver->port || driver->needs_url ? ipfsa_endpoint_url(e, &url, err) : IPFSA_OK;
}

ipfsa_status ipfsa_endpoint_token(const ipfsa_config *config, const ipfsa_endpoint *e, char **ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *variable = NULL;
  char *key = NULL;
  ipfsa_status status = ipfsa_config_endpoint_get(config, e->name, "token_env", &variable, err);
  if (status == IPFSA_OK) status = ipfsa_config_endpoint_get(config, e->name, "api_key", &key, err);
  if (status) return status;
  const char *value = *variable ? getenv(variable) : NULL;
  if (*variable && (!value || !*value)) {
    ipfsa_free(key);
    return ipfsa_fail(err, IPFSA_E_INVALID, "endpoints.%.100s.token_env: the environment has no %.100s", e->name, variable);
  }
  if (value) ipfsa_free(key), key = ipfsa_strdup(value);
  if (!key) return ipfsa_fail_nomem(err);
  if (!*key) ipfsa_free(key), key = NULL;
  *ret = key;
  return IPFSA_OK;
}
