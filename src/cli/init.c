#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_STRING, "profile", "p", NULL, "Apply profile settings to config. Multiple profiles can be separated by ','"},
    {CLI_BOOL, "empty-repo", "e", "true", "Accepted: a new repo is empty"},
    {CLI_STRING, "algorithm", "a", NULL, "Accepted; keys come with the network"},
    {CLI_INT, "bits", "b", NULL, "Accepted; keys come with the network"},
    {0},
};
static const cli_arg args[] = {{0}};

static int run(cli_context *ctx) {
  const char *dir = cli_is_set(ctx, "repo-dir") ? cli_string(ctx, "repo-dir") : NULL;
  ipfsa_node_options o = {.struct_size = sizeof o, .repo_path = dir, .profile = cli_string(ctx, "profile")};
  char *path = NULL;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_repo_init(&o, &err);
  if (status == IPFSA_E_EXISTS) return cli_fail_text(ctx, "ipfs configuration file already exists!\n%s", err.message);
  if (status) return cli_fail(ctx, &err);
  if (!dir && ipfsa_repo_default_path(&path, &err)) return cli_fail(ctx, &err);
  cli_out(ctx, "initialized an IPFS repo at %s\n", dir ? dir : path);
  ipfsa_text_free(path);
  return 0;
}

const cli_verb cli_verb_init = {
    .name = "init",
    .tagline = "Initializes the IPFS repo.",
    .description = "Makes a repo at --repo-dir, $IPFSA_PATH, $IPFS_PATH or ~/.ipfs-accelerate, and refuses to touch one that is there.",
    .example = "> ipfs-accelerate init --profile=unixfs-v1-2025",
    .options = options,
    .args = args,
    .run = run,
};
