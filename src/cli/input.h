/* Reading a file argument, or standard input, whole and bounded. */
#ifndef IPFSA_CLI_INPUT_H
#define IPFSA_CLI_INPUT_H

#include "cli/cli.h"

/* The i-th file argument; none or "-" = standard input. NULL: the error is already printed. Owned, free(). */
uint8_t *cli_read_input(cli_context *ctx, size_t i, size_t max, size_t *ret_len);

#endif
