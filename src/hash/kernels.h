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

/* How a batch is worked off: the wide kernel while at least min_live of its lanes have work, then the pair (may be NULL), then the single. */
typedef struct ipfsa_sha256_plan {
  const ipfsa_sha256_kernel *wide, *pair, *single;
  size_t min_live;
} ipfsa_sha256_plan;
/* $IPFSA_SHA256 (a name; ignored when not usable here), else, from 4 jobs on, by a short calibration made once. Any thread. */
const ipfsa_sha256_plan *ipfsa_sha256_plan_for(size_t n_jobs);
ipfsa_sha256_plan ipfsa_sha256_plan_of(const ipfsa_sha256_kernel *k); /* everything by this kernel, as when it is forced */
void ipfsa_sha256_batch_by(const ipfsa_sha256_plan *p, const ipfsa_sha256_job *jobs, size_t n_jobs);
/* The kernel of full batches; ret_forced (may be NULL): by the environment. */
const ipfsa_sha256_kernel *ipfsa_sha256_chosen(bool *ret_forced);
/* GB/s over all its lanes in at least so much time, 0 for one run; lane i reads lane_bytes bytes at data + i * lane_bytes. */
double ipfsa_sha256_measure(const ipfsa_sha256_kernel *k, const uint8_t *data, size_t lane_bytes, uint64_t at_least_ns);
bool ipfsa_cpu_has_sha(void);

#endif
