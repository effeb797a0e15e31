/* path: a folder of this machine. Ready is what a look at the place itself says, after it was put there. */
#include <fcntl.h>

#include "base/fs.h"
#include "dispatch/driver.h"

static ipfsa_status probe(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  struct stat st;
  ipfsa_status status = ipfsa_fs_stat(AT_FDCWD, d->placed.path, &st, err);
  *ret = status == IPFSA_OK;
  return status;
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  bool ready = false;
  ipfsa_status status = ipfsa_delivery_publish(d, IPFSA_PLACE_NAMED, err);
  return status ? status : ipfsa_delivery_is_ready(d, &ready, err);
}

const ipfsa_driver ipfsa_driver_path = {.kind = "path", .needs_dir = true, .takes_hub = true, .bring = bring, .probe = probe};
