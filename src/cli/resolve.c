#include <ipfsa/read.h>
#include <string.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_BOOL, "recursive", "r", "true", "Resolve until the result is an IPFS name"},
    {CLI_UINT, "dht-record-count", "dhtrc", NULL, "Accepted; takes effect once names are resolved over the network"},
    {CLI_STRING, "dht-timeout", "dhtt", NULL, "Accepted; takes effect once names are resolved over the network"},
    {0},
};
static const cli_arg args[] = {{"name", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "The name to resolve."}, {0}};

static int run(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  ipfsa_cid cid;
  char *rest = NULL;
  ipfsa_error err = {0};
  if (ipfsa_resolve(node, cli_arg_at(ctx, 0), &cid, &rest, &err)) return cli_fail(ctx, &err);
  cli_out(ctx, "%s/ipfs/%s%s", cli_json(ctx) ? "{\"Path\":\"" : "", cli_cid(ctx, &cid), *rest ? "/" : "");
  (cli_json(ctx) ? cli_json_escaped : cli_out_name)(ctx, rest, strlen(rest));
  cli_out(ctx, cli_json(ctx) ? "\"}\n" : "\n");
  ipfsa_text_free(rest);
  return 0;
}

const cli_verb cli_verb_resolve = {
    .name = "resolve",
    .tagline = "Resolve the value of names to IPFS.",
    .description = "Follows the segments of a path to the CID where it ends.",
    .example = "> ipfs-accelerate resolve /ipfs/bafybei…/config.json\n/ipfs/bafkrei…",
    .options = options,
    .args = args,
    .run = run,
};
