/* The table of sha2-256 kernels, for `stats hash`, tests and benchmarks. */
#ifndef IPFSA_HASH_KERNELS_H
#define IPFSA_HASH_KERNELS_H

#include "hash/sha256.h"

typedef struct ipfsa_sha256_kernel {
  const char *name;
  size_t lanes;
  ipfsa_sha256_compress compress;
  bool (*usable)(void); /* on this processor */
} ipfsa_sha256_kernel;

const ipfsa_sha256_kernel *ipfsa_sha256_kernel_at(size_t i); /* NULL past the end */
/* The kernel batches use: $IPFSA_SHA256 (a name; ignored when not usable), else the fastest of a short calibration. */
const ipfsa_sha256_kernel *ipfsa_sha256_chosen(void);
/* GB/s over all its lanes: the best of `rounds` runs of n_blocks (at most 256) blocks a lane. */
double ipfsa_sha256_measure(const ipfsa_sha256_kernel *k, size_t n_blocks, unsigned rounds);
bool ipfsa_cpu_has_sha(void);

#endif
