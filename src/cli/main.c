#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/context.h"

static const char *program_name(const char *argv0) {
  const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
  const char *base = slash ? slash + 1 : argv0 ? argv0 : "ipfs-accelerate";
  return strcmp(base, "ipfs") == 0 ? "ipfs" : "ipfs-accelerate";
}

static ipfsa_status open_node(cli_context *ctx, bool write, bool create, ipfsa_error *err) {
  if (ctx->node) return IPFSA_OK;
  const char *dir = cli_given(ctx, "repo-dir");
  ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = dir, .read_only = !write, .create = create};
  int64_t wait = cli_parse_duration(cli_string(ctx, "lock-timeout")) / 1000000;
  options.lock_timeout_ms = wait > 0 ? wait : -1;
  bool created = false;
  ipfsa_status status = ipfsa_node_open(&options, &ctx->node, &created, err);
  if (status) return status;
  cli_signals_watch(ctx->node);
  if (created) cli_err(ctx, "made a new repo at %s\n", ipfsa_node_repo_path(ctx->node));
  return IPFSA_OK;
}

ipfsa_node *cli_node(cli_context *ctx, bool write, bool create) {
  ipfsa_error err = {0};
  return open_node(ctx, write, create, &err) == IPFSA_OK ? ctx->node : (cli_fail(ctx, &err), NULL);
}

ipfsa_node *cli_node_if_any(cli_context *ctx) {
  ipfsa_error err = {0};
  if (!ctx->without_node) ctx->without_node = open_node(ctx, false, false, &err) != IPFSA_OK;
  return ctx->node;
}

/* Output that did not arrive is a failure, also when the verb thinks all went well. */
static int finish_output(cli_context *ctx, int code) {
  bool bad = fflush(stdout) != 0 || ferror(stdout);
  if (!bad) return code;
  cli_out_failed(ctx);
  return code ? code : 1;
}

int main(int argc, char **argv) {
  cli_context ctx = {.program = program_name(argc > 0 ? argv[0] : NULL)};
  ctx.out_is_tty = isatty(STDOUT_FILENO);
  ctx.err_is_tty = isatty(STDERR_FILENO);
  int code = cli_parse(&ctx, argc, argv);
  if (code == 0 && !ctx.verb->run)
    code = cli_usage_fail(&ctx, "expected 0 argument(s), got %zu", ctx.n_args + 1);
  else if (code == 0) {
    const char *timeout = cli_given(&ctx, "timeout");
    cli_signals_start(timeout ? cli_parse_duration(timeout) : 0);
    code = ctx.verb->run(&ctx);
    cli_signals_watch(NULL);
    cli_signals_watch_engine(NULL);
  }
  code = finish_output(&ctx, code < 0 ? 0 : code);
  ipfsa_node_close(ctx.node);
  ipfsa_engine_close(ctx.engine);
  free(ctx.values);
  free(ctx.list);
  free(ctx.args);
  free(ctx.stdin_lines);
  if (ctx.out_closed) cli_signals_die_of_pipe();
  return code;
}
