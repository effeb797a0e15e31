#include <ipfsa/dag.h>
#include <ipfsa/read.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/input.h"

#define MAX_BLOCK 2097152

const cli_verb cli_verb_dag = {
    .name = "dag",
    .tagline = "Interact with IPLD DAG objects.",
    .description = "'ipfs dag' is used for creating and manipulating DAG objects/hierarchies.",
};

static bool find_codec(cli_context *ctx, const char *option, uint64_t *ret) {
  const char *name = cli_string(ctx, option);
  ipfsa_table_row row;
  uint64_t code = 0;
  bool known = ipfsa_codec_from_string(name, &code), usable = false;
  for (size_t i = 0; known && !usable && ipfsa_codec_row(i, &row); i++) usable = row.code == code && row.supported;
  if (!usable) cli_fail_text(ctx, "unknown multicodec: \"%s\"", name);
  else *ret = code;
  return usable;
}

static const cli_option get_options[] = {{CLI_STRING, "output-codec", NULL, "dag-json", "Format that the object will be encoded as"}, {0}};

static int run_get(cli_context *ctx) {
  uint64_t codec = 0;
  ipfsa_error err = {0};
  if (!find_codec(ctx, "output-codec", &codec)) return 1;
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  return ipfsa_dag_get(node, cli_arg_at(ctx, 0), codec, cli_out_write, ctx, &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_dag_get = {
    .name = "dag get",
    .tagline = "Get a DAG node from IPFS.",
    .description = "Fetches a node, or the value at a path inside it, and prints it in the given format.",
    .example = "> ipfs-accelerate dag get bafyrei…/model/0",
    .options = get_options,
    .args = (const cli_arg[]){{"ref", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "The object to get"}, {0}},
    .run = run_get,
};

static const cli_option put_options[] = {
    {CLI_STRING, "store-codec", NULL, "dag-cbor", "Codec that the stored object will be encoded with"},
    {CLI_STRING, "input-codec", NULL, "dag-json", "Codec that the input object is encoded in"},
    {CLI_BOOL, "pin", NULL, "false", "Pin this object when adding"},
    {CLI_STRING, "hash", NULL, "sha2-256", "Hash function to use"},
    {CLI_BOOL, "allow-big-block", NULL, "false", "Accepted; a block over 2 MiB, which no peer would take, is refused all the same"},
    {0},
};

static int put_one(cli_context *ctx, ipfsa_node *node, size_t i, const ipfsa_dag_put_options *o) {
  size_t len = 0;
  uint8_t *data = cli_read_input(ctx, i, 2 * MAX_BLOCK, CLI_BIG_BLOCK, &len); /* JSON may be longer than the block it becomes */
  if (!data) return 1;
  ipfsa_cid cid;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_dag_put(node, (ipfsa_bytes){data, len}, o, &cid, &err);
  free(data);
  if (status) return cli_fail(ctx, &err);
  cli_out(ctx, cli_json(ctx) ? "{\"Cid\":{\"/\":\"%s\"}}\n" : "%s\n", cli_cid(ctx, &cid));
  return 0;
}

static int run_put(cli_context *ctx) {
  ipfsa_dag_put_options o = {.struct_size = sizeof o, .pin = cli_bool(ctx, "pin")};
  if (!find_codec(ctx, "store-codec", &o.store_codec) || !find_codec(ctx, "input-codec", &o.input_codec)) return 1;
  if (!ipfsa_hash_from_string(cli_string(ctx, "hash"), &o.hash)) return cli_fail_text(ctx, "unrecognized hash function: \"%s\"", cli_string(ctx, "hash"));
  ipfsa_node *node = cli_node(ctx, true, true);
  if (!node) return 1;
  int code = 0;
  size_t n = cli_n_args(ctx) ? cli_n_args(ctx) : 1;
  for (size_t i = 0; i < n && !code; i++) code = put_one(ctx, node, i, &o);
  return code;
}

const cli_verb cli_verb_dag_put = {
    .name = "dag put",
    .tagline = "Add a DAG node to IPFS.",
    .description = "Reads a node (dag-json unless --input-codec says otherwise), stores it and prints its CID.",
    .example = "> echo '{\"hello\":\"world\"}' | ipfs-accelerate dag put\nbafyrei…",
    .options = put_options,
    .args = (const cli_arg[]){{"object data", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_FILE | CLI_ARG_STDIN, "The object to put"}, {0}},
    .run = run_put,
};

static int run_resolve(cli_context *ctx) {
  ipfsa_cid cid;
  char *rest = NULL;
  ipfsa_error err = {0};
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  if (ipfsa_resolve(node, cli_arg_at(ctx, 0), &cid, &rest, &err)) return cli_fail(ctx, &err);
  if (cli_json(ctx)) {
    cli_out(ctx, "{\"Cid\":{\"/\":\"%s\"},\"RemPath\":\"%s", cli_cid(ctx, &cid), *rest ? "/" : "");
    cli_json_escaped(ctx, rest, strlen(rest));
    cli_out(ctx, "\"}\n");
  } else {
    cli_out(ctx, "%s%s", cli_cid(ctx, &cid), *rest ? "/" : "");
    cli_out_name(ctx, rest, strlen(rest));
  }
  ipfsa_text_free(rest);
  return 0;
}

const cli_verb cli_verb_dag_resolve = {
    .name = "dag resolve",
    .tagline = "Resolve IPLD block.",
    .description = "Prints the CID of the block where a path ends, and the rest of the path inside it.",
    .example = "> ipfs-accelerate dag resolve bafyrei…/model/0",
    .args = (const cli_arg[]){{"ref", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "The path to resolve"}, {0}},
    .run = run_resolve,
};

/* ---- stat ---- */

static void print_stat_json(cli_context *ctx, const ipfsa_cid *roots, const ipfsa_dag_stat *stats, size_t n, const ipfsa_dag_summary *sum) {
  cli_out(ctx, "{\"UniqueBlocks\":%llu,\"TotalSize\":%llu", (unsigned long long)sum->unique_blocks, (unsigned long long)sum->total_size);
  if (sum->shared_size) cli_out(ctx, ",\"SharedSize\":%llu", (unsigned long long)sum->shared_size);
  cli_out(ctx, ",\"Ratio\":%.17g,\"DagStats\":[", sum->ratio);
  for (size_t i = 0; i < n; i++)
    cli_out(ctx, "%s{\"Cid\":\"%s\",\"Size\":%llu,\"NumBlocks\":%llu}", i ? "," : "", cli_cid(ctx, &roots[i]), (unsigned long long)stats[i].size,
            (unsigned long long)stats[i].n_blocks);
  cli_out(ctx, "]}\n");
}

static void print_stat_text(cli_context *ctx, const ipfsa_cid *roots, const ipfsa_dag_stat *stats, size_t n, const ipfsa_dag_summary *sum) {
  size_t width = 0;
  for (size_t i = 0; i < n; i++)
    if (strlen(cli_cid(ctx, &roots[i])) > width) width = strlen(cli_cid(ctx, &roots[i]));
  cli_out(ctx, "\n%-*s\t%-15s\t%s\n", (int)width, "CID", "Blocks", "Size");
  for (size_t i = 0; i < n; i++)
    cli_out(ctx, "%-*s\t%-15llu\t%llu\n", (int)width, cli_cid(ctx, &roots[i]), (unsigned long long)stats[i].n_blocks, (unsigned long long)stats[i].size);
  cli_out(ctx, "\nSummary\nTotal Size: %llu (%s)\nUnique Blocks: %llu\nShared Size: %llu (%s)\nRatio: %f\n\n\n", (unsigned long long)sum->total_size,
          cli_human_bytes(sum->total_size), (unsigned long long)sum->unique_blocks, (unsigned long long)sum->shared_size,
          cli_human_bytes(sum->shared_size), sum->ratio);
}

static const cli_option stat_options[] = {{CLI_BOOL, "progress", "p", "true", "Show progress on stderr"}, {0}};

static int run_stat(cli_context *ctx) {
  size_t n = cli_n_args(ctx);
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_cid *roots = calloc(n, sizeof *roots);
  ipfsa_dag_stat *stats = calloc(n, sizeof *stats);
  ipfsa_dag_summary sum;
  ipfsa_error err = {0};
  ipfsa_status status = !node ? IPFSA_E_IO : roots && stats ? IPFSA_OK : IPFSA_E_NOMEM;
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) status = ipfsa_resolve(node, cli_arg_at(ctx, i), &roots[i], NULL, &err);
  cli_progress *progress = status == IPFSA_OK ? cli_progress_start(ctx, "counted", cli_bool(ctx, "progress")) : NULL;
  if (status == IPFSA_OK) status = ipfsa_dag_stat_get(node, roots, n, progress ? cli_progress_step : NULL, progress, stats, &sum, &err);
  cli_progress_end(progress);
  if (status == IPFSA_OK) (cli_json(ctx) ? print_stat_json : print_stat_text)(ctx, roots, stats, n, &sum);
  free(roots);
  free(stats);
  if (!node) return 1;
  if (!err.status) err.status = status;
  return status ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_dag_stat = {
    .name = "dag stat",
    .tagline = "Gets stats for a DAG.",
    .description = "Counts blocks and bytes below one or several roots; what they share is counted once.",
    .example = "> ipfs-accelerate dag stat bafybei…",
    .options = stat_options,
    .args = (const cli_arg[]){{"root", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_STDIN, "CID of a DAG root to get statistics for"}, {0}},
    .run = run_stat,
};
