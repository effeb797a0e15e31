/* image pull, ls, rm. */
#include <string.h>

#include "cli/engine.h"

static int print_step(void *arg, const ipfsa_pull_step *step) {
  cli_context *ctx = arg;
  if (!cli_json(ctx)) return cli_pull_step(ctx, step);
  cli_out(ctx, "{");
  cli_json_member(ctx, true, "Layer", step->layer);
  cli_json_member(ctx, false, "Status", step->status);
  cli_out(ctx, ",\"DoneBytes\":%llu,\"TotalBytes\":%llu}\n", (unsigned long long)step->done_bytes, (unsigned long long)step->total_bytes);
  return 0;
}

#define MAX_PASSWORD 4096u /* bytes: tokens of registries are up to some 2 KiB */

/* The first line of standard input: a password on the command line could be seen by everyone on this machine. */
static bool read_password(cli_context *ctx, char ret[MAX_PASSWORD]) {
  if (!cli_is_set(ctx, "username")) return cli_fail_text(ctx, "--password-stdin needs --username"), false;
  if (!fgets(ret, MAX_PASSWORD, stdin)) return cli_fail_text(ctx, "no password on standard input"), false;
  size_t len = strcspn(ret, "\r\n");
  if (len + 1 >= MAX_PASSWORD) return cli_fail_text(ctx, "the password on standard input is over %u bytes", MAX_PASSWORD - 2), false;
  ret[len] = '\0';
  return true;
}

static int run_pull(cli_context *ctx) {
  char password[MAX_PASSWORD];
  bool has_password = cli_bool(ctx, "password-stdin");
  if (cli_is_set(ctx, "username") && !has_password) return cli_fail_text(ctx, "--username needs --password-stdin");
  if (has_password && !read_password(ctx, password)) return 1;
  ipfsa_engine *engine = cli_engine(ctx);
  if (!engine) return 1;
  ipfsa_image_pull_options options = {.struct_size = sizeof options, .cb = print_step, .ctx = ctx, .platform = cli_is_set(ctx, "platform") ? cli_string(ctx, "platform") : NULL};
  if (has_password) options.username = cli_string(ctx, "username"), options.password = password;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_image_pull(engine, cli_arg_at(ctx, 0), &options, &err);
  explicit_bzero(password, sizeof password);
  cli_pull_end(ctx);
  if (status) return cli_fail(ctx, &err);
  if (!cli_json(ctx)) cli_out(ctx, "pulled %s\n", cli_arg_at(ctx, 0));
  return 0;
}

static int list_one(void *arg, const ipfsa_image *image) {
  cli_context *ctx = arg;
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_member(ctx, true, "Id", image->id);
    cli_json_member(ctx, false, "Name", image->name);
    cli_json_member(ctx, false, "Digest", image->digest);
    cli_out(ctx, ",\"Size\":%llu,\"Created\":%lld}\n", (unsigned long long)image->size, (long long)image->created);
    return 0;
  }
  cli_name(ctx, image->name, 40);
  cli_out(ctx, " %10s ", cli_human_bytes(image->size));
  cli_name(ctx, *image->digest ? image->digest : image->id, 0);
  cli_out(ctx, "\n");
  return 0;
}

static int run_ls(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  ipfsa_error err = {0};
  if (!engine) return 1;
  return ipfsa_image_list(engine, list_one, ctx, &err) ? cli_fail(ctx, &err) : 0;
}

static ipfsa_status rm_one(cli_context *ctx, ipfsa_engine *engine, const char *name, ipfsa_error *err) {
  ipfsa_status status = ipfsa_image_rm(engine, name, cli_bool(ctx, "force"), err);
  if (status) return status;
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_member(ctx, true, "Name", name);
    cli_out(ctx, "}\n");
  } else cli_out(ctx, "removed %s\n", name);
  return IPFSA_OK;
}

static int run_rm(cli_context *ctx) { return cli_each_name(ctx, rm_one); }

static const cli_option pull_options[] = {{CLI_STRING, "platform", NULL, NULL, "Platform, such as linux/arm64"},
                                          {CLI_STRING, "username", NULL, NULL, "User of the registry. Default: the login of 'docker login'"},
                                          {CLI_BOOL, "password-stdin", NULL, NULL, "The password is the first line of standard input"},
                                          CLI_ENGINE_OPTIONS};
static const cli_option engine_options[] = {CLI_ENGINE_OPTIONS};
static const cli_option rm_options[] = {{CLI_BOOL, "force", "f", NULL, "Also when stopped containers use it"}, CLI_ENGINE_OPTIONS};
static const cli_arg one_name[] = {{"name", CLI_ARG_REQUIRED, "[host[:port]/]path[:tag][@sha256:digest]"}, {0}};
static const cli_arg names[] = {{"name", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC, "Name or id of the image."}, {0}};

const cli_verb cli_verb_image = {.name = "image", .tagline = "Images of containers.", .example = "ipfs-accelerate image ls"};
const cli_verb cli_verb_image_pull = {.name = "image pull",
                                      .tagline = "Pull an image.",
                                      .description = "From a registry that docker.allowed_registries names, or any where it is empty. A digest in the name is checked; without tag it is latest.\n"
                                                     "The login that 'docker login' or 'podman login' left for the registry is used, unless another is given.",
                                      .example = "> ipfs-accelerate image pull ipfs/kubo:latest",
                                      .options = pull_options,
                                      .args = one_name,
                                      .run = run_pull};
const cli_verb cli_verb_image_ls = {.name = "image ls",
                                    .tagline = "List the engine's images.",
                                    .description = "Name, size and digest of each.",
                                    .example = "> ipfs-accelerate image ls",
                                    .options = engine_options,
                                    .run = run_ls};
const cli_verb cli_verb_image_rm = {.name = "image rm",
                                    .tagline = "Remove images.",
                                    .description = "An image that a container uses stays, and is an error.",
                                    .example = "> ipfs-accelerate image rm ipfs/kubo:latest",
                                    .options = rm_options,
                                    .args = names,
                                    .run = run_rm};
