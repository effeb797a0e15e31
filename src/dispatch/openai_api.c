#include "dispatch/openai_api.h"

#include <string.h>

#include "base/error.h"

ipfsa_status ipfsa_openai_models(ipfsa_delivery *d, json_t **ret, ipfsa_error *err) {
  size_t len = strlen(d->server->url);
  bool has_version = len > 3 && strcmp(d->server->url + len - 3, "/v1") == 0;
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.target = has_version ? "/models" : "/v1/models"}, NULL, &answer, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_error_prefix(err, IPFSA_E_NOT_SUPPORTED, "this is no %s", d->driver->kind);
  if (status) return status;
  json_t *list = json_object_get(answer, "data");
  if (!json_is_array(list)) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "GET %.200s/v1/models lists no models: this is no %s", d->server->url, d->driver->kind);
  *ret = json_incref(list);
  return IPFSA_OK;
}

ipfsa_status ipfsa_openai_is_healthy(ipfsa_delivery *d, const char *server, bool *ret, ipfsa_error *err) {
  int answered = 0;
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.target = "/health", .may_refuse = true}, &answered, NULL, err);
  if (status == IPFSA_OK && answered == 404) status = ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "GET %.200s/health: the server answers 404: this is no %s", d->server->url, server);
  *ret = status == IPFSA_OK && answered == 200;
  return status;
}

const json_t *ipfsa_openai_find(const json_t *models, const char *id) {
  size_t i;
  const json_t *item;
  json_array_foreach(models, i, item) {
    const char *text = json_string_value(json_object_get(item, "id"));
    if (text && strcmp(text, id) == 0) return item;
  }
  return NULL;
}

void ipfsa_openai_names(const json_t *models, ipfsa_buf *out) {
  enum { SHOWN = 5 };
  size_t n = json_array_size(models);
  for (size_t i = 0; i < n && i < SHOWN; i++) {
    const char *text = json_string_value(json_object_get(json_array_get(models, i), "id"));
    ipfsa_buf_str(out, i ? ", " : "");
    for (const char *p = text ? text : "?"; *p && p - text < 60; p++) ipfsa_buf_u8(out, (unsigned char)*p < 32 || *p == 127 ? ' ' : (uint8_t)*p);
  }
  if (n > SHOWN) ipfsa_buf_printf(out, " and %zu more", n - SHOWN);
  if (n == 0) ipfsa_buf_str(out, "nothing");
}

bool ipfsa_delivery_is_adapter(const ipfsa_delivery *d) { return ipfsa_delivery_find(d, "adapter_config.json") != NULL; }

static ipfsa_status order(ipfsa_delivery *d, const char *prefix, const char *verb, const char *path, ipfsa_error *err) {
  char target[64];
  IPFSA_AUTO_JSON_DROP json_t *body = path ? json_pack("{s:s, s:s}", "lora_name", d->model, "lora_path", path) : json_pack("{s:s}", "lora_name", d->model);
  if (!body) return ipfsa_fail_nomem(err);
  snprintf(target, sizeof target, "%s/%s_lora_adapter", prefix, verb);
  return ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "POST", .target = target, .json = body, .is_long = true}, NULL, NULL, err);
}

ipfsa_status ipfsa_openai_load_adapter(ipfsa_delivery *d, const char *prefix, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *models = NULL;
  ipfsa_status status = ipfsa_openai_models(d, &models, err);
  if (status) return status;
  const json_t *there = ipfsa_openai_find(models, d->model);
  const char *root = json_string_value(json_object_get(there, "root"));
  if (there && root && strcmp(root, d->placed.server_path) == 0) return IPFSA_OK;
  if (there && !json_is_string(json_object_get(there, "parent")))
    return ipfsa_fail(err, IPFSA_E_EXISTS, "the server's own model is called %.200s as well; choose another --name for the adapter", d->model);
  if (there) status = order(d, prefix, "unload", NULL, err);
  if (status == IPFSA_OK) status = order(d, prefix, "load", d->placed.server_path, err);
  if (status != IPFSA_E_NOT_FOUND) return status;
  return ipfsa_error_prefix(err, IPFSA_E_NOT_SUPPORTED, "the server takes no adapters while it runs (vLLM: VLLM_ALLOW_RUNTIME_LORA_UPDATING=True and --enable-lora; SGLang: --enable-lora)");
}
