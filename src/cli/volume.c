/* volume create, ls, rm. */
#include <string.h>

#include "cli/engine.h"

static void print_done(cli_context *ctx, const char *name, const char *what, bool changed) {
  if (!cli_json(ctx)) {
    cli_out(ctx, "%s %s\n", name, what);
    return;
  }
  cli_out(ctx, "{");
  cli_json_member(ctx, true, "Name", name);
  cli_out(ctx, ",\"Changed\":%s}\n", changed ? "true" : "false");
}

static int run_create(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  ipfsa_error err = {0};
  bool created = false;
  if (!engine) return 1;
  if (ipfsa_volume_create(engine, cli_arg_at(ctx, 0), &created, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  print_done(ctx, cli_arg_at(ctx, 0), created ? "created" : "was there already", created);
  return 0;
}

static int list_one(void *arg, const ipfsa_volume *volume) {
  cli_context *ctx = arg;
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_member(ctx, true, "Name", volume->name);
    cli_json_member(ctx, false, "Driver", volume->driver);
    cli_json_member(ctx, false, "Mountpoint", volume->mountpoint);
    cli_out(ctx, ",\"Ours\":%s}\n", volume->is_ours ? "true" : "false");
    return 0;
  }
  cli_name(ctx, volume->name, 30);
  cli_out(ctx, " ");
  cli_name(ctx, volume->driver, 0);
  cli_out(ctx, "\n");
  return 0;
}

static int run_ls(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  ipfsa_error err = {0};
  if (!engine) return 1;
  return ipfsa_volume_list(engine, cli_bool(ctx, "foreign"), list_one, ctx, &err) ? cli_fail(ctx, &err) : 0;
}

static ipfsa_status rm_one(cli_context *ctx, ipfsa_engine *engine, const char *name, ipfsa_error *err) {
  ipfsa_status status = ipfsa_volume_rm(engine, name, err);
  if (status == IPFSA_OK) print_done(ctx, name, "removed", true);
  return status;
}

static int run_rm(cli_context *ctx) { return cli_each_name(ctx, rm_one); }

static const cli_option engine_options[] = {CLI_ENGINE_OPTIONS};
static const cli_option ls_options[] = {{CLI_BOOL, "foreign", NULL, NULL, "Those of others, too"}, CLI_ENGINE_OPTIONS};
static const cli_arg one_name[] = {{"name", CLI_ARG_REQUIRED, "Name of the volume."}, {0}};
static const cli_arg names[] = {{"name", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC, "Name of the volume."}, {0}};

const cli_verb cli_verb_volume = {.name = "volume", .tagline = "Volumes of containers.", .example = "ipfs-accelerate volume ls"};
const cli_verb cli_verb_volume_create = {.name = "volume create",
                                         .tagline = "Make a volume.",
                                         .description = "One of ours that is there already is no error.",
                                         .example = "> ipfs-accelerate volume create models",
                                         .options = engine_options,
                                         .args = one_name,
                                         .run = run_create};
const cli_verb cli_verb_volume_ls = {.name = "volume ls",
                                     .tagline = "List volumes.",
                                     .description = "Those that ipfs-accelerate made.",
                                     .example = "> ipfs-accelerate volume ls",
                                     .options = ls_options,
                                     .run = run_ls};
const cli_verb cli_verb_volume_rm = {.name = "volume rm",
                                     .tagline = "Remove volumes, with the data in them.",
                                     .description = "One that a container uses stays, and is an error.",
                                     .example = "> ipfs-accelerate volume rm models",
                                     .options = engine_options,
                                     .args = names,
                                     .run = run_rm};
