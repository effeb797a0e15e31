/* Reading arguments: a file or standard input, whole and bounded; a CID by its name. */
#ifndef IPFSA_CLI_INPUT_H
#define IPFSA_CLI_INPUT_H

#include "cli/cli.h"

/* The i-th file argument; none or "-" = standard input. NULL: the error is already printed. Owned, free(). */
uint8_t *cli_read_input(cli_context *ctx, size_t i, size_t max, size_t *ret_len);

/* A CID alone, or an alias. *err of neither: what is wrong with it as a CID, in Kubo's words. */
ipfsa_status cli_cid_or_alias(ipfsa_node *node, const char *text, ipfsa_cid *ret, ipfsa_error *err);

#endif
