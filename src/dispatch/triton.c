/* triton: a model is a folder with one folder a version, perhaps with config.pbtxt; the server runs with --model-control-mode=explicit. */
#include <string.h>

#include "base/error.h"
#include "dispatch/repository.h"

static bool has_version(const ipfsa_delivery *d) {
  for (size_t i = 0; i < d->n_files; i++) {
    size_t n = strspn(d->files[i].path, "0123456789");
    if (n && d->files[i].path[n] == '/') return true;
  }
  return false;
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  if (!has_version(d))
    return ipfsa_fail(err, IPFSA_E_INVALID, "no version folder in it; Triton takes a folder with 1/FILES and mostly config.pbtxt: add the model so");
  return ipfsa_repository_bring(d, "Triton", err);
}

const ipfsa_driver ipfsa_driver_triton = {.kind = "triton", .port = 8000, .needs_dir = true, .flat_names = true, .own_layout = true, .bring = bring, .probe = ipfsa_repository_probe};
