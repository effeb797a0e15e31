#include <ipfsa/read.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_INT, "offset", "o", NULL, "Byte offset to begin reading from"},
    {CLI_INT, "length", "l", NULL, "Maximum number of bytes to read"},
    {CLI_BOOL, "progress", "p", "true", "Stream progress data"},
    {0},
};
static const cli_arg args[] = {{"ipfs-path", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_STDIN, "The path to the IPFS object(s) to be outputted."}, {0}};

static int run(cli_context *ctx) {
  int64_t offset = cli_int(ctx, "offset"), length = cli_is_set(ctx, "length") ? cli_int(ctx, "length") : INT64_MAX;
  if (offset < 0) return cli_fail_text(ctx, "cannot specify negative offset");
  if (length < 0) return cli_fail_text(ctx, "cannot specify negative length");
  ipfsa_node *node = cli_node_for_paths(ctx);
  if (!node) return 1;
  uint64_t skip = (uint64_t)offset, left = (uint64_t)length;
  cli_progress *progress = cli_progress_start(ctx, "cat", cli_bool(ctx, "progress"));
  ipfsa_status status = IPFSA_OK;
  ipfsa_error err = {0};
  /* Several arguments are one stream: offset and length count over all of them. */
  for (size_t i = 0; status == IPFSA_OK && i < cli_n_args(ctx); i++) {
    uint64_t size = 0;
    status = ipfsa_file_size(node, cli_arg_at(ctx, i), &size, &err);
    if (status) break;
    uint64_t from = skip < size ? skip : size, n = size - from < left ? size - from : left;
    skip -= from;
    left -= n;
    cli_out_expect(ctx, n);
    if (n) status = ipfsa_cat(node, cli_arg_at(ctx, i), from, n, cli_out_write, ctx, cli_progress_step, progress, &err);
  }
  cli_out_room_end(ctx);
  cli_progress_end(progress);
  return status ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_cat = {
    .name = "cat",
    .tagline = "Show IPFS object data.",
    .description = "Displays the data contained by IPFS object(s) at the given path. Every block is verified before its bytes are shown.",
    .example = "> ipfs-accelerate cat bafybei…/config.json\n> ipfs-accelerate cat --offset=16 --length=8 bafybei…/config.json",
    .options = options,
    .args = args,
    .run = run,
};
