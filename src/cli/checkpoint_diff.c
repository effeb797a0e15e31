/* checkpoint diff and checkpoint verify. */
#include <inttypes.h>
#include <ipfsa/read.h>
#include <unistd.h>

#include "cli/checkpoint.h"

static const char *const words[] = {[IPFSA_TENSOR_EQUAL] = "equal", [IPFSA_TENSOR_CHANGED] = "changed", [IPFSA_TENSOR_NEW] = "new", [IPFSA_TENSOR_REMOVED] = "removed", [IPFSA_TENSOR_RENAMED] = "renamed"};

static int print_change(void *arg, ipfsa_tensor_change change, const ipfsa_tensor *from, const ipfsa_tensor *to) {
  cli_context *ctx = arg;
  const ipfsa_tensor *t = to ? to : from;
  if (change == IPFSA_TENSOR_EQUAL && !cli_bool(ctx, "all")) return 0;
  if (!cli_json(ctx)) {
    cli_out(ctx, "%-8s %12" PRIu64 " %s ", words[change], t->size, t->dtype);
    if (change == IPFSA_TENSOR_RENAMED) cli_out_name(ctx, from->name, from->name_len);
    cli_out(ctx, "%s", change == IPFSA_TENSOR_RENAMED ? " -> " : "");
    cli_out_name(ctx, t->name, t->name_len);
    cli_out(ctx, "\n");
    return 0;
  }
  cli_out(ctx, "{\"Change\":\"%s\",\"From\":", words[change]);
  if (from) cli_tensor_json(ctx, from);
  else cli_out(ctx, "null");
  cli_out(ctx, ",\"To\":");
  if (to) cli_tensor_json(ctx, to);
  else cli_out(ctx, "null");
  cli_out(ctx, "}\n");
  return 0;
}

static void print_sums(cli_context *ctx, const ipfsa_checkpoint_diff *d) {
  if (cli_json(ctx))
    cli_out(ctx, "{\"Equal\":%" PRIu64 ",\"Changed\":%" PRIu64 ",\"New\":%" PRIu64 ",\"Removed\":%" PRIu64 ",\"Renamed\":%" PRIu64 ",\"SharedBytes\":%" PRIu64 ",\"FromBytes\":%" PRIu64 ",\"ToBytes\":%" PRIu64 "}\n",
            d->n_equal, d->n_changed, d->n_new, d->n_removed, d->n_renamed, d->shared_bytes, d->from_bytes, d->to_bytes);
  else
    cli_out(ctx, "%" PRIu64 " equal, %" PRIu64 " changed, %" PRIu64 " new, %" PRIu64 " removed, %" PRIu64 " renamed; %" PRIu64 " bytes shared of %" PRIu64 " and %" PRIu64 "\n", d->n_equal, d->n_changed,
            d->n_new, d->n_removed, d->n_renamed, d->shared_bytes, d->from_bytes, d->to_bytes);
}

static int run_diff(cli_context *ctx) {
  ipfsa_checkpoint *from = cli_checkpoint_open(ctx, cli_arg_at(ctx, 0)), *to = from ? cli_checkpoint_open(ctx, cli_arg_at(ctx, 1)) : NULL;
  ipfsa_error err = {0};
  ipfsa_checkpoint_diff sums;
  int code = 1;
  if (to) {
    cli_progress *progress = cli_progress_start(ctx, "diff", true);
    ipfsa_checkpoint_diff_options o = {.struct_size = sizeof o, .cb = print_change, .ctx = ctx, .progress = cli_progress_step, .progress_ctx = progress};
    ipfsa_status status = ipfsa_checkpoint_compare(from, to, &o, &sums, &err);
    cli_progress_end(progress);
    code = status ? cli_fail(ctx, &err) : 0;
    if (status == IPFSA_OK) print_sums(ctx, &sums);
  }
  ipfsa_checkpoint_close(from);
  ipfsa_checkpoint_close(to);
  return code;
}

static const cli_option diff_options[] = {{CLI_BOOL, "all", "a", "false", "List equal tensors too"}, {0}};
static const cli_arg diff_args[] = {{"from", CLI_ARG_REQUIRED, "A checkpoint: content, or a file or folder of this machine."}, {"to", CLI_ARG_REQUIRED, "Another."}, {0}};
const cli_verb cli_verb_checkpoint_diff = {
    .name = "checkpoint diff",
    .tagline = "Compare two checkpoints tensor by tensor.",
    .description = "Tensors of one name are equal when dtype, shape and all bytes are the same, wherever they stand in which file. Bytes are read and compared\n"
                   "only where dtype and shape are the same, up to the first difference, and of content only where its blocks do not tell. A tensor that stands\n"
                   "in the other one under another name is renamed. Lists changed, new, removed and renamed tensors, then the sums; bytes shared are those of\n"
                   "equal and renamed tensors. With --json: one object a tensor, the sums last.",
    .example = "> ipfs-accelerate checkpoint diff tiny.safetensors bafybei…\n> ipfs-accelerate checkpoint diff --all --json bafybei… bafybei…/tiny.safetensors",
    .options = diff_options,
    .args = diff_args,
    .run = run_diff,
};

static int run_verify(cli_context *ctx) {
  const char *arg = cli_arg_at(ctx, 0);
  ipfsa_node *node = NULL;
  ipfsa_error err = {0};
  ipfsa_checkpoint_verified v;
  if (!cli_checkpoint_is_local(arg) && !(node = cli_node(ctx, false, false))) return 1;
  cli_progress *progress = cli_progress_start(ctx, "verify", true);
  ipfsa_status status = ipfsa_checkpoint_verify(node, arg, cli_progress_step, progress, &v, &err);
  cli_progress_end(progress);
  if (status) return cli_fail(ctx, &err);
  const char *format = ipfsa_checkpoint_format_name(v.format);
  if (cli_json(ctx)) cli_out(ctx, "{\"Format\":\"%s\",\"Files\":%" PRIu64 ",\"Tensors\":%" PRIu64 ",\"Bytes\":%" PRIu64 "}\n", format, v.n_files, v.n_tensors, v.bytes);
  else cli_out(ctx, "good: %s, %" PRIu64 " tensors in %" PRIu64 " files of %" PRIu64 " bytes\n", format, v.n_tensors, v.n_files, v.bytes);
  return 0;
}

static const cli_arg verify_args[] = {{"checkpoint", CLI_ARG_REQUIRED, "A CID or path of content, or a file or folder of this machine."}, {0}};
const cli_verb cli_verb_checkpoint_verify = {
    .name = "checkpoint verify",
    .tagline = "Check a checkpoint, headers and all of its bytes.",
    .description = "Makes every check of the format, then reads every byte of its files. Of content, each block is held against its hash; files of this\n"
                   "machine have none, so for them it tells that all can be read. Members of a PyTorch zip are held against their CRC-32. The first fault is named and\n"
                   "the exit code is 1.",
    .example = "> ipfs-accelerate checkpoint verify bafybei…\n> ipfs-accelerate checkpoint verify tiny.safetensors",
    .args = verify_args,
    .run = run_verify,
};
