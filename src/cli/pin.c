/* pin add, rm, ls, update, verify. */
#include <ipfsa/pin.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* CIDs that go into one JSON answer. */
typedef struct pin_answer {
  ipfsa_cid *cids;
  size_t n;
} pin_answer;

static bool keep_answer(pin_answer *a, const ipfsa_cid *cid) {
  ipfsa_cid *grown = realloc(a->cids, (a->n + 1) * sizeof *grown);
  if (!grown) return false;
  a->cids = grown;
  a->cids[a->n++] = *cid;
  return true;
}

/* {"Pins":[…]} of what was done, and frees it. */
static void print_answer(cli_context *ctx, pin_answer *a) {
  if (cli_json(ctx) && a->n) {
    cli_out(ctx, "{\"Pins\":[");
    for (size_t i = 0; i < a->n; i++) cli_out(ctx, "%s\"%s\"", i ? "," : "", cli_cid(ctx, &a->cids[i]));
    cli_out(ctx, "]}\n");
  }
  free(a->cids);
}

static const cli_arg path_args[] = {{"ipfs-path", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_STDIN, "Path to object(s) to be pinned."}, {0}};

/* --- add --- */

static int add_one(cli_context *ctx, ipfsa_node *node, const char *path, const ipfsa_pin_add_options *options, pin_answer *answer) {
  ipfsa_error err = {0};
  ipfsa_cid cid;
  if (ipfsa_pin_resolve(node, path, &cid, &err) != IPFSA_OK || ipfsa_pin_add(node, &cid, options, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  if (cli_json(ctx)) return keep_answer(answer, &cid) ? 0 : cli_fail_text(ctx, "out of memory");
  cli_out(ctx, "pinned %s %s\n", cli_cid(ctx, &cid), options->direct ? "directly" : "recursively");
  return 0;
}

static int run_add(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  cli_progress *progress = cli_progress_start(ctx, "pin", !cli_is_set(ctx, "progress") || cli_bool(ctx, "progress"));
  ipfsa_pin_add_options options = {.struct_size = sizeof options,
                                   .direct = !cli_bool(ctx, "recursive"),
                                   .name = cli_string(ctx, "name"),
                                   .progress = cli_progress_step,
                                   .progress_ctx = progress};
  pin_answer answer = {0};
  int code = 0;
  for (size_t i = 0; i < cli_n_args(ctx) && code == 0; i++) code = add_one(ctx, node, cli_arg_at(ctx, i), &options, &answer);
  cli_progress_end(progress);
  print_answer(ctx, &answer);
  return code;
}

static const cli_option add_options[] = {
    {CLI_BOOL, "recursive", "r", "true", "Recursively pin the object linked to by the specified object(s)"},
    {CLI_STRING, "name", "n", NULL, "An optional name for created pin(s)"},
    {CLI_BOOL, "progress", NULL, NULL, "Show progress. Default: on a terminal"},
    {CLI_BOOL, "fast-provide-root", NULL, NULL, "Accepted for scripts; there is no network to announce to"},
    {CLI_BOOL, "fast-provide-dag", NULL, NULL, "Accepted for scripts; there is no network to announce to"},
    {CLI_BOOL, "fast-provide-wait", NULL, NULL, "Accepted for scripts; there is no network to announce to"},
    {0}};

const cli_verb cli_verb_pin_add = {.name = "pin add",
                                   .tagline = "Pin objects to local storage.",
                                   .description = "Checks that every block below is here, then keeps them from gc. The pin is on disk when the command ends.",
                                   .example = "ipfs pin add --name=weights QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN",
                                   .options = add_options,
                                   .args = path_args,
                                   .run = run_add};

/* --- rm --- */

static int run_rm(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  pin_answer answer = {0};
  int code = 0;
  for (size_t i = 0; i < cli_n_args(ctx) && code == 0; i++) {
    ipfsa_error err = {0};
    ipfsa_cid cid;
    if (ipfsa_pin_resolve(node, cli_arg_at(ctx, i), &cid, &err) != IPFSA_OK ||
        ipfsa_pin_rm(node, &cid, cli_bool(ctx, "recursive"), &err) != IPFSA_OK)
      code = cli_fail(ctx, &err);
    else if (!cli_json(ctx)) cli_out(ctx, "unpinned %s\n", cli_cid(ctx, &cid));
    else if (!keep_answer(&answer, &cid)) code = cli_fail_text(ctx, "out of memory");
  }
  print_answer(ctx, &answer);
  return code;
}

static const cli_option rm_options[] = {
    {CLI_BOOL, "recursive", "r", "true", "Recursively unpin the object linked to by the specified object(s)"}, {0}};

const cli_verb cli_verb_pin_rm = {.name = "pin rm",
                                  .tagline = "Remove object from pin-list.",
                                  .description = "The blocks stay until 'repo gc' removes what nothing else needs.",
                                  .example = "ipfs pin rm QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN",
                                  .options = rm_options,
                                  .args = path_args,
                                  .run = run_rm};

/* --- ls --- */

typedef struct pin_lister {
  cli_context *ctx;
  bool quiet, names, stream, json;
  uint64_t n;
} pin_lister;

static const char *mode_word(ipfsa_pin_mode mode) {
  static const char *const words[] = {"all", "recursive", "direct", "indirect"};
  return words[mode];
}

static bool mode_of(const char *word, ipfsa_pin_mode *ret) {
  for (int m = IPFSA_PIN_NONE; m <= IPFSA_PIN_INDIRECT; m++)
    if (strcmp(word, mode_word((ipfsa_pin_mode)m)) == 0) return *ret = (ipfsa_pin_mode)m, true;
  return false;
}

static void print_pin_json(pin_lister *l, const ipfsa_pin *pin, const char *type) {
  cli_context *ctx = l->ctx;
  const char *cid = cli_cid(ctx, &pin->cid);
  size_t name_len = l->names ? strlen(pin->name) : 0;
  if (l->stream) cli_out(ctx, "{\"Cid\":\"%s\",\"Type\":\"%s\"%s", cid, type, name_len ? ",\"Name\":" : "");
  else cli_out(ctx, "%s\"%s\":{\"Type\":\"%s\",\"Name\":", l->n ? "," : "{\"Keys\":{", cid, type);
  if (name_len || !l->stream) cli_json_string(ctx, pin->name, name_len);
  cli_out(ctx, l->stream ? "}\n" : "}");
}

static void print_pin(pin_lister *l, const ipfsa_pin *pin, const char *type) {
  cli_context *ctx = l->ctx;
  if (l->json) print_pin_json(l, pin, type);
  else {
    cli_out(ctx, "%s", cli_cid(ctx, &pin->cid));
    if (!l->quiet) cli_out(ctx, " %s", type);
    if (!l->quiet && l->names && pin->name[0]) {
      cli_out(ctx, " ");
      cli_out_name(ctx, pin->name, strlen(pin->name));
    }
    cli_out(ctx, "\n");
  }
  l->n++;
}

static int list_pin(void *ctx, const ipfsa_pin *pin) {
  print_pin(ctx, pin, mode_word(pin->mode));
  return 0;
}

static int list_one(pin_lister *l, ipfsa_node *node, const char *path, ipfsa_pin_mode mode, bool print) {
  ipfsa_error err = {0};
  ipfsa_cid cid, through;
  ipfsa_pin pin;
  if (ipfsa_pin_resolve(node, path, &cid, &err) != IPFSA_OK) return cli_fail(l->ctx, &err);
  ipfsa_status status = ipfsa_pin_find(node, &cid, mode, &pin, &through, &err);
  if (status == IPFSA_E_NOT_PINNED) return cli_fail_text(l->ctx, "path '%s' is not pinned", path);
  if (status) return cli_fail(l->ctx, &err);
  char type[IPFSA_MAX_CID_TEXT + 32];
  if (pin.mode == IPFSA_PIN_INDIRECT) snprintf(type, sizeof type, "indirect through %s", cli_cid(l->ctx, &through));
  else snprintf(type, sizeof type, "%s", mode_word(pin.mode));
  if (print) print_pin(l, &pin, type);
  return 0;
}

/* An answer that is one JSON object is not begun before it is known to be whole. */
static int list_named(pin_lister *l, ipfsa_node *node, ipfsa_pin_mode mode) {
  int code = 0;
  for (bool print = !l->json || l->stream;; print = true) {
    for (size_t i = 0; i < cli_n_args(l->ctx) && code == 0; i++) code = list_one(l, node, cli_arg_at(l->ctx, i), mode, print);
    if (code || print) return code;
  }
}

static int run_ls(cli_context *ctx) {
  ipfsa_pin_mode mode;
  const char *type = cli_string(ctx, "type");
  if (!mode_of(type, &mode)) return cli_fail_text(ctx, "invalid type '%s', must be one of {direct, indirect, recursive, all}", type);
  ipfsa_node *node = cli_node_for_paths(ctx);
  if (!node) return 1;
  const char *name = cli_is_set(ctx, "name") ? cli_string(ctx, "name") : NULL;
  pin_lister l = {ctx, cli_bool(ctx, "quiet"), name || cli_bool(ctx, "names"), cli_bool(ctx, "stream"), cli_json(ctx), 0};
  int code = cli_n_args(ctx) ? list_named(&l, node, mode) : 0;
  ipfsa_error err = {0};
  if (cli_n_args(ctx) == 0 && ipfsa_pin_list(node, mode, name, list_pin, &l, &err) != IPFSA_OK) code = cli_fail(ctx, &err);
  if (l.json && !l.stream && (l.n || code == 0)) cli_out(ctx, l.n ? "}}\n" : "{\"Keys\":{}}\n");
  return code;
}

static const cli_option ls_options[] = {
    {CLI_STRING, "type", "t", "all", "The type of pinned keys to list. Can be \"direct\", \"indirect\", \"recursive\", or \"all\""},
    {CLI_BOOL, "quiet", "q", NULL, "Write just hashes of objects"},
    {CLI_STRING, "name", "n", NULL, "Limit returned pins to ones with names that contain the value provided. Implies --names"},
    {CLI_BOOL, "stream", "s", NULL, "Don't buffer pins before sending"},
    {CLI_BOOL, "names", NULL, NULL, "Include pin names in the output"},
    {0}};
static const cli_arg ls_args[] = {{"ipfs-path", CLI_ARG_VARIADIC | CLI_ARG_STDIN, "Path to object(s) to be listed."}, {0}};

const cli_verb cli_verb_pin_ls = {.name = "pin ls",
                                  .tagline = "List objects pinned to local storage.",
                                  .description = "Pins are recursive (with everything below), direct (one block), or indirect (below a recursive one).",
                                  .example = "ipfs pin ls --type=recursive --names",
                                  .options = ls_options,
                                  .args = ls_args,
                                  .run = run_ls};

/* --- update --- */

static int run_update(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  ipfsa_error err = {0};
  ipfsa_cid from, to;
  if (ipfsa_pin_resolve(node, cli_arg_at(ctx, 0), &from, &err) != IPFSA_OK || ipfsa_pin_resolve(node, cli_arg_at(ctx, 1), &to, &err) != IPFSA_OK ||
      ipfsa_pin_update(node, &from, &to, cli_bool(ctx, "unpin"), &err) != IPFSA_OK)
    return cli_fail(ctx, &err);
  if (cli_json(ctx)) cli_out(ctx, "{\"Pins\":[\"%s\",\"%s\"]}\n", cli_cid(ctx, &from), cli_cid(ctx, &to));
  else cli_out(ctx, "updated %s to %s\n", cli_cid(ctx, &from), cli_cid(ctx, &to));
  return 0;
}

static const cli_option update_options[] = {
    {CLI_BOOL, "unpin", NULL, "true", "Remove the old pin"},
    {CLI_BOOL, "fast-provide-root", NULL, NULL, "Accepted for scripts; there is no network to announce to"},
    {CLI_BOOL, "fast-provide-dag", NULL, NULL, "Accepted for scripts; there is no network to announce to"},
    {CLI_BOOL, "fast-provide-wait", NULL, NULL, "Accepted for scripts; there is no network to announce to"},
    {0}};
static const cli_arg update_args[] = {{"from-path", CLI_ARG_REQUIRED, "Path to old object."}, {"to-path", CLI_ARG_REQUIRED, "Path to a new object to be pinned."}, {0}};

const cli_verb cli_verb_pin_update = {.name = "pin update",
                                      .tagline = "Update a recursive pin.",
                                      .description = "Pins the new object and takes the pin from the old one, in one step.",
                                      .example = "ipfs pin update QmOldRoot QmNewRoot",
                                      .options = update_options,
                                      .args = update_args,
                                      .run = run_update};

/* --- verify --- */

typedef struct pin_checker {
  cli_context *ctx;
  bool verbose, quiet, json;
  cli_progress *progress;
} pin_checker;

static void print_verdict_json(cli_context *ctx, const ipfsa_pin_verdict *v) {
  cli_out(ctx, "{\"Cid\":\"%s\",\"Ok\":%s", cli_cid(ctx, v->cid), v->ok ? "true" : "false");
  for (size_t i = 0; i < v->n_listed; i++) {
    cli_out(ctx, "%s{\"Cid\":\"%s\",\"Err\":", i ? "," : ",\"BadNodes\":[", cli_cid(ctx, &v->bad[i].cid));
    cli_json_string(ctx, v->bad[i].message, strlen(v->bad[i].message));
    cli_out(ctx, "}");
  }
  cli_out(ctx, v->n_listed ? "]}\n" : "}\n");
}

static int print_verdict(void *arg, const ipfsa_pin_verdict *v) {
  pin_checker *c = arg;
  if (v->ok && !c->verbose) return 0;
  cli_progress_hide(c->progress);
  if (c->json) print_verdict_json(c->ctx, v);
  else if (c->quiet) cli_out(c->ctx, "%s\n", cli_cid(c->ctx, v->cid));
  else {
    cli_out(c->ctx, "%s %s\n", cli_cid(c->ctx, v->cid), v->ok ? "ok" : "broken");
    for (size_t i = 0; i < v->n_listed; i++) cli_out(c->ctx, "  %s: %s\n", cli_cid(c->ctx, &v->bad[i].cid), v->bad[i].message);
    if (v->n_bad > v->n_listed) cli_out(c->ctx, "  and %llu more\n", (unsigned long long)(v->n_bad - v->n_listed));
  }
  return 0;
}

static int run_verify(cli_context *ctx) {
  pin_checker c = {ctx, cli_bool(ctx, "verbose"), cli_bool(ctx, "quiet"), cli_json(ctx), NULL};
  if (c.verbose && c.quiet) return cli_fail_text(ctx, "the --verbose and --quiet options can not be used at the same time");
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  ipfsa_error err = {0};
  uint64_t n_bad = 0;
  cli_progress *progress = cli_progress_start(ctx, "verified", true);
  c.progress = progress;
  ipfsa_status status = ipfsa_pin_verify(node, print_verdict, &c, progress ? cli_progress_step : NULL, progress, &n_bad, &err);
  cli_progress_end(progress);
  if (status) return cli_fail(ctx, &err);
  return n_bad ? 1 : 0;
}

static const cli_option verify_options[] = {{CLI_BOOL, "verbose", NULL, NULL, "Also write the hashes of non-broken pins"},
                                            {CLI_BOOL, "quiet", "q", NULL, "Write just hashes of broken pins"},
                                            {0}};

const cli_verb cli_verb_pin_verify = {.name = "pin verify",
                                      .tagline = "Verify that recursive pins are complete.",
                                      .description = "Reads and hashes every node below every recursive pin and looks up every leaf; 'repo verify' reads\n"
                                                     "those, too. Exit code 1 when a pin is broken.",
                                      .example = "ipfs pin verify --verbose",
                                      .options = verify_options,
                                      .run = run_verify};

const cli_verb cli_verb_pin = {.name = "pin", .tagline = "Pin (and unpin) objects to local storage.", .example = "ipfs pin ls"};
