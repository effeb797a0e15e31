/* repo gc, stat, verify, ls, version; stats repo is repo stat. */
#include <ipfsa/repo.h>
#include <string.h>

#include "cli/cli.h"

/* --- gc --- */

typedef struct gc_printer {
  cli_context *ctx;
  bool quiet, silent, stream_errors, json;
} gc_printer;

static int print_removed(void *arg, const ipfsa_cid *cid, uint64_t size) {
  (void)size;
  gc_printer *p = arg;
  if (p->silent) return 0;
  if (p->json) cli_out(p->ctx, "{\"Key\":{\"/\":\"%s\"}}\n", cli_cid(p->ctx, cid));
  else cli_out(p->ctx, "%s%s\n", p->quiet ? "" : "removed ", cli_cid(p->ctx, cid));
  return 0;
}

static int print_damaged(void *arg, const ipfsa_cid *cid, const char *what) {
  gc_printer *p = arg;
  if (p->json && p->stream_errors) {
    char text[1024];
    snprintf(text, sizeof text, "%s: %s", cli_cid(p->ctx, cid), what);
    cli_out(p->ctx, "{\"Error\":");
    cli_json_string(p->ctx, text, strlen(text));
    cli_out(p->ctx, "}\n");
  } else if (!p->silent) {
    cli_fail_text(p->ctx, "%s: %s", cli_cid(p->ctx, cid), what);
  }
  return 0;
}

static int run_gc(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  gc_printer p = {ctx, cli_bool(ctx, "quiet"), cli_bool(ctx, "silent"), cli_bool(ctx, "stream-errors"), cli_json(ctx)};
  ipfsa_gc_options options = {.struct_size = sizeof options, .removed = print_removed, .damaged = print_damaged, .ctx = &p};
  if (cli_is_set(ctx, "grace")) options.lease_grace_s = cli_uint(ctx, "grace") ? cli_uint(ctx, "grace") : UINT64_MAX;
  cli_progress *progress = cli_progress_start(ctx, "gc", !p.silent);
  options.progress = cli_progress_step;
  options.progress_ctx = progress;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_repo_gc(node, &options, NULL, &err);
  cli_progress_end(progress);
  return status == IPFSA_OK ? 0 : cli_fail(ctx, &err);
}

static const cli_option gc_options[] = {
    {CLI_BOOL, "quiet", "q", NULL, "Write minimal output"},
    {CLI_BOOL, "silent", NULL, NULL, "Write no output"},
    {CLI_BOOL, "stream-errors", NULL, NULL, "Stream errors"},
    {CLI_UINT, "grace", NULL, NULL, "Seconds for which the blocks of an operation that was killed are kept (store.gc_grace)"},
    {0}};

const cli_verb cli_verb_repo_gc = {.name = "repo gc",
                                   .tagline = "Perform a garbage collection sweep on the repo.",
                                   .description = "Removes the blocks that no pin, no file of 'files' and no running operation needs.\n"
                                                  "A missing or damaged block below a pin is told and all else is done; a damaged root of a pin stops\n"
                                                  "the collection before anything is removed.",
                                   .example = "ipfs repo gc -q | wc -l",
                                   .options = gc_options,
                                   .run = run_gc};

/* --- stat --- */

static void print_size(cli_context *ctx, const char *label, uint64_t n, bool human, bool zero_is_none) {
  if (zero_is_none && n == 0) cli_out(ctx, "%-12snone\n", label);
  else if (human) cli_out(ctx, "%-12s%s\n", label, cli_human_bytes(n));
  else cli_out(ctx, "%-12s%llu\n", label, (unsigned long long)n);
}

static void print_stat_json(cli_context *ctx, const ipfsa_repo_stat *s, const char *path, bool size_only) {
  cli_out(ctx, "{\"RepoSize\":%llu,\"StorageMax\":%llu", (unsigned long long)s->disk_bytes, (unsigned long long)s->max_size);
  if (!size_only) {
    cli_out(ctx, ",\"NumObjects\":%llu,\"RepoPath\":", (unsigned long long)s->n_blocks);
    cli_json_string(ctx, path, strlen(path));
    cli_out(ctx, ",\"Version\":\"%s\"", ipfsa_repo_version());
  }
  cli_out(ctx, "}\n");
}

