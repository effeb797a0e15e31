/* filestore ls, verify: blocks that lie in files outside of the repo. */
#include <ipfsa/repo.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/input.h"

typedef struct filestore_printer {
  cli_context *ctx;
  bool verify;
} filestore_printer;

/* Kubo's words and numbers of a reference's state. */
static const char *state_of(ipfsa_status status, int *ret_number) {
  switch (status) {
  case IPFSA_OK: return *ret_number = 0, "ok";
  case IPFSA_E_NOT_FOUND: return *ret_number = 11, "no-file";
  case IPFSA_E_CHANGED:
  case IPFSA_E_CORRUPT: return *ret_number = 12, "changed";
  default: return *ret_number = 10, "error";
  }
}

static int print_external(void *arg, const ipfsa_external_block *b) {
  filestore_printer *p = arg;
  cli_context *ctx = p->ctx;
  int number = 0;
  const char *word = state_of(b->status, &number);
  if (cli_json(ctx)) {
    cli_out(ctx, "{\"Status\":%d,\"ErrorMsg\":", number);
    cli_json_string(ctx, b->what, strlen(b->what));
    cli_out(ctx, ",\"Key\":{\"/\":\"%s\"},\"FilePath\":", cli_cid(ctx, &b->cid));
    cli_json_string(ctx, b->path, strlen(b->path));
    cli_out(ctx, ",\"Offset\":%llu,\"Size\":%llu}\n", (unsigned long long)b->off, (unsigned long long)b->size);
    return 0;
  }
  if (p->verify) cli_out(ctx, "%-7s ", word);
  cli_out(ctx, "%-50s %6llu ", cli_cid(ctx, &b->cid), (unsigned long long)b->size);
  cli_out_name(ctx, b->path, strlen(b->path));
  cli_out(ctx, " %llu\n", (unsigned long long)b->off);
  return 0;
}

static int list_external(cli_context *ctx, bool verify) {
  bool remove = verify && cli_bool(ctx, "remove-bad-blocks");
  ipfsa_node *node = cli_node(ctx, remove, false);
  if (!node) return 1;
  filestore_printer p = {ctx, verify};
  ipfsa_error err = {0};
  ipfsa_external_options o = {.struct_size = sizeof o, .verify = verify, .file_order = cli_bool(ctx, "file-order"), .remove_bad = remove};
  ipfsa_status status = IPFSA_OK;
  if (cli_n_args(ctx) == 0) status = ipfsa_repo_list_external(node, &o, print_external, &p, &err);
  for (size_t i = 0; i < cli_n_args(ctx) && status == IPFSA_OK; i++) {
    const char *text = cli_arg_at(ctx, i);
    ipfsa_cid cid;
    o.only = &cid;
    status = cli_cid_or_alias(node, text, &cid, &err);
    if (status == IPFSA_OK) status = ipfsa_repo_list_external(node, &o, print_external, &p, &err);
  }
  return status ? cli_fail(ctx, &err) : 0;
}

static int run_ls(cli_context *ctx) { return list_external(ctx, false); }
static int run_verify(cli_context *ctx) { return list_external(ctx, true); }

static const cli_arg args[] = {{"obj", CLI_ARG_VARIADIC, "Cid of objects to list."}, {0}};
static const cli_option ls_options[] = {
    {CLI_BOOL, "file-order", NULL, NULL, "Sort the results based on the path of the backing file"}, {0}};
static const cli_option verify_options[] = {
    {CLI_BOOL, "file-order", NULL, NULL, "Verify the objects based on the order of the backing file"},
    {CLI_BOOL, "remove-bad-blocks", NULL, NULL, "Forget the blocks whose file is gone or holds other bytes"},
    {0}};

const cli_verb cli_verb_filestore_ls = {.name = "filestore ls",
                                        .tagline = "List objects in filestore.",
                                        .description = "A line a block: CID, bytes, file, offset.",
                                        .example = "ipfs filestore ls --file-order",
                                        .options = ls_options,
                                        .args = args,
                                        .run = run_ls};
const cli_verb cli_verb_filestore_verify = {.name = "filestore verify",
                                            .tagline = "Verify objects in filestore.",
                                            .description = "Reads the files. Before each line of 'filestore ls' stands what was found:\n"
                                                           "ok, changed (other bytes now), no-file, or error.",
                                            .example = "ipfs filestore verify",
                                            .options = verify_options,
                                            .args = args,
                                            .run = run_verify};
/* A block of this store is in one place: what is there already is never stored, or referred to, a second time. */
static int run_dups(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_error err = {0};
  ipfsa_external_options o = {.struct_size = sizeof o};
  if (!node) return 1;
  return ipfsa_repo_list_external(node, &o, NULL, NULL, &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_filestore_dups = {.name = "filestore dups",
                                          .tagline = "List blocks that are both in the filestore and standard block storage.",
                                          .description = "There are none: this store keeps each block in one place.",
                                          .example = "> ipfs-accelerate filestore dups",
                                          .run = run_dups};
const cli_verb cli_verb_filestore = {
    .name = "filestore", .tagline = "Interact with filestore objects.", .example = "ipfs filestore ls"};
