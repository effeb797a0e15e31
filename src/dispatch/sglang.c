/* sglang: weights of a model of the same architecture are exchanged in the running server, adapters are loaded. The path has the CID in it, so the path
 * that the server names is the content it has. Facts: sglang: docs/advanced_features, srt/entrypoints/http_server.py. */
#include <string.h>

#include "base/error.h"
#include "dispatch/openai_api.h"

static ipfsa_status has_model(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *info = NULL;
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.target = "/get_model_info"}, NULL, &info, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_error_prefix(err, IPFSA_E_NOT_SUPPORTED, "this is no SGLang");
  const char *path = json_string_value(json_object_get(info, "model_path"));
  *ret = status == IPFSA_OK && path && strcmp(path, d->placed.server_path) == 0;
  return status;
}

static ipfsa_status has_adapter(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *models = NULL;
  ipfsa_status status = ipfsa_openai_models(d, &models, err);
  const char *root = json_string_value(json_object_get(ipfsa_openai_find(models, d->model), "root"));
  *ret = status == IPFSA_OK && root && strcmp(root, d->placed.server_path) == 0;
  return status;
}

static ipfsa_status probe(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_openai_is_healthy(d, "SGLang", ret, err);
  if (status || !*ret) return status;
  return ipfsa_delivery_is_adapter(d) ? has_adapter(d, ret, err) : has_model(d, ret, err);
}

static ipfsa_status update(ipfsa_delivery *d, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *body = json_pack("{s:s}", "model_path", d->placed.server_path);
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  IPFSA_AUTO_BUF ipfsa_buf words = {0};
  if (!body) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "POST", .target = "/update_weights_from_disk", .json = body, .is_long = true}, NULL, &answer, err);
  if (status || json_is_true(json_object_get(answer, "success"))) return status;
  ipfsa_server_quote(d->server, ipfsa_server_words(answer), &words);
  return ipfsa_fail(err, IPFSA_E_INVALID, "the server does not take the weights%s", ipfsa_buf_cstr(&words));
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  bool ready = false;
  ipfsa_status status = ipfsa_openai_is_healthy(d, "SGLang", &ready, err);
  if (status == IPFSA_OK) status = ipfsa_delivery_publish(d, IPFSA_PLACE_CONTENT, err);
  if (status == IPFSA_OK) status = ipfsa_delivery_is_ready(d, &ready, err);
  if (status || ready) return status;
  status = ipfsa_delivery_is_adapter(d) ? ipfsa_openai_load_adapter(d, "", err) : update(d, err);
  return status ? status : ipfsa_delivery_await(d, "it does not name this model as its own", err);
}

const ipfsa_driver ipfsa_driver_sglang = {.kind = "sglang", .port = 30000, .needs_dir = true, .takes_hub = true, .bring = bring, .probe = probe};
