#include <string.h>
#include <sys/utsname.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_BOOL, "number", "n", "false", "Only show the version number"},
    {CLI_BOOL, "commit", NULL, "false", "Accepted: a release has no commit of its own"},
    {CLI_BOOL, "repo", NULL, "false", "Show repo version"},
    {CLI_BOOL, "all", NULL, "false", "Show all version information"},
    {0},
};
static const cli_arg args[] = {{0}};

static int run(cli_context *ctx) {
  struct utsname u;
  const char *machine = uname(&u) == 0 ? u.machine : "unknown";
  if (cli_json(ctx))
    cli_out(ctx, "{\"Version\":\"%s\",\"Commit\":\"\",\"Repo\":\"%d\",\"System\":\"%s/linux\",\"Library\":\"%s\"}\n", IPFSA_VERSION, IPFSA_REPO_VERSION, machine,
            ipfsa_version());
  else if (cli_bool(ctx, "all"))
    cli_out(ctx, "ipfs-accelerate version: %s\nRepo version: %d\nSystem version: %s/linux\nLibrary version: %s\n", IPFSA_VERSION, IPFSA_REPO_VERSION, machine,
            ipfsa_version());
  else if (cli_bool(ctx, "repo")) cli_out(ctx, "%d\n", IPFSA_REPO_VERSION);
  else if (cli_bool(ctx, "number")) cli_out(ctx, "%s\n", IPFSA_VERSION);
  else cli_out(ctx, "ipfs-accelerate version %s\n", IPFSA_VERSION);
  return 0;
}

const cli_verb cli_verb_version = {
    .name = "version",
    .tagline = "Show IPFS version information.",
    .description = "Returns the current version of ipfs-accelerate.",
    .example = "> ipfs-accelerate version --all",
    .options = options,
    .args = args,
    .run = run,
};

static int run_deps(cli_context *ctx) {
  ipfsa_dependency row;
  for (size_t i = 0; ipfsa_dependency_row(i, &row); i++) cli_out(ctx, cli_json(ctx) ? "{\"Path\":\"%s\",\"Version\":\"%s\"}\n" : "%s@%s\n", row.name, row.version);
  return 0;
}

const cli_verb cli_verb_version_deps = {
    .name = "version deps",
    .tagline = "Shows information about dependencies used for build.",
    .description = "One library a line, with the version that this program was built with.",
    .example = "> ipfs-accelerate version deps",
    .run = run_deps,
};
