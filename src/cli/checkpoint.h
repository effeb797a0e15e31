/* What the verbs about checkpoints share. */
#ifndef IPFSA_CLI_CHECKPOINT_H
#define IPFSA_CLI_CHECKPOINT_H

#include <ipfsa/checkpoint.h>

#include "cli/cli.h"

bool cli_checkpoint_is_local(const char *arg); /* a file that is there, and reads as no path of content */
/* Of content or of the disk, by what the argument reads as; NULL: the error is printed, return 1. */
ipfsa_checkpoint *cli_checkpoint_open(cli_context *ctx, const char *arg);
void cli_tensor_json(cli_context *ctx, const ipfsa_tensor *t); /* one object, no newline */

#endif
