#include <ipfsa/read.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_STRING, "output", "o", NULL, "The path where the output should be stored"},
    {CLI_BOOL, "archive", "a", "false", "Output a TAR archive"},
    {CLI_BOOL, "compress", "C", "false", "Compress the output with GZIP compression"},
    {CLI_INT, "compression-level", "l", NULL, "The level of compression (1-9)"},
    {CLI_BOOL, "progress", "p", "true", "Stream progress data"},
    {CLI_BOOL, "any-symlink", NULL, "false", "Make symbolic links that lead out of the target, too"},
    {0},
};
static const cli_arg args[] = {{"ipfs-path", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "The path to the IPFS object(s) to be outputted."}, {0}};

/* Last segment of the path; an existing folder given with -o takes the content under that name. */
static void choose_target(const cli_context *ctx, char *ret, size_t cap) {
  const char *path = cli_arg_at(ctx, 0), *out = cli_string(ctx, "output");
  size_t len = strlen(path);
  while (len > 1 && path[len - 1] == '/') len--;
  const char *slash = memrchr(path, '/', len);
  const char *base = slash ? slash + 1 : path;
  int base_len = (int)(len - (size_t)(base - path));
  struct stat st;
  if (!*out) snprintf(ret, cap, "%.*s", base_len, base);
  else if (stat(out, &st) == 0 && S_ISDIR(st.st_mode)) snprintf(ret, cap, "%s/%.*s", out, base_len, base);
  else snprintf(ret, cap, "%s", out);
}

static int run(cli_context *ctx) {
  char target[4097];
  if (cli_bool(ctx, "archive") || cli_bool(ctx, "compress"))
    return cli_fail_text(ctx, "archives (-a, -C) are not supported by this version; get the files and pack them with tar");
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  choose_target(ctx, target, sizeof target);
  ipfsa_cid cid;
  ipfsa_error err = {0};
  if (ipfsa_resolve(node, cli_arg_at(ctx, 0), &cid, NULL, &err)) return cli_fail(ctx, &err);
  cli_out(ctx, "Saving file(s) to ");
  cli_out_name(ctx, target, strlen(target));
  cli_out(ctx, "\n");
  cli_progress *progress = cli_progress_start(ctx, "get", cli_bool(ctx, "progress"));
  ipfsa_get_options o = {.struct_size = sizeof o, .any_symlink = cli_bool(ctx, "any-symlink"), .progress = cli_progress_step, .progress_ctx = progress};
  ipfsa_status status = ipfsa_get(node, cli_arg_at(ctx, 0), target, &o, &err);
  cli_progress_end(progress);
  return status ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_get = {
    .name = "get",
    .tagline = "Download IPFS objects.",
    .description = "Stores to disk the data contained in an IPFS object, under the name of the path's last segment or at '-o'.\n"
                   "Nothing is written outside the target: names and symbolic links that lead out of it are refused.",
    .example = "> ipfs-accelerate get -o model bafybei…",
    .options = options,
    .args = args,
    .run = run,
};
