/* dispatch CID --endpoint NAME, endpoint ls. */
#include <inttypes.h>
#include <ipfsa/dispatch.h>
#include <string.h>

#include "cli/cli.h"

static void put_key(cli_context *ctx, const char *key, const char *text) {
  cli_out(ctx, ",\"%s\":", key);
  cli_json_string(ctx, text, strlen(text));
}

typedef struct warning {
  cli_context *ctx;
  cli_progress *progress;
} warning;

static void show_warning(void *arg, const char *text) {
  warning *w = arg;
  cli_progress_hide(w->progress);
  cli_err(w->ctx, "Warning: %s\n", text);
}

static void print_json(cli_context *ctx, const ipfsa_dispatched *d) {
  cli_out(ctx, "{\"Cid\":\"%s\"", cli_cid(ctx, &d->cid));
  put_key(ctx, "Endpoint", d->endpoint);
  put_key(ctx, "Kind", d->kind);
  put_key(ctx, "Model", d->model);
  put_key(ctx, "Place", d->place);
  put_key(ctx, "Format", d->format);
  put_key(ctx, "Source", d->source);
  put_key(ctx, "Way", d->way);
  cli_out(ctx, ",\"Bytes\":%" PRIu64 ",\"Ready\":%s,\"HealthMs\":%.3f}\n", d->bytes, d->ready ? "true" : "false", d->health_ms);
}

static void print_text(cli_context *ctx, const ipfsa_dispatched *d) {
  cli_out(ctx, "%s %s: ", d->endpoint, d->model);
  if (*d->way) cli_out(ctx, "%s by %s, ", cli_human_bytes(d->bytes), d->way);
  else cli_out(ctx, "nothing to transfer, ");
  cli_out(ctx, "ready at ");
  cli_out_name(ctx, d->place, strlen(d->place));
  cli_out(ctx, "\n");
}

static int run_dispatch(cli_context *ctx) {
  ipfsa_error err = {0};
  ipfsa_dispatched *done = NULL;
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  warning w = {ctx, cli_progress_start(ctx, "dispatch", cli_bool(ctx, "progress"))};
  ipfsa_dispatch_options o = {.struct_size = sizeof o, .allow_pickle = cli_bool(ctx, "allow-pickle"), .warned = show_warning, .warned_ctx = &w,
                              .progress = cli_progress_step, .progress_ctx = w.progress};
  if (cli_is_set(ctx, "endpoint")) o.endpoint = cli_string(ctx, "endpoint");
  if (cli_is_set(ctx, "name")) o.name = cli_string(ctx, "name");
  ipfsa_status status = ipfsa_dispatch(node, cli_arg_at(ctx, 0), &o, &done, &err);
  cli_progress_end(w.progress);
  if (status) return cli_fail(ctx, &err);
  if (cli_json(ctx)) print_json(ctx, done);
  else print_text(ctx, done);
  ipfsa_dispatched_free(done);
  return 0;
}

static const cli_option dispatch_options[] = {
    {CLI_STRING, "endpoint", NULL, NULL, "Name of a table [endpoints.NAME] of the configuration (endpoints.default)"},
    {CLI_STRING, "name", NULL, NULL, "Name of the model: NAME or ORG/NAME; else the alias, the name of the file, or the CID"},
    {CLI_BOOL, "allow-pickle", NULL, "false", "Also files that run what they hold when they are loaded"},
    {CLI_BOOL, "progress", "p", "true", "Stream progress data"},
    {0}};
static const cli_arg dispatch_args[] = {{"ipfs-path", CLI_ARG_REQUIRED, "A CID, a path below one, or an alias: a checkpoint or a folder with one."}, {0}};
const cli_verb cli_verb_dispatch = {
    .name = "dispatch",
    .tagline = "Bring a model to an endpoint.",
    .description = "Checks the format, then brings the model to the endpoint of the configuration and waits until its server says that it is ready. Kind\n"
                   "path: as a file or folder of model_dir, whole or not at all, by reflink, hard link or copy; with layout huggingface as a snapshot of\n"
                   "the hub's cache. Kinds ollama, llamacpp, triton, mlserver, sglang, vllm: put there or uploaded, then loaded; openai: looked at;\n"
                   "shm: handed to a process of this machine as descriptors. The same again transfers nothing. A server that refuses is told of in its own words.",
    .example = "> ipfs-accelerate config endpoints.local.kind path && ipfs-accelerate config endpoints.local.model_dir \"$PWD\"\n"
               "> ipfs-accelerate dispatch team/model --endpoint=local --json",
    .options = dispatch_options,
    .args = dispatch_args,
    .run = run_dispatch,
};

/* --- endpoint ls --- */

static int print_endpoint(void *arg, const ipfsa_endpoint_row *row) {
  cli_context *ctx = arg;
  if (cli_json(ctx)) {
    cli_out(ctx, "{\"Name\":");
    cli_json_string(ctx, row->name, strlen(row->name));
    put_key(ctx, "Kind", row->kind);
    put_key(ctx, "Url", row->url);
    put_key(ctx, "ModelDir", row->model_dir);
    put_key(ctx, "Layout", row->layout);
    put_key(ctx, "Problem", row->problem);
    cli_out(ctx, ",\"Default\":%s}\n", row->is_default ? "true" : "false");
    return 0;
  }
  const char *where = *row->url ? row->url : row->model_dir;
  cli_out(ctx, "%s%s %s ", row->name, row->is_default ? " (default)" : "", *row->kind ? row->kind : "-");
  cli_out_name(ctx, *where ? where : "-", *where ? strlen(where) : 1);
  if (*row->problem) cli_out(ctx, "  "), cli_out_name(ctx, row->problem, strlen(row->problem));
  cli_out(ctx, "\n");
  return 0;
}

static int run_ls(cli_context *ctx) {
  ipfsa_error err = {0};
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  return ipfsa_endpoint_list(node, print_endpoint, ctx, &err) == IPFSA_OK ? 0 : cli_fail(ctx, &err);
}

const cli_verb cli_verb_endpoint = {.name = "endpoint", .tagline = "Look at the endpoints of the configuration.", .description = "Endpoints are tables [endpoints.NAME] of the configuration."};
const cli_verb cli_verb_endpoint_ls = {
    .name = "endpoint ls",
    .tagline = "List endpoints.",
    .description = "Lists name, kind and place of each endpoint, and why one cannot be used as it stands. Tokens are not shown.",
    .example = "> ipfs-accelerate endpoint ls",
    .run = run_ls,
};
