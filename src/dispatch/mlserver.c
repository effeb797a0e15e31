/* mlserver: a model is a folder with model-settings.json, whose "name" is the name of the model. */
#include "base/error.h"
#include "dispatch/repository.h"

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  if (!ipfsa_delivery_find(d, "model-settings.json"))
    return ipfsa_fail(err, IPFSA_E_INVALID, "no model-settings.json in it; MLServer takes a folder with that file, its \"name\" being %.100s: add the model so", d->model);
  return ipfsa_repository_bring(d, "MLServer", err);
}

const ipfsa_driver ipfsa_driver_mlserver = {.kind = "mlserver", .port = 8080, .needs_dir = true, .flat_names = true, .own_layout = true, .bring = bring, .probe = ipfsa_repository_probe};
