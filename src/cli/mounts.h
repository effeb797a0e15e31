/* Content mounted by container start, and how it came to be there. */
#ifndef IPFSA_CLI_MOUNTS_H
#define IPFSA_CLI_MOUNTS_H

#include <ipfsa/mount.h>

#include "cli/engine.h"

typedef struct cli_mounts {
  ipfsa_texts texts; /* --mount, as given */
  struct cli_mount { char *target; ipfsa_cid cid; ipfsa_way way; bool made; uint64_t size; } *told;
  size_t n_told;
} cli_mounts;

bool cli_mounts_gather(cli_context *ctx, cli_mounts *ret); /* false: printed */
ipfsa_status cli_mounts_start(cli_context *ctx, cli_mounts *mounts, ipfsa_engine *engine, const char *name, const char *image,
                              const ipfsa_container_start_options *options, ipfsa_container **ret, bool *ret_changed, ipfsa_error *err);
void cli_mounts_print(cli_context *ctx, const cli_mounts *mounts); /* lines, or a member of the JSON object under way */
void cli_mounts_release(cli_mounts *mounts);

#endif
