/* How this processor hashes: the sha2-256 kernels, their speed, and which one is used. Calls from any thread. */
#ifndef IPFSA_HASH_H
#define IPFSA_HASH_H

#include <ipfsa/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ipfsa_hash_kernel {
  size_t struct_size;  /* set it before the call */
  const char *name;    /* as $IPFSA_SHA256 takes it; static */
  const char *reason;  /* one clause: why it is or is not used; static */
  size_t n_lanes;      /* messages at once */
  double gb_per_s;     /* 10^9 bytes a second on one core, all lanes full; 0 when not supported */
  bool supported;      /* by this processor and system */
  bool chosen;         /* for full batches */
} ipfsa_hash_kernel;

/* Row i of the kernels, counted from 0, measured now (a few milliseconds; ask for row after row). E_NOT_FOUND past the last. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_hash_kernel_row(size_t i, ipfsa_hash_kernel *ret, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
