/* What this library is, and what it was built with. */
#include <ipfsa/base.h>

const char *ipfsa_version(void) { return IPFSA_VERSION; }

static const ipfsa_dependency dependencies[] = {{"ipfs-accelerate", IPFSA_VERSION}, IPFSA_DEPENDENCIES};

bool ipfsa_dependency_row(size_t i, ipfsa_dependency *ret) {
  if (i >= sizeof dependencies / sizeof *dependencies) return false;
  *ret = dependencies[i];
  return true;
}
