/* marketplace [TERM] */
#include <ipfsa/marketplace.h>
#include <string.h>

#include "cli/cli.h"

typedef struct shop {
  cli_context *ctx;
  cli_progress *progress;
  bool json;
  size_t n_entries;
} shop;

static void put_key(cli_context *ctx, const char *key, const char *text) {
  cli_out(ctx, ",\"%s\":", key);
  cli_json_string(ctx, text, strlen(text));
}

static void put_list(cli_context *ctx, const char *key, const char *const *items, size_t n) {
  cli_out(ctx, ",\"%s\":[", key);
  for (size_t i = 0; i < n; i++) {
    if (i) cli_out(ctx, ",");
    cli_json_string(ctx, items[i], strlen(items[i]));
  }
  cli_out(ctx, "]");
}

static void print_json(cli_context *ctx, const ipfsa_marketplace_entry *e) {
  cli_out(ctx, "{\"name\":");
  cli_json_string(ctx, e->name, strlen(e->name));
  put_key(ctx, "image", e->image);
  put_key(ctx, "reference", e->reference);
  put_list(ctx, "tags", e->tags, e->n_tags);
  put_key(ctx, "digest", e->digest);
  cli_out(ctx, ",\"size\":%llu", (unsigned long long)e->size);
  put_key(ctx, "source", e->sources[0]);
  put_list(ctx, "sources", e->sources, e->n_sources);
  put_list(ctx, "architectures", e->architectures, e->n_architectures);
  cli_out(ctx, ",\"official\":%s,\"verified\":%s,\"allowed\":%s", e->official ? "true" : "false", e->verified ? "true" : "false", e->allowed ? "true" : "false");
  put_key(ctx, "description", e->description);
  cli_out(ctx, "}\n");
}

static void put_column(cli_context *ctx, const char *text, size_t width) {
  size_t len = strlen(text);
  cli_out_name(ctx, text, len);
  cli_out(ctx, "%*s", len < width ? (int)(width - len) + 2 : 2, "");
}

static void print_sources(cli_context *ctx, const ipfsa_marketplace_entry *e) {
  char text[256] = "";
  for (size_t i = 0, n = 0; i < e->n_sources && n < sizeof text; i++) n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? "," : "", e->sources[i]);
  put_column(ctx, text, 20);
}

static int print_entry(void *arg, const ipfsa_marketplace_entry *e) {
  shop *s = arg;
  if (s->json) print_json(s->ctx, e);
  else {
    if (s->n_entries == 0) cli_out(s->ctx, "%-24s  %-44s  %-8s  %-20s  %s\n", "NAME", "IMAGE", "SIZE", "SOURCE", "DESCRIPTION");
    put_column(s->ctx, e->name, 24);
    put_column(s->ctx, e->image, 44);
    put_column(s->ctx, e->size ? cli_human_bytes(e->size) : "-", 8);
    print_sources(s->ctx, e);
    cli_out_name(s->ctx, e->description, strcspn(e->description, "\r\n"));
    cli_out(s->ctx, "\n");
  }
  s->n_entries++;
  return 0;
}

static void print_failure(void *arg, const char *source, ipfsa_status status, const char *message) {
  shop *s = arg;
  cli_progress_end(s->progress); /* its line is where the message goes */
  s->progress = NULL;
  if (!s->json) {
    cli_fail_text(s->ctx, "%s: %s", source, message);
    return;
  }
  cli_out(s->ctx, "{\"source\":");
  cli_json_string(s->ctx, source, strlen(source));
  put_key(s->ctx, "status", ipfsa_status_to_string(status));
  put_key(s->ctx, "error", message);
  cli_out(s->ctx, "}\n");
}

static int show_progress(void *arg, const ipfsa_progress *at) { return cli_progress_step(((shop *)arg)->progress, at); }

static int run(cli_context *ctx) {
  shop s = {.ctx = ctx, .json = cli_json(ctx) || cli_bool(ctx, "json")};
  ipfsa_error err = {0};
  size_t n_answered = 0;
  ipfsa_marketplace_options options = {.struct_size = sizeof options, .repo_path = cli_string(ctx, "repo-dir"), .limit = (size_t)cli_uint(ctx, "limit"),
                                       .timeout_ms = (int64_t)cli_uint(ctx, "wait") * 1000, .progress = show_progress, .failed = print_failure, .ctx = &s};
  options.n_sources = cli_strings(ctx, "source", &options.sources);
  if (cli_uint(ctx, "limit") == 0 || cli_uint(ctx, "wait") == 0 || cli_uint(ctx, "wait") > 86400)
    return cli_fail_text(ctx, "--limit and --wait are 1 or more, --wait at most 86400 seconds");
  s.progress = cli_progress_start(ctx, "marketplace", true);
  ipfsa_status status = ipfsa_marketplace_search(cli_n_args(ctx) ? cli_arg_at(ctx, 0) : "", &options, print_entry, &s, &n_answered, &err);
  cli_progress_end(s.progress);
  if (status != IPFSA_OK) return cli_fail(ctx, &err);
  return n_answered ? 0 : cli_fail_text(ctx, "no source answered");
}

static const cli_option options[] = {
    {CLI_BOOL, "json", NULL, NULL, "One JSON object a line: entries, and {source, status, error} for what could not be asked"},
    {CLI_STRINGS, "source", "s", NULL, "curated, local, engine, registries, or the host of one registry; repeatable (marketplace.sources)"},
    {CLI_UINT, "limit", "n", "25", "Most entries"},
    {CLI_UINT, "wait", NULL, "10", "Seconds a source may take"},
    {0}};
static const cli_arg args[] = {{"term", 0, "What name, image or description must hold; HOST/NAME[:TAG] is looked up in that registry."}, {0}};

const cli_verb cli_verb_marketplace = {
    .name = "marketplace",
    .tagline = "Find container images.",
    .description = "Merges a built-in list, the images of the container engine, its search, and the registries of docker.registries. A source that\n"
                   "cannot be asked is told on standard error (with --json as a line of its own), the others are listed all the same; the command\n"
                   "fails only when none answers. Logins are those of 'docker login' and 'podman login'. Registries on private addresses are\n"
                   "asked when docker.registries names them; their token servers and redirects when http.private_origins does.",
    .example = "> ipfs-accelerate config docker.registries --json '[\"127.0.0.1:5000\", \"ghcr.io/ggml-org/llama.cpp\"]'\n"
               "> ipfs-accelerate marketplace llama\n"
               "> ipfs-accelerate marketplace 127.0.0.1:5000/team/model:v2 --json | jq .digest",
    .options = options,
    .args = args,
    .run = run,
};
