/* checkpoint inspect: what tensors a checkpoint has. */
#include <ipfsa/checkpoint.h>
#include <ipfsa/read.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/checkpoint.h"
#include "cli/cli.h"

const cli_verb cli_verb_checkpoint = {
    .name = "checkpoint",
    .tagline = "Look into model checkpoints.",
    .description = "Model checkpoints (safetensors, GGUF, PyTorch; sets by their index or their parts), in a repo or on the disk. Only headers are read, and every check of the\n"
                   "format is made. Nothing in a checkpoint is ever run.",
};

bool cli_checkpoint_is_local(const char *arg) { return ipfsa_path_parse(NULL, arg, NULL, NULL) != IPFSA_OK && access(arg, F_OK) == 0; }

/* What reads as a path of content is content; else a file that is there. */
ipfsa_checkpoint *cli_checkpoint_open(cli_context *ctx, const char *arg) {
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_node *node = NULL;
  if (!cli_checkpoint_is_local(arg) && !(node = cli_node(ctx, false, false))) return NULL;
  if (ipfsa_checkpoint_open(node, arg, &cp, &err) == IPFSA_OK) return cp;
  (void)cli_fail(ctx, &err);
  return NULL;
}

static void print_shape(cli_context *ctx, const ipfsa_tensor *t) {
  for (uint32_t i = 0; i < t->rank; i++) cli_out(ctx, "%s%" PRIu64, i ? "," : "", t->shape[i]);
}

void cli_tensor_json(cli_context *ctx, const ipfsa_tensor *t) {
  cli_out(ctx, "{\"Name\":");
  cli_json_string(ctx, t->name, t->name_len);
  cli_out(ctx, ",\"Dtype\":\"%s\",\"Shape\":[", t->dtype);
  print_shape(ctx, t);
  cli_out(ctx, "],\"Shard\":%u,\"Offset\":%" PRIu64 ",\"Size\":%" PRIu64 "}", t->shard, t->offset, t->size);
}

static void print_json(cli_context *ctx, const ipfsa_checkpoint *cp, const ipfsa_checkpoint_local *local) {
  ipfsa_checkpoint_shard s;
  ipfsa_checkpoint_pair p;
  ipfsa_tensor t;
  cli_out(ctx, "{\"Format\":\"%s\",\"Tensors\":%" PRIu64 ",\"TensorBytes\":%" PRIu64 ",\"Shards\":[", ipfsa_checkpoint_format_name(ipfsa_checkpoint_format_of(cp)),
          ipfsa_checkpoint_n_tensors(cp), ipfsa_checkpoint_tensor_bytes(cp));
  for (size_t i = 0; ipfsa_checkpoint_shard_row(cp, i, &s); i++) {
    cli_out(ctx, "%s{\"Name\":", i ? "," : "");
    cli_json_string(ctx, s.name, strlen(s.name));
    cli_out(ctx, ",\"Size\":%" PRIu64 ",\"DataOffset\":%" PRIu64 ",\"Tensors\":%" PRIu64 "}", s.size, s.data, s.n_tensors);
  }
  cli_out(ctx, "],\"Metadata\":[");
  for (size_t i = 0; ipfsa_checkpoint_metadata_row(cp, i, &p); i++) {
    cli_out(ctx, "%s{\"Key\":", i ? "," : "");
    cli_json_string(ctx, p.key, p.key_len);
    cli_out(ctx, ",\"Value\":");
    cli_json_string(ctx, p.value, p.value_len);
    cli_out(ctx, "}");
  }
  cli_out(ctx, "],\"Warnings\":[");
  for (size_t i = 0; ipfsa_checkpoint_warning(cp, i); i++) {
    cli_out(ctx, "%s", i ? "," : "");
    cli_json_string(ctx, ipfsa_checkpoint_warning(cp, i), strlen(ipfsa_checkpoint_warning(cp, i)));
  }
  cli_out(ctx, "],\"Local\":{\"Tensors\":%" PRIu64 ",\"TensorBytes\":%" PRIu64 ",\"Bytes\":%" PRIu64 ",\"MissingBytes\":%" PRIu64 "}}\n", local->n_tensors, local->tensor_bytes,
          local->bytes, local->missing_bytes);
  for (uint64_t i = 0; !cli_bool(ctx, "summary") && ipfsa_checkpoint_tensor(cp, i, &t); i++) {
    cli_tensor_json(ctx, &t);
    cli_out(ctx, "\n");
  }
}

