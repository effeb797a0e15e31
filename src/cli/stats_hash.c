#include <ipfsa/hash.h>
#include <string.h>

#include "cli/cli.h"

static int run(cli_context *ctx) {
  ipfsa_hash_kernel k = {.struct_size = sizeof k};
  ipfsa_error err = {0};
  ipfsa_status status;
  if (!cli_json(ctx)) cli_out(ctx, "%-10s %5s %8s  %s\n", "KERNEL", "LANES", "GB/s", "USED");
  for (size_t i = 0; (status = ipfsa_hash_kernel_row(i, &k, &err)) == IPFSA_OK; i++) {
    if (cli_json(ctx)) {
      cli_out(ctx, "{\"Name\":\"%s\",\"Lanes\":%zu,\"Supported\":%s,\"GBPerSecond\":%.2f,\"Chosen\":%s,\"Reason\":", k.name, k.n_lanes,
              k.supported ? "true" : "false", k.gb_per_s, k.chosen ? "true" : "false");
      cli_json_string(ctx, k.reason, strlen(k.reason));
      cli_out(ctx, "}\n");
    } else if (k.supported) cli_out(ctx, "%-10s %5zu %8.2f  %s: %s\n", k.name, k.n_lanes, k.gb_per_s, k.chosen ? "yes" : "no", k.reason);
    else cli_out(ctx, "%-10s %5zu %8s  no: %s\n", k.name, k.n_lanes, "-", k.reason);
  }
  return status == IPFSA_E_NOT_FOUND ? 0 : cli_fail(ctx, &err);
}

const cli_verb cli_verb_stats_hash = {
    .name = "stats hash",
    .tagline = "Show how fast this processor computes sha2-256.",
    .description = "Measures every sha2-256 kernel on one core and tells which one full batches use, and why.\n"
                   "IPFSA_SHA256=NAME in the environment forces one.",
    .example = "> ipfs-accelerate stats hash",
    .run = run,
};
