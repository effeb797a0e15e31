#include <ipfsa/read.h>
#include <ipfsa/repo.h>
#include <string.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_STRING, "format", NULL, "<dst>", "Emit edges with given format. Available tokens: <src> <dst> <linkname>"},
    {CLI_BOOL, "edges", "e", "false", "Emit edge format: `<from> -> <to>`"},
    {CLI_BOOL, "unique", "u", "false", "Omit duplicate refs from output"},
    {CLI_BOOL, "recursive", "r", "false", "Recursively list links of child nodes"},
    {CLI_INT, "max-depth", NULL, "-1", "Only for recursive refs, limits fetch and listing to the given depth"},
    {0},
};
static const cli_arg args[] = {{"ipfs-path", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_STDIN, "Path to the object(s) to list refs from."}, {0}};

static void print_text(cli_context *ctx, const char *format, const char *from, const char *to, const char *name, size_t name_len) {
  void (*put)(cli_context *, const void *, size_t) = cli_json(ctx) ? cli_json_escaped : cli_out_name;
  while (*format) {
    size_t plain = 1 + strcspn(format + 1, "<");
    if (strncmp(format, "<src>", 5) == 0) put(ctx, from, strlen(from)), format += 5;
    else if (strncmp(format, "<dst>", 5) == 0) put(ctx, to, strlen(to)), format += 5;
    else if (strncmp(format, "<linkname>", 10) == 0) put(ctx, name, name_len), format += 10;
    else (cli_json(ctx) ? cli_json_escaped : cli_out_bytes)(ctx, format, plain), format += plain;
  }
}

static int print_ref(void *arg, const ipfsa_cid *from, const ipfsa_cid *to, const char *name, size_t name_len) {
  cli_context *ctx = arg;
  const char *format = cli_bool(ctx, "edges") ? "<src> -> <dst>" : cli_string(ctx, "format");
  const char *src = cli_cid(ctx, from), *dst = cli_cid(ctx, to);
  if (cli_json(ctx)) cli_out(ctx, "{\"Ref\":\"");
  print_text(ctx, format, src, dst, name, name_len);
  cli_out(ctx, cli_json(ctx) ? "\",\"Err\":\"\"}\n" : "\n");
  return 0;
}

static int run(cli_context *ctx) {
  if (cli_bool(ctx, "edges") && cli_is_set(ctx, "format")) return cli_fail_text(ctx, "using format argument with edges is not allowed");
  int64_t depth = cli_bool(ctx, "recursive") ? cli_int(ctx, "max-depth") : 1;
  if (depth == 0) return 0;
  ipfsa_node *node = cli_node_for_paths(ctx);
  if (!node) return 1;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_refs(node, cli_args(ctx), cli_n_args(ctx), depth < 0 ? 0 : (uint64_t)depth, cli_bool(ctx, "unique"), print_ref, ctx, &err);
  return status ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_refs = {
    .name = "refs",
    .tagline = "List links (references) from an object.",
    .description = "Lists the CIDs of all the links an IPFS or IPNS object(s) contains, in the order of its blocks.",
    .example = "> ipfs-accelerate refs -r -u bafybei…",
    .options = options,
    .args = args,
    .run = run,
};

static int print_local(void *arg, const ipfsa_cid *cid, uint64_t size) {
  (void)size;
  cli_context *ctx = arg;
  if (cli_json(ctx)) cli_out(ctx, "{\"Ref\":\"%s\",\"Err\":\"\"}\n", cli_cid(ctx, cid));
  else cli_out(ctx, "%s\n", cli_cid(ctx, cid));
  return 0;
}

static int run_local(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_repo_list(node, print_local, ctx, &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_refs_local = {
    .name = "refs local",
    .tagline = "List all local references.",
    .description = "Displays the CID of every block in the repo (as version 1 raw CIDs).",
    .example = "> ipfs-accelerate refs local",
    .run = run_local,
};