#define SHOWN_VALUE 200 /* bytes of a value of metadata in the table; --json has all of it */

static void print_text(cli_context *ctx, const ipfsa_checkpoint *cp, const ipfsa_checkpoint_local *local) {
  ipfsa_checkpoint_shard s;
  ipfsa_checkpoint_pair p;
  ipfsa_tensor t;
  cli_out(ctx, "Format: %s\nTensors: %" PRIu64 "\nTensorBytes: %" PRIu64 "\n", ipfsa_checkpoint_format_name(ipfsa_checkpoint_format_of(cp)),
          ipfsa_checkpoint_n_tensors(cp), ipfsa_checkpoint_tensor_bytes(cp));
  cli_out(ctx, "Local: %" PRIu64 " tensors, %" PRIu64 " bytes; missing: %" PRIu64 " bytes\n", local->n_tensors, local->bytes, local->missing_bytes);
  for (size_t i = 0; ipfsa_checkpoint_shard_row(cp, i, &s); i++) {
    cli_out(ctx, "Shard %zu: %" PRIu64 " bytes, data from %" PRIu64 ", %" PRIu64 " tensors  ", i, s.size, s.data, s.n_tensors);
    cli_out_name(ctx, s.name, strlen(s.name));
    cli_out(ctx, "\n");
  }
  for (size_t i = 0; ipfsa_checkpoint_metadata_row(cp, i, &p); i++) {
    cli_out(ctx, "Metadata ");
    cli_out_name(ctx, p.key, p.key_len);
    cli_out(ctx, ": ");
    cli_out_name(ctx, p.value, p.value_len < SHOWN_VALUE ? p.value_len : SHOWN_VALUE);
    cli_out(ctx, "%s\n", p.value_len > SHOWN_VALUE ? "…" : "");
  }
  for (size_t i = 0; ipfsa_checkpoint_warning(cp, i); i++) cli_out(ctx, "Warning: %s\n", ipfsa_checkpoint_warning(cp, i));
  for (uint64_t i = 0; !cli_bool(ctx, "summary") && ipfsa_checkpoint_tensor(cp, i, &t); i++) {
    cli_out(ctx, "%-12s %12" PRIu64 " %5u:%-12" PRIu64 " ", t.dtype, t.size, t.shard, t.offset);
    cli_out_name(ctx, t.name, t.name_len);
    cli_out(ctx, " [");
    print_shape(ctx, &t);
    cli_out(ctx, "]\n");
  }
}

static int run_inspect(cli_context *ctx) {
  ipfsa_checkpoint *cp = cli_checkpoint_open(ctx, cli_arg_at(ctx, 0));
  ipfsa_checkpoint_local local;
  ipfsa_error err = {0};
  if (!cp) return 1;
  int code = ipfsa_checkpoint_locate(cp, &local, &err) == IPFSA_OK ? 0 : cli_fail(ctx, &err);
  if (code == 0 && cli_json(ctx)) print_json(ctx, cp, &local);
  else if (code == 0) print_text(ctx, cp, &local);
  ipfsa_checkpoint_close(cp);
  return code;
}

static const cli_option inspect_options[] = {{CLI_BOOL, "summary", "s", "false", "Leave out the list of tensors"}, {0}};
static const cli_arg inspect_args[] = {{"checkpoint", CLI_ARG_REQUIRED, "A CID or path of content, or a file or folder of this machine."}, {0}};
const cli_verb cli_verb_checkpoint_inspect = {
    .name = "checkpoint inspect",
    .tagline = "Show format, files, metadata and tensors of a checkpoint.",
    .description = "Tells format, files, totals, how much of it is here and metadata, then each tensor: dtype, bytes, file number and offset in that file, name, shape\n"
                   "(slowest dimension first). With --json: one object for the checkpoint, then one a tensor and line. What is malformed is refused\n"
                   "with tensor, byte and reason.",
    .example = "> ipfs-accelerate checkpoint inspect tiny.safetensors\n> ipfs-accelerate checkpoint inspect --json tiny.safetensors\n"
               "> ipfs-accelerate checkpoint inspect --summary bafybei…/tiny.safetensors",
    .options = inspect_options,
    .args = inspect_args,
    .run = run_inspect,
};
