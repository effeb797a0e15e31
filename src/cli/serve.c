/* container serve CID --server KIND. */
#include <ipfsa/serve.h>
#include <stdlib.h>
#include <string.h>

#include "cli/engine.h"

typedef struct steps {
  cli_context *ctx;
  cli_progress *progress;
} steps;

/* While a server starts there is nothing to draw: only whether to go on is asked. */
static int step(void *arg, const ipfsa_progress *at) {
  steps *s = arg;
  return cli_progress_step(at->done_bytes || at->total_bytes || at->done_items ? s->progress : NULL, at);
}

static void show_warning(void *arg, const char *text) {
  steps *s = arg;
  cli_progress_hide(s->progress);
  cli_err(s->ctx, "Warning: %s\n", text);
}

static void print_json(cli_context *ctx, const ipfsa_served *d) {
  cli_out(ctx, "{");
  cli_json_member(ctx, true, "Cid", cli_cid(ctx, &d->cid));
  cli_json_member(ctx, false, "Server", d->server);
  cli_json_member(ctx, false, "Model", d->model);
  cli_json_member(ctx, false, "Container", d->container);
  cli_json_member(ctx, false, "Image", d->image);
  cli_json_member(ctx, false, "Url", d->url);
  cli_json_member(ctx, false, "Way", d->way);
  cli_out(ctx, ",\"Ready\":true,\"Changed\":%s,\"HealthMs\":%.3f}\n", d->changed ? "true" : "false", d->health_ms);
}

static bool gather(cli_context *ctx, ipfsa_serve_options *o) {
  static const char *const words[] = {"missing", "never", "always"};
  const char *pull = cli_string(ctx, "pull");
  size_t when = 0;
  while (when < 3 && strcmp(words[when], pull) != 0) when++;
  uint64_t port = cli_uint(ctx, "port");
  if (when == 3) return cli_fail_text(ctx, "invalid value '%s' for --pull; expected missing, never or always", pull), false;
  if (port > 65535) return cli_fail_text(ctx, "option \"port\" needs a number from 0 to 65535"), false;
  o->pull = (ipfsa_pull_when)when;
  o->port = (uint16_t)port;
  o->server = cli_string(ctx, "server");
  o->allow_pickle = cli_bool(ctx, "allow-pickle");
  const struct { const char *option, **to; } texts[] = {{"name", &o->name}, {"model", &o->model}, {"image", &o->image}, {"gpus", &o->gpus}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (cli_is_set(ctx, texts[i].option)) *texts[i].to = cli_string(ctx, texts[i].option);
  return cli_size(ctx, "memory", &o->memory) && cli_duration_ms(ctx, "wait-timeout", &o->timeout_ms) && cli_texts(ctx, "env", &o->env);
}

static int serve(cli_context *ctx, ipfsa_serve_options *o) {
  ipfsa_error err = {0};
  ipfsa_served *done = NULL;
  ipfsa_node *node = cli_node(ctx, true, false);
  ipfsa_engine *engine = node ? cli_engine(ctx) : NULL;
  if (!engine) return 1;
  steps s = {ctx, cli_progress_start(ctx, "serve", true)};
  o->warned = show_warning, o->warned_ctx = &s, o->progress = step, o->progress_ctx = &s, o->on_pull = cli_pull_step, o->pull_ctx = ctx;
  ipfsa_status status = ipfsa_serve(node, engine, cli_arg_at(ctx, 0), o, &done, &err);
  cli_pull_end(ctx);
  cli_progress_end(s.progress);
  if (status) return cli_fail(ctx, &err);
  if (cli_json(ctx)) print_json(ctx, done);
  else {
    cli_name(ctx, done->container, 0);
    cli_out(ctx, " %s ", done->changed ? "serves" : "serves already");
    cli_name(ctx, done->model, 0);
    cli_out(ctx, " at %s\n", done->url);
  }
  ipfsa_served_free(done);
  return 0;
}

static int run(cli_context *ctx) {
  size_t n = cli_n_args(ctx) - 1;
  ipfsa_serve_options o = {.struct_size = sizeof o};
  const char **args = malloc((n + 1) * sizeof *args);
  if (!args) return cli_fail_text(ctx, "out of memory"), 1;
  for (size_t i = 0; i < n; i++) args[i] = cli_arg_at(ctx, i + 1);
  o.args = (ipfsa_texts){args, n};
  int code = gather(ctx, &o) ? serve(ctx, &o) : 1;
  cli_texts_free(&o.env);
  free(args);
  return code;
}

static const cli_option options[] = {{CLI_STRING, "server", "s", NULL, "What serves it: ollama, llamacpp, vllm, sglang, triton or mlserver"},
                                     {CLI_STRING, "model", NULL, NULL, "Name that it is served under; else the alias, the name of the file, or the CID"},
                                     {CLI_STRING, "name", NULL, NULL, "Name of the container; else the model's"},
                                     {CLI_STRING, "image", NULL, NULL, "Image of the server; else the one that its makers publish"},
                                     {CLI_UINT, "port", NULL, "0", "Port on 127.0.0.1; 0: the engine picks one"},
                                     {CLI_STRING, "gpus", NULL, NULL, "GPUs: all, a count, device=0,1, or nvidia.com/gpu=0"},
                                     {CLI_STRING, "memory", "m", NULL, "Memory limit, such as 2g. Default: three quarters of the host's"},
                                     {CLI_STRINGS, "env", "e", NULL, "Environment of the container, NAME=value"},
                                     {CLI_STRING, "pull", NULL, "missing", "When to pull the image: missing, never, always"},
                                     {CLI_STRING, "wait-timeout", NULL, "10m", "Longest time from the start until it is ready"},
                                     {CLI_BOOL, "allow-pickle", NULL, "false", "Also files that run what they hold when they are loaded"},
                                     CLI_ENGINE_OPTIONS};
static const cli_arg args[] = {{"ipfs-path", CLI_ARG_REQUIRED, "A CID, a path below one, or an alias: a model as the server takes it."},
                               {"argument", CLI_ARG_VARIADIC, "Further arguments of the server, behind -- when they are options."},
                               {0}};

const cli_verb cli_verb_container_serve = {
    .name = "container serve",
    .tagline = "Start a server on a model.",
    .description = "Checks the format, starts the server's image with the model shown read-only (Ollama: uploaded) and a port on loopback, and waits until\n"
                   "the server's own probe says that it serves this model. What runs already is no error. When the server ends or is not ready in time, its\n"
                   "last words are told and the container is removed.",
    .example = "> ipfs-accelerate container serve team/model --server=llamacpp",
    .options = options,
    .args = args,
    .run = run,
};