static int run_stat(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  ipfsa_error err = {0};
  ipfsa_repo_stat s = {.struct_size = sizeof s};
  if (ipfsa_repo_stat_get(node, &s, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  bool human = cli_bool(ctx, "human"), size_only = cli_bool(ctx, "size-only");
  const char *path = ipfsa_node_repo_path(node);
  if (cli_json(ctx)) {
    print_stat_json(ctx, &s, path, size_only);
    return 0;
  }
  if (!size_only) cli_out(ctx, "NumObjects: %llu\n", (unsigned long long)s.n_blocks);
  print_size(ctx, "RepoSize:", s.disk_bytes, human, false);
  print_size(ctx, "StorageMax:", s.max_size, human, true);
  if (size_only) return 0;
  cli_out(ctx, "RepoPath:   ");
  cli_out_name(ctx, path, strlen(path));
  cli_out(ctx, "\nVersion:    %s\n", ipfsa_repo_version());
  return 0;
}

static const cli_option stat_options[] = {
    {CLI_BOOL, "size-only", "s", NULL, "Only report RepoSize and StorageMax"},
    {CLI_BOOL, "human", "H", NULL, "Print sizes in human readable format (e.g., 1K 234M 2G)"},
    {0}};

const cli_verb cli_verb_repo_stat = {.name = "repo stat",
                                     .tagline = "Get stats for the currently used repo.",
                                     .example = "ipfs repo stat -H",
                                     .options = stat_options,
                                     .run = run_stat};
const cli_verb cli_verb_stats_repo = {.name = "stats repo",
                                      .tagline = "Get stats for the currently used repo.",
                                      .example = "ipfs stats repo -H",
                                      .options = stat_options,
                                      .run = run_stat};

/* --- verify --- */

static int print_corrupt(void *ctx, const ipfsa_cid *cid, const char *what) {
  char text[1024];
  if (ipfsa_cid_is_none(cid)) snprintf(text, sizeof text, "%s", what);
  else snprintf(text, sizeof text, "block %s was corrupt (%s)", cli_cid(ctx, cid), what);
  if (cli_json(ctx)) {
    cli_out(ctx, "{\"Msg\":");
    cli_json_string(ctx, text, strlen(text));
    cli_out(ctx, ",\"Progress\":0}\n");
  } else {
    cli_out_name(ctx, text, strlen(text));
    cli_out(ctx, "\n");
  }
  return 0;
}

static int print_verified(cli_context *ctx, const ipfsa_repo_verify_result *r) {
  int code = ipfsa_repo_verify_code(IPFSA_OK, r);
  if (code == 0 && cli_json(ctx)) cli_out(ctx, "{\"Msg\":\"verify complete, all blocks validated.\",\"Progress\":0}\n");
  else if (code == 0) cli_out(ctx, "verify complete, all blocks validated.\n");
  else if (code == 1)
    cli_err(ctx, "verify complete, %llu blocks were corrupt and are in quarantine now: add or fetch them again\n",
            (unsigned long long)r->n_quarantined);
  else
    cli_fail_text(ctx, "verify complete, some blocks were corrupt: %llu of %llu; --repair moves them to quarantine",
                  (unsigned long long)(r->n_damaged - r->n_quarantined), (unsigned long long)r->n_blocks);
  return code;
}

static int run_verify(cli_context *ctx) {
  if (cli_bool(ctx, "heal")) {
    cli_fail_text(ctx, "--heal fetches blocks from the network, which this program cannot do yet; --repair moves damaged ones aside");
    return 3;
  }
  bool repair = cli_bool(ctx, "repair") || cli_bool(ctx, "drop");
  ipfsa_node *node = cli_node(ctx, repair, false);
  if (!node) return 3;
  cli_progress *progress = cli_progress_start(ctx, "verify", true);
  ipfsa_repo_verify_options options = {.struct_size = sizeof options,
                                       .repair = repair,
                                       .damaged = print_corrupt,
                                       .damaged_ctx = ctx,
                                       .progress = cli_progress_step,
                                       .progress_ctx = progress};
  ipfsa_repo_verify_result result = {0};
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_repo_verify(node, &options, &result, &err);
  cli_progress_end(progress);
  if (status == IPFSA_OK) return print_verified(ctx, &result);
  cli_fail(ctx, &err);
  return ipfsa_repo_verify_code(status, &result);
}

static const cli_option verify_options[] = {
    {CLI_BOOL, "repair", NULL, NULL, "Move damaged blocks to the repo's quarantine folder, so that they can be added again"},
    {CLI_BOOL, "drop", NULL, NULL, "The same as --repair: nothing is deleted"},
    {CLI_BOOL, "heal", NULL, NULL, "Fetch damaged blocks from the network: refused, there is none"},
    {CLI_STRING, "heal-timeout", NULL, "30s", "Goes with --heal"},
    {0}};

const cli_verb cli_verb_repo_verify = {.name = "repo verify",
                                       .tagline = "Verify all blocks in repo are not corrupted.",
                                       .description = "Exit code 0: all is well; 1: damaged blocks were moved to quarantine; 2: damaged blocks are there;\n"
                                                      "3: the repo could not be checked.",
                                       .example = "ipfs repo verify --repair",
                                       .options = verify_options,
                                       .run = run_verify};

/* --- ls, version --- */

static int print_block(void *ctx, const ipfsa_cid *cid, uint64_t size) {
  (void)size;
  cli_out(ctx, cli_json(ctx) ? "{\"Ref\":\"%s\",\"Err\":\"\"}\n" : "%s\n", cli_cid(ctx, cid));
  return 0;
}

static int run_ls(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  ipfsa_error err = {0};
  return ipfsa_repo_list(node, print_block, ctx, &err) == IPFSA_OK ? 0 : cli_fail(ctx, &err);
}

const cli_verb cli_verb_repo_ls = {
    .name = "repo ls", .tagline = "List all local references.", .example = "ipfs repo ls | sort", .run = run_ls};

static int run_version(cli_context *ctx) {
  if (!cli_node(ctx, false, false)) return 1;
  if (cli_json(ctx)) cli_out(ctx, "{\"Version\":\"%s\"}\n", ipfsa_repo_version());
  else cli_out(ctx, "%s%s\n", cli_bool(ctx, "quiet") ? "" : "ipfs repo version ", ipfsa_repo_version());
  return 0;
}

static const cli_option version_options[] = {{CLI_BOOL, "quiet", "q", NULL, "Write minimal output"}, {0}};

const cli_verb cli_verb_repo_version = {.name = "repo version",
                                        .tagline = "Show the repo version.",
                                        .example = "ipfs repo version -q",
                                        .options = version_options,
                                        .run = run_version};

static int run_migrate(cli_context *ctx) {
  int64_t to = cli_is_set(ctx, "to") ? cli_int(ctx, "to") : IPFSA_REPO_VERSION;
  if (!cli_node(ctx, false, false)) return 1;
  if (to != IPFSA_REPO_VERSION) return cli_fail_text(ctx, "there is no repo version %lld; this program knows version %d alone", (long long)to, IPFSA_REPO_VERSION);
  cli_out(ctx, "Repository is already at version %d.\n", IPFSA_REPO_VERSION);
  return 0;
}

static const cli_option migrate_options[] = {{CLI_INT, "to", NULL, NULL, "Target repository version"},
                                             {CLI_BOOL, "allow-downgrade", NULL, "false", "Accepted: there is no older version"},
                                             {0}};

const cli_verb cli_verb_repo_migrate = {.name = "repo migrate",
                                        .tagline = "Apply repository migrations to a specific version.",
                                        .description = "There is one version of the repo so far, so that there is nothing to do.",
                                        .example = "> ipfs-accelerate repo migrate\nRepository is already at version 2.",
                                        .options = migrate_options,
                                        .run = run_migrate};

const cli_verb cli_verb_repo = {.name = "repo", .tagline = "Manipulate the IPFS repo.", .example = "ipfs repo stat"};
const cli_verb cli_verb_stats = {.name = "stats", .tagline = "Query IPFS statistics.", .example = "ipfs stats repo"};
