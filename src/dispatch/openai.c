/* openai: a server that is only looked at: is the model there under this name? It cannot be given one. */
#include "base/alloc.h"
#include "base/error.h"
#include "dispatch/openai_api.h"

static ipfsa_status probe(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *models = NULL;
  ipfsa_status status = ipfsa_openai_models(d, &models, err);
  *ret = status == IPFSA_OK && ipfsa_openai_find(models, d->model);
  return status;
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  bool ready = false;
  IPFSA_AUTO_JSON_DROP json_t *models = NULL;
  IPFSA_AUTO_BUF ipfsa_buf names = {0};
  ipfsa_status status = ipfsa_delivery_is_ready(d, &ready, err);
  if (status == IPFSA_OK && !ready) {
    status = ipfsa_openai_models(d, &models, err);
    ipfsa_openai_names(models, &names);
    if (status == IPFSA_OK)
      status = ipfsa_fail(err, IPFSA_E_NOT_FOUND, "the server at %.200s serves %s and no %.200s; it cannot be given a model: name one of its own with --name, or dispatch by another kind",
                          d->server->url, ipfsa_buf_cstr(&names), d->model);
  }
  if (status) return status;
  d->placed.path = ipfsa_strdup(d->server->url);
  return d->placed.path ? IPFSA_OK : ipfsa_fail_nomem(err);
}

const ipfsa_driver ipfsa_driver_openai = {.kind = "openai", .needs_url = true, .bring = bring, .probe = probe};
