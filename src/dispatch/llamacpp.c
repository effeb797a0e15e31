/* llamacpp: its router, over a folder of models. A file is called by its name without .gguf, a folder (split, or with a projector) by its own.
 *
 * Of a model that is loaded the server keeps the old content, so one that was exchanged under its name is unloaded first; the mark of the last success
 * says which content that was, also where a call was cut short between the two. Facts: llama.cpp: tools/server/README.md. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "dispatch/driver.h"

/* Borrowed from *ret_answer; NULL: the server does not know it. */
static ipfsa_status find_model(ipfsa_delivery *d, bool reload, json_t **ret_answer, const json_t **ret, ipfsa_error *err) {
  ipfsa_ask ask = {.target = reload ? "/models?reload=1" : "/models"};
  ipfsa_status status = ipfsa_server_ask(d->server, &ask, NULL, ret_answer, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_error_prefix(err, IPFSA_E_NOT_SUPPORTED, "this is no llama.cpp server");
  if (status) return status;
  const json_t *list = json_object_get(*ret_answer, "data"), *item;
  size_t i;
  *ret = NULL;
  if (!json_is_array(list)) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "GET %.200s/models lists no models: this is no llama.cpp server", d->server->url);
  json_array_foreach(list, i, item) {
    const char *id = json_string_value(json_object_get(item, "id"));
    if (id && strcmp(id, d->model) == 0) *ret = item;
  }
  return IPFSA_OK;
}

static const char *state_of(const json_t *model) {
  const char *value = json_string_value(json_object_get(json_object_get(model, "status"), "value"));
  return value ? value : "";
}

/* One that sleeps wakes by itself when it is asked. */
static bool is_loaded(const json_t *model) { return strcmp(state_of(model), "loaded") == 0 || strcmp(state_of(model), "sleeping") == 0; }

static ipfsa_status probe(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  const json_t *model = NULL;
  ipfsa_status status = find_model(d, false, &answer, &model, err);
  const json_t *at = json_object_get(model, "status");
  if (status == IPFSA_OK && json_is_true(json_object_get(at, "failed")))
    status = ipfsa_fail(err, IPFSA_E_IO, "the server could not load %.200s: its process ended with code %lld; see the server's log", d->model,
                        (long long)json_integer_value(json_object_get(at, "exit_code")));
  *ret = status == IPFSA_OK && is_loaded(model);
  return status;
}

static ipfsa_status order(ipfsa_delivery *d, const char *target, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *body = json_pack("{s:s}", "model", d->model);
  return body ? ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "POST", .target = target, .json = body, .is_long = true}, NULL, NULL, err) : ipfsa_fail_nomem(err);
}

static ipfsa_status unload(ipfsa_delivery *d, ipfsa_error *err) {
  ipfsa_status status = order(d, "/models/unload", err);
  for (uint64_t waited = 0; status == IPFSA_OK; waited += 200) {
    IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
    const json_t *model = NULL;
    status = find_model(d, false, &answer, &model, err);
    if (status || strcmp(state_of(model), "unloaded") == 0) return status;
    if (waited > d->server->timeout_ms) return ipfsa_fail(err, IPFSA_E_TIMEOUT, "%.200s is not unloaded after %llu s", d->model, (unsigned long long)(d->server->timeout_ms / 1000));
    status = ipfsa_server_pause(d->server, 200, err);
  }
  return status;
}

static ipfsa_status not_listed(const ipfsa_delivery *d, const json_t *model, ipfsa_error *err) {
  if (!model)
    return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "%.200s stands at %.200s and the server does not list it; start it as a router over that folder: --models-dir", d->model, d->placed.path);
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "the server at %.200s has one model, which it got at its start; start it as a router: without -m, with --models-dir", d->server->url);
}

static ipfsa_status refresh(ipfsa_delivery *d, const json_t *model, ipfsa_error *err) {
  if (is_loaded(model) || strcmp(state_of(model), "loading") == 0) {
    ipfsa_status status = unload(d, err);
    if (status) return status;
  }
  return order(d, "/models/load", err);
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *before = NULL;
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  IPFSA_AUTO_FREE char *last = NULL;
  const json_t *model = NULL;
  if (d->format != IPFSA_CHECKPOINT_GGUF) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "llama.cpp takes GGUF, and this is %s; convert it first", ipfsa_checkpoint_format_name(d->format));
  ipfsa_status status = find_model(d, false, &before, &model, err); /* nothing is put there for a server that is none */
  if (status == IPFSA_OK) status = ipfsa_delivery_publish(d, IPFSA_PLACE_NAMED, err);
  if (status == IPFSA_OK) status = d->calls->recall(d->ctx, d->server->url, d->model, &last, err);
  if (status == IPFSA_OK) status = find_model(d, true, &answer, &model, err);
  if (status == IPFSA_OK && !*state_of(model)) status = not_listed(d, model, err);
  if (status) return status;
  bool is_fresh = !d->placed.changed && strcmp(last, d->cid) == 0;
  if (!is_fresh || !(is_loaded(model) || strcmp(state_of(model), "loading") == 0)) status = refresh(d, model, err);
  if (status == IPFSA_OK) status = ipfsa_delivery_await(d, "/models does not say loaded", err);
  return status || is_fresh ? status : d->calls->remember(d->ctx, d->server->url, d->model, d->cid, err);
}

const ipfsa_driver ipfsa_driver_llamacpp = {.kind = "llamacpp", .port = 8080, .needs_dir = true, .flat_names = true, .bring = bring, .probe = probe};
