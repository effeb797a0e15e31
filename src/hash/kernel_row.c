/* The kernels as the public interface shows them. */
#include <ipfsa/hash.h>

#include "base/alloc.h"
#include "base/error.h"
#include "hash/kernels.h"

#define LANE_BYTES ((size_t)64 << 10) /* all lanes together 1 MiB: past the first cache, as data that has just been read */
/* For each kernel: what a core keeps up, not what it does in its best moment. A long job meets the same changes of its clock, and the same neighbours. */
#define MEASURE_NS 50000000u

static const char *reason_of(const ipfsa_sha256_kernel *k, const ipfsa_sha256_kernel *chosen, bool forced) {
  if (!k->usable()) return "this processor or system lacks the instructions";
  if (k == chosen) return forced ? "forced by $IPFSA_SHA256" : "best when measured at the first batch";
  if (forced) return "another one is forced by $IPFSA_SHA256";
  const ipfsa_sha256_plan *p = ipfsa_sha256_plan_for(SIZE_MAX);
  if (k == p->pair) return "for batches too small for the chosen one";
  if (k == p->single) return "for single messages";
  return k == ipfsa_sha256_kernel_at(0) ? "for processors without libcrypto's speed; never chosen" : "slower when measured";
}

ipfsa_status ipfsa_hash_kernel_row(size_t i, ipfsa_hash_kernel *ret, ipfsa_error *err) {
  const ipfsa_sha256_kernel *k = ipfsa_sha256_kernel_at(i);
  if (!k) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "there is no sha2-256 kernel number %zu", i);
  if (ret->struct_size < sizeof *ret)
    return ipfsa_fail(err, IPFSA_E_INVALID, "struct_size is %zu, expected at least %zu: set it before the call", ret->struct_size, sizeof *ret);
  bool forced;
  const ipfsa_sha256_kernel *chosen = ipfsa_sha256_chosen(&forced);
  double rate = 0;
  if (k->usable()) {
    IPFSA_AUTO_FREE uint8_t *data = ipfsa_calloc(IPFSA_SHA256_MAX_LANES, LANE_BYTES);
    if (!data) return ipfsa_fail_nomem(err);
    for (size_t at = 0; at < IPFSA_SHA256_MAX_LANES * LANE_BYTES; at++) data[at] = (uint8_t)(at * 131); /* pages of its own, not the zero page */
    rate = ipfsa_sha256_measure(k, data, LANE_BYTES, MEASURE_NS);
  }
  *ret = (ipfsa_hash_kernel){.struct_size = ret->struct_size,
                             .name = k->name,
                             .reason = reason_of(k, chosen, forced),
                             .n_lanes = k->lanes,
                             .gb_per_s = rate,
                             .supported = k->usable(),
                             .chosen = k == chosen};
  return IPFSA_OK;
}
