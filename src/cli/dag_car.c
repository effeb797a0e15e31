#include <errno.h>
#include <fcntl.h>
#include <ipfsa/dag.h>
#include <ipfsa/files.h>
#include <ipfsa/read.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const cli_option export_options[] = {
    {CLI_BOOL, "progress", "p", "true", "Display progress on CLI. Defaults to true when STDERR is a TTY"},
    {CLI_BOOL, "local-only", NULL, "false", "Accepted: only local blocks are read"},
    {0},
};

/* What its blocks have together, as the root says; 0: it is neither file nor folder. */
static uint64_t size_of_dag(ipfsa_node *node, const ipfsa_cid *root) {
  char path[IPFSA_MAX_CID_TEXT + 8] = "/ipfs/";
  ipfsa_files_stat st;
  ipfsa_cid_format(root, path + strlen(path));
  return ipfsa_files_stat_get(node, path, &st, NULL) == IPFSA_OK ? st.cumulative : 0;
}

static int run_export(cli_context *ctx) {
  ipfsa_cid root;
  ipfsa_error err = {0};
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  if (ipfsa_resolve(node, cli_arg_at(ctx, 0), &root, NULL, &err)) return cli_fail(ctx, &err);
  cli_progress *progress = cli_progress_start(ctx, "export", cli_bool(ctx, "progress"));
  cli_out_expect(ctx, size_of_dag(node, &root));
  ipfsa_status status = ipfsa_dag_export(node, &root, cli_out_write, ctx, cli_progress_step, progress, &err);
  cli_out_room_end(ctx);
  cli_progress_end(progress);
  return status ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_dag_export = {
    .name = "dag export",
    .tagline = "Streams the selected DAG as a .car stream on stdout.",
    .description = "Writes a CARv1: depth-first, links in order, each block once; byte for byte what Kubo writes.",
    .example = "> ipfs-accelerate dag export bafybei… > model.car",
    .options = export_options,
    .args = (const cli_arg[]){{"root", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "CID of a root to recursively export"}, {0}},
    .run = run_export,
};

static const cli_option import_options[] = {
    {CLI_BOOL, "pin-roots", NULL, "true", "Pin optional roots listed in the .car headers after importing"},
    {CLI_BOOL, "local-only", NULL, "false", "Accepted: nothing is fetched"},
    {CLI_BOOL, "silent", NULL, "false", "No output"},
    {CLI_BOOL, "stats", NULL, "false", "Output stats"},
    {CLI_BOOL, "allow-big-block", NULL, "false", "Accepted; a block over 2 MiB, which no peer would take, is refused all the same"},
    {CLI_BOOL, "fast-provide-root", NULL, NULL, "Accepted; takes effect once the node talks to others"},
    {CLI_BOOL, "fast-provide-dag", NULL, NULL, "Accepted; takes effect once the node talks to others"},
    {CLI_BOOL, "fast-provide-wait", NULL, NULL, "Accepted; takes effect once the node talks to others"},
    {0},
};

static int print_root(void *arg, const ipfsa_cid *root, const char *pin_error) {
  cli_context *ctx = arg;
  if (cli_bool(ctx, "silent") || !cli_bool(ctx, "pin-roots")) return 0;
  if (cli_json(ctx)) {
    cli_out(ctx, "{\"Root\":{\"Cid\":{\"/\":\"%s\"},\"PinErrorMsg\":", cli_cid(ctx, root));
    cli_json_string(ctx, pin_error ? pin_error : "", pin_error ? strlen(pin_error) : 0);
    cli_out(ctx, "}}\n");
  } else if (pin_error) {
    cli_out(ctx, "Pinned root\t%s\tFAILED: %s\n", cli_cid(ctx, root), pin_error);
  } else {
    cli_out(ctx, "Pinned root\t%s\tsuccess\n", cli_cid(ctx, root));
  }
  return 0;
}

static ipfsa_status import_one(cli_context *ctx, ipfsa_node *node, const char *path, ipfsa_dag_import_result *sum, ipfsa_error *err) {
  bool from_stdin = strcmp(path, "-") == 0;
  int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    snprintf(err->message, sizeof err->message, "open %s: %s", path, strerror(errno));
    return err->status = IPFSA_E_IO;
  }
  cli_progress *progress = cli_progress_start(ctx, "import", !cli_bool(ctx, "silent"));
  ipfsa_dag_import_options o = {.struct_size = sizeof o, .no_pin_roots = !cli_bool(ctx, "pin-roots"), .root = print_root, .root_ctx = ctx,
                                .progress = cli_progress_step, .progress_ctx = progress};
  ipfsa_dag_import_result one = {0};
  ipfsa_status status = ipfsa_dag_import(node, fd, from_stdin ? "standard input" : path, &o, &one, err);
  cli_progress_end(progress);
  if (!from_stdin) close(fd);
  sum->n_blocks += one.n_blocks;
  sum->n_bytes += one.n_bytes;
  return status;
}

static int run_import(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, true);
  if (!node) return 1;
  ipfsa_dag_import_result sum = {0};
  ipfsa_error err = {0};
  ipfsa_status status = IPFSA_OK;
  size_t n = cli_n_args(ctx);
  for (size_t i = 0; status == IPFSA_OK && i < (n ? n : 1); i++) status = import_one(ctx, node, n ? cli_arg_at(ctx, i) : "-", &sum, &err);
  if (status) return cli_fail(ctx, &err);
  if (cli_bool(ctx, "stats") && cli_json(ctx))
    cli_out(ctx, "{\"Stats\":{\"BlockCount\":%llu,\"BlockBytesCount\":%llu}}\n", (unsigned long long)sum.n_blocks, (unsigned long long)sum.n_bytes);
  else if (cli_bool(ctx, "stats"))
    cli_out(ctx, "Imported %llu blocks (%llu bytes)\n", (unsigned long long)sum.n_blocks, (unsigned long long)sum.n_bytes);
  return 0;
}

const cli_verb cli_verb_dag_import = {
    .name = "dag import",
    .tagline = "Import the contents of .car files.",
    .description = "Reads CARv1 and CARv2 archives, verifies every block against its CID, stores them and pins the roots.",
    .example = "> ipfs-accelerate dag import model.car\nPinned root\tbafybei…\tsuccess",
    .options = import_options,
    .args = (const cli_arg[]){{"path", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_FILE | CLI_ARG_STDIN, "The path of a .car file."}, {0}},
    .run = run_import,
};
