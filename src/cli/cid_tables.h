/* The multibase, multicodec and multihash tables as verbs print and look them up. */
#ifndef IPFSA_CLI_CID_TABLES_H
#define IPFSA_CLI_CID_TABLES_H

#include "cli/cli.h"

const char *cli_base_name(const char *name);   /* of a name or a prefix; static; NULL when unknown */
const char *cli_base_prefix(const char *name); /* "b" of "base32"; static; "" when unknown */
int cli_list_bases(cli_context *ctx);          /* the run of `cid bases` and `multibase list` */

#endif
