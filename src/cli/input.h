/* Reading arguments: a file or standard input, whole and bounded; a CID by its name. */
#ifndef IPFSA_CLI_INPUT_H
#define IPFSA_CLI_INPUT_H

#include "cli/cli.h"

#define CLI_BIG_BLOCK "produced block is over 2MiB: big blocks can't be exchanged with other peers"

/* The i-th file argument; none or "-" = standard input. too_long: what is said of one over max bytes. NULL: the error is already printed.
 * Owned, free(). */
uint8_t *cli_read_input(cli_context *ctx, size_t i, size_t max, const char *too_long, size_t *ret_len);

/* A CID alone, or an alias. *err of neither: what is wrong with it as a CID, in Kubo's words. */
ipfsa_status cli_cid_or_alias(ipfsa_node *node, const char *text, ipfsa_cid *ret, ipfsa_error *err);
/* The same for a verb that needs no repo: only where the text is no CID, and could be a name, it is looked for in the repo that is there. */
ipfsa_status cli_cid_or_alias_if_any(cli_context *ctx, const char *text, ipfsa_cid *ret, ipfsa_error *err);

#endif
