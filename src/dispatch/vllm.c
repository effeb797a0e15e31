/* vllm: adapters are loaded into the running server; a base model it takes at its start only, so what can be done is to put it there and to see whether
 * it is the one that is served. The path has the CID in it, so what is listed under a path is that content. Facts: vllm: docs/features/lora. */
#include <string.h>

#include "base/error.h"
#include "dispatch/openai_api.h"

static bool serves(const ipfsa_delivery *d, const json_t *models) {
  size_t i;
  const json_t *item;
  json_array_foreach(models, i, item) {
    const char *root = json_string_value(json_object_get(item, "root"));
    if (root && strcmp(root, d->placed.server_path) == 0) return true;
  }
  return false;
}

static ipfsa_status probe(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *models = NULL;
  ipfsa_status status = ipfsa_openai_is_healthy(d, "vLLM", ret, err);
  if (status || !*ret) return status;
  status = ipfsa_openai_models(d, &models, err);
  *ret = status == IPFSA_OK && serves(d, models);
  return status;
}

static ipfsa_status say_how(ipfsa_delivery *d, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *models = NULL;
  IPFSA_AUTO_BUF ipfsa_buf names = {0};
  ipfsa_status status = ipfsa_openai_models(d, &models, err);
  if (status) return status;
  ipfsa_openai_names(models, &names);
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "vLLM takes a model at its start only and serves %s; the model stands ready at %.200s: start vllm serve %.200s --served-model-name %.100s",
                    ipfsa_buf_cstr(&names), d->placed.path, d->placed.server_path, d->model);
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  bool healthy = false, ready = false;
  ipfsa_status status = ipfsa_openai_is_healthy(d, "vLLM", &healthy, err);
  if (status == IPFSA_OK) status = ipfsa_delivery_publish(d, IPFSA_PLACE_CONTENT, err);
  if (status) return status;
  if (ipfsa_delivery_is_adapter(d)) {
    status = ipfsa_openai_load_adapter(d, "/v1", err);
    return status ? status : ipfsa_delivery_await(d, "/v1/models does not list it", err);
  }
  status = ipfsa_delivery_is_ready(d, &ready, err);
  if (status || ready) return status;
  return healthy ? say_how(d, err) : ipfsa_delivery_await(d, "/health is not true, or it serves another model", err); /* it is still loading */
}

const ipfsa_driver ipfsa_driver_vllm = {.kind = "vllm", .port = 8000, .needs_dir = true, .takes_hub = true, .bring = bring, .probe = probe};
